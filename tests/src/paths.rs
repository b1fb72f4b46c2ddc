//! Paths of the programs and contracts that the build makes.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// The checkout.
pub fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// A program of this workspace, found beside the one that runs; an example by `examples/NAME`.
///
/// # Errors
///
/// When it is not there, with the command that builds it.
pub fn program(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("the path of this program is unknown")?;
    // Test programs are in `deps/`, one folder further down.
    for folder in this.ancestors().skip(1).take(2) {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    bail!("{name} is not built beside {}: run scripts/build", this.display())
}

/// The blob of a contract in `guest/contracts`.
///
/// # Errors
///
/// When it is not there, with the command that builds it.
pub fn contract(name: &str) -> Result<PathBuf> {
    blob("out/contracts", name)
}

/// The blob of the guest of an example.
///
/// # Errors
///
/// When it is not there, with the command that builds it.
pub fn example_guest(name: &str) -> Result<PathBuf> {
    blob("out/examples", name)
}

fn blob(folder: &str, name: &str) -> Result<PathBuf> {
    built(folder, name).with_context(|| format!("{folder}/{name}.polkavm is not built: run scripts/build"))
}

fn built(folder: &str, name: &str) -> Option<PathBuf> {
    let path = repository().join(folder).join(name).with_extension("polkavm");
    path.is_file().then_some(path)
}

/// The blob of an example that is compiled by clang, or `None` if there is none.
pub fn c_guest(name: &str) -> Option<PathBuf> {
    built("out/examples", name)
}

/// The ELF file of a contract in `guest/contracts`.
///
/// # Errors
///
/// When it is not there, with the command that builds it.
pub fn contract_elf(name: &str) -> Result<PathBuf> {
    let path = repository().join("out/contracts/debug").join(name).with_extension("elf");
    if !path.is_file() {
        bail!("{} is not built: run scripts/build", path.display());
    }
    Ok(path)
}

/// The blob of a Solidity contract in `tests/solidity`, or `None` if it could not be built because npm is missing.
pub fn solidity_contract(name: &str) -> Option<PathBuf> {
    built("out/solidity", name)
}

/// The blob of the ink! contract in `guest/ink`, or `None` if it is not built.
pub fn ink_contract(name: &str) -> Option<PathBuf> {
    built("out/ink", name)
}
