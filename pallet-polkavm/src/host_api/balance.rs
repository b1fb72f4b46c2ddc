//! Balances: `balance`, `balance_of`.
//!
//! Both return the balance that the account could send while staying alive, in the contract's unit (see
//! [`Config::NativeToEthRatio`]), as 32 bytes, least significant first.

use super::{Args, Host, HostResult, low};
use crate::{Config, Pallet, dust, metering::cost::Cost};
use sp_runtime::DispatchError;

/// `balance(out_ptr)`: the contract's own balance.
pub(super) fn balance<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    charge(host, Cost::Balance)?;
    let balance = Pallet::<T>::spendable(&host.stack.top().account);
    host.write_u256(low(args[0]), balance)?;
    Ok(None)
}

/// `balance_of(addr_ptr, out_ptr)`: the balance of the account behind an address.
pub(super) fn balance_of<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    charge(host, Cost::BalanceOf)?;
    let address = host.read_address(low(args[0]))?;
    let balance = Pallet::<T>::balance(address);
    host.write_u256(low(args[1]), balance)?;
    Ok(None)
}

/// Charges for a balance and the dust beside it.
fn charge<T: Config>(host: &mut Host<'_, T>, cost: Cost) -> Result<(), DispatchError> {
    let _ = host.charge(cost)?;
    host.stack.top_mut().gas.charge_weight(dust::read_weight::<T>())
}
