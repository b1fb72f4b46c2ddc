//! The context of a call: addresses, value, block, gas.
//!
//! Numbers of 256 bits are written least significant byte first.

use super::{Args, Host, HostResult, low};
use crate::{Config, address::AddressMapper, metering::cost::Cost};
use frame_support::traits::Get;
use sp_core::U256;

/// `caller(out_ptr)`: the address of this contract's caller: another contract, or the origin.
pub(super) fn caller<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Address)?;
    let address = T::AddressMapper::to_address(host.stack.caller());
    host.write(low(args[0]), address.as_bytes())?;
    Ok(None)
}

/// `origin(out_ptr)`: the address of the transaction's signer.
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

/// `value_transferred(out_ptr)`: the value transferred with this call, in the contract's unit (see
/// [`Config::NativeToEthRatio`]).
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

/// `block_number(out_ptr)`: the number of the current block.
pub(super) fn block_number<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    let number = host.stack.block_number();
    host.write_u256(low(args[0]), number)?;
    Ok(None)
}

/// `ref_time_left() -> u64`: the time left to the frame, in picoseconds of weight, after this function's own price.
pub(super) fn ref_time_left<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    Ok(Some(host.stack.top().gas.left().ref_time()))
}

/// `gas_limit() -> u64`: the maximum time of a block, in picoseconds of weight.
pub(super) fn gas_limit<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    Ok(Some(T::BlockWeights::get().max_block.ref_time()))
}

/// `gas_price() -> u64`: [`Config::GasPrice`].
pub(super) fn gas_price<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    Ok(Some(T::GasPrice::get()))
}

/// `base_fee(out_ptr)`: also [`Config::GasPrice`], which includes no tip.
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
