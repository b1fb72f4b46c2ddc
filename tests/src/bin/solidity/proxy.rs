//! OpenZeppelin's proxy in front of a program that is upgraded: the storage stays, the program changes.

use anyhow::{Result, ensure};
use integration_tests::chain::{BOB, Chain, event};

pub fn run(chain: &Chain) -> Result<()> {
    let alice = chain.account("//Alice")?;
    let (one, two) = (chain.deploy("BoxV1", &[])?, chain.deploy("BoxV2", &[])?);
    one.refused("initialize", &["1"], "InvalidInitialization")?;
    let initialize = chain.encode("BoxV1", "initialize", &["42"])?;
    let proxy = chain.deploy("Proxy", &[&one.address, &initialize])?;

    let seen = chain.at("BoxV1", &proxy.address)?;
    seen.expect("value", &[], "42")?;
    seen.expect("owner", &[], &alice)?;
    seen.expect("version", &[], "one")?;
    seen.refused("initialize", &["1"], "InvalidInitialization")?;
    seen.send("store", &["7"])?;
    one.expect("value", &[], "0")?;

    seen.refused_as(BOB, 0, "upgradeToAndCall", &[&two.address, "0x"], "not the owner")?;
    seen.refused("upgradeToAndCall", &[&proxy.address, "0x"], "ERC1967InvalidImplementation")?;
    let upgraded = seen.send("upgradeToAndCall", &[&two.address, "0x"])?;
    ensure!(event(&upgraded, "Upgraded")?["implementation"] == two.address.as_str(), "another event: {upgraded:#}");
    let seen = chain.at("BoxV2", &proxy.address)?;
    seen.expect("version", &[], "two")?;
    seen.send("increment", &[])?;
    seen.expect("value", &[], "8")
}
