//! The tree of calls of a dry run.

use super::revert;
use crate::{
    abi::Reader,
    api::{CallKind, CallTrace},
    chain::AtBlock,
    names::name_error,
    output::{Report, error_json, weight},
    value::hex,
};
use alloy_primitives::U256;
use serde_json::{Map, Value as Json, json};

/// Adds the tree to a report; nothing where the call was never begun.
pub fn shown(report: Report, at: &AtBlock, trace: Option<&CallTrace>, reader: &Reader) -> Report {
    match trace {
        Some(trace) => report.with("trace", call(at, trace, reader, true)),
        None => report,
    }
}

/// Prints a call and its inner calls. The interface is that of the first call's contract, so only its data is decoded.
fn call(at: &AtBlock, trace: &CallTrace, reader: &Reader, first: bool) -> Json {
    let mut fields = Map::new();
    let mut field = |name: &str, value: Json| fields.insert(name.into(), value);
    field("kind", json!(kind(trace.kind)));
    field("from", json!(hex(&trace.from)));
    field("to", json!(hex(&trace.to)));
    if let Some(value) = trace.value {
        field("value", json!(decimal(value)));
    }
    field("gas_limit", weight(trace.gas_limit));
    field("gas_used", weight(trace.gas_used));
    field("input", json!(hex(&trace.input)));
    match &trace.result {
        Ok(output) => {
            field("output", json!(hex(&output.data)));
            if output.reverted() {
                let reason = revert::reason(&output.data).unwrap_or_default();
                field("reverted", json!(reason));
                if let Some(decoded) = reader.error(&output.data).filter(|_| first) {
                    field("decoded", decoded);
                }
            }
        }
        Err(failure) => {
            let named = name_error(at.metadata_ref(), &failure.error);
            field("error", error_json(&named, &failure.detail));
        }
    }
    let calls: Vec<Json> = trace.calls.iter().map(|inner| call(at, inner, reader, false)).collect();
    field("calls", json!(calls));
    Json::Object(fields)
}

fn kind(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Call => "call",
        CallKind::StaticCall => "static call",
        CallKind::DelegateCall => "delegate call",
        CallKind::Create => "create",
        CallKind::Create2 => "create2",
    }
}

/// A number of 256 bits in decimal, from its digits of 64, least significant first.
fn decimal(digits: [u64; 4]) -> String {
    U256::from_limbs(digits).to_string()
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_of_any_size_are_decimal() {
        assert_eq!(decimal([0; 4]), "0");
        assert_eq!(decimal([1_234_567_890, 0, 0, 0]), "1234567890");
        assert_eq!(decimal([0, 1, 0, 0]), "18446744073709551616");
        let most = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(decimal([u64::MAX; 4]), most);
    }
}
