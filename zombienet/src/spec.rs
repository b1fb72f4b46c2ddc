//! The chain of a network: the node's `local` chain with other authorities, and optionally another runtime.

use anyhow::{Context as _, Result, ensure};
use integration_tests::paths;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Runs the node with these arguments and returns its standard output.
///
/// # Errors
///
/// If it is not built, or fails.
pub fn node_says(arguments: &[&str]) -> Result<String> {
    let output = Command::new(paths::program("node-template")?)
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .context("the node could not be run")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the node with {arguments:?} ended with {}:\n{log}", output.status);
    String::from_utf8(output.stdout).context("the node prints what is no text")
}

/// Returns the address of a well-known account's public key in a signature scheme.
fn authority(name: &str, scheme: &str) -> Result<Value> {
    let printed = node_says(&["key", "inspect", "--scheme", scheme, "--output-type", "json", &format!("//{name}")])?;
    let key: Value = serde_json::from_str(&printed).context("the node describes a key in other than JSON")?;
    Ok(key.get("ss58PublicKey").context("the node's description of a key has no address")?.clone())
}

/// Writes the specification of a chain into a folder. The authorities are well-known accounts such as `Alice`; Alice
/// holds sudo. `runtime` is the wasm at genesis, if not the node's own.
///
/// # Errors
///
/// If the node's specification is unexpected, or the file cannot be written.
pub fn write(folder: &Path, authorities: &[&str], runtime: Option<&[u8]>) -> Result<PathBuf> {
    let mut spec: Value = serde_json::from_str(&node_says(&["export-chain-spec", "--chain", "local"])?)
        .context("no chain specification")?;
    let genesis = spec.pointer_mut("/genesis/runtimeGenesis").context("the specification has no genesis")?;
    let keys = |scheme: &str| authorities.iter().map(|name| authority(name, scheme)).collect::<Result<Vec<_>>>();
    let (aura, grandpa) = (keys("sr25519")?, keys("ed25519")?);
    let mut set = |pointer: &str, value: Value| -> Result<()> {
        *genesis.pointer_mut(pointer).with_context(|| format!("the genesis has no {pointer}"))? = value;
        Ok(())
    };
    set("/patch/aura/authorities", json!(aura))?;
    set("/patch/grandpa/authorities", grandpa.into_iter().map(|key| json!([key, 1])).collect())?;
    if let Some(runtime) = runtime {
        set("/code", json!(format!("0x{}", hex::encode(runtime))))?;
    }
    let path = folder.join("chain.json");
    fs::write(&path, serde_json::to_vec(&spec)?).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}
