//! `pvm build`: compiles a guest crate and links it.

use super::link::{describe, link_file};
use crate::args::BuildArgs;
use crate::output::{self, Output};
use crate::{Error, exit};
use pvm_guest_builder::Guest;
use std::path::PathBuf;

/// Compiles, links, writes the blobs, and prints their sizes.
///
/// # Errors
/// If the crate cannot be compiled or linked, or a blob cannot be written.
pub fn execute(args: &BuildArgs) -> Result<u8, Error> {
    let guest = Guest {
        manifest: args.manifest_path.clone(),
        binary: args.bin.clone(),
        wide: !args.rv32,
        unroll: args.unroll,
        arguments: args.cargo.clone(),
    };
    let elfs = guest.compile()?;
    if let (Some(path), [_, _, ..]) = (&args.output, &elfs[..]) {
        return Err(Error::SeveralBinaries { count: elfs.len(), output: path.display().to_string() });
    }
    for elf in elfs {
        let (_, blob) = link_file(&elf, &args.options)?;
        let path: PathBuf = args.output.clone().unwrap_or_else(|| elf.with_extension("polkavm"));
        output::write_if_changed(&path, &blob)?;
        let mut output = Output::open();
        output.print(format_args!("{}: {}\n", path.display(), describe(&blob)))?;
        output.finish()?;
    }
    Ok(exit::DONE)
}
