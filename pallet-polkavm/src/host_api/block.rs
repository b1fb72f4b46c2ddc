//! Blocks: `block_hash`, `block_author`.

use super::{Args, Host, HostResult, low};
use crate::{Config, address::AddressMapper, metering::cost::Cost};
use frame_support::traits::FindAuthor;
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::{H160, H256, U256};

/// Number of past blocks whose hashes a contract can get, as on Ethereum.
const HASHES: u32 = 256;

/// `block_hash(number_ptr, out_ptr)`: the hash of one of the last 256 blocks, zeros for any other.
pub(super) fn block_hash<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::BlockHash)?;
    let number = host.read_u256(low(args[0]))?;
    let now = host.stack.block_number();
    let mut hash = H256::zero();
    if number < now
        && now.saturating_sub(number) <= U256::from(HASHES)
        && let Ok(number) = BlockNumberFor::<T>::try_from(number)
    {
        let found = frame_system::Pallet::<T>::block_hash(number);
        let len = found.as_ref().len().min(hash.0.len());
        hash.0[..len].copy_from_slice(&found.as_ref()[..len]);
    }
    host.write(low(args[1]), hash.as_bytes())?;
    Ok(None)
}

/// `block_author(out_ptr)`: the address of the block's author, zeros if it is unknown.
pub(super) fn block_author<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::BlockAuthor)?;
    let digest = frame_system::Pallet::<T>::digest();
    let seals = digest.logs().iter().filter_map(|log| log.as_pre_runtime());
    let author = T::FindAuthor::find_author(seals);
    let address = author.map_or_else(H160::zero, |author| T::AddressMapper::to_address(&author));
    host.write(low(args[0]), address.as_bytes())?;
    Ok(None)
}
