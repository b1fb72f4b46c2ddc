//! Settlement at the end of a stack: moves deposits, stores records, and removes terminated contracts.
//!
//! Called once, after the first frame has succeeded, inside the transaction's storage transaction. Refunds come first,
//! so that a call may pay for the storage it takes with the storage it frees.
//!
//! A deposit is balance of the origin that is moved to the contract's account and held there under
//! [`HoldReason::StorageDepositReserve`]. A refund goes to the origin of the transaction that frees the storage,
//! whoever paid for it.

use super::{Stack, transfer};
use crate::{
    AddressMapper, BalanceOf, Config, ContractInfo, ContractInfoOf, DustOf, Error, Event, HoldReason, ImmutableDataOf,
    Pallet, code, deletion,
    metering::ledger::Settled,
    types::{Deposit, Failure},
};
use alloc::format;
use frame_support::{
    storage::with_transaction,
    traits::{
        fungible::{Inspect, Mutate, MutateHold},
        tokens::{Fortitude, Precision, Preservation, Restriction},
    },
};
use sp_core::{H160, U256};
use sp_runtime::{DispatchError, TransactionOutcome, traits::Zero};

impl<T: Config> Stack<T> {
    /// Settles the stack.
    ///
    /// # Errors
    ///
    /// [`Error::StorageDepositLimitExhausted`], [`Error::StorageDepositNotEnoughFunds`] if the origin can't pay,
    /// [`Error::StorageRefundNotEnoughFunds`] if a contract holds less than its record says (a bug).
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let settled = self.ledger.close();
        self.ledger.ensure_within_limit()?;
        for contract in &settled {
            if let Deposit::Refund(amount) = contract.deposit {
                let account = account::<T>(&contract.address);
                if !refund::<T>(&account, &self.origin, amount)? {
                    self.ledger.record_paid(amount);
                }
            }
        }
        for contract in &settled {
            if let Some(termination) = contract.termination {
                self.terminate_now(&contract.address, &contract.info, &termination.beneficiary)?;
            }
        }
        for contract in &settled {
            if let Deposit::Charge(amount) = contract.deposit {
                charge::<T>(&self.origin, &account::<T>(&contract.address), amount)?;
            }
        }
        for Settled { address, info, .. } in settled.iter().filter(|contract| contract.changed) {
            ContractInfoOf::<T>::insert(address, info);
        }
        for contract in &settled {
            let ended = contract.termination.map(|_| contract.info.code_hash);
            for code_hash in contract.left_code.into_iter().chain(ended) {
                if let Some((owner, released)) = code::remove_if_unused::<T>(code_hash)?
                    && owner == self.origin
                {
                    self.ledger.record_returned(released);
                }
            }
        }
        // Sending balance to a beneficiary may have taken another existential deposit.
        self.ledger.ensure_within_limit()
    }

    /// Removes a contract, whose deposit was already refunded.
    ///
    /// No frame is left that could handle a failed transfer. So balance that can't be sent stays where it is, on what
    /// is then an ordinary account.
    fn terminate_now(&mut self, address: &H160, info: &ContractInfo<T>, beneficiary: &H160) -> Result<(), Failure> {
        let account = account::<T>(address);
        frame_system::Pallet::<T>::dec_consumers(&account);
        let to = T::AddressMapper::to_account_id(beneficiary);
        if to != account {
            // Balance that arrived after the contract sent its balance away.
            let late = Pallet::<T>::spendable(&account);
            if let Err(failure) = transfer::transfer::<T>(&self.origin, &account, &to, late, &mut self.ledger) {
                log::debug!(target: crate::LOG_TARGET, "{address:?} keeps {late}: {}", failure.detail);
            }
        }
        if let Some(amount) = return_existential_deposit::<T>(&account, &self.origin) {
            self.ledger.record_returned(amount);
        }
        code::decrement_use_count::<T>(info.code_hash)?;
        deletion::queue::<T>(info.trie_id);
        ImmutableDataOf::<T>::remove(address);
        ContractInfoOf::<T>::remove(address);
        Pallet::<T>::deposit_event(Event::Terminated { contract: *address, beneficiary: *beneficiary });
        Ok(())
    }
}

fn account<T: Config>(address: &H160) -> T::AccountId {
    T::AddressMapper::to_fallback_account_id(address)
}

/// Returns the existential deposit to the origin, if the account has nothing else and can be reaped.
fn return_existential_deposit<T: Config>(account: &T::AccountId, origin: &T::AccountId) -> Option<BalanceOf<T>> {
    let amount = T::Currency::minimum_balance();
    if T::Currency::total_balance(account) != amount || DustOf::<T>::contains_key(account) {
        return None;
    }
    let moved = with_transaction(|| -> TransactionOutcome<Result<_, DispatchError>> {
        match T::Currency::transfer(account, origin, amount, Preservation::Expendable) {
            Ok(amount) => TransactionOutcome::Commit(Ok(amount)),
            Err(error) => TransactionOutcome::Rollback(Err(error)),
        }
    });
    moved.ok()
}

fn charge<T: Config>(origin: &T::AccountId, contract: &T::AccountId, amount: BalanceOf<T>) -> Result<(), Failure> {
    if amount.is_zero() {
        return Ok(());
    }
    T::Currency::transfer_and_hold(
        &HoldReason::StorageDepositReserve.into(),
        origin,
        contract,
        amount,
        Precision::Exact,
        Preservation::Preserve,
        Fortitude::Polite,
    )
    .map_err(|error| {
        Failure::new::<T>(
            Error::StorageDepositNotEnoughFunds,
            format!("the origin can't pay a storage deposit of {amount:?}: {error:?}"),
        )
    })?;
    Pallet::<T>::deposit_event(Event::StorageDepositTransferredAndHeld {
        from: origin.clone(),
        to: contract.clone(),
        amount,
    });
    Ok(())
}

/// Refunds a deposit to the origin. Returns true if the origin received it.
///
/// The deposit is moved even if balance of the contract is locked: it isn't the contract's own. An origin without
/// balance can't receive less than the existential deposit; then the deposit becomes the contract's own balance.
fn refund<T: Config>(contract: &T::AccountId, origin: &T::AccountId, amount: BalanceOf<T>) -> Result<bool, Failure> {
    if amount.is_zero() {
        return Ok(true);
    }
    let reason = HoldReason::StorageDepositReserve.into();
    let minimum = T::Currency::minimum_balance();
    let received = T::Currency::balance(origin) >= minimum || amount >= minimum;
    let moved = if received {
        let (precision, force) = (Precision::Exact, Fortitude::Force);
        T::Currency::transfer_on_hold(&reason, contract, origin, amount, precision, Restriction::Free, force)
    } else {
        T::Currency::release(&reason, contract, amount, Precision::Exact)
    };
    moved.map_err(|error| {
        Failure::new::<T>(
            Error::StorageRefundNotEnoughFunds,
            format!("the contract can't refund a storage deposit of {amount:?}: {error:?}"),
        )
    })?;
    let to = if received { origin } else { contract };
    Pallet::<T>::deposit_event(Event::StorageDepositTransferredAndReleased {
        from: contract.clone(),
        to: to.clone(),
        amount,
    });
    Ok(received)
}

/// The balance that a contract could send if its deposit had already been refunded, in the contracts' unit.
///
/// While it is there, a deposit on hold counts towards the account's locked balance, and so frees other balance that
/// has to stay.
pub(super) fn spendable_without_deposit<T: Config>(
    contract: &T::AccountId,
    origin: &T::AccountId,
    deposit: BalanceOf<T>,
) -> U256 {
    let left = with_transaction(|| -> TransactionOutcome<Result<_, DispatchError>> {
        let refunded = refund::<T>(contract, origin, deposit);
        TransactionOutcome::Rollback(Ok(refunded.map(|_| Pallet::<T>::spendable(contract))))
    });
    match left {
        Ok(Ok(left)) => left,
        // If the deposit can't be refunded, the balance can't be sent either.
        _ => U256::zero(),
    }
}
