//! The call trace of a dry run.

use crate::{
    abi::{Reader, revert},
    api::{CallKind, CallTrace, DryRun, Failure},
    chain::AtBlock,
    deployments::Deployments,
    names::name_error,
    output::{Report, error_json, weight},
    value::hex,
};
use alloy_primitives::U256;
use serde_json::{Map, Value as Json, json};

/// The first call, as requested.
pub struct Requested<'a> {
    pub kind: CallKind,
    pub from: [u8; 20],
    /// None for an instantiation.
    pub to: Option<[u8; 20]>,
    /// In the contracts' unit.
    pub value: U256,
    pub input: &'a [u8],
}

/// Names and interfaces of contracts in a trace.
pub struct Known<'a> {
    pub reader: &'a Reader,
    pub names: &'a Deployments,
}

/// Adds the trace to a report. A call that failed before it started has no trace: it is shown as requested.
pub fn shown<R>(
    report: Report,
    at: &AtBlock,
    trace: Option<&CallTrace>,
    run: &DryRun<R>,
    requested: &Requested<'_>,
    known: &Known<'_>,
) -> Report {
    match (trace, &run.result) {
        (Some(trace), _) => report.with("trace", call(at, trace, known)),
        (None, Err(failure)) => report.with("trace", not_begun(at, requested, failure, known)),
        (None, Ok(_)) => report,
    }
}

/// Reports a call that failed before it started.
fn not_begun(at: &AtBlock, requested: &Requested<'_>, failure: &Failure, known: &Known<'_>) -> Json {
    let named = name_error(at.metadata_ref(), &failure.error);
    let mut fields = Map::new();
    fields.insert("kind".into(), json!(kind(requested.kind)));
    fields.insert("from".into(), json!(hex(&requested.from)));
    fields.insert("to".into(), json!(requested.to.map(|to| hex(&to))));
    fields.insert("value".into(), json!(requested.value.to_string()));
    fields.insert("input".into(), json!(hex(requested.input)));
    describe(&mut fields, requested.kind, requested.to, requested.input, known);
    fields.insert("error".into(), error_json(&named, &failure.detail));
    fields.insert("calls".into(), json!([]));
    Json::Object(fields)
}

/// Adds the name of the callee and the decoded input, if known.
fn describe(fields: &mut Map<String, Json>, kind: CallKind, to: Option<[u8; 20]>, input: &[u8], known: &Known<'_>) {
    if let Some(name) = to.and_then(|to| known.names.name_of(&to)) {
        fields.insert("contract".into(), json!(name));
    }
    let decoded = match kind {
        CallKind::Create | CallKind::Create2 => known.reader.construction(input),
        _ => known.reader.call(input),
    };
    if let Some(decoded) = decoded {
        fields.insert("call".into(), decoded);
    }
}

/// Reports a call and its inner calls, decoded by all known interfaces.
fn call(at: &AtBlock, trace: &CallTrace, known: &Known<'_>) -> Json {
    let reader = known.reader;
    let mut fields = Map::new();
    describe(&mut fields, trace.kind, Some(trace.to), &trace.input, known);
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
                if let Some(decoded) = reader.error(&output.data) {
                    field("decoded", decoded);
                }
            } else if let Some(decoded) = reader.result_of(&trace.input, &output.data) {
                if decoded.json.is_object() {
                    field("returned_text", json!(decoded.text));
                }
                field("returned", decoded.json);
            }
        }
        Err(failure) => {
            let named = name_error(at.metadata_ref(), &failure.error);
            field("error", error_json(&named, &failure.detail));
        }
    }
    let calls: Vec<Json> = trace.calls.iter().map(|inner| call(at, inner, known)).collect();
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

/// Formats a 256-bit number in decimal, from 64-bit digits, least significant first.
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
