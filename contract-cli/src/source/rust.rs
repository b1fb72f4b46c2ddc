//! Contracts in Rust: a crate, compiled for RISC-V with a standard library of its own, and linked into a blob.

use super::{Built, failed};
use crate::{error::Error, output::progress};
use pvm_guest_builder::Guest;
use pvm_linker::{Options, link};
use std::{fs, path::Path};

/// Builds the crate of a manifest.
pub(super) fn build(manifest: &Path, name: Option<&str>, options: &[String]) -> Result<Built, Error> {
    progress!("compiling {}", manifest.display());
    let guest = Guest {
        manifest: manifest.into(),
        binary: name.map(str::to_owned),
        wide: true,
        unroll: false,
        arguments: options.to_vec(),
    };
    let elfs = guest.compile().map_err(|error| failed(manifest, error.to_string()))?;
    let [elf] = &elfs[..] else {
        return Err(failed(manifest, format!("it has {} binaries: choose one with --contract", elfs.len())));
    };
    let bytes = fs::read(elf).map_err(|reason| Error::File { path: elf.clone(), reason })?;
    let linked = link(&bytes, &Options { strip: true, ..Options::default() })
        .map_err(|error| failed(manifest, format!("{}: {error}", elf.display())))?;
    let blob = elf.with_extension("polkavm");
    fs::write(&blob, &linked).map_err(|reason| Error::File { path: blob.clone(), reason })?;
    progress!("{}: {} bytes", blob.display(), linked.len());
    let name = elf.file_stem().and_then(|stem| stem.to_str()).unwrap_or("contract").to_owned();
    Ok(Built { name, blob, abi: None, children: Vec::new(), scratch: None })
}
