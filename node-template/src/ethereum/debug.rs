//! Call traces in the form of go-ethereum's `callTracer`: `debug_traceCall`, `debug_traceTransaction` and
//! `debug_traceBlockBy…`.
//!
//! A transaction of a block is traced by replaying the block: its extrinsics are applied to its parent's state up to the
//! transaction, which is then dry-run with a trace. The dry run takes no fee, so a contract that reads its sender's balance
//! sees it before the fee was withdrawn. A replay that does not end as the block says is refused.

use super::{
    block::{Block, Mined, payload_of},
    chain::{Answer, Chain, api_error},
    error, estimate,
    index::Index,
    types::{BlockRef, CallRequest},
};
use codec::Encode;
use pallet_polkavm::{
    ethereum::api::{EthereumApi as _, EthereumCallV1, EthereumTraceV1},
    runtime_api::{CallKindV1, CallTraceV1},
};
use sc_client_api::BlockBackend as _;
use serde::Deserialize;
use serde_json::{Value, json};
use sp_api::{ApiExt as _, Core as _, ProvideRuntimeApi as _};
use sp_block_builder::BlockBuilder as _;
use sp_core::{Bytes, H256, U256};
use sp_io::hashing::keccak_256;
use sp_runtime::TransactionOutcome;

/// Parameters of a trace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    tracer: Option<String>,
    tracer_config: TracerConfig,
    state_overrides: Option<Value>,
    block_overrides: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TracerConfig {
    only_top_call: bool,
    with_log: bool,
}

impl Options {
    /// Refuses what is not supported: an answer without it would be taken for complete.
    pub fn check(&self) -> Answer<()> {
        match self.tracer.as_deref() {
            Some("callTracer") => {}
            None => {
                return Err(error::invalid("there are no steps of the EVM to show: give {\"tracer\": \"callTracer\"}"));
            }
            Some(other) => return Err(error::invalid(format!("no tracer {other}: there is callTracer"))),
        }
        if self.tracer_config.with_log {
            return Err(error::invalid("withLog is not supported: logs are in the receipt"));
        }
        estimate::refuse_overrides(self.state_overrides.as_ref())?;
        estimate::refuse_overrides(self.block_overrides.as_ref())
    }
}

/// Dry-runs a call with a trace (`debug_traceCall`).
pub fn call(chain: &Chain, request: CallRequest, block: Option<BlockRef>, options: &Options) -> Answer<Value> {
    let hash = chain.block(block)?;
    let call = request.into_call()?;
    let traced = chain.client.runtime_api().trace(hash, call.clone()).map_err(api_error)?;
    let gas_used = traced.execution.gas_used;
    Ok(first_call(&call, &traced, gas_used, options.tracer_config))
}

/// Replays a block up to a transaction, and returns its trace (`debug_traceTransaction`).
pub fn transaction(chain: &Chain, index: &Index, hash: H256, options: &Options) -> Answer<Value> {
    let Some((block, place)) = index.transaction(chain, hash)? else {
        return Err(error::server(format!("transaction not found: {hash:?}")));
    };
    let mut traces = replay(chain, &block, Some(place), options.tracer_config)?;
    let trace = traces.pop().ok_or_else(|| error::server(format!("the body of block {:?} lacks it", block.hash)))?;
    Ok(trace.1)
}

/// Replays a block, and returns the traces of its transactions (`debug_traceBlockBy…`).
pub fn block(chain: &Chain, index: &Index, block: BlockRef, options: &Options) -> Answer<Value> {
    let hash = chain.block(Some(block))?;
    let block = index.block(chain, hash)?.ok_or_else(|| error::server(format!("unknown block: {hash:?}")))?;
    let traces = replay(chain, &block, None, options.tracer_config)?;
    Ok(traces.into_iter().map(|(hash, trace)| json!({ "txHash": hash, "result": trace })).collect())
}

/// The traces of a block's transactions by hash, or that of one of them.
fn replay(chain: &Chain, block: &Block, only: Option<usize>, config: TracerConfig) -> Answer<Vec<(H256, Value)>> {
    let parent = block.header.parent_hash;
    let body = chain.client.block_body(block.hash).map_err(error::server)?.unwrap_or_default();
    let api = chain.client.runtime_api();
    api.initialize_block(parent, &block.header).map_err(api_error)?;
    let mut traces = Vec::new();
    let mut transactions = block.transactions.iter().enumerate().peekable();
    for extrinsic in body {
        let bytes = extrinsic.encode();
        let hash = payload_of(&bytes).map(|payload| H256(keccak_256(&payload)));
        if let Some((place, mined)) = transactions.next_if(|(_, mined)| hash == Some(mined.transaction.hash))
            && only.is_none_or(|only| only == place)
        {
            let call = call_of(mined, bytes.len());
            // The extrinsic itself is applied to the state without it.
            let traced = api
                .execute_in_transaction(|api| TransactionOutcome::Rollback(api.trace(parent, call.clone())))
                .map_err(api_error)?;
            ensure_as_recorded(mined, &traced)?;
            traces.push((mined.transaction.hash, first_call(&call, &traced, mined.gas_used, config)));
            if only.is_some() {
                break;
            }
        }
        let applied = api.apply_extrinsic(parent, extrinsic).map_err(api_error)?;
        let _ = applied.map_err(|error| error::server(format!("the block can't be replayed: {error:?}")))?;
    }
    Ok(traces)
}

fn call_of(mined: &Mined, length: usize) -> EthereumCallV1 {
    let transaction = &mined.transaction;
    EthereumCallV1 {
        from: transaction.signer,
        to: transaction.to,
        value: transaction.value,
        gas: Some(transaction.gas_limit),
        data: transaction.data.clone(),
        length: length.try_into().unwrap_or(u32::MAX),
    }
}

/// Fails if a replayed transaction ended in another way than the block says.
fn ensure_as_recorded(mined: &Mined, traced: &EthereumTraceV1) -> Answer<()> {
    let succeeded = estimate::has_succeeded(&traced.execution);
    if succeeded == mined.succeeded {
        return Ok(());
    }
    let word = |succeeded| if succeeded { "succeeds" } else { "fails" };
    Err(error::server(format!(
        "the replay {} where the transaction {}: it depends on what a replay does not have",
        word(succeeded),
        word(mined.succeeded)
    )))
}

/// The first call of a trace, with what is known of the transaction.
fn first_call(call: &EthereumCallV1, traced: &EthereumTraceV1, gas_used: u64, config: TracerConfig) -> Value {
    let scale = traced.ref_time_per_gas.max(1);
    let mut frame = match &traced.trace {
        Some(trace) => frame(trace, scale, config),
        // It was refused before its first call, or only transfers to an account without code.
        None => {
            let kind = if call.to.is_some() { "CALL" } else { "CREATE" };
            let mut frame = json!({
                "type": kind, "from": call.from, "to": call.to, "value": call.value, "input": Bytes(call.data.clone()),
            });
            if let Err(failure) = &traced.execution.result {
                frame["error"] = error::failed(failure).message().into();
            }
            frame
        }
    };
    if let Some(gas) = call.gas {
        frame["gas"] = json!(U256::from(gas));
    }
    frame["gasUsed"] = json!(U256::from(gas_used));
    frame
}

fn frame(trace: &CallTraceV1, scale: u64, config: TracerConfig) -> Value {
    let kind = match trace.kind {
        CallKindV1::Call => "CALL",
        CallKindV1::StaticCall => "STATICCALL",
        CallKindV1::DelegateCall => "DELEGATECALL",
        CallKindV1::Create => "CREATE",
        CallKindV1::Create2 => "CREATE2",
    };
    let mut frame = json!({
        "type": kind,
        "from": trace.from,
        "to": trace.to,
        "gas": U256::from(trace.gas_limit.ref_time() / scale),
        "gasUsed": U256::from(trace.gas_used.ref_time().div_ceil(scale)),
        "input": Bytes(trace.input.clone()),
    });
    if let Some(value) = trace.value {
        frame["value"] = json!(value);
    }
    match &trace.result {
        Ok(output) => {
            if !output.data.is_empty() {
                frame["output"] = json!(Bytes(output.data.clone()));
            }
            if estimate::is_reverted(output) {
                frame["error"] = "execution reverted".into();
                if let Some(reason) = error::reason(&output.data) {
                    frame["revertReason"] = reason.into();
                }
            }
        }
        Err(failure) => frame["error"] = error::failed(failure).message().into(),
    }
    if !trace.calls.is_empty() && !config.only_top_call {
        // At most as deep as the call stack.
        frame["calls"] = trace.calls.iter().map(|call| self::frame(call, scale, config)).collect();
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame_support::weights::Weight;
    use pallet_polkavm::runtime_api::OutputV1;
    use sp_core::H160;

    fn call_trace(kind: CallKindV1, output: OutputV1, calls: Vec<CallTraceV1>) -> CallTraceV1 {
        CallTraceV1 {
            kind,
            from: H160([1; 20]),
            to: H160([2; 20]),
            value: (kind == CallKindV1::Call).then(U256::one),
            gas_limit: Weight::from_parts(1_000, 0),
            gas_used: Weight::from_parts(101, 0),
            input: vec![1, 2],
            result: Ok(output),
            calls,
        }
    }

    #[test]
    fn a_trace_has_the_form_of_gos_call_tracer() {
        let inner = call_trace(CallKindV1::StaticCall, OutputV1 { flags: 1, data: vec![] }, vec![]);
        let outer = call_trace(CallKindV1::Call, OutputV1 { flags: 0, data: vec![7] }, vec![inner]);
        let [from, to] = [H160([1; 20]), H160([2; 20])];
        let mut expected = json!({
            "type": "CALL", "from": from, "to": to, "value": "0x1", "gas": "0x64", "gasUsed": "0xb", "input": "0x0102",
            "output": "0x07",
            "calls": [{
                "type": "STATICCALL", "from": from, "to": to, "gas": "0x64", "gasUsed": "0xb", "input": "0x0102",
                "error": "execution reverted",
            }],
        });
        assert_eq!(frame(&outer, 10, TracerConfig::default()), expected);
        let top = TracerConfig { only_top_call: true, ..Default::default() };
        expected.as_object_mut().unwrap().remove("calls");
        assert_eq!(frame(&outer, 10, top), expected);
    }

    #[test]
    fn what_a_trace_can_not_show_is_refused() {
        let options = |text: &str| serde_json::from_str::<Options>(text).unwrap();
        assert!(options(r#"{"tracer": "callTracer", "timeout": "5s"}"#).check().is_ok());
        for text in [
            "{}",
            r#"{"tracer": "prestateTracer"}"#,
            r#"{"tracer": "callTracer", "tracerConfig": {"withLog": true}}"#,
            r#"{"tracer": "callTracer", "stateOverrides": {"0x00": {}}}"#,
        ] {
            assert!(options(text).check().is_err(), "{text}");
        }
    }
}
