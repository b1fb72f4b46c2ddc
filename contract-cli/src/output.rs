//! What a command found out, for people on many lines or for programs as one JSON object.

use crate::{
    chain::{Deposit, NamedError, Weight},
    error::Error,
    submit::{Event, Receipt},
    value::hex,
};
use serde_json::{Map, Value as Json, json};

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
    json!({ "pallet": event.pallet, "name": event.name, "fields": event.fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_with_an_error_is_a_failure() {
        let error = NamedError { name: "Polkavm::OutOfGas".into(), docs: "Too little.".into() };
        assert!(Report::new("call").with_error(&error, "").is_failure());
        assert!(!Report::new("call").is_failure());
    }
}
