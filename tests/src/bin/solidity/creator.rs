//! Contracts that create contracts, and terminate them in the same transaction.

use anyhow::{Context as _, Result, ensure};
use integration_tests::chain::{Chain, event, shown};

const SALT: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

pub fn run(chain: &Chain) -> Result<()> {
    let alice = chain.account("//Alice")?;
    chain.upload("Child")?;
    let creator = chain.deploy("Creator", &[])?;
    let made = creator.send_as("//Alice", 77, "create", &["5"])?;
    let child = chain.at("Child", &shown(&event(&made, "Made")?["child"]))?;
    child.expect("value", &[], "5")?;
    child.expect("maker", &[], &creator.address)?;

    let foretold = shown(&creator.read("create2", &[SALT, "6"])?);
    let made = creator.send("create2", &[SALT, "6"])?;
    ensure!(event(&made, "Made")?["child"] == foretold.as_str(), "CREATE2 gave another address than foretold");
    creator.refused("create2", &[SALT, "6"], "ContractReverted")?;
    creator.expect("refused", &[], "zero is no value")?;

    let foretold = creator.read("createAndEnd", &[])?;
    let ended = shown(foretold.get(0).or_else(|| foretold.get("child")).context("no address")?);
    creator.send_as("//Alice", 33, "createAndEnd", &[])?;
    ensure!(!chain.is_contract(&ended)?, "the contract at {ended} goes on");
    ensure!(chain.is_contract(&child.address)?, "the other one is gone as well");
    child.refused("end", &[&alice], "not my maker")?;

    let told = child.read("block_", &[])?;
    let field = |index: usize, name: &str| shown(told.get(index).or_else(|| told.get(name)).unwrap_or(&told));
    ensure!(field(0, "number").parse::<u64>()? > 0, "no block number in {told}");
    ensure!(field(2, "parent") != format!("0x{}", "0".repeat(64)), "no hash of the parent in {told}");
    ensure!(field(4, "author").eq_ignore_ascii_case(&alice), "another author than Alice in {told}");
    Ok(())
}
