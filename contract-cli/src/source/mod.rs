//! Builds a contract from source, for `deploy`.
//!
//! The compilers are other programs, which must be installed: a toolchain for RISC-V guests and a linker for Rust,
//! `resolc` for Solidity. The error for a missing one tells how to install it.

mod rust;
mod solidity;

use crate::error::Error;
use pvm_guest_builder::on_path;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A program that was built.
#[derive(Debug)]
pub struct Built {
    /// The contract's name.
    pub name: String,
    /// The blob.
    pub blob: PathBuf,
    /// Its interface, if the compiler makes one.
    pub abi: Option<PathBuf>,
    /// The contracts that it creates, directly or indirectly, whose code has to be on the chain.
    pub children: Vec<Child>,
    /// The temporary folder, to be removed once both were read.
    scratch: Option<PathBuf>,
}

/// A contract that another one creates.
#[derive(Debug)]
pub struct Child {
    /// Its name.
    pub name: String,
    /// Its blob.
    pub code: Vec<u8>,
    /// Its interface.
    pub abi: Option<PathBuf>,
}

impl Drop for Built {
    fn drop(&mut self) {
        if let Some(folder) = &self.scratch {
            // Failure is ignored: nothing depends on it.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Builds a contract from a folder with a `Cargo.toml`, or from a `.sol` file. `name` selects a contract if the source
/// has several; `options` are passed to the compiler.
///
/// # Errors
///
/// If it is neither, a compiler is missing, or a compiler fails; its messages go to standard error.
pub fn build(source: &Path, name: Option<&str>, options: &[String]) -> Result<Built, Error> {
    if source.is_dir() && source.join("Cargo.toml").is_file() {
        return rust::build(&source.join("Cargo.toml"), name, options);
    }
    if source.is_file() && source.extension().is_some_and(|extension| extension == "sol") {
        return solidity::build(source, name, options);
    }
    Err(failed(source, "it is neither a folder with a Cargo.toml nor a .sol file".into()))
}

fn failed(source: &Path, reason: String) -> Error {
    Error::Build { source_path: source.into(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_source_is_refused_by_name() {
        let error = build(Path::new("/nowhere/contract"), None, &[]).unwrap_err().to_string();
        assert!(error.contains("/nowhere/contract") && error.contains("Cargo.toml"), "{error}");
    }
}
