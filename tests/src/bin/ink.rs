//! Deploys the ink! contract in `guest/ink` on a dev chain, calls it and checks every result.
//!
//! Run by `make ink`, after `scripts/build-ink`. Prints each call's gas, deposit and result; exits with 0 if all
//! results are as expected, otherwise with 1 and the difference.

use anyhow::{Context as _, Result, ensure};
use integration_tests::{
    chain::{Chain, event},
    node::Node,
    paths,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    integration_tests::exit_code("ink", run())
}

fn run() -> Result<()> {
    ensure!(paths::ink_contract("flipper").is_some(), "the contract is not built: run scripts/build-ink");
    println!("ink: starting a dev chain");
    let node = Node::start()?;
    println!("ink: {}", node.polkavm().context("the node does not say what runs contracts")?);
    let chain = Chain::new(&node.url())?;
    flipper(&chain).with_context(|| format!("the end of the node's log:\n{}", node.log_end()))?;
    println!("\nink: {} calls: all results are as expected", chain.calls());
    Ok(())
}

/// Calls every message of the contract, using the metadata that ink! generates.
fn flipper(chain: &Chain) -> Result<()> {
    let alice = chain.account("//Alice")?;
    let flipper = chain.deploy_ink("flipper", "new", &["true"])?;
    flipper.expect("get", &[], r#"{"Ok":[true]}"#)?;
    let flipped = flipper.send("flip", &[])?;
    let told = event(&flipped, "Flipped")?;
    ensure!(told["value"] == false && told["by"] == alice.as_str(), "another event: {told}");
    flipper.expect("get", &[], r#"{"Ok":[false]}"#)?;
    // An error as a value is a revert with that value.
    flipper.refused("set", &["false"], "Same")?;
    flipper.send("set", &["true"])?;
    flipper.expect("flips", &[], r#"{"Ok":["2"]}"#)
}
