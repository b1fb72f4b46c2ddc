//! Where, when and by whom a contract is called: addresses, value, block, gas.
//!
//! Numbers of 256 bits are written least significant byte first.

use super::{Args, Host, HostResult, low};
use crate::{Config, address::AddressMapper, metering::cost::Cost};
use frame_support::traits::Get;
use sp_core::U256;

/// `caller(out_ptr)`: the address of who called this contract: another contract, or the origin.
pub(super) fn caller<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Address)?;
    let address = T::AddressMapper::to_address(host.stack.caller());
    host.write(low(args[0]), address.as_bytes())?;
    Ok(None)
}

/// `origin(out_ptr)`: the address of who signed the transaction.
pub(super) fn origin<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Address)?;
    let address = T::AddressMapper::to_address(host.stack.origin());
    host.write(low(args[0]), address.as_bytes())?;
    Ok(None)
}

/// `address(out_ptr)`: the contract's own address.
pub(super) fn address<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    let address = host.stack.top().address;
    host.write(low(args[0]), address.as_bytes())?;
    Ok(None)
}

/// `value_transferred(out_ptr)`: the value that came with this call, in the contract's unit
/// (see [`Config::NativeToEthRatio`]).
pub(super) fn value_transferred<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    let value = host.stack.top().value;
    host.write_u256(low(args[0]), value)?;
    Ok(None)
}

/// `now(out_ptr)`: the block's time in seconds since the Unix epoch.
pub(super) fn now<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    let seconds = host.stack.now_millis() / U256::from(1000);
    host.write_u256(low(args[0]), seconds)?;
    Ok(None)
}

/// `block_number(out_ptr)`: the number of the block the call is in.
pub(super) fn block_number<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    let number = host.stack.block_number();
    host.write_u256(low(args[0]), number)?;
    Ok(None)
}

/// `ref_time_left() -> u64`: what is left of the frame's time, in picoseconds of weight, this
/// function's own price already taken.
pub(super) fn ref_time_left<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    Ok(Some(host.stack.top().gas.left().ref_time()))
}

/// `gas_limit() -> u64`: the time a block may take, in picoseconds of weight.
pub(super) fn gas_limit<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    Ok(Some(T::BlockWeights::get().max_block.ref_time()))
}

/// `gas_price() -> u64`: [`Config::GasPrice`].
pub(super) fn gas_price<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    Ok(Some(T::GasPrice::get()))
}

/// `base_fee(out_ptr)`: [`Config::GasPrice`] again, as there is no tip in it.
pub(super) fn base_fee<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    host.write_u256(low(args[0]), T::GasPrice::get().into())?;
    Ok(None)
}

/// `chain_id(out_ptr)`: [`Config::ChainId`].
pub(super) fn chain_id<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    host.write_u256(low(args[0]), T::ChainId::get().into())?;
    Ok(None)
}
