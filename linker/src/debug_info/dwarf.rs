//! Loader of DWARF sections: relocated and decompressed.
//!
//! In relocatable files all sections are at address 0. Here code sections get distinct addresses, and the relocations of the
//! DWARF sections are applied with them. Compressed sections are inflated. Invalid DWARF is treated as absent.

use crate::elf::{Image, SectionKind};
use addr2line::gimli::SectionId;
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SymbolSection, elf,
};
use std::borrow::Cow;
use std::collections::HashMap;

/// Maximum size in bytes of a section after decompression.
const LIMIT: u64 = 1 << 28;

/// Address of the first section of a relocatable file; not 0, which in DWARF marks discarded code.
const BASE: u64 = 0x1_0000;

/// The DWARF sections of an ELF file.
pub struct Dwarf<'a> {
    sections: HashMap<&'static str, Cow<'a, [u8]>>,
    /// The address of each section of the file, as used in DWARF.
    bases: Vec<u64>,
}

impl<'a> Dwarf<'a> {
    /// Reads the DWARF sections of a file; `None` if there are none, or they are malformed.
    pub fn read(image: &'a Image) -> Option<Self> {
        let file = object::File::parse(image.file()).ok()?;
        let mut next = BASE;
        let bases: Vec<u64> = image
            .sections
            .iter()
            .map(|section| {
                if image.linked {
                    return section.address;
                }
                let base = next;
                if section.kind == SectionKind::Code {
                    next = next.saturating_add(section.size).next_multiple_of(16);
                }
                base
            })
            .collect();
        let mut dwarf = Dwarf { sections: HashMap::new(), bases };
        for id in SECTIONS {
            // Finds `.zdebug_*` as well.
            let Some(section) = file.section_by_name(id.name()) else { continue };
            if section.compressed_file_range().ok()?.uncompressed_size > LIMIT {
                return None;
            }
            let mut data = section.uncompressed_data().ok()?;
            if !image.linked {
                dwarf.relocate(&file, &section, &mut data)?;
            }
            dwarf.sections.insert(id.name(), data);
        }
        Some(dwarf)
    }

    /// The contents of a section; empty if there is none.
    pub fn section(&self, id: SectionId) -> &[u8] {
        self.sections.get(id.name()).map_or(&[][..], |data| data)
    }

    /// The address assigned to a section of the file.
    pub fn base(&self, section: u32) -> Option<u64> {
        self.bases.get(section as usize).copied()
    }

    fn relocate(
        &self,
        file: &object::File<'a>,
        section: &object::Section<'a, '_>,
        data: &mut Cow<'a, [u8]>,
    ) -> Option<()> {
        for (offset, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else { return None };
            let symbol = match relocation.target() {
                RelocationTarget::Symbol(index) => {
                    let symbol = file.symbol_by_index(index).ok()?;
                    let base = match symbol.section() {
                        SymbolSection::Section(index) => match file.section_by_index(index).ok()?.name() {
                            // References to positions in other DWARF sections are offsets.
                            Ok(name) if name.starts_with(".debug") || name.starts_with(".zdebug") => 0,
                            _ => *self.bases.get(index.0)?,
                        },
                        _ => 0,
                    };
                    base.wrapping_add(symbol.address())
                }
                _ => 0,
            };
            let value = symbol.wrapping_add(relocation.addend() as u64);
            apply(data.to_mut(), usize::try_from(offset).ok()?, r_type, value)?;
        }
        Some(())
    }
}

/// DWARF sections that map code to source lines; the others describe variables and types.
const SECTIONS: [SectionId; 12] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
    SectionId::DebugLocLists,
];

/// Applies a relocation as the psABI defines it; `None` if it is outside of the section or of a type that is not used
/// in DWARF.
fn apply(data: &mut [u8], at: usize, r_type: u32, value: u64) -> Option<()> {
    let field = data.get_mut(at..)?;
    let get = |field: &[u8], width: usize| {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(field.get(..width)?);
        Some(u64::from_le_bytes(bytes))
    };
    let put = |field: &mut [u8], width: usize, value: u64| {
        field.get_mut(..width)?.copy_from_slice(&value.to_le_bytes()[..width]);
        Some(())
    };
    let (width, sign) = match r_type {
        elf::R_RISCV_NONE | elf::R_RISCV_RELAX => return Some(()),
        elf::R_RISCV_SET8 => return put(field, 1, value),
        elf::R_RISCV_SET16 => return put(field, 2, value),
        elf::R_RISCV_SET32 | elf::R_RISCV_32 => return put(field, 4, value),
        elf::R_RISCV_64 => return put(field, 8, value),
        elf::R_RISCV_SET6 | elf::R_RISCV_SUB6 => {
            let old = get(field, 1)?;
            let new = if r_type == elf::R_RISCV_SET6 { value } else { old.wrapping_sub(value) };
            return put(field, 1, old & 0xc0 | new & 0x3f);
        }
        elf::R_RISCV_SET_ULEB128 => return put_uleb128(field, value),
        elf::R_RISCV_SUB_ULEB128 => {
            let old = uleb128(field)?;
            return put_uleb128(field, old.wrapping_sub(value));
        }
        elf::R_RISCV_ADD8 => (1, 1),
        elf::R_RISCV_ADD16 => (2, 1),
        elf::R_RISCV_ADD32 => (4, 1),
        elf::R_RISCV_ADD64 => (8, 1),
        elf::R_RISCV_SUB8 => (1, -1i64),
        elf::R_RISCV_SUB16 => (2, -1),
        elf::R_RISCV_SUB32 => (4, -1),
        elf::R_RISCV_SUB64 => (8, -1),
        _ => return None,
    };
    let old = get(field, width)?;
    put(field, width, old.wrapping_add(value.wrapping_mul(sign as u64)))
}

fn uleb128(field: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (index, byte) in field.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Overwrites a ULEB128 number with another one of the same length.
fn put_uleb128(field: &mut [u8], value: u64) -> Option<()> {
    uleb128(field)?;
    let mut rest = value;
    for byte in field {
        let more = *byte & 0x80;
        *byte = (rest & 0x7f) as u8 | more;
        rest >>= 7;
        if more == 0 {
            break;
        }
    }
    Some(())
}
