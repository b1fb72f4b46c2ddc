//! The implementation of [`super::api::EthereumApi`], so that a runtime has a line for each function.
//!
//! Only for states that are thrown away, as [`crate::dry_run`].

use super::{
    EthereumRuntime, Plan, Sent, TransactionError,
    api::{EthereumCallV1, EthereumExecutionV1, EthereumTermsV1, EthereumTraceV1},
    budget::{gas_of_balance, gas_price, info},
    plan,
    plan::{most, share},
};
use crate::{
    BalanceOf, Call, Config, Error, Pallet,
    address::AddressMapper,
    exec::{ExecConfig, trace::CallTrace},
    types::{Execution, Failure, Output},
};
use alloc::string::ToString;
use frame_support::{traits::Get, weights::Weight};
use sp_core::{H160, U256};
use sp_runtime::{
    SaturatedConversion,
    traits::{Saturating, Zero},
};

impl<T: Config> Pallet<T> {
    /// [`super::api::EthereumApi::terms`].
    pub fn ethereum_terms<E: EthereumRuntime<Config = T>>() -> EthereumTermsV1 {
        let block = T::BlockWeights::get().max_block;
        EthereumTermsV1 {
            chain_id: T::ChainId::get(),
            native_to_eth_ratio: T::NativeToEthRatio::get(),
            gas_price: gas_price::<E>(),
            block_gas: block.ref_time() / T::RefTimePerEthGas::get().max(1),
        }
    }

    /// [`super::api::EthereumApi::nonce`].
    pub fn ethereum_nonce(address: &H160) -> u64 {
        frame_system::Pallet::<T>::account_nonce(T::AddressMapper::to_account_id(address)).saturated_into()
    }

    /// [`super::api::EthereumApi::dry_run`].
    pub fn ethereum_dry_run<E: EthereumRuntime<Config = T>>(call: EthereumCallV1) -> EthereumExecutionV1 {
        run::<E>(call, ExecConfig::dry_run()).0
    }

    /// [`super::api::EthereumApi::trace`].
    pub fn ethereum_trace<E: EthereumRuntime<Config = T>>(call: EthereumCallV1) -> EthereumTraceV1 {
        let (execution, trace) = run::<E>(call, ExecConfig::tracing());
        let ref_time_per_gas = T::RefTimePerEthGas::get();
        EthereumTraceV1 { execution, trace: trace.map(Into::into), ref_time_per_gas }
    }
}

/// Runs a transaction, and returns its outcome, and its call trace if `config` asks for one.
fn run<E: EthereumRuntime>(call: EthereumCallV1, config: ExecConfig) -> (EthereumExecutionV1, Option<CallTrace>) {
    let EthereumCallV1 { from, to, value, gas, data, length } = call;
    let price = gas_price::<E>();
    let Plan { call, fixed_fee, .. } =
        match plan::<E>(Sent { to, value, data }, gas, length, Zero::zero(), Zero::zero()) {
            Ok(plan) => plan,
            Err(error) => return (refused::<E::Config>(&error), None),
        };
    let origin = <E::Config as Config>::AddressMapper::to_account_id(&from);
    frame_system::Pallet::<E::Config>::inc_account_nonce(&origin);
    match call {
        Call::eth_call { dest, value, gas_limit, budget, data } => {
            let mut execution =
                Pallet::<E::Config>::ethereum_call(origin, dest, value, gas_limit, budget, data, config);
            let trace = execution.trace.take();
            (outcome::<E, _>(execution, fixed_fee, price, |output| (output, None)), trace)
        }
        Call::eth_instantiate_with_code { value, gas_limit, budget, code, data } => {
            let mut execution =
                Pallet::<E::Config>::ethereum_instantiate(origin, value, gas_limit, budget, code, data, config);
            let trace = execution.trace.take();
            (outcome::<E, _>(execution, fixed_fee, price, |made| (made.output, Some(made.address))), trace)
        }
        // No other call is planned.
        _ => (refused::<E::Config>(&TransactionError::Malformed), None),
    }
}

/// The outcome where the transaction would not be in a block.
fn refused<T: Config>(error: &TransactionError) -> EthereumExecutionV1 {
    let (kind, gas) = match error {
        TransactionError::GasTooLow { least, .. } => (Error::<T>::OutOfGas, *least),
        _ => (Error::<T>::InvalidBlob, 0),
    };
    EthereumExecutionV1 {
        result: Err(Failure::new(kind, error.to_string()).into()),
        contract: None,
        gas_used: 0,
        gas_required: gas,
        events: Default::default(),
    }
}

fn outcome<E: EthereumRuntime, R>(
    execution: Execution<R, BalanceOf<E::Config>>,
    fixed_fee: BalanceOf<E::Config>,
    price: U256,
    parts: impl FnOnce(R) -> (Output, Option<H160>),
) -> EthereumExecutionV1 {
    // What weight adds to a fee that is linear.
    let fee = |weight: Weight| E::fee(0, &info(weight)).saturating_sub(E::fee(0, &info(Weight::zero())));
    let gas = |balance| gas_of_balance::<E::Config>(balance, price);
    let deposit = execution.storage_deposit.charge_or_zero();
    let used = fee(execution.gas_consumed).saturating_add(deposit);
    // Each limit by itself, and both together. The time with which enough proof size comes counts as well.
    let most = most::<E::Config>();
    let for_proof = share(execution.gas_required.proof_size(), most.proof_size(), most.ref_time());
    let time = execution.gas_required.ref_time().max(for_proof);
    let required = used.max(fee(Weight::from_parts(time, 0))).max(execution.storage_deposit_required);
    let (result, contract) = match execution.result.map(parts) {
        Ok((output, contract)) => (Ok(output.into()), contract),
        Err(failure) => (Err(failure.into()), None),
    };
    EthereumExecutionV1 {
        result,
        contract,
        gas_used: gas(fixed_fee.saturating_add(used)),
        // What rounding may take.
        gas_required: gas(fixed_fee.saturating_add(required)).saturating_add(2),
        events: execution.events.into_iter().map(Into::into).collect(),
    }
}
