//! A contract in ink! 6, with the metadata that ink! makes of it.

use super::chain::{Chain, event};
use anyhow::{Result, ensure};

pub fn run(chain: &Chain) -> Result<()> {
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
