//! The demo: starts a dev chain, deploys two contracts, calls them, checks every result and stops the chain.
//!
//! Exits with 0 if all results are as expected, otherwise with 1 and the difference. It uses the node and the command
//! line in the same way as users, and prints each command so that it can be typed again.

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use contract_cli::units::Token;
use integration_tests::{
    contract::Cli,
    node::Node,
    paths, shown,
    words::{address_word, number_of, number_word},
};
use serde_json::Value;
use std::process::ExitCode;

/// Start a dev chain, deploy and call contracts, check the results.
#[derive(Debug, Parser)]
struct Args {
    /// Leave the chain running in the foreground when all is done, on the default port.
    #[arg(long)]
    keep_running: bool,
}

/// The port that clients use by default.
const DEFAULT_PORT: u16 = 9944;

/// The token's supply.
const SUPPLY: u128 = 1_000_000;

fn main() -> ExitCode {
    integration_tests::exit_code("demo", run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    println!("demo: starting a dev chain");
    let node = if args.keep_running { Node::start_on(DEFAULT_PORT)? } else { Node::start()? };
    println!("demo: the node listens on {}", node.url());
    // POLKAVM_BACKEND determines this line; everything else stays the same.
    println!("demo: {}", node.polkavm().context("the node does not say what runs contracts")?);
    let cli = Cli::new(&node.url());
    let demo = Demo { token: shown::token(&cli)?, cli };
    let summary = demo.walk().with_context(|| format!("the end of the node's log:\n{}", node.log_end()))?;
    println!("\ndemo: all results are as expected");
    for line in summary {
        println!("demo: {line}");
    }
    if args.keep_running {
        announce_to_ethereum(&node)?;
        println!("demo: the chain goes on at {}; stop it with Ctrl-C", node.url());
        node.wait()?;
    }
    Ok(())
}

/// Private keys of Ethereum's that have balance on a development chain: those that its development nodes have as well.
const ETHEREUM_KEYS: [(&str, &str); 2] = [
    (
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    ),
    (
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    ),
];

/// Says what a wallet or a tool of Ethereum's has to be told.
fn announce_to_ethereum(node: &Node) -> Result<()> {
    let chain_id = node.rpc("net_version")?;
    println!("\nFor Ethereum's wallets and tools (docs/ethereum.md):");
    println!("  chain id   {}", chain_id.as_str().context("net_version is no text")?);
    println!("  RPC URL    {}", node.url().replacen("ws", "http", 1));
    for (address, key) in ETHEREUM_KEYS {
        let balance = node.rpc_with("eth_getBalance", &serde_json::json!([address, "latest"]))?;
        ensure!(balance != "0x0", "{address} has no balance");
        println!("  account    {address}\n             private key {key}");
    }
    println!("  These keys are known to everybody: never send anything of value to them.\n");
    Ok(())
}

struct Demo {
    cli: Cli,
    token: Token,
}

impl Demo {
    /// Runs all steps; returns the lines of the summary.
    fn walk(&self) -> Result<Vec<String>> {
        let flipper = paths::contract("flipper")?;
        let erc20 = paths::contract("erc20")?;
        let (flipper, erc20) = (flipper.display().to_string(), erc20.display().to_string());

        // Flipper: uploaded first, then instantiated by its hash.
        let uploaded = self.step("upload the flipper", &["upload", &flipper])?;
        let code_hash = text(&uploaded, "code_hash")?;
        let made = self.step("instantiate it", &["instantiate", &code_hash, "--sig", "(bool)", "true"])?;
        let flipper = text(&made, "address")?;
        self.read_bool(&flipper, true)?;
        let flipped = self.step("flip it", &["call", &flipper, "--sig", "flip()"])?;
        self.read_bool(&flipper, false)?;

        // A token: uploaded and instantiated in one step.
        let supply = SUPPLY.to_string();
        let made = self.step("deploy a token", &["instantiate", &erc20, "--sig", "(uint256)", &supply])?;
        let token = text(&made, "address")?;
        let bob = text(&self.cli.signed_by("//Bob").succeed(&["account"])?, "address")?;
        let transfer = ["call", &token, "--sig", "transfer(address,uint256)", &bob, "250"];
        let transferred = self.step("transfer 250 tokens to Bob", &transfer)?;
        let events = transferred["events"].as_array().context("no events")?;
        let emitted =
            events.iter().find(|event| event["name"] == "ContractEmitted").context("the transfer emitted no event")?;
        ensure!(
            emitted["fields"]["data"] == format!("0x{}", number_word(250)),
            "the transfer's event has other data: {emitted}"
        );
        ensure!(
            emitted["fields"]["topics"][2] == format!("0x{}", address_word(&bob)),
            "the transfer's event names another receiver: {emitted}"
        );
        let balance =
            self.step("ask for Bob's tokens", &["dry-run", "call", &token, "--sig", "balanceOf(address)", &bob])?;
        ensure!(number_of(&balance["data"]) == Some(250), "Bob has other than 250 tokens: {balance}");

        // Invalid calls are refused by name.
        let too_much = ["call", &token, "--sig", "transfer(address,uint256)", &bob, "999999999"];
        let refused = self.refused("transfer more than there is", &too_much, "Polkavm::ContractReverted")?;
        let broke = ["call", &token, "--sig", "transfer(address,uint256)", &bob, "1", "--gas", "1"];
        let out_of_gas = self.refused("call with one picosecond of gas", &broke, "Polkavm::OutOfGas")?;

        Ok(vec![
            format!(
                "flipper: flip() turned true into false, gas used {}, fee {}",
                gas(&flipped),
                self.amount(&flipped["fee"])
            ),
            format!(
                "token: Bob has 250 of {SUPPLY}, gas used {}, fee {}",
                gas(&transferred),
                self.amount(&transferred["fee"])
            ),
            format!(
                "a wrong call was refused: {} ({})",
                shown::text(&refused["error"]["name"]),
                shown::text(&refused["error"]["detail"])
            ),
            format!(
                "a call without gas was refused: {}, fee {}",
                shown::text(&out_of_gas["error"]["name"]),
                self.amount(&out_of_gas["fee"])
            ),
        ])
    }

    /// Runs a command that has to succeed and prints its results.
    fn step(&self, what: &str, args: &[&str]) -> Result<Value> {
        announce(what, args);
        let answer = self.cli.succeed(args)?;
        self.describe(&answer);
        Ok(answer)
    }

    /// Runs a command that has to be refused with this error.
    fn refused(&self, what: &str, args: &[&str], error: &str) -> Result<Value> {
        announce(what, args);
        let answer = self.cli.run(args)?;
        ensure!(answer.code == 1, "exit code {} instead of 1: {:#}", answer.code, answer.json);
        ensure!(answer.json["error"]["name"] == error, "refused otherwise than with {error}: {:#}", answer.json);
        self.describe(&answer.json);
        Ok(answer.json)
    }

    fn read_bool(&self, flipper: &str, expected: bool) -> Result<()> {
        let answer = self.step("read it", &["dry-run", "call", flipper, "--sig", "get()"])?;
        ensure!(number_of(&answer["data"]) == Some(expected.into()), "get() returned other than {expected}: {answer}");
        Ok(())
    }

    fn amount(&self, value: &Value) -> String {
        shown::amount(&self.token, value)
    }

    fn describe(&self, answer: &Value) {
        let line = |name: &str, value: String| println!("  {name:<10} {value}");
        if let Some(block) = answer.get("block") {
            line("block", format!("#{} {}", block["number"], shown::text(&block["hash"])));
        }
        for name in ["address", "code_hash", "data"] {
            if let Some(value) = answer.get(name) {
                line(name, shown::text(value));
            }
        }
        if let Some(deposit) = answer.get("deposit") {
            line("deposit", self.amount(deposit));
        }
        if let Some(gas) = shown::gas(answer) {
            line("gas used", gas);
        }
        if let Some(fee) = answer.get("fee") {
            line("fee", self.amount(fee));
        }
        for event in answer.get("events").and_then(Value::as_array).into_iter().flatten() {
            if event["pallet"] == "Polkavm" {
                line("event", format!("{} {}", shown::text(&event["name"]), event["fields"]));
            }
        }
        if let Some(error) = answer.get("error") {
            let [name, docs, detail] = ["name", "docs", "detail"].map(|part| shown::text(&error[part]));
            line("refused", format!("{name}: {docs} {detail}"));
        }
    }
}

fn announce(what: &str, args: &[&str]) {
    let args: Vec<String> =
        args.iter().map(|arg| if arg.contains(['(', ' ']) { format!("'{arg}'") } else { (*arg).to_owned() }).collect();
    println!("\ndemo: {what}\n  $ pvm-contract {}", args.join(" "));
}

/// The weight used, of a transaction or a dry run.
fn gas(answer: &Value) -> String {
    shown::gas(answer).unwrap_or_else(|| "none".into())
}

fn text(answer: &Value, name: &str) -> Result<String> {
    Ok(answer[name].as_str().with_context(|| format!("the answer has no {name}: {answer:#}"))?.to_owned())
}
