//! Moving balance between accounts on behalf of a call.
//!
//! Called by the call stack, inside the storage transaction of the frame that receives the value.
//! An account that doesn't exist yet is brought into being with the existential deposit, which the
//! transaction's origin pays on top of the value and which counts as storage deposit: a contract
//! never sees it.

use crate::{BalanceOf, Config, Error, metering::ledger::Ledger, types::Failure};
use alloc::format;
use frame_support::storage::with_transaction;
use frame_support::traits::{
    Get,
    fungible::{Inspect, Mutate},
    tokens::{Fortitude, Preservation},
};
use sp_core::U256;
use sp_runtime::{DispatchError, TransactionOutcome, traits::Zero};

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
    ledger: &mut Ledger<T>,
) -> Result<(), Failure> {
    if value.is_zero() {
        return Ok(());
    }
    // A contract may go on after a transfer that failed: the existential deposit must not stay then.
    let sent = with_transaction(|| -> TransactionOutcome<Result<_, DispatchError>> {
        match send::<T>(origin, from, to, value) {
            Ok(deposit) => TransactionOutcome::Commit(Ok(Ok(deposit))),
            failed => TransactionOutcome::Rollback(Ok(failed)),
        }
    });
    ledger.record_paid(sent.unwrap_or_else(|error| Err(error.into()))?);
    Ok(())
}

/// Fails where an account can't send a value and stay alive.
///
/// # Errors
///
/// [`Error::TransferFailed`].
pub(super) fn ensure_affordable<T: Config>(from: &T::AccountId, value: BalanceOf<T>) -> Result<(), Failure> {
    let most = T::Currency::reducible_balance(from, Preservation::Preserve, Fortitude::Polite);
    if value > most {
        return Err(Failure::new::<T>(
            Error::TransferFailed,
            format!("a value of {value:?} can't be transferred: no more than {most:?} can"),
        ));
    }
    Ok(())
}

/// Moves `value`, and returns what existential deposit the origin has paid for it.
fn send<T: Config>(
    origin: &T::AccountId,
    from: &T::AccountId,
    to: &T::AccountId,
    value: BalanceOf<T>,
) -> Result<BalanceOf<T>, Failure> {
    let deposit = existential_deposit::<T>(origin, to)?;
    T::Currency::transfer(from, to, value, Preservation::Preserve).map_err(|error| {
        Failure::new::<T>(Error::TransferFailed, format!("a value of {value:?} can't be transferred: {error:?}"))
    })?;
    Ok(deposit)
}

/// A value that a contract gives, in the chain's unit.
///
/// # Errors
///
/// [`Error::TransferFailed`] where it isn't a whole number of the chain's units, or more than there can be.
pub(super) fn from_contract_value<T: Config>(value: U256) -> Result<BalanceOf<T>, Failure> {
    let ratio = U256::from(T::NativeToEthRatio::get().max(1));
    let (balance, rest) = value.div_mod(ratio);
    if !rest.is_zero() {
        return Err(Failure::new::<T>(
            Error::TransferFailed,
            format!("a value of {value} is no multiple of {ratio}, the contracts' units in one of the chain's"),
        ));
    }
    balance
        .try_into()
        .map_err(|_| Failure::new::<T>(Error::TransferFailed, format!("a value of {value} is more than there can be")))
}

/// Brings an account into being at the origin's cost, unless it is there. Returns what the origin has paid.
///
/// # Errors
///
/// [`Error::StorageDepositNotEnoughFunds`].
pub(super) fn existential_deposit<T: Config>(
    origin: &T::AccountId,
    to: &T::AccountId,
) -> Result<BalanceOf<T>, Failure> {
    if frame_system::Pallet::<T>::account_exists(to) {
        return Ok(Zero::zero());
    }
    let amount = T::Currency::minimum_balance();
    T::Currency::transfer(origin, to, amount, Preservation::Preserve).map_err(|error| {
        Failure::new::<T>(
            Error::StorageDepositNotEnoughFunds,
            format!("the origin can't pay an existential deposit of {amount:?}: {error:?}"),
        )
    })?;
    Ok(amount)
}
