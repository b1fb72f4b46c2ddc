//! What is behind an address: `code_hash`, `code_size`.

use super::{Args, Host, HostResult, low};
use crate::{CodeInfoOf, Config, ContractInfoOf, address::AddressMapper, metering::cost::Cost};
use sp_core::H256;
use sp_io::hashing::keccak_256;

/// `code_hash(addr_ptr, out_ptr)`: the hash of a contract's code; the hash of nothing for any
/// other account; zeros where there is no account.
pub(super) fn code_hash<T: Config>(host: &mut Host<'_, '_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::CodeHash)?;
    let address = host.read_address(low(args[0]))?;
    let hash = match ContractInfoOf::<T>::get(address) {
        Some(contract) => contract.code_hash,
        None if frame_system::Pallet::<T>::account_exists(&T::AddressMapper::to_account_id(&address)) => {
            H256(keccak_256(&[]))
        }
        None => H256::zero(),
    };
    host.write(low(args[1]), hash.as_bytes())?;
    Ok(None)
}

/// `code_size(addr_ptr) -> u64`: the length of a contract's code, zero for anything else.
pub(super) fn code_size<T: Config>(host: &mut Host<'_, '_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::CodeSize)?;
    let address = host.read_address(low(args[0]))?;
    let size = ContractInfoOf::<T>::get(address)
        .and_then(|contract| CodeInfoOf::<T>::get(contract.code_hash))
        .map_or(0, |code| code.code_len);
    Ok(Some(size.into()))
}
