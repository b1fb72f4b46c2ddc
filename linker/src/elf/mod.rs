//! ELF reader: sections, symbols, relocations and the records of guests.
//!
//! [`Image::parse`] turns an ELF file into sections with positions as `(section, offset)` pairs, which are the same for
//! relocatable files, where a symbol's value is such an offset, and for linked ones, where it is an address.
//! Unsupported features are rejected only if an export reaches them: an ELF file has many parts that a program does not
//! use. Input is untrusted: any bytes give an image or an [`ElfError`]. docs/linking.md#supported-elf-features has the
//! rules.

mod constructors;
mod error;
mod metadata;
pub mod psabi;
mod relocations;
mod sections;

pub use error::ElfError;
pub use metadata::{Export, Import};
pub use relocations::{CodeRelocation, DataRelocation, DataValue, Field, Link, Relocations};
pub use sections::{Section, SectionKind};

use object::{
    Architecture, Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolSection,
    elf::{FileHeader32, FileHeader64, STT_GNU_IFUNC},
    read::elf::{ElfFile, FileHeader, Sym as _},
};

use crate::hash::Map;

/// Flag in a symbol's `st_other`: its function has a calling convention of its own (psABI, "Symbol Table").
const STO_RISCV_VARIANT_CC: u8 = 0x80;

/// A position in the file: a section's index and an offset, which may be outside of the section.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SectionOffset {
    /// Index into [`Image::sections`].
    pub section: u32,
    /// Bytes from its start.
    pub offset: i64,
}

/// A symbol with a position.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Its name, as in the file.
    pub name: String,
    /// Section and offset of the definition.
    pub place: SectionOffset,
    /// Its size in bytes, 0 if unknown.
    pub size: u64,
    /// True if it is a function.
    pub is_function: bool,
    /// True if it is visible to other files.
    pub is_global: bool,
    /// True for an indirect function, whose value is a resolver of its address.
    pub is_ifunc: bool,
    /// True if it is marked as having a calling convention of its own.
    pub is_variant: bool,
}

/// The contents of an ELF file that the linker uses.
#[derive(Clone, Debug)]
pub struct Image {
    /// True if registers have 64 bits.
    pub wide: bool,
    /// True if the file is linked: its addresses are final, and only values that depend on addresses have relocations.
    pub linked: bool,
    /// All sections, by their index in the file.
    pub sections: Vec<Section>,
    /// The symbols that are in sections, sorted by position.
    pub symbols: Vec<Symbol>,
    /// The largest stack size that the program requests, in bytes.
    pub min_stack_size: u32,
    /// Indices of the `symbols` that are functions with names from source code.
    functions: Vec<usize>,
    exports: Vec<Export>,
    has_lost_relocations: bool,
    constructors: Vec<constructors::Section>,
    /// The variable that records whether constructors have run, if there are any.
    constructors_done: Option<SectionOffset>,
    entry: u64,
    file: Vec<u8>,
}

/// True if a symbol's name comes from source code: those made by compilers and assemblers begin with a dot or a dollar
/// sign.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['$', '.'])
}

impl Image {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is not a RISC-V ELF file, or its sections, symbols or relocations are malformed.
    pub fn parse(bytes: &[u8]) -> Result<Image, ElfError> {
        match object::FileKind::parse(bytes).map_err(|_| ElfError::NotElf)? {
            object::FileKind::Elf32 => Image::read::<FileHeader32<Endianness>>(bytes, false),
            object::FileKind::Elf64 => Image::read::<FileHeader64<Endianness>>(bytes, true),
            _ => Err(ElfError::NotElf),
        }
    }

    fn read<Header: FileHeader<Endian = Endianness>>(bytes: &[u8], wide: bool) -> Result<Image, ElfError> {
        let file = ElfFile::<Header>::parse(bytes)?;
        if !matches!(file.architecture(), Architecture::Riscv32 | Architecture::Riscv64) || !file.is_little_endian() {
            return Err(ElfError::NotRiscv);
        }
        let linked = match file.kind() {
            object::ObjectKind::Relocatable => false,
            object::ObjectKind::Executable | object::ObjectKind::Dynamic => true,
            _ => return Err(ElfError::NotElf),
        };
        let mut sections = vec![Section::none()];
        for section in file.sections() {
            let index = section.index().0;
            // Sections come in the order of the file; indexes that are skipped have no contents.
            sections.resize_with(index.max(sections.len()), Section::none);
            sections.push(Section::read::<Header>(&section, linked)?);
        }
        let mut image = Image {
            wide,
            linked,
            sections,
            symbols: Vec::new(),
            functions: Vec::new(),
            min_stack_size: 0,
            exports: Vec::new(),
            has_lost_relocations: false,
            constructors: Vec::new(),
            constructors_done: None,
            entry: file.entry(),
            file: bytes.to_vec(),
        };
        let mut common = Map::default();
        for symbol in file.symbols() {
            let Ok(name) = symbol.name() else { continue };
            let place = match symbol.section() {
                SymbolSection::Section(section) => image.place_of(section.0, symbol.address()),
                SymbolSection::Common => {
                    let place = image.reserve(name, symbol.size(), symbol.address())?;
                    common.insert(symbol.index().0, place);
                    Some(place)
                }
                _ => None,
            };
            let Some(place) = place else { continue };
            let raw = symbol.elf_symbol();
            image.symbols.push(Symbol {
                name: name.to_owned(),
                place,
                size: symbol.size(),
                is_function: symbol.kind() == object::SymbolKind::Text,
                is_global: symbol.is_global(),
                is_ifunc: raw.st_type() == STT_GNU_IFUNC,
                is_variant: raw.st_other() & STO_RISCV_VARIANT_CC != 0,
            });
        }
        image.symbols.sort_by(|a, b| {
            (a.place, !a.is_function, !a.is_global, &a.name).cmp(&(b.place, !b.is_function, !b.is_global, &b.name))
        });
        image.functions = (0..image.symbols.len())
            .filter(|index| image.symbols[*index].is_function && is_name(&image.symbols[*index].name))
            .collect();
        // Of several names of a position the first one is used.
        image.functions.dedup_by_key(|index| image.symbols[*index].place);
        image.read_relocations::<Header>(&file, &common)?;
        let without = |section: &Section| section.kind != SectionKind::Code || section.relocations.is_empty();
        image.has_lost_relocations = linked && image.sections.iter().all(without);
        image.read_constructors()?;
        image.read_min_stack_size()?;
        image.exports = image.read_exports()?;
        Ok(image)
    }

    /// The exports that the program declares (docs/linking.md#records-of-guests).
    pub fn exports(&self) -> &[Export] {
        &self.exports
    }

    /// The bytes of the file, for debug information.
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// The entry point of a linked file.
    pub fn entry(&self) -> Option<SectionOffset> {
        if !self.linked || self.entry == 0 {
            return None;
        }
        let (index, section) = self.sections.iter().enumerate().find(|(_, section)| {
            section.kind == SectionKind::Code
                && (section.address..section.address.saturating_add(section.size)).contains(&self.entry)
        })?;
        Some(SectionOffset { section: index as u32, offset: self.entry.wrapping_sub(section.address) as i64 })
    }

    /// True if the file is linked and its code has no relocations.
    pub fn has_lost_relocations(&self) -> bool {
        self.has_lost_relocations
    }

    /// Returns the section at an index.
    pub fn section(&self, index: u32) -> &Section {
        // `place_of` checks the index of each position.
        &self.sections[index as usize]
    }

    /// Returns the global function with this name.
    pub fn function(&self, name: &str) -> Option<&Symbol> {
        let found =
            |symbol: &&Symbol| symbol.name == name && self.section(symbol.place.section).kind == SectionKind::Code;
        self.symbols.iter().filter(|symbol| symbol.is_global).find(found)
    }

    /// Returns the function that contains a position of code, by the sizes in the file; an index into `symbols`.
    pub fn function_around(&self, place: SectionOffset) -> Option<usize> {
        let end = self.functions.partition_point(|index| self.symbols[*index].place <= place);
        let index = self.functions[end.checked_sub(1)?];
        let symbol = &self.symbols[index];
        let inside = place.offset.wrapping_sub(symbol.place.offset) as u64;
        (symbol.place.section == place.section && (inside == 0 || inside < symbol.size)).then_some(index)
    }

    /// Reserves zeroed memory for a COMMON symbol, which has no section yet.
    fn reserve(&mut self, name: &str, size: u64, align: u64) -> Result<SectionOffset, ElfError> {
        let index = self.sections.len() as u32;
        let section = Section::zeros(format!("COMMON of {name}"), size, align)?;
        self.sections.push(section);
        Ok(SectionOffset { section: index, offset: 0 })
    }

    /// Returns the symbol for a position: the last function at or before it in its section, or else one exactly at it.
    pub fn symbol_at(&self, place: SectionOffset) -> Option<&Symbol> {
        let end = self.functions.partition_point(|index| self.symbols[*index].place <= place);
        let function = end.checked_sub(1).map(|last| &self.symbols[self.functions[last]]);
        function.filter(|symbol| symbol.place.section == place.section).or_else(|| {
            let first = self.symbols.partition_point(|symbol| symbol.place < place);
            let here = self.symbols[first..].iter().take_while(|symbol| symbol.place == place);
            here.take(64).find(|symbol| is_name(&symbol.name))
        })
    }

    /// Describes a position for messages: symbol, or section and offset.
    pub fn describe(&self, place: SectionOffset) -> String {
        let section = &self.section(place.section).name;
        match self.symbol_at(place) {
            Some(symbol) => {
                let inside = place.offset - symbol.place.offset;
                format!("{}+{inside:#x} ({section}+{:#x})", symbol.name, place.offset)
            }
            None => format!("{section}+{:#x}", place.offset),
        }
    }

    /// Returns the position of a symbol's value, if the section exists.
    fn place_of(&self, section: usize, value: u64) -> Option<SectionOffset> {
        let base = if self.linked { self.sections.get(section)?.address } else { 0 };
        self.sections.get(section)?;
        Some(SectionOffset { section: u32::try_from(section).ok()?, offset: value.wrapping_sub(base) as i64 })
    }

    /// Reads the list of stack sizes, of which the largest is used.
    fn read_min_stack_size(&mut self) -> Result<(), ElfError> {
        for section in &self.sections {
            if section.kind != SectionKind::Linker || !sections::is(&section.name, ".polkavm_min_stack_size") {
                continue;
            }
            let (sizes, rest) = section.data.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(ElfError::MinStackSize { length: section.data.len() });
            }
            let largest = sizes.iter().map(|bytes| u32::from_le_bytes(*bytes)).max();
            self.min_stack_size = self.min_stack_size.max(largest.unwrap_or(0));
        }
        Ok(())
    }
}
