//! Relocations: which places depend on which.
//!
//! Those of code are kept by offset, for `ir::lift` to read with the instruction; those of data are put together to
//! values ([`DataRelocation`]), as the pairs that make a difference of two places. What cannot be understood is kept
//! with its name and refused when it is used. Spec: abi.md 5.7.

use super::{ElfError, Image, Kind, Place};
use crate::hash::Map;
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SymbolSection,
    elf,
    read::elf::{ElfFile, FileHeader},
};
use std::collections::BTreeMap;

/// What a relocation refers to: a symbol, with the addend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Link {
    /// A place in a section.
    Place(Place),
    /// A number.
    Absolute(i64),
    /// A symbol that the file does not define.
    Undefined(String),
}

/// What a code relocation says, without `RELAX` and such.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CodeRelocation {
    /// The pair `auipc`, `jalr` calls the link's place.
    Call(Link),
    /// The upper part of a place's address, relative to the instruction.
    PcrelHigh(Link),
    /// The upper part of the address of a pointer to the place.
    GotHigh(Link),
    /// The lower part; the link is the place of the instruction with the upper one.
    PcrelLow(Link),
    /// The upper part of an address.
    High(Link),
    /// The lower part of an address.
    Low(Link),
    /// A jump's or branch's target.
    Target(Link),
    /// A pointer, as behind host calls.
    Pointer(Link),
    /// Something else, by its type's number.
    Other(u32),
}

/// What is to stand at a place in data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DataValue {
    /// The address of the link.
    Address(Link),
    /// The distance from the second to the first.
    Difference(Link, Link),
    /// Cannot be made, for this reason.
    Unsupported(String),
}

/// One relocation of data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataRelocation {
    /// Where in the section.
    pub offset: u64,
    /// Bytes: 1, 2, 4 or 8.
    pub width: u8,
    /// What belongs there.
    pub value: DataValue,
}

/// All relocations of a section.
#[derive(Clone, Debug, Default)]
pub struct Relocations {
    code: Map<u64, CodeRelocation>,
    data: Vec<DataRelocation>,
}

impl Relocations {
    /// The relocation of the instruction at an offset.
    pub fn code(&self, offset: u64) -> Option<&CodeRelocation> {
        self.code.get(&offset)
    }

    /// The relocations of data, by offset.
    pub fn data(&self) -> &[DataRelocation] {
        &self.data
    }

    /// The pointer at an offset of a record for the linker.
    pub(super) fn pointer(&self, offset: u64) -> Option<&Link> {
        match self.code.get(&offset) {
            Some(CodeRelocation::Pointer(link) | CodeRelocation::PcrelHigh(link)) => Some(link),
            _ => None,
        }
    }
}

impl Image {
    pub(super) fn read_relocations<Header: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &ElfFile<'_, Header>,
    ) -> Result<(), ElfError> {
        for section in file.sections() {
            let index = section.index().0;
            let kind = self.sections[index].kind;
            if kind == Kind::Ignored {
                continue;
            }
            let base = self.sections[index].address;
            let mut by_offset: BTreeMap<u64, Vec<(u32, Link)>> = BTreeMap::new();
            for (address, relocation) in section.relocations() {
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                if matches!(
                    r_type,
                    elf::R_RISCV_NONE | elf::R_RISCV_RELAX | elf::R_RISCV_ALIGN | elf::R_RISCV_TPREL_ADD
                ) {
                    continue;
                }
                if relocation.has_implicit_addend() {
                    return Err(ElfError::ImplicitAddend { section: self.sections[index].name.clone() });
                }
                let link = match relocation.target() {
                    RelocationTarget::Symbol(symbol) => {
                        let symbol = file.symbol_by_index(symbol)?;
                        match symbol.section() {
                            SymbolSection::Section(section) => match self.place_of(section.0, symbol.address()) {
                                Some(place) => Link::Place(Place {
                                    offset: place.offset.wrapping_add(relocation.addend()),
                                    ..place
                                }),
                                None => Link::Undefined("in a section that does not exist".to_owned()),
                            },
                            SymbolSection::Absolute => {
                                Link::Absolute((symbol.address() as i64).wrapping_add(relocation.addend()))
                            }
                            // What is declared weak and is not there is at 0.
                            _ if symbol.is_weak() => Link::Absolute(relocation.addend()),
                            _ => Link::Undefined(symbol.name().unwrap_or("?").to_owned()),
                        }
                    }
                    _ => Link::Absolute(relocation.addend()),
                };
                by_offset.entry(address.wrapping_sub(base)).or_default().push((r_type, link));
            }
            self.sections[index].relocations = match kind {
                Kind::Code | Kind::Linker => Relocations { code: code(by_offset), data: Vec::new() },
                _ => Relocations { code: Map::default(), data: by_offset.into_iter().flat_map(data).collect() },
            };
        }
        Ok(())
    }
}

fn code(by_offset: BTreeMap<u64, Vec<(u32, Link)>>) -> Map<u64, CodeRelocation> {
    let one = |(offset, mut list): (u64, Vec<(u32, Link)>)| {
        // Of several at one place the first that means something counts; compilers make no others.
        let (r_type, link) = list.swap_remove(0);
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
            other => CodeRelocation::Other(other),
        };
        (offset, relocation)
    };
    by_offset.into_iter().map(one).collect()
}

/// Puts the relocations at one offset together. Two that follow each other can be a difference, and with several pairs
/// at one place the sums of all; compilers make one.
fn data((offset, list): (u64, Vec<(u32, Link)>)) -> Option<DataRelocation> {
    let unsupported = |types: Vec<u32>| DataRelocation {
        offset,
        width: 1,
        value: DataValue::Unsupported(format!("types {types:?}")),
    };
    let types: Vec<u32> = list.iter().map(|(r_type, _)| *r_type).collect();
    let width = match types.as_slice() {
        [elf::R_RISCV_32] => 4,
        [elf::R_RISCV_64] => 8,
        [elf::R_RISCV_ADD8 | elf::R_RISCV_SET8, elf::R_RISCV_SUB8] => 1,
        [elf::R_RISCV_ADD16 | elf::R_RISCV_SET16, elf::R_RISCV_SUB16] => 2,
        [elf::R_RISCV_ADD32 | elf::R_RISCV_SET32, elf::R_RISCV_SUB32] => 4,
        [elf::R_RISCV_ADD64, elf::R_RISCV_SUB64] => 8,
        // What only dynamic loaders read repeats what the others say.
        [elf::R_RISCV_RELATIVE] => return None,
        _ => return Some(unsupported(types)),
    };
    let mut links = list.into_iter().map(|(_, link)| link);
    let value = match (links.next(), links.next()) {
        (Some(link), None) => DataValue::Address(link),
        (Some(plus), Some(minus)) => DataValue::Difference(plus, minus),
        _ => return Some(unsupported(types)),
    };
    Some(DataRelocation { offset, width, value })
}
