//! A dev chain for the scenarios of `make solidity` and `make ink`: contracts by name, calls by function, results decoded.

use crate::{contract::Cli, paths, shown as units};
use anyhow::{Context as _, Result, bail, ensure};
use contract_cli::units::Token;
use serde_json::Value;
use std::cell::Cell;

/// Wei in the chain's smallest unit: the runtime's `NativeToEthRatio`.
pub const RATIO: u128 = 1_000_000;

/// A dev chain, and the account that signs.
pub struct Chain {
    cli: Cli,
    token: Token,
    calls: Cell<u32>,
}

/// A deployed contract.
pub struct Contract<'a> {
    chain: &'a Chain,
    name: String,
    abi: String,
    /// Its address.
    pub address: String,
}

/// A development account other than the usual signer.
pub const BOB: &str = "//Bob";

impl Chain {
    /// Connects to the chain at `url`.
    pub fn new(url: &str) -> Result<Self> {
        let cli = Cli::new(url);
        let chain = Self { token: units::token(&cli)?, cli, calls: Cell::new(0) };
        for who in ["//Alice", BOB] {
            chain.cli.signed_by(who).succeed(&["map-account"])?;
        }
        Ok(chain)
    }

    /// The number of calls, refused ones included.
    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    /// The address of a development account.
    pub fn account(&self, who: &str) -> Result<String> {
        text(&self.cli.signed_by(who).succeed(&["account"])?, "address")
    }

    /// The balance of an address, in the chain's unit.
    pub fn balance(&self, address: &str) -> Result<u128> {
        text(&self.cli.succeed(&["account", address])?, "free")?.parse().context("no number")
    }

    /// True if there is a contract at an address.
    pub fn is_contract(&self, address: &str) -> Result<bool> {
        Ok(self.cli.run(&["info", address])?.code == 0)
    }

    /// Stores a program without instantiating it.
    pub fn upload(&self, name: &str) -> Result<()> {
        let answer = self.cli.succeed(&["upload", &blob(name)?])?;
        println!("  upload {name}: deposit {}", units::amount(&self.token, &answer["deposit"]));
        Ok(())
    }

    /// Instantiates a contract.
    pub fn deploy(&self, name: &str, arguments: &[&str]) -> Result<Contract<'_>> {
        let (blob, abi) = (blob(name)?, abi(name)?);
        let answer = self.cli.succeed(&[&["instantiate", &blob, "--abi", &abi], arguments].concat())?;
        self.print(&format!("deploy {name}"), arguments, &answer);
        Ok(Contract { chain: self, name: name.into(), abi, address: text(&answer, "address")? })
    }

    /// Instantiates an ink! contract, with one of its constructors.
    pub fn deploy_ink(&self, name: &str, constructor: &str, arguments: &[&str]) -> Result<Contract<'_>> {
        let blob = paths::ink_contract(name).with_context(|| format!("{name} is not built: run scripts/build-ink"))?;
        let abi = blob.with_extension("json").display().to_string();
        let blob = blob.display().to_string();
        let command = ["instantiate", &blob, "--abi", &abi, "--message", constructor];
        let answer = self.cli.succeed(&[&command, arguments].concat())?;
        self.print(&format!("deploy {name} by {constructor}"), arguments, &answer);
        Ok(Contract { chain: self, name: name.into(), abi, address: text(&answer, "address")? })
    }

    /// Returns an existing contract with the interface of this name.
    pub fn at(&self, name: &str, address: &str) -> Result<Contract<'_>> {
        Ok(Contract { chain: self, name: name.into(), abi: abi(name)?, address: address.into() })
    }

    /// Encodes the data of a call.
    pub fn encode(&self, name: &str, message: &str, arguments: &[&str]) -> Result<String> {
        let abi = abi(name)?;
        text(&self.cli.succeed(&[&["encode", "--abi", &abi, "--message", message], arguments].concat())?, "data")
    }

    fn print(&self, what: &str, arguments: &[&str], answer: &Value) {
        self.calls.set(self.calls.get() + 1);
        let arguments: Vec<_> = arguments.iter().map(|argument| short(argument)).collect();
        let gas = units::gas(answer).map_or_else(String::new, |gas| format!("  {gas}"));
        let deposit = answer.get("deposit").map(|deposit| units::amount(&self.token, deposit));
        let deposit = deposit.map_or_else(String::new, |deposit| format!(", deposit {deposit}"));
        let result = match (answer.get("error"), answer.get("decoded")) {
            (Some(_), Some(decoded)) => format!("  -> refused: {}", shown(decoded)),
            (Some(error), None) => format!("  -> refused: {} {}", shown(&error["name"]), shown(&error["detail"])),
            (None, Some(decoded)) => format!("  -> {}", short(&shown(decoded))),
            (None, None) => String::new(),
        };
        println!("  {what}({}){gas}{deposit}{result}", arguments.join(", "));
    }
}

impl Contract<'_> {
    /// Sends a call, which has to succeed, and returns the full output.
    pub fn send(&self, message: &str, arguments: &[&str]) -> Result<Value> {
        self.send_as("//Alice", 0, message, arguments)
    }

    /// Sends a call with a value in the chain's unit, signed by another account; it has to succeed.
    pub fn send_as(&self, who: &str, value: u128, message: &str, arguments: &[&str]) -> Result<Value> {
        let answer = self.submit(who, value, message, arguments)?;
        ensure!(answer["ok"] == true, "{}.{message} failed: {answer:#}", self.name);
        Ok(answer)
    }

    /// Sends a call that has to be refused, with `reason` in its error.
    pub fn refused(&self, message: &str, arguments: &[&str], reason: &str) -> Result<()> {
        self.refused_as("//Alice", 0, message, arguments, reason)
    }

    /// Sends a call with a value, signed by another account, that has to be refused.
    pub fn refused_as(&self, who: &str, value: u128, message: &str, arguments: &[&str], reason: &str) -> Result<()> {
        let answer = self.submit(who, value, message, arguments)?;
        ensure!(answer["ok"] == false, "{}.{message} went well: {answer:#}", self.name);
        let said = answer.to_string();
        ensure!(said.contains(reason), "{}.{message} was refused otherwise than with {reason}: {said}", self.name);
        Ok(())
    }

    fn submit(&self, who: &str, value: u128, message: &str, arguments: &[&str]) -> Result<Value> {
        let (abi, value) = (&self.abi, value.to_string());
        let command = ["call", &self.address, "--value", &value, "--abi", abi, "--message", message];
        let answer = self.chain.cli.signed_by(who).run(&[&command, arguments].concat())?;
        ensure!(answer.code < 2, "the call could not be made: {:#}\n{}", answer.json, answer.progress);
        self.chain.print(&format!("{}.{message}", self.name), arguments, &answer.json);
        Ok(answer.json)
    }

    /// Returns the trace of a call.
    pub fn trace(&self, value: u128, message: &str, arguments: &[&str]) -> Result<Value> {
        let (abi, value) = (&self.abi, value.to_string());
        let command = ["trace", "call", &self.address, "--value", &value, "--abi", abi, "--message", message];
        let answer = self.chain.cli.succeed(&[&command, arguments].concat())?;
        self.chain.print(&format!("trace {}.{message}", self.name), arguments, &answer);
        answer.get("trace").cloned().with_context(|| format!("there is no trace: {answer:#}"))
    }

    /// Sends a call that terminates the contract.
    pub fn terminate(&self, message: &str, arguments: &[&str]) -> Result<()> {
        let abi = &self.abi;
        let command = ["terminate", &self.address, "--abi", abi, "--message", message];
        let answer = self.chain.cli.succeed(&[&command, arguments].concat())?;
        self.chain.print(&format!("terminate {}.{message}", self.name), arguments, &answer);
        Ok(())
    }

    /// Dry-runs a call, and returns the decoded result.
    pub fn read(&self, message: &str, arguments: &[&str]) -> Result<Value> {
        let abi = &self.abi;
        let command = ["dry-run", "call", &self.address, "--abi", abi, "--message", message];
        let answer = self.chain.cli.succeed(&[&command, arguments].concat())?;
        self.chain.print(&format!("{}.{message}", self.name), arguments, &answer);
        answer.get("decoded").cloned().with_context(|| format!("{}.{message} gave nothing: {answer:#}", self.name))
    }

    /// Dry-runs a call, and checks the result.
    pub fn expect(&self, message: &str, arguments: &[&str], expected: &str) -> Result<()> {
        let answer = shown(&self.read(message, arguments)?);
        ensure!(
            answer.eq_ignore_ascii_case(expected),
            "{}.{message} returned {answer} instead of {expected}",
            self.name
        );
        Ok(())
    }
}

/// Returns the arguments of the first event with this name in the output.
pub fn event(answer: &Value, name: &str) -> Result<Value> {
    let events = answer["events"].as_array().context("no events")?;
    for event in events {
        let decoded = &event["decoded"];
        if decoded["event"].as_str().is_some_and(|signature| signature.split('(').next() == Some(name)) {
            return Ok(decoded["arguments"].clone());
        }
    }
    bail!("there is no event {name} in {answer:#}")
}

/// Returns a field of the output.
pub fn text(answer: &Value, name: &str) -> Result<String> {
    Ok(shown(answer.get(name).with_context(|| format!("the answer has no {name}: {answer:#}"))?))
}

pub use crate::shown::text as shown;

fn short(text: &str) -> String {
    const SHOWN: usize = 44;
    if text.len() <= SHOWN { text.to_owned() } else { format!("{}...", text.chars().take(SHOWN).collect::<String>()) }
}

fn blob(name: &str) -> Result<String> {
    let path =
        paths::solidity_contract(name).with_context(|| format!("{name} is not built: run scripts/build-solidity"))?;
    Ok(path.display().to_string())
}

fn abi(name: &str) -> Result<String> {
    Ok(blob(name)?.replace(".polkavm", ".abi"))
}
