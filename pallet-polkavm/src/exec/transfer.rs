//! Transfers of balance between accounts on behalf of a call.
//!
//! Called by the call stack, inside the storage transaction of the frame that receives the value. An account without
//! balance first gets the existential deposit, which the transaction's origin pays on top of the value and which counts
//! as storage deposit: contracts never see it.

use crate::{
    BalanceOf, Config, Error, Pallet, dust, metering::ledger::Ledger, storage_layer::with_layer, types::Failure,
};
use alloc::format;
use frame_support::traits::{
    fungible::{Inspect, Mutate},
    tokens::Preservation,
};
use sp_core::U256;
use sp_runtime::{DispatchError, TokenError::FundsUnavailable, TransactionOutcome, traits::Zero};

/// Transfers `value`, in the contracts' unit, from `from` to `to`. Does nothing if it is zero.
///
/// # Errors
///
/// [`Error::TransferFailed`] if `from` can't pay and stay alive, [`Error::StorageDepositNotEnoughFunds`] if the origin
/// can't pay an existential deposit.
pub(super) fn transfer<T: Config>(
    origin: &T::AccountId,
    from: &T::AccountId,
    to: &T::AccountId,
    value: U256,
    ledger: &mut Ledger<T>,
) -> Result<(), Failure> {
    if value.is_zero() {
        return Ok(());
    }
    // A contract may continue after a failed transfer: the existential deposit must be undone then.
    let sent = with_layer(|| match send::<T>(origin, from, to, value) {
        Ok(deposit) => TransactionOutcome::Commit(Ok(deposit)),
        failed => TransactionOutcome::Rollback(failed),
    });
    ledger.record_paid(sent?);
    Ok(())
}

/// Fails if an account can't send a value and stay alive.
///
/// # Errors
///
/// [`Error::TransferFailed`].
pub(super) fn ensure_affordable<T: Config>(from: &T::AccountId, value: U256) -> Result<(), Failure> {
    let most = Pallet::<T>::spendable(from);
    if value > most {
        return Err(Failure::new::<T>(
            Error::TransferFailed,
            format!("a value of {value} can't be transferred: no more than {most} can"),
        ));
    }
    Ok(())
}

/// Transfers `value`; returns the existential deposit that the origin paid for it.
fn send<T: Config>(
    origin: &T::AccountId,
    from: &T::AccountId,
    to: &T::AccountId,
    value: U256,
) -> Result<BalanceOf<T>, Failure> {
    let deposit = existential_deposit::<T>(origin, to)?;
    ensure_affordable::<T>(from, value)?;
    if from == to {
        return Ok(deposit);
    }
    let failed = |error: DispatchError| {
        Failure::new::<T>(Error::TransferFailed, format!("a value of {value} can't be transferred: {error:?}"))
    };
    let (balance, rest) = dust::split::<T>(value).ok_or_else(|| failed(DispatchError::Token(FundsUnavailable)))?;
    if !balance.is_zero() {
        T::Currency::transfer(from, to, balance, Preservation::Preserve).map_err(failed)?;
    }
    dust::transfer::<T>(from, to, rest).map_err(failed)?;
    Ok(deposit)
}

/// Gives an account the existential deposit at the origin's cost, unless its balance is at least that. Returns the
/// amount that the origin paid.
///
/// Checking for the account's existence would not suffice: an account that only has an asset exists, but can't receive
/// less than the existential deposit.
///
/// # Errors
///
/// [`Error::StorageDepositNotEnoughFunds`].
pub(super) fn existential_deposit<T: Config>(
    origin: &T::AccountId,
    to: &T::AccountId,
) -> Result<BalanceOf<T>, Failure> {
    let amount = T::Currency::minimum_balance();
    if T::Currency::balance(to) >= amount {
        return Ok(Zero::zero());
    }
    T::Currency::transfer(origin, to, amount, Preservation::Preserve).map_err(|error| {
        Failure::new::<T>(
            Error::StorageDepositNotEnoughFunds,
            format!("the origin can't pay an existential deposit of {amount:?}: {error:?}"),
        )
    })?;
    Ok(amount)
}
