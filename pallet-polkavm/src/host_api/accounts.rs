//! Host functions on other accounts: `code_hash`, `code_size`.

use super::{Args, Host, HostResult, low};
use crate::{
    CodeInfoOf, Config,
    address::AddressMapper,
    exec::Stack,
    metering::cost::Cost,
    precompiles::{self, Precompiles},
};
use sp_core::{H160, H256};
use sp_io::hashing::keccak_256;

/// `code_hash(addr_ptr, out_ptr)`: the hash of a contract's code; the hash of no bytes for any other account; zeros if
/// there is no account.
pub(super) fn code_hash<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::CodeHash)?;
    let address = host.read_address(low(args[0]))?;
    let hash = host.stack.code_hash_of(&address).unwrap_or_default();
    host.write(low(args[1]), hash.as_bytes())?;
    Ok(None)
}

/// `code_size(addr_ptr) -> u64`: the length of a contract's code, zero for anything else.
pub(super) fn code_size<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::CodeSize)?;
    let address = host.read_address(low(args[0]))?;
    if T::Precompiles::find(&address).is_some() {
        return Ok(Some(precompiles::CODE.len() as u64));
    }
    let code_hash = host.stack.contract(&address).map(|contract| contract.info.code_hash);
    let size = code_hash.and_then(CodeInfoOf::<T>::get).map_or(0, |code| code.code_len);
    Ok(Some(size.into()))
}

impl<T: Config> Stack<T> {
    /// The hash of the code behind an address, as returned by [`code_hash`]; `None` if there is no account.
    pub(crate) fn code_hash_of(&mut self, address: &H160) -> Option<H256> {
        if T::Precompiles::find(address).is_some() {
            return Some(H256(keccak_256(&precompiles::CODE)));
        }
        if let Some(contract) = self.contract(address) {
            return Some(contract.info.code_hash);
        }
        let account = T::AddressMapper::to_account_id(address);
        frame_system::Pallet::<T>::account_exists(&account).then(|| H256(keccak_256(&[])))
    }
}
