//! A report as text for people.
//!
//! Called by [`crate::output`]. Assumes nothing about the values: some come from contracts, so nothing is printed that
//! could steer a terminal.

use serde_json::Value as Json;
use std::fmt::Write as _;

/// Width of the column of names.
const NAMES: usize = 19;

/// How the balances pallet books a fee: noise to a person, as the fee has its own line.
const FEE_EVENTS: [&str; 4] = ["Withdraw", "Deposit", "BurnedDebt", "MintedCredit"];

/// The lines of a report.
pub fn report(values: &[(String, Json)]) -> String {
    let mut out = String::new();
    for (name, value) in values {
        match (name.as_str(), value) {
            ("command", _) | ("sent", Json::Bool(true)) => {}
            ("events", Json::Array(events)) => {
                for event in events.iter().filter(|event| !is_fee(event)) {
                    line(
                        &mut out,
                        "event",
                        &format!(
                            "{}.{} {}",
                            event_part(event, "pallet"),
                            event_part(event, "name"),
                            text(&event["fields"])
                        ),
                    );
                    if let Some(decoded) = event.get("decoded") {
                        line(&mut out, "", &text(decoded));
                    }
                }
            }
            ("error", error) => {
                let docs = text(&error["docs"]);
                let name = text(&error["name"]);
                line(&mut out, "failed", &if docs.is_empty() { name } else { format!("{name}: {docs}") });
                let detail = text(&error["detail"]);
                if !detail.is_empty() {
                    line(&mut out, "", &detail);
                }
            }
            ("constants", Json::Object(constants)) => {
                for (name, value) in constants {
                    line(&mut out, &format!("  {name:<28}"), &text(value));
                }
            }
            _ => line(&mut out, &name.replace('_', " "), &text(value)),
        }
    }
    out
}

/// Text without characters that a terminal acts on.
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
    let _ = writeln!(out, "{name:<NAMES$} {}", printable(value).replace('\n', "\\n"));
}

fn is_fee(event: &Json) -> bool {
    event["pallet"] == "Balances" && FEE_EVENTS.iter().any(|name| event["name"] == *name)
}

fn event_part(event: &Json, part: &str) -> String {
    text(&event[part])
}

/// A value on one line, without quotes around text.
fn text(value: &Json) -> String {
    match value {
        Json::Null => "nothing".into(),
        Json::String(text) => text.clone(),
        Json::Array(values) => format!("[{}]", values.iter().map(text).collect::<Vec<_>>().join(", ")),
        Json::Object(fields) => match (&fields.get("number"), &fields.get("hash"), &fields.get("ref_time")) {
            (Some(number), Some(hash), _) => format!("#{number} {}", text(hash)),
            (_, _, Some(ref_time)) => {
                format!("ref_time {ref_time}, proof_size {}", text(fields.get("proof_size").unwrap_or(&Json::Null)))
            }
            _ => fields.iter().map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join(", "),
        },
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
        report(&values).lines().map(Into::into).collect()
    }

    #[test]
    fn blocks_and_weights_have_their_own_form() {
        let printed = lines(json!([
            ["command", "call"],
            ["block", { "number": 7, "hash": "0xab" }],
            ["gas_used", { "ref_time": 5, "proof_size": 6 }],
            ["value", null],
        ]));
        assert_eq!(
            printed,
            [
                "block               #7 0xab",
                "gas used            ref_time 5, proof_size 6",
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
    fn what_a_contract_says_cannot_steer_the_terminal() {
        let printed = lines(json!([["error", { "name": "E", "docs": "", "detail": "\u{1b}[2J\u{7}a\nb" }]]));
        assert_eq!(printed[1], "                    \\u{1b}[2J\\u{7}a\\nb");
    }
}
