//! The call trace as indented lines for people, outermost call first.
//!
//! Called by [`crate::plain`] with the JSON that `trace` reports: a call, its inner calls below it, then its result.
//! Some of the text was chosen by contracts, so the caller makes the lines printable.

use crate::{api::Weight, money::Money, plain, units};
use serde_json::Value as Json;

/// Number of spaces per level.
const INDENT: usize = 2;
/// Maximum number of bytes shown of data that could not be decoded.
const SHOWN_BYTES: usize = 36;

/// Formats the lines of a call and its inner calls.
pub fn lines(trace: &Json, money: &Money) -> Vec<String> {
    let mut lines = Vec::new();
    // Recursion is bounded by the chain's call depth, which is far from this program's stack limit.
    call(trace, 1, money, &mut lines);
    lines
}

fn call(trace: &Json, level: usize, money: &Money, lines: &mut Vec<String>) {
    let outer = " ".repeat(level * INDENT);
    let inner = " ".repeat((level + 1) * INDENT);
    let kind = plain::text(&trace["kind"]);
    let input = match trace.get("call") {
        Some(decoded) => plain::text(decoded),
        None => data(&trace["input"]),
    };
    lines.push(format!("{outer}{kind} {}: {input}", party(trace)));
    if level == 1 {
        lines.push(format!("{inner}from {}", plain::text(&trace["from"])));
    }
    let mut numbers = Vec::new();
    if let Some(value) = trace["value"].as_str().filter(|value| *value != "0") {
        numbers.push(format!("value {}", money.of_contract(value)));
    }
    if let (Some(used), Some(limit)) = (weight(&trace["gas_used"]), weight(&trace["gas_limit"])) {
        numbers.push(format!("gas {} of {}", units::time(used.ref_time), units::time(limit.ref_time)));
        numbers.push(format!("proof {} of {}", units::size(used.proof_size), units::size(limit.proof_size)));
    }
    if !numbers.is_empty() {
        lines.push(format!("{inner}{}", numbers.join(", ")));
    }
    for below in trace["calls"].as_array().into_iter().flatten() {
        call(below, level + 1, money, lines);
    }
    lines.push(format!("{inner}{}", end(trace)));
}

/// Formats the called contract: its name, if known, and its address.
fn party(trace: &Json) -> String {
    let address = plain::text(&trace["to"]);
    match trace["contract"].as_str() {
        Some(name) => format!("{name} {address}"),
        None => address,
    }
}

/// Formats the result of a call.
fn end(trace: &Json) -> String {
    if let Some(error) = trace.get("error") {
        let parts = ["name", "docs", "detail"].map(|part| plain::text(&error[part]));
        let said: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        return format!("failed: {}", said.join(": "));
    }
    if trace.get("reverted").is_some() {
        let reason = match trace.get("decoded") {
            Some(decoded) => plain::text(decoded),
            None => data(&trace["output"]),
        };
        return format!("reverted: {reason}");
    }
    match (trace["returned_text"].as_str(), trace.get("returned")) {
        (Some(text), _) => format!("returned {text}"),
        (None, Some(value)) => format!("returned {}", plain::text(value)),
        (None, None) => format!("returned {}", data(&trace["output"])),
    }
}

/// Formats data in hex, shortened.
fn data(value: &Json) -> String {
    let hex = value.as_str().unwrap_or_default();
    let bytes = hex.len().saturating_sub(2) / 2;
    match hex.get(..2 + 2 * SHOWN_BYTES) {
        _ if bytes == 0 => "no data".into(),
        Some(start) if bytes > SHOWN_BYTES => format!("{start}... ({bytes} bytes)"),
        _ => hex.into(),
    }
}

fn weight(value: &Json) -> Option<Weight> {
    Some(Weight { ref_time: value["ref_time"].as_u64()?, proof_size: value["proof_size"].as_u64()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Token;
    use serde_json::json;

    #[test]
    fn calls_are_indented_below_their_caller_with_how_they_ended() {
        let gas = |used: u64| json!({ "ref_time": used, "proof_size": 1_024 });
        let trace = json!({
            "kind": "call", "from": "0xaa", "to": "0xbb", "contract": "Pair", "value": "1500000000000000000",
            "gas_limit": gas(700_000_000_000), "gas_used": gas(974_260_000), "input": "0x01020304",
            "call": { "function": "swap(uint256,address)", "arguments": {}, "text": "swap(out: 5, to: 0xcc)" },
            "calls": [
                { "kind": "static call", "from": "0xbb", "to": "0xdd", "value": "0", "gas_limit": gas(9), "gas_used": gas(5),
                  "input": "0x70a08231", "output": "0x", "returned": "7", "calls": [] },
                { "kind": "call", "from": "0xbb", "to": "0xdd", "gas_limit": gas(9), "gas_used": gas(0), "input": "0x",
                  "output": "0x08c379a0", "reverted": "no", "decoded": { "error": "Error(string)", "arguments": {}, "text": "Error(\"no\")" },
                  "calls": [
                    { "kind": "create", "from": "0xdd", "to": "0xee", "input": "0x",
                      "error": { "name": "Polkavm::OutOfGas", "docs": "Too little.", "detail": "" }, "calls": [] } ] },
            ],
            "output": "0x", "returned": { "a": "1", "b": "2" }, "returned_text": "b: 2, a: 1",
        });
        let money = Money { token: Token { symbol: "UNIT".into(), decimals: 12 }, ratio: 1_000_000 };
        assert_eq!(
            lines(&trace, &money),
            [
                "  call Pair 0xbb: swap(out: 5, to: 0xcc)",
                "    from 0xaa",
                "    value 1.5 UNIT, gas 974.26 µs of 700.00 ms, proof 1.0 KiB of 1.0 KiB",
                "    static call 0xdd: 0x70a08231",
                "      gas 5 ps of 9 ps, proof 1.0 KiB of 1.0 KiB",
                "      returned 7",
                "    call 0xdd: no data",
                "      gas 0 ps of 9 ps, proof 1.0 KiB of 1.0 KiB",
                "      create 0xee: no data",
                "        failed: Polkavm::OutOfGas: Too little.",
                "      reverted: Error(\"no\")",
                "    returned b: 2, a: 1",
            ]
        );
    }

    #[test]
    fn long_data_is_shortened() {
        let long = json!(format!("0x{}", "ab".repeat(100)));
        assert_eq!(data(&long), format!("0x{}... (100 bytes)", "ab".repeat(36)));
        assert_eq!(data(&json!("0x01")), "0x01");
        assert_eq!(data(&Json::Null), "no data");
    }
}
