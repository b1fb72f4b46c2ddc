//! Reentrancy: a bank that pays before it updates its balances, and a contract that calls it again while it is paid.

use anyhow::{Result, ensure};
use integration_tests::chain::{BOB, Chain, RATIO};

pub fn run(chain: &Chain) -> Result<()> {
    let bob = chain.account(BOB)?;
    let bank = chain.deploy("Bank", &[])?;
    let attacker = chain.deploy("Attacker", &[&bank.address])?;
    let in_bank = || chain.balance(&bank.address);
    let empty = in_bank()?;
    bank.send_as(BOB, 1000, "deposit", &[])?;
    bank.expect("balanceOf", &[&bob], &(1000 * RATIO).to_string())?;
    ensure!(in_bank()? - empty == 1000, "the bank has {} of Bob's 1000", in_bank()? - empty);

    // With the guard, which is in transient storage, the second withdrawal fails, and so do the first one and the
    // deposit.
    attacker.refused_as("//Alice", 10, "attack", &["false"], "the receiver failed")?;
    ensure!(in_bank()? - empty == 1000, "the guard has a hole");
    // Without the guard the attacker is paid three times.
    attacker.send_as("//Alice", 10, "attack", &["true"])?;
    ensure!(in_bank()? - empty == 980, "the bank has {} left of 1000", in_bank()? - empty);

    // The bank has less than Bob has deposited.
    bank.refused_as(BOB, 0, "withdraw", &[], "the receiver failed")?;

    // The call trace shows the attack: a deposit, and three payments, each nested in the one before.
    let trace = attacker.trace(10, "attack", &["true"])?;
    let mut depth = 0;
    let mut call = &trace["calls"][1];
    while let Some(inner) = call["calls"].as_array().and_then(|calls| calls.first()) {
        call = inner;
        depth += 1;
    }
    ensure!(depth == 5, "the withdrawals are {depth} calls deep: {trace:#}");

    // The remaining balance goes to the beneficiary, the bank's deposit to the account that closes it.
    let heir = "0x00000000000000000000000000000000000000aa";
    bank.terminate("close", &[heir])?;
    ensure!(chain.balance(heir)? >= 980, "the heir has {}", chain.balance(heir)?);
    ensure!(!chain.is_contract(&bank.address)?, "the bank goes on");
    Ok(())
}
