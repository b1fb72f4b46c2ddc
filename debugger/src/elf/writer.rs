//! The container: ELF header, sections and symbols.

use super::HOST;
use std::ops::Range;

const EM_RISCV: u16 = 243;
/// Registers x16 to x31 do not exist. Debuggers know that of 32-bit files only, and take others for such with it.
const EF_RISCV_RVE: u32 = 8;
const SHT_PROGBITS: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHF_ALLOC: u64 = 2;
const SHF_EXECINSTR: u64 = 4;
/// A global function.
const STT_FUNC: u8 = 1 << 4 | 2;

/// Bytes around the address that returns to the host, for which there is a symbol.
const HOST_AROUND: u32 = 16;

/// A function.
pub struct Symbol {
    pub name: String,
    pub range: Range<u32>,
}

/// An ELF file.
pub struct Elf<'a> {
    pub is_64_bit: bool,
    pub code: &'a [u8],
    pub symbols: Vec<Symbol>,
    pub sections: Vec<(&'static str, Vec<u8>)>,
}

struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    address: u32,
    content: Vec<u8>,
    /// For symbols: the section of their names, and the number of local ones.
    link: u32,
    info: u32,
    entry_size: u64,
}

impl Section {
    fn new(name: &'static str, kind: u32, content: Vec<u8>) -> Section {
        Section { name, kind, flags: 0, address: 0, content, link: 0, info: 0, entry_size: 0 }
    }
}

/// Little-endian numbers, some of them as wide as an address.
struct Out {
    bytes: Vec<u8>,
    is_64_bit: bool,
}

impl Out {
    fn half(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn wide(&mut self, value: u64) {
        match self.is_64_bit {
            true => self.bytes.extend_from_slice(&value.to_le_bytes()),
            // All addresses and sizes are small.
            false => self.word(value as u32),
        }
    }
}

impl Elf<'_> {
    pub fn write(self) -> Vec<u8> {
        let is_64_bit = self.is_64_bit;
        let executable = SHF_ALLOC | SHF_EXECINSTR;
        let mut sections = vec![
            Section { flags: executable, ..Section::new(".text", SHT_PROGBITS, self.code.to_vec()) },
            Section {
                flags: executable,
                address: HOST - HOST_AROUND,
                ..Section::new(".host", SHT_PROGBITS, vec![0; 2 * HOST_AROUND as usize])
            },
        ];
        let (symbols, names) = symbol_table(&self.symbols, is_64_bit);
        for (name, content) in self.sections {
            sections.push(Section::new(name, SHT_PROGBITS, content));
        }
        // Sections are numbered from 1.
        let link = sections.len() as u32 + 2;
        let entry_size = if is_64_bit { 24 } else { 16 };
        sections.push(Section { link, info: 1, entry_size, ..Section::new(".symtab", SHT_SYMTAB, symbols) });
        sections.push(Section::new(".strtab", SHT_STRTAB, names));
        let mut names = vec![0];
        let mut name_offsets = Vec::new();
        sections.push(Section::new(".shstrtab", SHT_STRTAB, Vec::new()));
        for section in &sections {
            name_offsets.push(names.len() as u32);
            names.extend_from_slice(section.name.as_bytes());
            names.push(0);
        }
        if let Some(last) = sections.last_mut() {
            last.content = names;
        }

        let header_size: u16 = if is_64_bit { 64 } else { 52 };
        let mut out = Out { bytes: vec![0; header_size.into()], is_64_bit };
        let mut offsets = Vec::new();
        for section in &sections {
            out.bytes.resize(out.bytes.len().next_multiple_of(8), 0);
            offsets.push(out.bytes.len() as u64);
            out.bytes.extend_from_slice(&section.content);
        }
        out.bytes.resize(out.bytes.len().next_multiple_of(8), 0);
        let headers = out.bytes.len() as u64;
        let header_entry: u16 = if is_64_bit { 64 } else { 40 };
        out.bytes.resize(out.bytes.len() + usize::from(header_entry), 0);
        for (index, section) in sections.iter().enumerate() {
            out.word(name_offsets[index]);
            out.word(section.kind);
            out.wide(section.flags);
            out.wide(section.address.into());
            out.wide(offsets[index]);
            out.wide(section.content.len() as u64);
            out.word(section.link);
            out.word(section.info);
            out.wide(1);
            out.wide(section.entry_size);
        }

        let count = sections.len() as u16 + 1;
        let mut header = Out { bytes: b"\x7fELF".to_vec(), is_64_bit };
        // Little-endian, version 1, and no particular system.
        header.bytes.extend_from_slice(&[if is_64_bit { 2 } else { 1 }, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        // An executable.
        header.half(2);
        header.half(EM_RISCV);
        header.word(1);
        header.wide(0);
        header.wide(0);
        header.wide(headers);
        header.word(if is_64_bit { 0 } else { EF_RISCV_RVE });
        header.half(header_size);
        header.half(0);
        header.half(0);
        header.half(header_entry);
        header.half(count);
        header.half(count - 1);
        out.bytes[..header.bytes.len()].copy_from_slice(&header.bytes);
        out.bytes
    }
}

/// The symbols, and their names.
fn symbol_table(symbols: &[Symbol], is_64_bit: bool) -> (Vec<u8>, Vec<u8>) {
    let host = Symbol { name: "(host)".to_owned(), range: HOST - HOST_AROUND..HOST + HOST_AROUND };
    let mut names = vec![0];
    // The first one is empty.
    let mut out = Out { bytes: vec![0; if is_64_bit { 24 } else { 16 }], is_64_bit };
    let code = symbols.iter().map(|symbol| (symbol, 1));
    for (symbol, section) in code.chain([(&host, 2)]) {
        let name = names.len() as u32;
        names.extend_from_slice(symbol.name.as_bytes());
        names.push(0);
        out.word(name);
        if is_64_bit {
            out.bytes.extend_from_slice(&[STT_FUNC, 0]);
            out.half(section);
        }
        out.wide(symbol.range.start.into());
        out.wide(symbol.range.len() as u64);
        if !is_64_bit {
            out.bytes.extend_from_slice(&[STT_FUNC, 0]);
            out.half(section);
        }
    }
    (out.bytes, names)
}
