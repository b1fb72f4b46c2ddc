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
    tokens::Preservation,
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
    let send = |ledger: &mut Ledger<T>| {
        if !frame_system::Pallet::<T>::account_exists(to) {
            existential_deposit::<T>(origin, to, ledger)?;
        }
        T::Currency::transfer(from, to, value, Preservation::Preserve).map_err(|error| {
            Failure::new::<T>(Error::TransferFailed, format!("a value of {value:?} can't be transferred: {error:?}"))
        })?;
        Ok(())
    };
    // A contract may go on after a transfer that failed: the existential deposit must not stay then.
    ledger.begin(None);
    let sent = with_transaction(|| -> TransactionOutcome<Result<_, DispatchError>> {
        match send(ledger) {
            Ok(()) => TransactionOutcome::Commit(Ok(Ok(()))),
            failed => TransactionOutcome::Rollback(Ok(failed)),
        }
    });
    let sent = sent.unwrap_or_else(|error| Err(error.into()));
    match &sent {
        // What it took is checked against the limit of the frame below, with all the rest.
        Ok(()) => ledger.commit_unchecked(),
        Err(_) => ledger.rollback(),
    }
    sent
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

/// Brings an account into being at the origin's cost.
///
/// # Errors
///
/// [`Error::StorageDepositNotEnoughFunds`].
pub(super) fn existential_deposit<T: Config>(
    origin: &T::AccountId,
    to: &T::AccountId,
    ledger: &mut Ledger<T>,
) -> Result<(), Failure> {
    let amount = T::Currency::minimum_balance();
    T::Currency::transfer(origin, to, amount, Preservation::Preserve).map_err(|error| {
        Failure::new::<T>(
            Error::StorageDepositNotEnoughFunds,
            format!("the origin can't pay an existential deposit of {amount:?}: {error:?}"),
        )
    })?;
    ledger.record_paid(amount);
    Ok(())
}
