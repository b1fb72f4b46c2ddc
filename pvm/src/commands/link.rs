//! `pvm link`: links an ELF file to a blob.

use crate::args::{LinkArgs, LinkOptions};
use crate::output::{self, Output};
use crate::{Error, exit, input};
use pvm_linker::link;
use std::path::Path;
use vm_core::blob::{Blob, Section, sections};

/// Links, writes the blob, and prints its size and contents.
///
/// # Errors
/// If the file cannot be read or linked, or the blob cannot be written.
pub fn execute(args: &LinkArgs) -> Result<u8, Error> {
    let (length, blob) = link_file(&args.elf, &args.options)?;
    let written = output::write_if_changed(&args.output, &blob)?;
    if args.output.as_os_str() != "-" {
        let mut output = Output::open();
        let unchanged = if written { "" } else { ", unchanged" };
        output.print(format_args!(
            "{}: {}, from an ELF of {} bytes{unchanged}\n",
            args.output.display(),
            describe(&blob),
            length
        ))?;
        output.finish()?;
    }
    Ok(exit::DONE)
}

/// Links a file; returns its length and the blob.
pub(super) fn link_file(path: &Path, options: &LinkOptions) -> Result<(usize, Vec<u8>), Error> {
    let elf = input::bytes(path)?;
    let blob = link(&elf, &options.options())
        .map_err(|source| Error::Link { path: input::name(path), source: Box::new(source) })?;
    Ok((elf.len(), blob))
}

/// Summarizes the sizes that a chain charges for.
pub fn describe(bytes: &[u8]) -> String {
    let Ok(blob) = Blob::parse(bytes) else { return format!("{} bytes", bytes.len()) };
    let mut parts = Vec::new();
    let mut debug = 0;
    for section in sections(bytes) {
        let length = section.content.len();
        match section.id {
            id if id == Section::Code as u8 => parts.push(format!("{length} code and jump table")),
            id if id == Section::RoData as u8 => parts.push(format!("{length} read-only data")),
            id if id == Section::RwData as u8 => parts.push(format!("{length} variables")),
            128..=130 => debug += length,
            _ => {}
        }
    }
    if debug > 0 {
        parts.push(format!("{debug} names and lines"));
    }
    let memory = blob.memory_config();
    format!(
        "{} bytes ({}; memory: {} read-only, {} read-write, {} stack)",
        bytes.len(),
        parts.join(", "),
        memory.ro_data_size,
        memory.rw_data_size,
        memory.stack_size
    )
}
