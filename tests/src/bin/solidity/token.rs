//! OpenZeppelin's ERC-20.

use anyhow::{Result, ensure};
use integration_tests::chain::{BOB, Chain, event};

pub fn run(chain: &Chain) -> Result<()> {
    let (alice, bob) = (chain.account("//Alice")?, chain.account(BOB)?);
    let token = chain.deploy("Token", &["1000000"])?;
    token.expect("name", &[], "Solidity Token")?;
    token.expect("totalSupply", &[], "1000000")?;
    let sent = token.send("transfer", &[&bob, "250"])?;
    ensure!(event(&sent, "Transfer")?["value"] == "250", "another event: {sent:#}");
    token.expect("balanceOf", &[&bob], "250")?;
    token.expect("balanceOf", &[&alice], "999750")?;
    token.refused("transfer", &[&bob, "1000000"], "ERC20InsufficientBalance")?;
    token.refused_as(BOB, 0, "transferFrom", &[&alice, &bob, "1"], "ERC20InsufficientAllowance")?;
    token.send("approve", &[&bob, "100"])?;
    token.send_as(BOB, 0, "transferFrom", &[&alice, &bob, "60"])?;
    token.expect("allowance", &[&alice, &bob], "40")?;
    token.expect("balanceOf", &[&bob], "310")
}
