//! Cryptography: `hash_keccak_256`.

use super::{Args, Host, HostResult, low};
use crate::{Config, metering::cost::Cost};
use sp_io::hashing::keccak_256;

/// `hash_keccak_256(input_ptr, input_len, out_ptr)`: writes the 32-byte hash. Input and output may overlap.
pub(super) fn hash_keccak_256<T: Config>(host: &mut Host<'_, '_, T>, args: Args) -> HostResult {
    let [input_ptr, input_len, out_ptr] = [low(args[0]), low(args[1]), low(args[2])];
    let _ = host.charge(Cost::Keccak256(input_len))?;
    let input = host.read(input_ptr, input_len)?;
    host.write(out_ptr, &keccak_256(&input))?;
    Ok(None)
}
