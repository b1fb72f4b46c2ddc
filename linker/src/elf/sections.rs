//! ELF sections and their kinds.

use super::{ElfError, Relocations};
use object::{
    Endianness, ObjectSection as _, SectionFlags,
    elf::{
        SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_FINI_ARRAY, SHT_INIT_ARRAY, SHT_NOBITS, SHT_NOTE, SHT_PREINIT_ARRAY,
        SHT_PROGBITS,
    },
    read::elf::{ElfSection, FileHeader, SectionHeader as _},
};

/// Maximum size of a section in bytes: the size of the address space.
const LIMIT: u64 = u32::MAX as u64;

/// Maximum alignment in bytes: regions of memory begin at multiples of it (docs/spec/memory.md#layout).
const LARGEST_ALIGN: u64 = 0x1_0000;

/// The kind of a section (docs/linking.md#sections).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SectionKind {
    /// Instructions.
    Code,
    /// Constants.
    ReadOnly,
    /// Initialised variables.
    ReadWrite,
    /// Variables that start as zero.
    Zero,
    /// Records for the linker, such as exports and metadata; not part of the program.
    Linker,
    /// Not loaded, or unused.
    Ignored,
}

impl SectionKind {
    /// True if the section can be in the program's memory.
    pub const fn is_data(self) -> bool {
        matches!(self, SectionKind::ReadOnly | SectionKind::ReadWrite | SectionKind::Zero)
    }
}

/// A section.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Kind of the section.
    pub kind: SectionKind,
    /// True if it is loaded into memory.
    pub is_loaded: bool,
    /// Its address, in linked files.
    pub address: u64,
    /// Its alignment in bytes, a power of two.
    pub align: u64,
    /// Its contents; shorter than `size` if the rest is zero.
    pub data: Vec<u8>,
    /// Its size in memory, in bytes.
    pub size: u64,
    /// Its relocations.
    pub relocations: Relocations,
}

impl Section {
    /// Placeholder for a section that does not exist.
    pub(super) fn none() -> Section {
        Section {
            name: String::new(),
            kind: SectionKind::Ignored,
            is_loaded: false,
            address: 0,
            align: 1,
            data: Vec::new(),
            size: 0,
            relocations: Relocations::default(),
        }
    }

    /// Makes a section of zeroed memory that is not in the file.
    pub(super) fn zeros(name: String, size: u64, align: u64) -> Result<Section, ElfError> {
        if size > LIMIT {
            return Err(ElfError::TooLarge { section: name, size, limit: LIMIT });
        }
        let align = check_align(&name, align)?;
        Ok(Section { name, kind: SectionKind::Zero, is_loaded: true, align, size, ..Section::none() })
    }

    pub(super) fn read<Header: FileHeader<Endian = Endianness>>(
        section: &ElfSection<'_, '_, Header>,
        linked: bool,
    ) -> Result<Section, ElfError> {
        let name = section.name().unwrap_or("?").to_owned();
        let SectionFlags::Elf { sh_flags } = section.flags() else { return Ok(Section::none()) };
        let sh_type = section.elf_section_header().sh_type(Endianness::Little);
        let kind = classify(&name, sh_type, sh_flags)?;
        let size = section.size();
        // Records for the linker may point into any section.
        let keep = kind != SectionKind::Ignored || is_debug(&name) || sh_type == SHT_PROGBITS || sh_type == SHT_NOTE;
        if kind != SectionKind::Ignored && size > LIMIT {
            return Err(ElfError::TooLarge { section: name, size, limit: LIMIT });
        }
        let data = if keep { section.data()?.to_vec() } else { Vec::new() };
        let align = if kind.is_data() { check_align(&name, section.align())? } else { 1 };
        let address = if linked { section.address() } else { 0 };
        let is_loaded = sh_flags & u64::from(SHF_ALLOC) != 0;
        Ok(Section { name, kind, is_loaded, address, align, data, size, relocations: Relocations::default() })
    }
}

/// Checks the alignment of a section, and returns it in bytes.
fn check_align(section: &str, align: u64) -> Result<u64, ElfError> {
    match align {
        0 => Ok(1),
        align if align.is_power_of_two() && align <= LARGEST_ALIGN => Ok(align),
        align => Err(ElfError::Align { section: section.to_owned(), align, limit: LARGEST_ALIGN }),
    }
}

/// True if a section holds debug information.
pub(super) fn is_debug(name: &str) -> bool {
    name.starts_with(".debug_")
}

/// True if a name is `prefix`, or begins with it and a dot.
pub(super) fn is(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Sections with records for the linker. They are not loaded.
pub(super) const RECORDS: [&str; 3] = [".polkavm_metadata", ".polkavm_exports", ".polkavm_min_stack_size"];

/// Sections that only unwinders and dynamic loaders read. A program that reads them itself is refused.
const UNUSED: [&str; 4] = [".eh_frame", ".eh_frame_hdr", ".gcc_except_table", ".dynamic"];

/// Sections that are written only before the program starts (RELRO).
const RELOCATED: [&str; 10] = [
    ".data.rel.ro",
    ".got",
    ".got.plt",
    ".relro_padding",
    ".init_array",
    ".fini_array",
    ".preinit_array",
    ".ctors",
    ".dtors",
    ".jcr",
];

fn classify(name: &str, sh_type: u32, flags: u64) -> Result<SectionKind, ElfError> {
    let [alloc, write, execute] = [SHF_ALLOC, SHF_WRITE, SHF_EXECINSTR].map(|flag| flags & u64::from(flag) != 0);
    let refuse = |is, not| Err(ElfError::Flags { section: name.to_owned(), is, not });
    let named = |prefixes: &[&str]| prefixes.iter().any(|prefix| is(name, prefix));
    // Before the flags are checked: assemblers and compilers differ in whether they load records.
    if named(&RECORDS) {
        return Ok(SectionKind::Linker);
    }
    if name.starts_with(".polkavm_") {
        return Err(ElfError::Record { section: name.to_owned(), known: RECORDS.join(", ") });
    }
    if !alloc || named(&UNUSED) {
        return Ok(SectionKind::Ignored);
    }
    let is_data =
        matches!(sh_type, SHT_PROGBITS | SHT_NOBITS | SHT_INIT_ARRAY | SHT_FINI_ARRAY | SHT_PREINIT_ARRAY | SHT_NOTE);
    if !is_data {
        return Ok(SectionKind::Ignored);
    }
    if execute || is(name, ".text") {
        if write {
            return refuse("writable", "code");
        }
        return Ok(SectionKind::Code);
    }
    if named(&RELOCATED) {
        return Ok(SectionKind::ReadOnly);
    }
    if named(&[".rodata", ".srodata"]) {
        return if write { refuse("writable", "read-only data") } else { Ok(SectionKind::ReadOnly) };
    }
    if sh_type == SHT_NOBITS {
        return if write { Ok(SectionKind::Zero) } else { refuse("read-only", "zeroed data") };
    }
    if named(&[".data", ".sdata"]) && !write {
        return refuse("read-only", "variables");
    }
    Ok(if write { SectionKind::ReadWrite } else { SectionKind::ReadOnly })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn sections_are_told_apart_by_name_and_flags() {
        let (a, w, x) = (u64::from(SHF_ALLOC), u64::from(SHF_WRITE), u64::from(SHF_EXECINSTR));
        for (name, sh_type, flags, kind) in [
            (".text", SHT_PROGBITS, a | x, SectionKind::Code),
            (".text.main", SHT_PROGBITS, a | x, SectionKind::Code),
            ("mine", SHT_PROGBITS, a | x, SectionKind::Code),
            (".rodata.cst8", SHT_PROGBITS, a, SectionKind::ReadOnly),
            (".data.rel.ro.table", SHT_PROGBITS, a | w, SectionKind::ReadOnly),
            (".relro_padding", SHT_NOBITS, a | w, SectionKind::ReadOnly),
            (".data", SHT_PROGBITS, a | w, SectionKind::ReadWrite),
            (".sbss", SHT_NOBITS, a | w, SectionKind::Zero),
            ("other", SHT_PROGBITS, a, SectionKind::ReadOnly),
            (".comment", SHT_PROGBITS, 0, SectionKind::Ignored),
            (".eh_frame", SHT_PROGBITS, a, SectionKind::Ignored),
            (".polkavm_exports", SHT_NOTE, a, SectionKind::Linker),
            (".polkavm_exports", SHT_NOTE, 0, SectionKind::Linker),
            (".polkavm_min_stack_size.2", SHT_PROGBITS, 0, SectionKind::Linker),
            (".note.x", SHT_NOTE, a, SectionKind::ReadOnly),
            (".hash", 5, a, SectionKind::Ignored),
            (".ctors.65435", SHT_PROGBITS, a | w, SectionKind::ReadOnly),
        ] {
            assert_eq!(classify(name, sh_type, flags).unwrap(), kind, "{name}");
        }
        for (name, flags) in [(".text", a | x | w), (".rodata", a | w), (".data", a), (".polkavm_other", 0)] {
            assert!(classify(name, SHT_PROGBITS, flags).is_err(), "{name}");
        }
    }
}
