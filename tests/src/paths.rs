//! Paths of the build's programs and contracts.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// The checkout.
pub fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Returns a program of this workspace, found beside the running one; an example by `examples/NAME`.
///
/// # Errors
///
/// If it does not exist, with the command that builds it.
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

/// Returns the blob of a contract in `guest/contracts`.
///
/// # Errors
///
/// If it does not exist, with the command that builds it.
pub fn contract(name: &str) -> Result<PathBuf> {
    blob("out/contracts", name)
}

/// Returns the runtime as a RISC-V blob.
///
/// # Errors
///
/// If it does not exist, with the command that builds it.
pub fn riscv_runtime() -> Result<PathBuf> {
    let path = repository().join("out/runtime/runtime.polkavm");
    match path.is_file() {
        true => Ok(path),
        false => bail!("{} does not exist: run scripts/build-runtime", path.display()),
    }
}

/// Returns the blob of an example's guest.
///
/// # Errors
///
/// If it does not exist, with the command that builds it.
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

/// Returns the blob of an example compiled by clang, or `None` if there is none.
pub fn c_guest(name: &str) -> Option<PathBuf> {
    built("out/examples", name)
}

/// Returns the ELF file of a contract in `guest/contracts`.
///
/// # Errors
///
/// If it does not exist, with the command that builds it.
pub fn contract_elf(name: &str) -> Result<PathBuf> {
    let path = repository().join("out/contracts/debug").join(name).with_extension("elf");
    if !path.is_file() {
        bail!("{} is not built: run scripts/build", path.display());
    }
    Ok(path)
}

/// Returns the blob of a Solidity contract in `tests/solidity`, or `None` if it could not be built because npm is
/// missing.
pub fn solidity_contract(name: &str) -> Option<PathBuf> {
    built("out/solidity", name)
}

/// Returns the blob of the ink! contract in `guest/ink`, or `None` if it is not built.
pub fn ink_contract(name: &str) -> Option<PathBuf> {
    built("out/ink", name)
}
