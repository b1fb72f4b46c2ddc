//! Executes an Ethereum transaction within its budget.

use super::Budget;
use crate::{
    BalanceOf, Config, Error, Event, Pallet, WeightInfo,
    bare::Limits,
    exec::ExecConfig,
    types::{Code, Execution, Failure, Instantiated, Output},
};
use alloc::{format, vec::Vec};
use frame_support::{storage::with_transaction, weights::Weight};
use sp_core::{H160, U256};
use sp_runtime::{DispatchError, TransactionOutcome};

impl<T: Config> Pallet<T> {
    /// Calls the account at `dest` with a value in the contracts' unit.
    pub(crate) fn ethereum_call(
        origin: T::AccountId,
        dest: H160,
        value: U256,
        gas: Weight,
        budget: Budget<BalanceOf<T>>,
        data: Vec<u8>,
        config: ExecConfig,
    ) -> Execution<Output, BalanceOf<T>> {
        let limits = Limits { gas, deposit: Some(budget.deposit) };
        within::<T, _>(budget, Output::did_revert, || {
            Self::transaction(origin, limits, config, Output::did_revert, |stack| stack.run_call(dest, value, data))
        })
    }

    /// Makes a contract of a program, with a value in the contracts' unit.
    ///
    /// As on Ethereum, that takes no nonce but the transaction's own, which its signature has used up.
    pub(crate) fn ethereum_instantiate(
        origin: T::AccountId,
        value: U256,
        gas: Weight,
        budget: Budget<BalanceOf<T>>,
        code: Vec<u8>,
        data: Vec<u8>,
        config: ExecConfig,
    ) -> Execution<Instantiated, BalanceOf<T>> {
        let limits = Limits { gas, deposit: Some(budget.deposit) };
        let config = ExecConfig { bump_nonce: false, ..config };
        let did_revert = |made: &Instantiated| made.output.did_revert();
        within::<T, _>(budget, did_revert, || {
            Self::transaction(origin, limits, config, did_revert, |stack| {
                stack.run_instantiate(Code::Upload(code), value, data, None)
            })
        })
    }
}

/// Runs something, and undoes it where weight and deposit together exceed the budget. Says in an event what the deposit came
/// to, which no other event does.
fn within<T: Config, R>(
    budget: Budget<BalanceOf<T>>,
    did_revert: impl Fn(&R) -> bool,
    run: impl FnOnce() -> Execution<R, BalanceOf<T>>,
) -> Execution<R, BalanceOf<T>> {
    let outcome = with_transaction(|| -> TransactionOutcome<Result<_, DispatchError>> {
        let mut execution = run();
        let deposit = execution.storage_deposit.charge_or_zero();
        match &execution.result {
            Ok(result) if !did_revert(result) && !budget.covers(execution.gas_consumed, deposit) => {
                execution.result = Err(Failure::new::<T>(
                    Error::OutOfGas,
                    format!(
                        "{:?} and a storage deposit of {deposit:?} together are more than the gas pays for",
                        execution.gas_consumed
                    ),
                ));
                execution.events.clear();
                execution.storage_deposit = Default::default();
                TransactionOutcome::Rollback(Ok(execution))
            }
            Ok(result) if !did_revert(result) => {
                let storage_deposit = execution.storage_deposit;
                Pallet::<T>::deposit_event(Event::EthereumTransactionExecuted { storage_deposit });
                TransactionOutcome::Commit(Ok(execution))
            }
            _ => TransactionOutcome::Commit(Ok(execution)),
        }
    });
    outcome.unwrap_or_else(|error| Execution {
        result: Err(error.into()),
        gas_consumed: Weight::zero(),
        gas_required: Weight::zero(),
        storage_deposit: Default::default(),
        storage_deposit_required: Default::default(),
        events: Vec::new(),
        trace: None,
    })
}

/// Weight of an Ethereum transaction on top of the call that it becomes: its hashes, and the event with its deposit. Its
/// signature is paid for as any extrinsic's is.
fn extra_weight<T: Config>(data_len: u32) -> Weight {
    // The hash that is signed and the one by which clients know it.
    let hash = T::WeightInfo::host_keccak_256(data_len);
    hash.saturating_add(hash).saturating_add(T::WeightInfo::host_deposit_event(0, 32))
}

/// The weight of [`crate::Call::eth_call`] without what the contract does.
pub(crate) fn call_weight<T: Config>(data_len: usize) -> Weight {
    let data_len = data_len as u32;
    T::WeightInfo::call(data_len).saturating_add(extra_weight::<T>(data_len))
}

/// The weight of [`crate::Call::eth_instantiate_with_code`] without what the constructor does.
pub(crate) fn instantiate_weight<T: Config>(code_len: usize, data_len: usize) -> Weight {
    let (code_len, data_len) = (code_len as u32, data_len as u32);
    T::WeightInfo::instantiate_with_code(code_len, data_len)
        .saturating_add(extra_weight::<T>(code_len.saturating_add(data_len)))
}
