//! Relocations of code and data.
//!
//! Relocations of code are kept by offset, and `ir::lift` reads them with the instruction; those of data are combined
//! into values ([`DataRelocation`]), as several at one offset express the difference of two addresses. Unsupported ones
//! are kept with their names and refused when they are used. `super::psabi` lists all types, and so does
//! docs/linking.md#relocations.

use super::{ElfError, Image, SectionKind, SectionOffset, psabi, sections};
use crate::hash::Map;
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SymbolSection,
    elf,
    read::elf::{ElfFile, ElfSymbol, FileHeader, Sym as _},
};
use std::collections::BTreeMap;

/// Target of a relocation: a symbol and an addend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Link {
    /// A position in a section.
    Defined(SectionOffset),
    /// A number.
    Absolute(i64),
    /// A symbol that the file does not define.
    Undefined(String),
    /// A symbol whose value is not its address, with the reason.
    Refused(String),
}

/// Meaning of a code relocation; `RELAX` and other annotations are left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CodeRelocation {
    /// The pair `auipc`, `jalr` calls the target.
    Call(Link),
    /// The upper part of an address, relative to the instruction.
    PcrelHigh(Link),
    /// The upper part of the address of a pointer (GOT entry) to the target.
    GotHigh(Link),
    /// The lower part; the target is the instruction with the upper part.
    PcrelLow(Link),
    /// The upper part of an address.
    High(Link),
    /// The lower part of an address.
    Low(Link),
    /// A jump's or branch's target.
    Target(Link),
    /// A pointer, which follows a host call.
    Pointer(Link),
    /// Unsupported, for this reason.
    Refused(String),
}

/// Relocated value in data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DataValue {
    /// The sum of addresses and a number, minus other addresses.
    Sum {
        /// Addresses that are added.
        plus: Vec<Link>,
        /// Addresses that are subtracted.
        minus: Vec<Link>,
        /// The number.
        constant: i64,
    },
    /// Unsupported, for this reason.
    Refused(String),
}

/// The bits in data that a value is written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// A little-endian number of 1, 2, 4 or 8 bytes.
    Bytes(u8),
    /// The low six bits of a byte.
    SixBits,
    /// A ULEB128 number of this many bytes.
    Uleb128(u8),
}

impl Field {
    /// Its length in bytes.
    pub const fn length(self) -> u8 {
        match self {
            Field::Bytes(length) | Field::Uleb128(length) => length,
            Field::SixBits => 1,
        }
    }
}

/// Data relocation: one, or the sum of several at the same offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataRelocation {
    /// Offset in the section.
    pub offset: u64,
    /// Bits that are written.
    pub field: Field,
    /// The value.
    pub value: DataValue,
}

/// All relocations of a section.
#[derive(Clone, Debug, Default)]
pub struct Relocations {
    code: Map<u64, CodeRelocation>,
    data: Vec<DataRelocation>,
}

impl Relocations {
    /// Returns the relocation of the instruction at an offset.
    pub fn code(&self, offset: u64) -> Option<&CodeRelocation> {
        self.code.get(&offset)
    }

    /// True if there are no relocations.
    pub fn is_empty(&self) -> bool {
        self.code.is_empty() && self.data.is_empty()
    }

    /// True if there is a relocation of data at an offset.
    pub(super) fn has_data(&self, offset: u64) -> bool {
        self.data.binary_search_by_key(&offset, |relocation| relocation.offset).is_ok()
    }

    /// The relocations of data, by offset.
    pub fn data(&self) -> &[DataRelocation] {
        &self.data
    }

    /// Returns the pointer at an offset of a record for the linker, which may be in any section.
    pub(super) fn pointer(&self, offset: u64) -> Option<&Link> {
        if let Some(CodeRelocation::Pointer(link) | CodeRelocation::PcrelHigh(link)) = self.code.get(&offset) {
            return Some(link);
        }
        let index = self.data.binary_search_by_key(&offset, |relocation| relocation.offset).ok()?;
        match &self.data[index].value {
            DataValue::Sum { plus, minus, constant: 0 } if minus.is_empty() && plus.len() == 1 => plus.first(),
            _ => None,
        }
    }
}

/// Entry of a relocation table.
struct Entry {
    r_type: u32,
    link: Link,
}

impl Image {
    /// Reads the relocations of all sections. `common` maps symbol indexes to the positions of COMMON symbols.
    pub(super) fn read_relocations<Header: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &ElfFile<'_, Header>,
        common: &Map<usize, SectionOffset>,
    ) -> Result<(), ElfError> {
        for section in file.sections() {
            let index = section.index().0;
            let kind = self.sections[index].kind;
            if sections::is_debug(&self.sections[index].name) {
                continue;
            }
            let base = self.sections[index].address;
            let mut by_offset: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
            for (address, relocation) in section.relocations() {
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                let known = psabi::relocation_type(r_type);
                if known.is_some_and(|known| known.treatment == psabi::Treatment::Ignored) {
                    continue;
                }
                if relocation.has_implicit_addend() {
                    return Err(ElfError::ImplicitAddend { section: self.sections[index].name.clone() });
                }
                let link = match relocation.target() {
                    RelocationTarget::Symbol(symbol) => {
                        self.link(&file.symbol_by_index(symbol)?, relocation.addend(), common)
                    }
                    _ => Link::Absolute(relocation.addend()),
                };
                by_offset.entry(address.wrapping_sub(base)).or_default().push(Entry { r_type, link });
            }
            self.sections[index].relocations = match kind {
                SectionKind::Code | SectionKind::Linker => Relocations { code: code(by_offset), data: Vec::new() },
                _ => {
                    let data = by_offset.into_iter().map(|(offset, list)| self.data(index, offset, list)).collect();
                    Relocations { code: Map::default(), data }
                }
            };
        }
        self.read_dynamic_relocations(file);
        Ok(())
    }

    /// Resolves a symbol with an addend.
    fn link<Header: FileHeader<Endian = Endianness>>(
        &self,
        symbol: &ElfSymbol<'_, '_, Header>,
        addend: i64,
        common: &Map<usize, SectionOffset>,
    ) -> Link {
        let name = || symbol.name().unwrap_or("?").to_owned();
        match symbol.elf_symbol().st_type() {
            elf::STT_GNU_IFUNC => {
                return Link::Refused(format!("`{}` is an IFUNC: its value is a resolver, which nobody runs", name()));
            }
            elf::STT_TLS => return Link::Refused(format!("`{}` is thread-local: there are no threads", name())),
            _ => {}
        }
        let moved =
            |place: SectionOffset| Link::Defined(SectionOffset { offset: place.offset.wrapping_add(addend), ..place });
        match symbol.section() {
            SymbolSection::Section(section) => match self.place_of(section.0, symbol.address()) {
                Some(place) => moved(place),
                None => Link::Refused(format!("`{}` is in section {}, which does not exist", name(), section.0)),
            },
            SymbolSection::Common => match common.get(&symbol.index().0) {
                Some(place) => moved(*place),
                None => Link::Undefined(name()),
            },
            SymbolSection::Absolute => Link::Absolute((symbol.address() as i64).wrapping_add(addend)),
            // Undefined weak symbols are at address 0.
            _ if symbol.is_weak() => Link::Absolute(addend),
            _ => Link::Undefined(name()),
        }
    }

    /// Reads the dynamic relocations of a linked file: they are used where the static ones were not kept.
    fn read_dynamic_relocations<Header: FileHeader<Endian = Endianness>>(&mut self, file: &ElfFile<'_, Header>) {
        let width = if self.wide { 8 } else { 4 };
        for (address, relocation) in file.dynamic_relocations().into_iter().flatten() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
            let Some(place) = self.place_at(address) else { continue };
            let value = match r_type {
                elf::R_RISCV_NONE => continue,
                elf::R_RISCV_RELATIVE => match self.place_at(relocation.addend() as u64) {
                    Some(target) => DataValue::Sum { plus: vec![Link::Defined(target)], minus: vec![], constant: 0 },
                    None => DataValue::Refused(format!(
                        "R_RISCV_RELATIVE to the address {:#x}, which is in no section",
                        relocation.addend()
                    )),
                },
                other => DataValue::Refused(psabi::refusal(other)),
            };
            let list = &mut self.sections[place.section as usize].relocations.data;
            let offset = place.offset as u64;
            if let Err(index) = list.binary_search_by_key(&offset, |known| known.offset) {
                list.insert(index, DataRelocation { offset, field: Field::Bytes(width), value });
            }
        }
    }

    /// Returns the position in memory of an address of a linked file.
    pub(super) fn place_at(&self, address: u64) -> Option<SectionOffset> {
        let holds = |section: &&super::Section| {
            section.is_loaded
                && section.kind != SectionKind::Ignored
                && address.wrapping_sub(section.address) < section.size
        };
        let index = self.sections.iter().position(|section| holds(&section))?;
        let offset = address.wrapping_sub(self.sections[index].address) as i64;
        Some(SectionOffset { section: index as u32, offset })
    }

    /// Combines the relocations at one offset of data, in their order (psABI, "Relocations").
    fn data(&self, section: usize, offset: u64, list: Vec<Entry>) -> DataRelocation {
        let own = SectionOffset { section: section as u32, offset: offset as i64 };
        let names = || list.iter().map(|entry| psabi::relocation_name(entry.r_type)).collect::<Vec<_>>().join(", ");
        let refused = |why: String| DataRelocation { offset, field: Field::Bytes(1), value: DataValue::Refused(why) };
        let mut field = None;
        let (mut plus, mut minus, mut constant) = (Vec::new(), Vec::new(), 0);
        for Entry { r_type, link } in &list {
            let Some((wanted, action)) = self.action(*r_type) else { return refused(psabi::refusal(*r_type)) };
            let wanted = match wanted {
                Field::Uleb128(_) => match self.uleb128_length(section, offset) {
                    Some(length) => Field::Uleb128(length),
                    None => return refused(format!("{}: no ULEB128 number stands here", names())),
                },
                other => other,
            };
            let first = field.is_none();
            if *field.get_or_insert(wanted) != wanted {
                return refused(format!("{}: of different widths at one place", names()));
            }
            match action {
                Action::Set if first => plus.push(link.clone()),
                Action::Set | Action::Relative if !first => {
                    return refused(format!("{}: a value that is set twice", names()));
                }
                Action::Set => {}
                Action::Relative => {
                    plus.push(link.clone());
                    minus.push(Link::Defined(own));
                }
                Action::Add | Action::Subtract => {
                    // In a linked file the bytes already hold the result.
                    if first && !self.linked {
                        constant = self.number(section, offset, wanted);
                    }
                    if action == Action::Add { &mut plus } else { &mut minus }.push(link.clone());
                }
            }
        }
        let Some(field) = field else { return refused("nothing".to_owned()) };
        DataRelocation { offset, field, value: DataValue::Sum { plus, minus, constant } }
    }

    /// Returns the effect of a data relocation type, and the bits that it changes.
    fn action(&self, r_type: u32) -> Option<(Field, Action)> {
        Some(match r_type {
            elf::R_RISCV_32 | elf::R_RISCV_SET32 => (Field::Bytes(4), Action::Set),
            elf::R_RISCV_64 => (Field::Bytes(8), Action::Set),
            elf::R_RISCV_RELATIVE => return None,
            elf::R_RISCV_ADD8 => (Field::Bytes(1), Action::Add),
            elf::R_RISCV_ADD16 => (Field::Bytes(2), Action::Add),
            elf::R_RISCV_ADD32 => (Field::Bytes(4), Action::Add),
            elf::R_RISCV_ADD64 => (Field::Bytes(8), Action::Add),
            elf::R_RISCV_SUB8 => (Field::Bytes(1), Action::Subtract),
            elf::R_RISCV_SUB16 => (Field::Bytes(2), Action::Subtract),
            elf::R_RISCV_SUB32 => (Field::Bytes(4), Action::Subtract),
            elf::R_RISCV_SUB64 => (Field::Bytes(8), Action::Subtract),
            elf::R_RISCV_SET6 => (Field::SixBits, Action::Set),
            elf::R_RISCV_SUB6 => (Field::SixBits, Action::Subtract),
            elf::R_RISCV_SET8 => (Field::Bytes(1), Action::Set),
            elf::R_RISCV_SET16 => (Field::Bytes(2), Action::Set),
            elf::R_RISCV_32_PCREL | elf::R_RISCV_PLT32 => (Field::Bytes(4), Action::Relative),
            elf::R_RISCV_SET_ULEB128 => (Field::Uleb128(0), Action::Set),
            elf::R_RISCV_SUB_ULEB128 => (Field::Uleb128(0), Action::Subtract),
            _ => return None,
        })
    }

    /// Returns the length of the ULEB128 number at an offset, up to 10 bytes.
    fn uleb128_length(&self, section: usize, offset: u64) -> Option<u8> {
        let bytes = self.sections[section].data.get(usize::try_from(offset).ok()?..)?;
        bytes.iter().take(10).position(|byte| byte & 0x80 == 0).map(|last| last as u8 + 1)
    }

    /// Reads the number at an offset.
    fn number(&self, section: usize, offset: u64, field: Field) -> i64 {
        let bytes = usize::try_from(offset).ok().and_then(|offset| self.sections[section].data.get(offset..));
        let Some(bytes) = bytes else { return 0 };
        let mut out = [0; 8];
        match field {
            Field::Bytes(width) => {
                for (byte, from) in out.iter_mut().zip(bytes).take(width.into()) {
                    *byte = *from;
                }
                let unused = 64 - 8 * u32::from(width);
                i64::from_le_bytes(out) << unused >> unused
            }
            Field::SixBits => bytes.first().map_or(0, |byte| i64::from(byte & 0x3f)),
            Field::Uleb128(length) => {
                let mut value = 0u64;
                for (index, byte) in bytes.iter().take(length.into()).enumerate() {
                    value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32).unwrap_or(0);
                }
                value as i64
            }
        }
    }
}

/// Effect of a data relocation on the value at its offset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    /// The value becomes the target's address.
    Set,
    /// The value becomes the target's address, relative to its own.
    Relative,
    /// The target's address is added.
    Add,
    /// The target's address is subtracted.
    Subtract,
}

fn code(by_offset: BTreeMap<u64, Vec<Entry>>) -> Map<u64, CodeRelocation> {
    let one = |(offset, mut list): (u64, Vec<Entry>)| {
        if list.len() > 1 {
            let names: Vec<String> = list.iter().map(|entry| psabi::relocation_name(entry.r_type)).collect();
            return (offset, CodeRelocation::Refused(format!("{} at one instruction", names.join(" and "))));
        }
        let Entry { r_type, link } = list.swap_remove(0);
        let relocation = match r_type {
            elf::R_RISCV_CALL | elf::R_RISCV_CALL_PLT => CodeRelocation::Call(link),
            elf::R_RISCV_PCREL_HI20 => CodeRelocation::PcrelHigh(link),
            elf::R_RISCV_GOT_HI20 => CodeRelocation::GotHigh(link),
            elf::R_RISCV_PCREL_LO12_I | elf::R_RISCV_PCREL_LO12_S => CodeRelocation::PcrelLow(link),
            elf::R_RISCV_HI20 | elf::R_RISCV_RVC_LUI => CodeRelocation::High(link),
            elf::R_RISCV_LO12_I | elf::R_RISCV_LO12_S => CodeRelocation::Low(link),
            elf::R_RISCV_JAL | elf::R_RISCV_BRANCH | elf::R_RISCV_RVC_JUMP | elf::R_RISCV_RVC_BRANCH => {
                CodeRelocation::Target(link)
            }
            elf::R_RISCV_32 | elf::R_RISCV_64 => CodeRelocation::Pointer(link),
            other => CodeRelocation::Refused(psabi::refusal(other)),
        };
        (offset, relocation)
    };
    by_offset.into_iter().map(one).collect()
}
