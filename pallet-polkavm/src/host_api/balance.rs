//! Balances: `balance`, `balance_of`.
//!
//! Both give what the account could send away and live on, in the contract's unit
//! (see [`Config::NativeToEthRatio`]), as 32 bytes, least significant first.

use super::{Args, Host, HostResult, low};
use crate::{Config, Pallet, metering::cost::Cost};

/// `balance(out_ptr)`: the contract's own.
pub(super) fn balance<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Balance)?;
    let balance = Pallet::<T>::spendable(&host.stack.top().account);
    host.write_u256(low(args[0]), balance)?;
    Ok(None)
}

/// `balance_of(addr_ptr, out_ptr)`: that of the account behind an address.
pub(super) fn balance_of<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::BalanceOf)?;
    let address = host.read_address(low(args[0]))?;
    let balance = Pallet::<T>::balance(address);
    host.write_u256(low(args[1]), balance)?;
    Ok(None)
}
