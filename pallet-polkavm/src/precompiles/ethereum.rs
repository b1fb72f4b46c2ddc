//! Ethereum's first four precompiles: `ecrecover`, SHA-256, RIPEMD-160 and the identity (Yellow Paper, appendix E).

use super::{Env, padded};
use crate::{
    Config,
    metering::cost::Cost,
    types::{Failure, Output},
};
use alloc::vec;
use ripemd::{Digest, Ripemd160};
use sp_io::{
    crypto::secp256k1_ecdsa_recover,
    hashing::{keccak_256, sha2_256},
};

/// `hash, v, r, s`, 32 bytes each: the address of the key that signed the hash; empty if there is none.
pub(super) fn ecrecover<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let _ = env.charge(Cost::EcRecover)?;
    let hash: [u8; 32] = padded(input, 0);
    let v: [u8; 32] = padded(input, 32);
    if v[..31].iter().any(|byte| *byte != 0) || !matches!(v[31], 27 | 28) {
        return Ok(Output::default());
    }
    let mut signature = [0; 65];
    signature[..64].copy_from_slice(&padded::<64>(input, 64));
    signature[64] = v[31] - 27;
    let Ok(key) = secp256k1_ecdsa_recover(&signature, &hash) else { return Ok(Output::default()) };
    let mut address = keccak_256(&key);
    address[..12].fill(0);
    Ok(Output::data(address.to_vec()))
}

/// Returns the SHA-256 hash.
pub(super) fn sha256<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let _ = env.charge(Cost::Sha256(input.len() as u32))?;
    Ok(Output::data(sha2_256(input).to_vec()))
}

/// Returns the RIPEMD-160 hash, as the low 20 bytes of 32.
pub(super) fn ripemd160<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let _ = env.charge(Cost::Ripemd160(input.len() as u32))?;
    let mut word = vec![0; 32];
    word[12..].copy_from_slice(&Ripemd160::digest(input));
    Ok(Output::data(word))
}

/// Returns the input.
pub(super) fn identity<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let _ = env.charge(Cost::CopyIn(input.len() as u32))?;
    Ok(Output::data(input.to_vec()))
}
