//! Cryptography: `hash_keccak_256`, `ecdsa_to_eth_address`, `sr25519_verify`.

use super::{Args, Host, HostResult, low};
use crate::{Config, metering::cost::Cost};
use frame_support::crypto::ecdsa::ECDSAExt;
use pallet_revive_uapi::ReturnErrorCode;
use sp_core::{ecdsa, sr25519};
use sp_io::hashing::keccak_256;

/// `hash_keccak_256(input_ptr, input_len, out_ptr)`: writes the 32-byte hash. Input and output may overlap.
pub(super) fn hash_keccak_256<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [input_ptr, input_len, out_ptr] = [low(args[0]), low(args[1]), low(args[2])];
    let _ = host.charge(Cost::Keccak256(input_len))?;
    let input = host.read(input_ptr, input_len)?;
    host.write(out_ptr, &keccak_256(&input))?;
    Ok(None)
}

/// `ecdsa_to_eth_address(key_ptr, out_ptr) -> error code`: the address of a compressed ECDSA key of 33 bytes;
/// `EcdsaRecoveryFailed` if it is not a key.
pub(super) fn ecdsa_to_eth_address<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [key_ptr, out_ptr] = [low(args[0]), low(args[1])];
    let _ = host.charge(Cost::EcdsaToEthAddress)?;
    let key = ecdsa::Public::from_raw(host.read_array(key_ptr)?);
    let code = match key.to_eth_address() {
        Ok(address) => {
            host.write(out_ptr, &address)?;
            ReturnErrorCode::Success
        }
        Err(()) => ReturnErrorCode::EcdsaRecoveryFailed,
    };
    Ok(Some(code.into()))
}

/// `sr25519_verify(signature_ptr, key_ptr, message_len, message_ptr) -> error code`: verifies a signature;
/// `Sr25519VerifyFailed` if it is not the key's signature of the message.
pub(super) fn sr25519_verify<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [signature_ptr, key_ptr] = [low(args[0]), low(args[1])];
    let [message_len, message_ptr] = [low(args[2]), low(args[3])];
    let _ = host.charge(Cost::Sr25519Verify(message_len))?;
    let signature = sr25519::Signature::from_raw(host.read_array(signature_ptr)?);
    let key = sr25519::Public::from_raw(host.read_array(key_ptr)?);
    let message = host.read(message_ptr, message_len)?;
    let code = if sp_io::crypto::sr25519_verify(&signature, &message, &key) {
        ReturnErrorCode::Success
    } else {
        ReturnErrorCode::Sr25519VerifyFailed
    };
    Ok(Some(code.into()))
}
