//! A bank that pays before it forgets, and a contract that calls it again while it is paid.

use super::chain::{BOB, Chain, RATIO};
use anyhow::{Result, ensure};

pub fn run(chain: &Chain) -> Result<()> {
    let bob = chain.account(BOB)?;
    let bank = chain.deploy("Bank", &[])?;
    let attacker = chain.deploy("Attacker", &[&bank.address])?;
    let in_bank = || chain.balance(&bank.address);
    let empty = in_bank()?;
    bank.send_as(BOB, 1000, "deposit", &[])?;
    bank.expect("balanceOf", &[&bob], &(1000 * RATIO).to_string())?;
    ensure!(in_bank()? - empty == 1000, "the bank has {} of Bob's 1000", in_bank()? - empty);

    // With the guard, which is in transient storage, the second withdrawal fails and so do the first and the deposit.
    attacker.refused_as("//Alice", 10, "attack", &["false"], "the receiver failed")?;
    ensure!(in_bank()? - empty == 1000, "the guard has a hole");
    // Without it the attacker is paid three times.
    attacker.send_as("//Alice", 10, "attack", &["true"])?;
    ensure!(in_bank()? - empty == 980, "the bank has {} left of 1000", in_bank()? - empty);

    bank.send_as(BOB, 0, "withdraw", &[]).err().map_or(Ok(()), |error| {
        // There is less than Bob has paid in.
        ensure!(error.to_string().contains("the receiver failed"), "{error:#}");
        Ok(())
    })
}
