//! Assembler: emits code with labels, symbols and relocations into an ELF file.

use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope, elf,
    write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection},
};

/// A position in the code that is jumped to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Label(usize);

/// Symbol attributes besides name and address.
#[derive(Clone, Copy)]
pub(crate) struct Nature {
    /// `STT_*`.
    pub kind: u8,
    /// `STB_*`.
    pub binding: u8,
    /// `STV_*`.
    pub visibility: u8,
}

/// A section of code.
struct Text {
    section: SectionId,
    bytes: Vec<u8>,
}

/// Encoding of an offset.
#[derive(Clone, Copy)]
enum Form {
    Branch,
    Jump,
}

/// The file under construction.
pub(crate) struct Assembler {
    pub wide: bool,
    object: Object<'static>,
    texts: Vec<Text>,
    /// The one that is written to.
    current: usize,
    relocations: Vec<(usize, u64, u32, SymbolId, i64)>,
    labels: Vec<Option<(usize, u64)>>,
    jumps: Vec<(usize, u64, Label, Form, bool)>,
}

impl Assembler {
    pub fn new(wide: bool) -> Assembler {
        let architecture = if wide { Architecture::Riscv64 } else { Architecture::Riscv32 };
        let mut object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
        let section = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
        Assembler {
            wide,
            object,
            texts: vec![Text { section, bytes: Vec::new() }],
            current: 0,
            relocations: Vec::new(),
            labels: Vec::new(),
            jumps: Vec::new(),
        }
    }

    /// Continues in another section of code, which is new.
    pub fn enter(&mut self, name: &str, flags: u64) {
        let section = self.object.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::Text);
        let flags = u64::from(elf::SHF_ALLOC | elf::SHF_EXECINSTR) | flags;
        self.object.section_mut(section).flags = SectionFlags::Elf { sh_flags: flags };
        self.texts.push(Text { section, bytes: Vec::new() });
        self.current = self.texts.len() - 1;
    }

    fn text_section(&self) -> SectionId {
        self.texts[self.current].section
    }

    pub fn here(&self) -> u64 {
        self.texts[self.current].bytes.len() as u64
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.texts[self.current].bytes.extend(bytes);
    }

    pub fn word(&mut self, word: u32) {
        self.bytes(&word.to_le_bytes());
    }

    pub fn half(&mut self, half: u32) {
        self.bytes(&(half as u16).to_le_bytes());
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.labels[label.0] = Some((self.current, self.here()));
    }

    /// Returns the distance from one bound label to another of the same section.
    pub fn distance(&self, from: Label, to: Label) -> i64 {
        let at = |label: Label| self.labels[label.0].expect("a bound label").1 as i64;
        at(to) - at(from)
    }

    /// Emits a branch with a condition (funct3) to a label; `related` adds a relocation.
    pub fn branch(&mut self, funct3: u32, rs1: u32, rs2: u32, label: Label, related: bool) {
        self.jumps.push((self.current, self.here(), label, Form::Branch, related));
        self.word(rs2 << 20 | rs1 << 15 | funct3 << 12 | 0x63);
    }

    pub fn jump(&mut self, rd: u32, label: Label, related: bool) {
        self.jumps.push((self.current, self.here(), label, Form::Jump, related));
        self.word(rd << 7 | 0x6f);
    }

    /// Adds a relocation of the next bytes written.
    pub fn relocate(&mut self, r_type: u32, symbol: SymbolId, addend: i64) {
        self.relocations.push((self.current, self.here(), r_type, symbol, addend));
    }

    /// Makes a symbol for the current position in the code.
    pub fn symbol_here(&mut self, name: &str, function: bool) -> SymbolId {
        let (section, at) = (self.text_section(), self.here());
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

    /// Makes a symbol whose position in the code is set later.
    pub fn declare(&mut self, name: &str) -> SymbolId {
        let section = self.text_section();
        self.symbol(name, section, 0, true)
    }

    pub fn define(&mut self, symbol: SymbolId) {
        let (section, at) = (self.text_section(), self.here());
        let symbol = self.object.symbol_mut(symbol);
        (symbol.section, symbol.value) = (SymbolSection::Section(section), at);
    }

    pub fn place(&mut self, symbol: SymbolId, label: Label) {
        let (text, at) = self.labels[label.0].expect("a bound label");
        let section = self.texts[text].section;
        let symbol = self.object.symbol_mut(symbol);
        (symbol.section, symbol.value) = (SymbolSection::Section(section), at);
    }

    /// Sets the attributes of a symbol.
    pub fn set_nature(&mut self, symbol: SymbolId, nature: Nature) {
        let symbol = self.object.symbol_mut(symbol);
        // Symbols are sorted by binding.
        symbol.scope = match nature.binding {
            elf::STB_LOCAL => SymbolScope::Compilation,
            _ => SymbolScope::Linkage,
        };
        symbol.weak = nature.binding == elf::STB_WEAK;
        symbol.flags = SymbolFlags::Elf { st_info: nature.binding << 4 | nature.kind, st_other: nature.visibility };
    }

    /// Makes an undefined weak symbol.
    pub fn weak_undefined(&mut self, name: &str) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 0,
            kind: SymbolKind::Text,
            scope: SymbolScope::Unknown,
            weak: true,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        })
    }

    /// Makes a COMMON variable, which only the symbol table has.
    pub fn common(&mut self, name: &str, size: u64, align: u64) -> SymbolId {
        // The value of such a symbol is its alignment.
        let symbol = Symbol {
            name: name.as_bytes().to_vec(),
            value: align,
            size: 0,
            kind: SymbolKind::Data,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        };
        self.object.add_common_symbol(symbol, size, align)
    }

    /// Sets the size of a symbol that ends here.
    pub fn end(&mut self, symbol: SymbolId) {
        let here = self.here();
        let symbol = self.object.symbol_mut(symbol);
        symbol.size = here - symbol.value;
    }

    /// Overwrites the contents of a section.
    pub fn overwrite(&mut self, section: SectionId, offset: u64, bytes: &[u8]) {
        let offset = offset as usize;
        self.object.section_mut(section).data_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// Sets the flags `SHF_*` of a section.
    pub fn set_flags(&mut self, section: SectionId, flags: u64) {
        self.object.section_mut(section).flags = SectionFlags::Elf { sh_flags: flags };
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

    /// Adds a pointer at an offset of a section.
    pub fn pointer(&mut self, section: SectionId, offset: u64, symbol: SymbolId, addend: i64) {
        let r_type = if self.wide { elf::R_RISCV_64 } else { elf::R_RISCV_32 };
        self.data_relocation(section, offset, r_type, symbol, addend);
    }

    /// Returns the finished file.
    pub fn finish(mut self) -> Vec<u8> {
        for (text, at, label, form, related) in std::mem::take(&mut self.jumps) {
            let (_, target) = self.labels[label.0].expect("a bound label");
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
            let field = &mut self.texts[text].bytes[at..at + 4];
            let word = u32::from_le_bytes([field[0], field[1], field[2], field[3]]);
            field.copy_from_slice(&(word | bits).to_le_bytes());
            if related {
                let section = self.texts[text].section;
                let symbol = self.symbol("", section, target, false);
                let r_type = match form {
                    Form::Branch => elf::R_RISCV_BRANCH,
                    Form::Jump => elf::R_RISCV_JAL,
                };
                self.relocations.push((text, at as u64, r_type, symbol, 0));
            }
        }
        for text in &mut self.texts {
            let bytes = std::mem::take(&mut text.bytes);
            self.object.append_section_data(text.section, &bytes, 4);
        }
        for (text, offset, r_type, symbol, addend) in std::mem::take(&mut self.relocations) {
            let section = self.texts[text].section;
            self.data_relocation(section, offset, r_type, symbol, addend);
        }
        self.object.write().expect("a file")
    }
}

impl Assembler {
    /// Adds an entry of a jump table: the distance from the table to the target.
    pub fn table_entry(&mut self, table: SymbolId, offset: u64, target: SymbolId) {
        let SymbolSection::Section(section) = self.object.symbol(table).section else { return };
        self.data_relocation(section, offset, elf::R_RISCV_ADD32, target, 0);
        self.data_relocation(section, offset, elf::R_RISCV_SUB32, table, 0);
    }
}
