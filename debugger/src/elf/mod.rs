//! Makes an ELF file with DWARF of a blob, for debuggers.
//!
//! Debuggers know RISC-V ELF files with DWARF, and nothing of blobs. This one has the addresses of the blob: a function or
//! a line is at its code offset. It has the functions with those inlined into them, the lines, the symbols, and how to
//! find the caller of each place. It cannot be run, and the bytes of its code are those of the blob.

mod dwarf;
mod frames;
mod writer;

use crate::symbols::Symbols;
use vm_core::blob::Blob;
use vm_core::memory::MemoryMap;

/// Return address of calls by the host. Debuggers look one byte before it for the caller.
pub const HOST: u32 = MemoryMap::RETURN_TO_HOST;

/// Address of the jump table for debuggers, as code offsets; no guest memory is there. The offset of an entry is the
/// guest's code address times a factor.
pub const fn jump_table_base(is_64_bit: bool) -> u64 {
    if is_64_bit { 1 << 32 } else { HOST as u64 }
}

/// Bytes of the table for each unit of a code address: entries have the size of a register, and every second address is
/// one.
pub const fn jump_table_factor(is_64_bit: bool) -> u64 {
    if is_64_bit { 4 } else { 2 }
}

/// Makes the file.
///
/// # Errors
/// If it would have more than an ELF file can hold.
pub fn write(blob: &Blob<'_>, symbols: &Symbols) -> Result<Vec<u8>, gimli::write::Error> {
    let is_64_bit = blob.isa().is_64_bit();
    let mut sections = dwarf::sections(blob, symbols)?;
    sections.push((".debug_frame", frames::section(blob, symbols)?));
    let names = dwarf::outermost(symbols);
    let mut list: Vec<writer::Symbol> = names
        .into_iter()
        .flat_map(|(name, ranges)| ranges.into_iter().map(move |range| (name, range)))
        .map(|(name, range)| writer::Symbol { name: name.to_owned(), range })
        .collect();
    let end = blob.code().len() as u32;
    for (offset, name) in symbols.exports() {
        if !list.iter().any(|symbol| symbol.range.start == *offset && symbol.name == *name) {
            let next = symbols.exports().range(offset + 1..).next().map_or(end, |(next, _)| *next);
            list.push(writer::Symbol { name: name.clone(), range: *offset..next.max(*offset) });
        }
    }
    Ok(writer::Elf { is_64_bit, code: blob.code(), symbols: list, sections }.write())
}
