//! Drives the Solidity contracts of `tests/solidity` on a dev chain: deploys them, calls them, checks every result.
//!
//! The blobs come from another project's compiler, the libraries from OpenZeppelin. Prints each call's gas, deposit and
//! result; exits with 0 if all results are as expected, otherwise with 1 and the difference. With arguments it runs
//! only the scenarios named.

mod bank;
mod builtins;
mod creator;
mod nft;
mod pair;
mod proxy;
mod token;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use integration_tests::{chain::Chain, node::Node, paths};
use std::process::ExitCode;

/// Deploy and exercise Solidity contracts on a dev chain.
#[derive(Debug, Parser)]
struct Args {
    /// The scenarios to run; all of them if none is named.
    scenarios: Vec<String>,
}

type Scenario = fn(&Chain) -> Result<()>;

const SCENARIOS: [(&str, &str, Scenario); 7] = [
    ("token", "OpenZeppelin's ERC-20", token::run),
    ("nft", "OpenZeppelin's ERC-721, with a contract that receives", nft::run),
    ("pair", "a factory of pairs that trade tokens", pair::run),
    ("proxy", "OpenZeppelin's proxy and an upgrade (UUPS)", proxy::run),
    ("builtins", "Ethereum's precompiles", builtins::run),
    ("bank", "reentry, with and without a guard in transient storage", bank::run),
    ("creator", "contracts that make contracts and end them", creator::run),
];

fn main() -> ExitCode {
    integration_tests::exit_code("solidity", run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    for name in &args.scenarios {
        let known = SCENARIOS.map(|(name, ..)| name);
        ensure!(known.contains(&name.as_str()), "there is no scenario {name}: they are {}", known.join(", "));
    }
    ensure!(paths::solidity_contract("Token").is_some(), "the contracts are not built: run scripts/build-solidity");
    println!("solidity: starting a dev chain");
    let node = Node::start()?;
    println!("solidity: {}", node.polkavm().context("the node does not say what runs contracts")?);
    let chain = Chain::new(&node.url())?;
    let chosen = |name: &str| args.scenarios.is_empty() || args.scenarios.iter().any(|wanted| wanted == name);
    let mut count = 0;
    for (name, what, scenario) in SCENARIOS.into_iter().filter(|(name, ..)| chosen(name)) {
        println!("\nsolidity: {name}: {what}");
        scenario(&chain).with_context(|| format!("{name}\nthe end of the node's log:\n{}", node.log_end()))?;
        count += 1;
    }
    println!("\nsolidity: {count} scenarios, {} calls: all results are as expected", chain.calls());
    Ok(())
}
