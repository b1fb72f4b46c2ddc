//! `pvm link`: makes a blob from an ELF file.

use crate::args::LinkArgs;
use crate::output::{self, Output};
use crate::{Error, exit, input, link};
use vm_core::blob::{Blob, Section, sections};

/// Links, writes the blob, and says how large it is and of what.
///
/// # Errors
/// If the file cannot be read or linked, or the blob not be written.
pub fn execute(args: &LinkArgs) -> Result<u8, Error> {
    let elf = input::bytes(&args.elf)?;
    let blob = link(&elf, &args.options.options())
        .map_err(|source| Error::Link { path: input::name(&args.elf), source: Box::new(source) })?;
    let written = output::write_if_changed(&args.output, &blob)?;
    if args.output.as_os_str() != "-" {
        let mut output = Output::open();
        let unchanged = if written { "" } else { ", unchanged" };
        output.print(format_args!(
            "{}: {}, from an ELF of {} bytes{unchanged}\n",
            args.output.display(),
            describe(&blob),
            elf.len()
        ))?;
        output.finish()?;
    }
    Ok(exit::DONE)
}

/// The sizes that matter to whoever pays for a blob.
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
