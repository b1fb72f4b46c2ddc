//! Report of a command: named values, in display order.
//!
//! Filled by the subcommands, printed by `main`. A value has the same name and shape wherever it appears; scripts rely
//! on them (README.md lists them).

use crate::{
    abi::{Decoded, Reader},
    api::{ContractEvent, Deposit, Weight},
    args::hex_bytes,
    error::Error,
    money::Money,
    names::NamedError,
    plain,
    submit::{Event, Receipt},
    value::hex,
};
use serde_json::{Map, Value as Json, json};
use std::io::{self, Write as _};

/// Prints progress on standard error.
macro_rules! progress {
    ($($arg:tt)*) => { eprintln!($($arg)*) };
}
pub(crate) use progress;

/// The name of the value that holds a verbatim text.
const TEXT: &str = "text";

/// The report of a command.
#[derive(Debug, Default)]
pub struct Report {
    values: Vec<(String, Json)>,
    failed: bool,
    /// The token in which amounts are shown to people.
    money: Money,
    /// The name of the value that is printed alone, for scripts.
    bare: Option<&'static str>,
}

impl Report {
    /// Makes an empty report on a command.
    pub fn new(command: &str) -> Self {
        Self::default().with("command", command)
    }

    /// Renames the report for a command that used this one.
    pub fn renamed(mut self, command: &str) -> Self {
        for (name, value) in &mut self.values {
            if name == "command" {
                *value = command.into();
            }
        }
        self
    }

    /// Shows amounts to people in a chain's token.
    pub fn in_money(mut self, money: &Money) -> Self {
        self.money.clone_from(money);
        self
    }

    /// Prints only this value, without its name, except with `--json`.
    pub fn bare(mut self, name: &'static str) -> Self {
        self.bare = Some(name);
        self
    }

    /// Adds a warning, and prints it immediately.
    pub fn with_warning(self, warning: Option<String>) -> Self {
        match warning {
            Some(warning) => {
                progress!("warning: {warning}");
                self.with("warning", warning)
            }
            None => self,
        }
    }

    /// Adds a value.
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.values.push((name.into(), value.into()));
        self
    }

    /// Adds a text that is printed verbatim instead of everything else, except with `--json`.
    pub fn with_text(self, text: &str) -> Self {
        self.with(TEXT, text)
    }

    /// Adds bytes as hex.
    pub fn with_hex(self, name: &str, bytes: &[u8]) -> Self {
        self.with(name, hex(bytes))
    }

    /// Adds a weight.
    pub fn with_weight(self, name: &str, weight: Weight) -> Self {
        self.with(name, self::weight(weight))
    }

    /// Adds a deposit; a refund is negative.
    pub fn with_deposit(self, deposit: Deposit) -> Self {
        match deposit {
            Deposit::Charge(amount) => self.with("deposit", amount.to_string()),
            Deposit::Refund(0) => self.with("deposit", "0"),
            Deposit::Refund(amount) => self.with("deposit", format!("-{amount}")),
        }
    }

    /// Adds an error, which means that the command failed.
    pub fn with_error(mut self, error: &NamedError, detail: &str) -> Self {
        self.failed = true;
        self.with("error", error_json(error, detail))
    }

    /// Adds the contract events of a dry run, in the form of the transaction's events.
    pub fn with_contract_events(self, pallet: &str, events: &[ContractEvent]) -> Self {
        let events: Vec<Json> = events
            .iter()
            .map(|event| {
                let topics: Vec<String> = event.topics.iter().map(|topic| hex(topic)).collect();
                let fields = json!({ "contract": hex(&event.contract), "data": hex(&event.data), "topics": topics });
                json!({ "pallet": pallet, "name": "ContractEmitted", "fields": fields })
            })
            .collect();
        self.with("events", events)
    }

    /// Adds a receipt. The chain only reports an error's name; `detail` has more if known.
    pub fn with_receipt(mut self, receipt: &Receipt, detail: &str) -> Self {
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
            Some(error) => self.with_error(error, detail),
            None => self,
        }
    }

    /// Decodes results, errors and events as far as their types are known: adds `decoded` beside `data`, and to each
    /// event.
    pub fn decoded_by(mut self, reader: &Reader) -> Self {
        let data = self.get("data").and_then(bytes_of);
        let reverted = self.get("reverted") == Some(&Json::Bool(true));
        let decoded = data.and_then(|data| match reverted {
            true => reader.error(&data).map(Decoded::of),
            false => reader.output(&data),
        });
        for (name, value) in &mut self.values {
            let events = value.as_array_mut().filter(|_| name == "events");
            for event in events.into_iter().flatten().filter(|event| event["name"] == "ContractEmitted") {
                let topics = event["fields"]["topics"].as_array().into_iter().flatten();
                let topics: Option<Vec<[u8; 32]>> = topics.map(|topic| bytes_of(topic)?.try_into().ok()).collect();
                let decoded = topics.zip(bytes_of(&event["fields"]["data"]));
                if let Some(decoded) = decoded.and_then(|(topics, data)| reader.event(&topics, &data)) {
                    event["decoded"] = decoded;
                }
            }
        }
        match decoded {
            // JSON does not keep the order of several results.
            Some(Decoded { json: json @ Json::Object(_), text }) if !reverted => {
                self.with("decoded", json).with("decoded_text", text)
            }
            Some(decoded) => self.with("decoded", decoded.json),
            None => self,
        }
    }

    /// Returns a value that was added.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.values.iter().find_map(|(other, value)| (other == name).then_some(value))
    }

    /// True if the chain refused the command.
    pub fn is_failure(&self) -> bool {
        self.failed
    }

    /// Returns the report as one JSON object, for programs.
    pub fn to_json(&self) -> Json {
        let mut values: Map<String, Json> = self.values.iter().cloned().collect();
        values.insert("ok".into(), Json::Bool(!self.failed));
        Json::Object(values)
    }

    /// Prints the report to standard output.
    pub fn print(&self, json: bool) {
        let text = |name: &str| self.get(name).and_then(Json::as_str);
        match (text(TEXT), self.bare.and_then(text)) {
            _ if json => print(&format!("{:#}\n", self.to_json())),
            (Some(text), _) => print(text),
            (None, Some(value)) => print(&format!("{}\n", plain::printable(value))),
            (None, None) => print(&plain::report(&self.values, &self.money)),
        }
    }
}

/// Returns the JSON form of a weight.
pub fn weight(weight: Weight) -> Json {
    json!({ "ref_time": weight.ref_time, "proof_size": weight.proof_size })
}

/// Returns the JSON form of an error of the chain.
pub fn error_json(error: &NamedError, detail: &str) -> Json {
    json!({ "name": error.name, "docs": error.docs, "detail": detail })
}

/// Prints the error of a command.
pub fn print_error(error: &Error, json: bool) {
    if json {
        let value = json!({ "ok": false, "error": { "name": error.name(), "docs": "", "detail": error.to_string() } });
        print(&format!("{value:#}\n"));
    } else {
        eprintln!("error: {}", plain::printable(&error.to_string()));
    }
}

/// A closed pipe is not an error.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Decodes the bytes of a value in hex.
fn bytes_of(value: &Json) -> Option<Vec<u8>> {
    hex_bytes(value.as_str()?).ok()
}

fn event_json(event: &Event) -> Json {
    json!({ "pallet": event.pallet, "name": event.name, "fields": event.fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out_of_gas() -> NamedError {
        NamedError { name: "Polkavm::OutOfGas".into(), docs: "Too little.".into() }
    }

    fn receipt(error: Option<NamedError>) -> Receipt {
        Receipt {
            block_number: 7,
            block_hash: [1; 32],
            extrinsic: [2; 32],
            gas_used: Some(Weight { ref_time: 5, proof_size: 6 }),
            fee: Some(u128::MAX),
            events: Vec::new(),
            error,
        }
    }

    #[test]
    fn a_receipt_is_told_in_full() {
        let json = Report::new("call").with_receipt(&receipt(None), "").to_json();
        assert_eq!(
            json,
            json!({
                "command": "call",
                "ok": true,
                "block": { "number": 7, "hash": format!("0x{}", "01".repeat(32)) },
                "extrinsic": format!("0x{}", "02".repeat(32)),
                "gas_used": { "ref_time": 5, "proof_size": 6 },
                "fee": u128::MAX.to_string(),
                "events": [],
            })
        );
    }

    #[test]
    fn a_receipt_with_an_error_is_a_failure_with_its_name_docs_and_detail() {
        let report = Report::new("call").with_receipt(&receipt(Some(out_of_gas())), "of 1");
        assert!(report.is_failure());
        let json = report.to_json();
        assert_eq!(json["ok"], false);
        assert_eq!(json["error"], json!({ "name": "Polkavm::OutOfGas", "docs": "Too little.", "detail": "of 1" }));
    }

    #[test]
    fn a_deposit_that_is_given_back_is_negative() {
        assert_eq!(Report::default().with_deposit(Deposit::Charge(3)).to_json()["deposit"], "3");
        assert_eq!(Report::default().with_deposit(Deposit::Refund(3)).to_json()["deposit"], "-3");
        assert_eq!(Report::default().with_deposit(Deposit::Refund(0)).to_json()["deposit"], "0");
    }

    #[test]
    fn events_of_a_dry_run_look_like_those_of_a_transaction() {
        let event = ContractEvent { contract: [1; 20], topics: vec![[2; 32]], data: vec![] };
        let json = Report::default().with_contract_events("Polkavm", &[event]).to_json();
        assert_eq!(
            json["events"],
            json!([{
                "pallet": "Polkavm",
                "name": "ContractEmitted",
                "fields": {
                    "contract": format!("0x{}", "01".repeat(20)),
                    "data": "0x",
                    "topics": [format!("0x{}", "02".repeat(32))],
                },
            }])
        );
    }
}
