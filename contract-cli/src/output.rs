//! What a command found out, for people on many lines or for programs as one JSON object.

use crate::{
    chain::{Deposit, NamedError, Weight},
    error::Error,
    submit::{Event, Receipt},
};
use serde_json::{Map, Value as Json, json};
use subxt::{
    dynamic::Value,
    ext::scale_value::{Composite, Primitive, ValueDef},
};

/// Says on standard error what is going on.
macro_rules! progress {
    ($($arg:tt)*) => { eprintln!($($arg)*) };
}
pub(crate) use progress;

/// What a command found out: named values in the order they are printed.
#[derive(Debug, Default)]
pub struct Report {
    values: Vec<(String, Json)>,
    failed: bool,
}

impl Report {
    /// An empty report on a command.
    pub fn new(command: &str) -> Self {
        Self::default().with("command", command)
    }

    /// Adds a value.
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.values.push((name.into(), value.into()));
        self
    }

    /// Adds bytes as hex.
    pub fn with_hex(self, name: &str, bytes: &[u8]) -> Self {
        self.with(name, hex(bytes))
    }

    /// Adds a weight.
    pub fn with_weight(self, name: &str, weight: Weight) -> Self {
        self.with(name, json!({ "ref_time": weight.ref_time, "proof_size": weight.proof_size }))
    }

    /// Adds a deposit.
    pub fn with_deposit(self, deposit: Deposit) -> Self {
        match deposit {
            Deposit::Charge(amount) => self.with("deposit", amount.to_string()),
            Deposit::Refund(amount) => self.with("deposit", format!("-{amount}")),
        }
    }

    /// Adds an error: the command failed.
    pub fn with_error(mut self, error: &NamedError, detail: &str) -> Self {
        self.failed = true;
        self.with("error", json!({ "name": error.name, "docs": error.docs, "detail": detail }))
    }

    /// Adds what a transaction did.
    pub fn with_receipt(mut self, receipt: &Receipt) -> Self {
        self = self
            .with("block", json!({ "number": receipt.block_number, "hash": hex(&receipt.block_hash) }))
            .with_hex("extrinsic", &receipt.extrinsic);
        if let Some(weight) = receipt.gas_used {
            self = self.with_weight("gas_used", weight);
        }
        if let Some(fee) = receipt.fee {
            self = self.with("fee", fee.to_string());
        }
        let events: Vec<Json> = receipt.events.iter().map(event_json).collect();
        self = self.with("events", events);
        match &receipt.error {
            Some(error) => self.with_error(error, ""),
            None => self,
        }
    }

    /// Whether the chain refused.
    pub fn is_failure(&self) -> bool {
        self.failed
    }

    /// Prints it to standard output.
    pub fn print(&self, json: bool) {
        if json {
            let mut values: Map<String, Json> = self.values.iter().cloned().collect();
            values.insert("ok".into(), Json::Bool(!self.failed));
            println!("{:#}", Json::Object(values));
            return;
        }
        for (name, value) in &self.values {
            match (name.as_str(), value) {
                ("command", _) => {}
                // How the balances pallet books a fee is noise to a person; the fee itself has its line.
                ("events", Json::Array(events)) if events.is_empty() => {}
                ("events", Json::Array(events)) => {
                    for event in events {
                        println!("{:<14} {}", "event", plain_event(event));
                    }
                }
                ("error", error) => {
                    println!("{:<14} {}", "failed", text(&error["name"]));
                    for part in [&error["docs"], &error["detail"]] {
                        if !text(part).is_empty() {
                            println!("{:<14} {}", "", text(part));
                        }
                    }
                }
                _ => println!("{:<14} {}", name.replace('_', " "), text(value)),
            }
        }
    }
}

/// Prints why a command could not be carried out.
pub fn print_error(error: &Error, json: bool) {
    if json {
        let value = json!({ "ok": false, "error": { "name": error.name(), "docs": "", "detail": error.to_string() } });
        println!("{value:#}");
    } else {
        eprintln!("error: {error}");
    }
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// A JSON value on one line, without quotes around text.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn plain_event(event: &Json) -> String {
    format!("{}.{} {}", text(&event["pallet"]), text(&event["name"]), text(&event["fields"]))
}

fn event_json(event: &Event) -> Json {
    json!({ "pallet": event.pallet, "name": event.name, "fields": composite_json(&event.fields) })
}

/// A decoded value as JSON: numbers as text (they may have 128 bits), bytes as hex, wrappers of one field unwrapped.
pub fn value_json(value: &Value) -> Json {
    match &value.value {
        ValueDef::Composite(composite) => composite_json(composite),
        ValueDef::Variant(variant) if variant.values.is_empty() => Json::String(variant.name.clone()),
        ValueDef::Variant(variant) => json!({ &variant.name: composite_json(&variant.values) }),
        ValueDef::BitSequence(bits) => Json::String(bits.iter().map(|bit| if bit { '1' } else { '0' }).collect()),
        ValueDef::Primitive(primitive) => match primitive {
            Primitive::Bool(bool) => Json::Bool(*bool),
            Primitive::Char(char) => Json::String(char.to_string()),
            Primitive::String(text) => Json::String(text.clone()),
            Primitive::U128(number) => Json::String(number.to_string()),
            Primitive::I128(number) => Json::String(number.to_string()),
            Primitive::U256(bytes) | Primitive::I256(bytes) => Json::String(hex(bytes)),
        },
    }
}

/// As [`value_json`].
pub fn composite_json(composite: &Composite<()>) -> Json {
    match composite {
        Composite::Named(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), value_json(value))).collect())
        }
        Composite::Unnamed(values) => {
            if let Some(bytes) = as_bytes(values) {
                return Json::String(hex(&bytes));
            }
            match values.as_slice() {
                [one] if matches!(one.value, ValueDef::Composite(_)) => value_json(one),
                many => Json::Array(many.iter().map(value_json).collect()),
            }
        }
    }
}

/// A list of small numbers is taken for bytes: the decoded value no longer tells.
pub fn as_bytes(values: &[Value]) -> Option<Vec<u8>> {
    if values.is_empty() {
        return None;
    }
    values.iter().map(|value| value.as_u128().and_then(|number| u8::try_from(number).ok())).collect()
}

/// The bytes of a decoded hash or address: a list of bytes, perhaps wrapped.
pub fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    match &value.value {
        ValueDef::Composite(Composite::Unnamed(values)) => match values.as_slice() {
            [one] if matches!(one.value, ValueDef::Composite(_)) => bytes_of(one),
            many => as_bytes(many),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_hash_prints_as_hex() {
        let hash = Value::unnamed_composite([Value::from_bytes([0xab; 3])]);
        assert_eq!(value_json(&hash), json!("0xababab"));
        assert_eq!(bytes_of(&hash), Some(vec![0xab; 3]));
    }

    #[test]
    fn large_numbers_keep_all_their_digits() {
        assert_eq!(value_json(&Value::u128(u128::MAX)), json!(u128::MAX.to_string()));
    }

    #[test]
    fn a_list_with_a_number_above_a_byte_is_no_bytes() {
        let list = Value::unnamed_composite([Value::u128(1), Value::u128(256)]);
        assert_eq!(value_json(&list), json!(["1", "256"]));
    }

    #[test]
    fn a_report_with_an_error_is_a_failure() {
        let error = NamedError { name: "Polkavm::OutOfGas".into(), docs: "Too little.".into() };
        assert!(Report::new("call").with_error(&error, "").is_failure());
        assert!(!Report::new("call").is_failure());
    }
}
