//! `eth_call` and `eth_estimateGas`.

use super::{
    chain::{Answer, Chain},
    error,
    types::{BlockRef, CallRequest},
};
use pallet_polkavm::{
    ethereum::api::{EthereumCallV1, EthereumExecutionV1},
    runtime_api::OutputV1,
};
use runtime::Hash;
use serde_json::Value;
use sp_core::{Bytes, U256};

/// The flag of an output that says that the contract reverted.
const REVERTED: u32 = 1;
/// Maximum number of times that an insufficient gas limit is doubled.
const DOUBLINGS: u32 = 12;

/// Dry-runs a call and returns its output (`eth_call`).
pub fn call(chain: &Chain, request: CallRequest, block: Option<BlockRef>, overrides: Option<&Value>) -> Answer<Bytes> {
    refuse_overrides(overrides)?;
    let hash = chain.block(block)?;
    let execution = chain.dry_run(hash, request.into_call()?)?;
    succeeded(execution).map(|execution| Bytes(output(execution)))
}

/// The gas with which a transaction passes.
///
/// The number of a dry run without a limit is tried, and doubled until it suffices: a contract that looks at its own gas may
/// do something else with less. Both are dry runs with the very limits that the transaction will have in a block.
pub fn gas(chain: &Chain, request: CallRequest, block: Option<BlockRef>, overrides: Option<&Value>) -> Answer<U256> {
    refuse_overrides(overrides)?;
    let hash = chain.block(block)?;
    let call = request.into_call()?;
    let limit = call.gas;
    let mut gas = succeeded(chain.dry_run(hash, call.clone())?)?.gas_required;
    for _ in 0..=DOUBLINGS {
        let tried = limit.map_or(gas, |limit| gas.min(limit));
        let execution = try_with(chain, hash, &call, tried)?;
        if has_succeeded(&execution) {
            return Ok(tried.into());
        }
        if limit == Some(tried) {
            return succeeded(execution).map(|_| tried.into());
        }
        gas = gas.saturating_mul(2);
    }
    Err(error::server(format!("the transaction passes without a limit, and fails with {gas} of gas")))
}

fn try_with(chain: &Chain, hash: Hash, call: &EthereumCallV1, gas: u64) -> Answer<EthereumExecutionV1> {
    chain.dry_run(hash, EthereumCallV1 { gas: Some(gas), ..call.clone() })
}

/// True if a transaction has neither failed nor reverted.
pub fn has_succeeded(execution: &EthereumExecutionV1) -> bool {
    execution.result.as_ref().is_ok_and(|output| !is_reverted(output))
}

/// True if a contract reverted with this output.
pub fn is_reverted(output: &OutputV1) -> bool {
    output.flags & REVERTED != 0
}

fn succeeded(execution: EthereumExecutionV1) -> Answer<EthereumExecutionV1> {
    match execution.result {
        Ok(output) if is_reverted(&output) => Err(error::reverted(output.data)),
        Err(failure) => Err(error::failed(&failure)),
        Ok(_) => Ok(execution),
    }
}

fn output(execution: EthereumExecutionV1) -> Vec<u8> {
    execution.result.map(|output| output.data).unwrap_or_default()
}

/// A call on a state that differs from the chain's can't be had: it would be answered for another state than was asked about.
pub fn refuse_overrides(overrides: Option<&Value>) -> Answer<()> {
    match overrides {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(fields)) if fields.is_empty() => Ok(()),
        Some(_) => Err(error::invalid("state overrides are not supported")),
    }
}
