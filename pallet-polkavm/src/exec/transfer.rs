//! Moving balance between accounts on behalf of a call.
//!
//! Called by the call stack, inside the storage transaction of the frame that receives the value.
//! An account that doesn't exist yet is brought into being with the existential deposit, which the
//! transaction's origin pays on top of the value and which counts as storage deposit: a contract
//! never sees it.

use crate::{BalanceOf, Config, Error, metering::deposit::DepositMeter, types::Failure};
use alloc::format;
use frame_support::traits::{
    fungible::{Inspect, Mutate},
    tokens::Preservation,
};
use sp_runtime::traits::Zero;

/// Moves `value` from `from` to `to`. Nothing happens for a value of zero.
///
/// # Errors
///
/// [`Error::TransferFailed`] when `from` can't pay and stay alive,
/// [`Error::StorageDepositNotEnoughFunds`] when the origin can't pay an existential deposit.
pub(super) fn transfer<T: Config>(
    origin: &T::AccountId,
    from: &T::AccountId,
    to: &T::AccountId,
    value: BalanceOf<T>,
    meter: &mut DepositMeter<T>,
) -> Result<(), Failure> {
    if value.is_zero() {
        return Ok(());
    }
    if !frame_system::Pallet::<T>::account_exists(to) {
        existential_deposit::<T>(origin, to, meter)?;
    }
    T::Currency::transfer(from, to, value, Preservation::Preserve).map_err(|error| {
        Failure::new::<T>(Error::TransferFailed, format!("a value of {value:?} can't be transferred: {error:?}"))
    })?;
    Ok(())
}

/// Brings an account into being at the origin's cost.
///
/// # Errors
///
/// [`Error::StorageDepositNotEnoughFunds`].
pub(super) fn existential_deposit<T: Config>(
    origin: &T::AccountId,
    to: &T::AccountId,
    meter: &mut DepositMeter<T>,
) -> Result<(), Failure> {
    let amount = T::Currency::minimum_balance();
    T::Currency::transfer(origin, to, amount, Preservation::Preserve).map_err(|error| {
        Failure::new::<T>(
            Error::StorageDepositNotEnoughFunds,
            format!("the origin can't pay an existential deposit of {amount:?}: {error:?}"),
        )
    })?;
    meter.record_paid(amount);
    Ok(())
}
