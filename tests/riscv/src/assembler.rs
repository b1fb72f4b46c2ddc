//! Writes code with labels, symbols and relocations, and puts it into an ELF file.

use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope, elf,
    write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection},
};

/// A place in the code that is jumped to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Label(usize);

/// How an offset is encoded.
#[derive(Clone, Copy)]
enum Form {
    Branch,
    Jump,
}

/// The file under construction.
pub(crate) struct Assembler {
    pub wide: bool,
    object: Object<'static>,
    pub text: Vec<u8>,
    text_section: SectionId,
    relocations: Vec<(u64, u32, SymbolId, i64)>,
    labels: Vec<Option<u64>>,
    jumps: Vec<(u64, Label, Form, bool)>,
}

impl Assembler {
    pub fn new(wide: bool) -> Assembler {
        let architecture = if wide { Architecture::Riscv64 } else { Architecture::Riscv32 };
        let mut object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
        let text_section = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
        Assembler {
            wide,
            object,
            text: Vec::new(),
            text_section,
            relocations: Vec::new(),
            labels: Vec::new(),
            jumps: Vec::new(),
        }
    }

    pub fn here(&self) -> u64 {
        self.text.len() as u64
    }

    pub fn word(&mut self, word: u32) {
        self.text.extend(word.to_le_bytes());
    }

    pub fn half(&mut self, half: u32) {
        self.text.extend((half as u16).to_le_bytes());
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.labels[label.0] = Some(self.here());
    }

    /// A branch of a condition (funct3) to a label; `related` has a relocation as well.
    pub fn branch(&mut self, funct3: u32, rs1: u32, rs2: u32, label: Label, related: bool) {
        self.jumps.push((self.here(), label, Form::Branch, related));
        self.word(rs2 << 20 | rs1 << 15 | funct3 << 12 | 0x63);
    }

    pub fn jump(&mut self, rd: u32, label: Label, related: bool) {
        self.jumps.push((self.here(), label, Form::Jump, related));
        self.word(rd << 7 | 0x6f);
    }

    /// A relocation of what is written next.
    pub fn relocate(&mut self, r_type: u32, symbol: SymbolId, addend: i64) {
        self.relocations.push((self.here(), r_type, symbol, addend));
    }

    /// A symbol for this place in the code.
    pub fn symbol_here(&mut self, name: &str, function: bool) -> SymbolId {
        let (section, at) = (self.text_section, self.here());
        self.symbol(name, section, at, function)
    }

    pub fn symbol(&mut self, name: &str, section: SectionId, value: u64, function: bool) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size: 0,
            kind: if function { SymbolKind::Text } else { SymbolKind::Data },
            scope: if function { SymbolScope::Linkage } else { SymbolScope::Compilation },
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    /// A symbol whose place in the code is given later.
    pub fn declare(&mut self, name: &str) -> SymbolId {
        let section = self.text_section;
        self.symbol(name, section, 0, true)
    }

    pub fn define(&mut self, symbol: SymbolId) {
        let at = self.here();
        self.object.symbol_mut(symbol).value = at;
    }

    pub fn place(&mut self, symbol: SymbolId, label: Label) {
        self.object.symbol_mut(symbol).value = self.labels[label.0].expect("a bound label");
    }

    pub fn section(&mut self, name: &str, kind: SectionKind, data: &[u8], align: u64) -> SectionId {
        let section = self.object.add_section(Vec::new(), name.as_bytes().to_vec(), kind);
        if kind == SectionKind::UninitializedData {
            self.object.append_section_bss(section, data.len() as u64, align);
        } else {
            self.object.append_section_data(section, data, align);
        }
        if name.starts_with(".polkavm") {
            let flags = u64::from(elf::SHF_ALLOC);
            self.object.section_mut(section).flags = SectionFlags::Elf { sh_flags: flags };
        }
        section
    }

    pub fn data_relocation(&mut self, section: SectionId, offset: u64, r_type: u32, symbol: SymbolId, addend: i64) {
        let flags = RelocationFlags::Elf { r_type };
        self.object.add_relocation(section, Relocation { offset, symbol, addend, flags }).expect("a relocation");
    }

    /// A pointer at a place of a section.
    pub fn pointer(&mut self, section: SectionId, offset: u64, symbol: SymbolId, addend: i64) {
        let r_type = if self.wide { elf::R_RISCV_64 } else { elf::R_RISCV_32 };
        self.data_relocation(section, offset, r_type, symbol, addend);
    }

    /// The finished file.
    pub fn finish(mut self) -> Vec<u8> {
        for (at, label, form, related) in std::mem::take(&mut self.jumps) {
            let target = self.labels[label.0].expect("a bound label");
            let offset = target.wrapping_sub(at) as u32;
            let bits = match form {
                Form::Branch => {
                    (offset >> 12 & 1) << 31
                        | (offset >> 5 & 0x3f) << 25
                        | (offset >> 1 & 15) << 8
                        | (offset >> 11 & 1) << 7
                }
                Form::Jump => {
                    (offset >> 20 & 1) << 31
                        | (offset >> 1 & 0x3ff) << 21
                        | (offset >> 11 & 1) << 20
                        | (offset >> 12 & 0xff) << 12
                }
            };
            let at = at as usize;
            let word = u32::from_le_bytes(self.text[at..at + 4].try_into().expect("4 bytes"));
            self.text[at..at + 4].copy_from_slice(&(word | bits).to_le_bytes());
            if related {
                let section = self.text_section;
                let symbol = self.symbol("", section, target, false);
                let r_type = match form {
                    Form::Branch => elf::R_RISCV_BRANCH,
                    Form::Jump => elf::R_RISCV_JAL,
                };
                self.relocations.push((at as u64, r_type, symbol, 0));
            }
        }
        let text = std::mem::take(&mut self.text);
        self.object.append_section_data(self.text_section, &text, 4);
        for (offset, r_type, symbol, addend) in std::mem::take(&mut self.relocations) {
            let section = self.text_section;
            self.data_relocation(section, offset, r_type, symbol, addend);
        }
        self.object.write().expect("a file")
    }
}

impl Assembler {
    /// An entry of a jump table: the distance from the table to the target.
    pub fn table_entry(&mut self, table: SymbolId, offset: u64, target: SymbolId) {
        let SymbolSection::Section(section) = self.object.symbol(table).section else { return };
        self.data_relocation(section, offset, elf::R_RISCV_ADD32, target, 0);
        self.data_relocation(section, offset, elf::R_RISCV_SUB32, table, 0);
    }
}
