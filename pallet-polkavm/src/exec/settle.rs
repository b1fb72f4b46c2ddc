//! The end of a stack: deposits move, records are stored, contracts that called for their end are gone.
//!
//! Called once, when the first frame has ended well, inside the transaction's storage transaction.
//! Refunds come first, so that a call may pay for what it takes with what it frees.
//!
//! A deposit is balance of the origin, moved to the contract's account and held there under
//! [`HoldReason::StorageDepositReserve`]. A refund goes to the origin of the transaction that frees
//! the storage, whoever paid for it.

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
    /// Ends the stack.
    ///
    /// # Errors
    ///
    /// [`Error::StorageDepositLimitExhausted`], [`Error::StorageDepositNotEnoughFunds`] when the
    /// origin can't pay, [`Error::StorageRefundNotEnoughFunds`] when a contract holds less than its
    /// record says (a bug).
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
        // What is sent to a beneficiary may have taken another existential deposit.
        self.ledger.ensure_within_limit()
    }

    /// Removes a contract. Its deposit was given back already.
    ///
    /// Nobody is left on the stack who could be told of a failed transfer. So what can't be sent
    /// stays where it is, on what is then an ordinary account.
    fn terminate_now(&mut self, address: &H160, info: &ContractInfo<T>, beneficiary: &H160) -> Result<(), Failure> {
        let account = account::<T>(address);
        frame_system::Pallet::<T>::dec_consumers(&account);
        let to = T::AddressMapper::to_account_id(beneficiary);
        if to != account {
            // What came in after the contract sent its balance away.
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

/// Gives the existential deposit back to the origin, where the account has nothing else and is free to go.
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

/// Gives a deposit back to the origin. Returns whether the origin has got it.
///
/// It goes although balance of the contract is locked: the deposit isn't the contract's. An origin without balance can't
/// receive less than the existential deposit; then the deposit becomes the contract's own balance.
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

/// What a contract could send away if its deposit had been given back, in the contracts' unit.
///
/// As long as it is there, a deposit on hold counts towards what is locked on the account, and so lets go balance
/// that has to stay.
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
        // What can't be refunded can't be sent, either.
        _ => U256::zero(),
    }
}
