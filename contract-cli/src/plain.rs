//! A report as text for people: numbers carry their units.
//!
//! Called by [`crate::output`]. Some values come from contracts, so characters that could control a terminal are never
//! printed. A value has the same name and shape wherever it appears, so its unit follows from its name.

use crate::{
    api::Weight,
    money::Money,
    tree,
    units::{self, Token},
};
use serde_json::{Map, Value as Json};
use std::fmt::Write as _;

/// Width of the column of names.
const NAMES: usize = 19;

/// Events by which the balances pallet records a fee: left out, as the fee has its own line.
const FEE_EVENTS: [&str; 4] = ["Withdraw", "Deposit", "BurnedDebt", "MintedCredit"];

/// Values that are amounts of the chain's token; also in fields of events of the pallets below.
const AMOUNTS: [&str; 14] = [
    "amount",
    "balance",
    "deposit",
    "deposit_held",
    "deposit_released",
    "fee",
    "free",
    "free_balance",
    "held",
    "released",
    "reserved",
    "storage_deposit",
    "actual_fee",
    "tip",
];

/// Values that are sizes in bytes.
const SIZES: [&str; 3] = ["length", "storage_bytes", "code_len"];

/// Formats the lines of a report.
pub fn report(values: &[(String, Json)], money: &Money) -> String {
    let token = &money.token;
    let has_text = values.iter().any(|(name, _)| name == "decoded_text");
    let mut out = String::new();
    for (name, value) in values {
        match (name.as_str(), value) {
            // A warning was printed when it was added.
            ("command" | "warning", _) | ("sent", Json::Bool(true)) => {}
            ("decoded", _) if has_text => {}
            ("decoded_text", text) => line(&mut out, "decoded", &self::text(text)),
            ("trace", trace) => {
                line(&mut out, "trace", "");
                for call in tree::lines(trace, money) {
                    // Writing to a string does not fail.
                    let _ = writeln!(out, "{}", printable(&call).replace('\n', "\\n"));
                }
            }
            ("events", Json::Array(events)) => {
                for event in events.iter().filter(|event| !is_fee(event)) {
                    let fields = match &event["fields"] {
                        Json::Object(fields) => named(fields, token),
                        other => text(other),
                    };
                    let [pallet, name] = ["pallet", "name"].map(|part| text(&event[part]));
                    line(&mut out, "event", &format!("{pallet}.{name} {fields}"));
                    if let Some(decoded) = event.get("decoded") {
                        line(&mut out, "", &text(decoded));
                    }
                }
            }
            ("error", error) => {
                let [name, docs, detail] = ["name", "docs", "detail"].map(|part| text(&error[part]));
                line(&mut out, "failed", &if docs.is_empty() { name } else { format!("{name}: {docs}") });
                if !detail.is_empty() {
                    line(&mut out, "", &detail);
                }
            }
            ("constants", Json::Object(constants)) => {
                for (name, value) in constants {
                    line(&mut out, &format!("  {name:<28}"), &constant(name, value, token));
                }
            }
            _ => line(&mut out, &name.replace('_', " "), &unit(name, value, token)),
        }
    }
    out
}

/// Removes characters that a terminal interprets.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|char| match char.is_control() && char != '\n' {
            true => char.escape_default().to_string(),
            false => char.to_string(),
        })
        .collect()
}

fn line(out: &mut String, name: &str, value: &str) {
    // Writing to a string does not fail.
    let shown = format!("{name:<NAMES$} {}", printable(value).replace('\n', "\\n"));
    let _ = writeln!(out, "{}", shown.trim_end());
}

fn is_fee(event: &Json) -> bool {
    event["pallet"] == "Balances" && FEE_EVENTS.iter().any(|name| event["name"] == *name)
}

/// Reads a number in JSON, or in text if it may have 128 bits.
fn number(value: &Json) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Formats a value with the unit that its name implies.
fn unit(name: &str, value: &Json, token: &Token) -> String {
    let amount = || token.amount_of_text(value.as_str()?);
    let shown = match name {
        _ if AMOUNTS.contains(&name) => amount(),
        _ if SIZES.contains(&name) => number(value).map(units::size),
        _ => None,
    };
    shown.unwrap_or_else(|| text(value))
}

/// Formats a constant of the pallet.
fn constant(name: &str, value: &Json, token: &Token) -> String {
    /// The value of 100 % as a `Perbill`.
    const BILLION: u64 = 1_000_000_000;
    let shown = match name {
        "RefTimePerGas" => number(value).map(units::time),
        "GasPrice" => number(value).map(|price| format!("{price} wei")),
        _ if name.ends_with("Percent") => number(value)
            .filter(|parts| *parts <= BILLION)
            .map(|parts| format!("{} %", parts as f64 / (BILLION / 100) as f64)),
        _ if name.starts_with("Deposit") => value.as_str().and_then(|amount| token.amount_of_text(amount)),
        _ => None,
    };
    shown.unwrap_or_else(|| text(value))
}

/// Formats fields with their names.
fn named(fields: &Map<String, Json>, token: &Token) -> String {
    let fields = fields.iter().map(|(name, value)| format!("{name} {}", unit(name, value, token)));
    fields.collect::<Vec<_>>().join(", ")
}

/// Returns the weight in an object, if it is one.
fn weight(fields: &Map<String, Json>) -> Option<Weight> {
    let part = |name| fields.get(name).and_then(number);
    Some(Weight { ref_time: part("ref_time")?, proof_size: part("proof_size")? })
}

/// Formats a value on one line, without quotes around text.
pub fn text(value: &Json) -> String {
    match value {
        Json::Null => "nothing".into(),
        Json::String(text) => text.clone(),
        Json::Array(values) => {
            format!("[{}]", values.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        Json::Object(fields) => {
            if let Some(weight) = weight(fields) {
                return units::weight(weight);
            }
            // Values decoded by an interface have their arguments in the declared order.
            if let (Some(Json::String(line)), true) = (fields.get("text"), fields.contains_key("arguments")) {
                return line.clone();
            }
            match (fields.get("number"), fields.get("hash")) {
                (Some(number), Some(hash)) => format!("#{number} {}", text(hash)),
                _ => {
                    let shown = |(name, value): (&String, &Json)| format!("{name} {}", text(value));
                    fields.iter().map(shown).collect::<Vec<_>>().join(", ")
                }
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(values: Json) -> Vec<String> {
        let values: Vec<(String, Json)> =
            values.as_array().unwrap().iter().map(|pair| (pair[0].as_str().unwrap().into(), pair[1].clone())).collect();
        let token = Token { symbol: "UNIT".into(), decimals: 12 };
        report(&values, &Money { token, ratio: 1_000_000 }).lines().map(Into::into).collect()
    }

    #[test]
    fn blocks_and_weights_have_their_own_form() {
        let printed = lines(json!([
            ["command", "call"],
            ["block", { "number": 7, "hash": "0xab" }],
            ["gas_used", { "ref_time": 974_264_529, "proof_size": 1_229 }],
            ["fee", "902000000"],
            ["value", null],
        ]));
        assert_eq!(
            printed,
            [
                "block               #7 0xab",
                "gas used            974.26 µs (ref_time), 1.2 KiB (proof size)",
                "fee                 0.000902 UNIT",
                "value               nothing"
            ]
        );
    }

    #[test]
    fn an_error_is_printed_by_name_with_its_documentation_and_detail() {
        let error = json!([["error", { "name": "Polkavm::OutOfGas", "docs": "Too little.", "detail": "of 1" }]]);
        assert_eq!(lines(error), ["failed              Polkavm::OutOfGas: Too little.", "                    of 1"]);
    }

    #[test]
    fn the_bookkeeping_of_fees_is_left_out_and_other_events_are_not() {
        let event = |pallet: &str, name: &str| json!({ "pallet": pallet, "name": name, "fields": { "x": ["1", "2"] } });
        let events = json!([[
            "events",
            [event("Balances", "Withdraw"), event("Balances", "Transfer"), event("Other", "Deposit")]
        ]]);
        assert_eq!(
            lines(events),
            ["event               Balances.Transfer x [1, 2]", "event               Other.Deposit x [1, 2]"]
        );
    }

    #[test]
    fn numbers_carry_the_unit_that_their_name_implies() {
        let printed = lines(json!([
            ["deposit", "-2000000000"],
            ["length", 1902],
            ["storage_bytes", 64],
            ["nonce", 7],
            ["data", "0x10"],
            ["events", [{ "pallet": "Balances", "name": "Transfer", "fields": { "amount": "5000000000000", "to": "0xab" } }]],
            ["constants", {
                "DepositPerByte": "10000000", "RefTimePerGas": "10000", "CodeHashLockupDepositPercent": "300000000",
                "ChainId": "42", "GasPrice": "1",
            }],
        ]));
        assert_eq!(
            printed,
            [
                "deposit             -0.002 UNIT",
                "length              1.9 KiB",
                "storage bytes       64 B",
                "nonce               7",
                "data                0x10",
                "event               Balances.Transfer amount 5 UNIT, to 0xab",
                "  ChainId                      42",
                "  CodeHashLockupDepositPercent 30 %",
                "  DepositPerByte               0.00001 UNIT",
                "  GasPrice                     1 wei",
                "  RefTimePerGas                10.00 ns",
            ]
        );
    }

    #[test]
    fn what_is_decoded_by_a_contracts_interface_gets_no_unit_of_the_chain() {
        // In an order that does not depend on whether maps keep theirs or are sorted.
        let decoded = json!([["decoded", { "amount": "6", "fee": "5" }], ["decoded", "5"]]);
        assert_eq!(lines(decoded), ["decoded             amount 6, fee 5", "decoded             5"]);
        let event = json!({
            "pallet": "Polkavm", "name": "ContractEmitted", "fields": { "data": "0x" },
            "decoded": { "arguments": { "amount": "7" }, "event": "Paid" },
        });
        assert_eq!(lines(json!([["events", [event]]]))[1], "                    arguments amount 7, event Paid");
    }

    #[test]
    fn decoded_arguments_keep_the_declared_order() {
        let decoded =
            json!({ "function": "f(uint256,uint256)", "arguments": { "z": "1", "a": "2" }, "text": "f(z: 1, a: 2)" });
        assert_eq!(lines(json!([["decoded", decoded]])), ["decoded             f(z: 1, a: 2)"]);
        let several = json!([["decoded", { "z": "1", "a": "2" }], ["decoded_text", "z: 1, a: 2"]]);
        assert_eq!(lines(several), ["decoded             z: 1, a: 2"]);
    }

    #[test]
    fn what_a_contract_says_cannot_steer_the_terminal() {
        let printed = lines(json!([["error", { "name": "E", "docs": "", "detail": "\u{1b}[2J\u{7}a\nb" }]]));
        assert_eq!(printed[1], "                    \\u{1b}[2J\\u{7}a\\nb");
    }
}
