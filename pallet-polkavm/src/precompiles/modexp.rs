//! Modular exponentiation, `base ** exponent % modulus`, of numbers of any length (EIP-198), priced by EIP-2565's count
//! of multiplications, with EIP-7823's bound of 1024 bytes for each number.

use super::{Env, bad_input, padded};
use crate::{
    Config,
    metering::cost::Cost,
    types::{Failure, Output},
};
use alloc::{vec, vec::Vec};
use num_bigint::BigUint;
use sp_core::U256;

/// Maximum length of a number in bytes.
const MAX_LEN: usize = 1024;

/// Length of the header in bytes: the lengths of the three numbers.
const HEADER: usize = 96;

pub(super) fn modexp<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let len = |index: usize| {
        usize::try_from(U256::from_big_endian(&padded::<32>(input, 32 * index)).low_u64()).unwrap_or(usize::MAX)
    };
    let oversized = (0..3).any(|index| U256::from_big_endian(&padded::<32>(input, 32 * index)) > U256::from(MAX_LEN));
    if oversized {
        return Err(bad_input::<T>("a number for modexp is longer than 1024 bytes"));
    }
    let [base_len, exponent_len, modulus_len] = [len(0), len(1), len(2)];
    let exponent_head = number(input, HEADER + base_len, exponent_len.min(32));
    let _ = env.charge(Cost::ModExp(multiplications(base_len, exponent_len, modulus_len, &exponent_head)))?;

    let base = number(input, HEADER, base_len);
    let exponent = number(input, HEADER + base_len, exponent_len);
    let modulus = number(input, HEADER + base_len + exponent_len, modulus_len);
    let mut result = vec![0; modulus_len];
    if modulus > BigUint::from(1u32) {
        let power = base.modpow(&exponent, &modulus).to_bytes_be();
        // It is less than the modulus, so not longer.
        result[modulus_len - power.len()..].copy_from_slice(&power);
    }
    Ok(Output::data(result))
}

/// Decodes a big-endian number, padded with zeros at the end of the input.
fn number(input: &[u8], from: usize, len: usize) -> BigUint {
    let rest = input.get(from..).unwrap_or_default();
    let mut bytes: Vec<u8> = rest[..rest.len().min(len)].to_vec();
    bytes.resize(len, 0);
    BigUint::from_bytes_be(&bytes)
}

/// The approximate number of multiplications of 64-bit words: EIP-2565's formula without its divisor.
fn multiplications(base_len: usize, exponent_len: usize, modulus_len: usize, head: &BigUint) -> u32 {
    let words = base_len.max(modulus_len).div_ceil(8) as u64;
    let head_bits = head.bits().saturating_sub(1);
    let iterations = if exponent_len <= 32 { head_bits } else { 8 * (exponent_len as u64 - 32) + head_bits };
    // At most 128 * 128 * 8192, as no number has more than 1024 bytes.
    u32::try_from((words * words).saturating_mul(iterations.max(1))).unwrap_or(u32::MAX)
}
