//! Loads a relocatable ELF file: gives its sections addresses and applies the relocations.
//!
//! The addresses have nothing to do with those of the VM; that is the point. Only what [`super::generate`] writes needs
//! to be understood.

use super::machine::{Machine, Region};
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SectionFlags, elf,
};
use std::collections::BTreeMap;

/// Where the first section goes, and how far apart sections are at least.
const BASE: u64 = 0x0123_0000;
const GAP: u64 = 0x1000;

impl Machine {
    /// Loads a file.
    ///
    /// # Panics
    /// If it is not as expected: it is one of our own.
    pub fn load_elf(bytes: &[u8]) -> Machine {
        let file = object::File::parse(bytes).expect("an ELF file");
        let wide = file.is_64();
        let mut addresses = BTreeMap::new();
        let mut next = BASE;
        let mut contents = BTreeMap::new();
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
            if sh_flags & u64::from(elf::SHF_ALLOC) == 0 {
                continue;
            }
            let mut data = section.data().expect("contents").to_vec();
            data.resize(section.size() as usize, 0);
            addresses.insert(section.index().0, next);
            contents.insert(section.index().0, (data, sh_flags & u64::from(elf::SHF_WRITE) != 0));
            next = (next + section.size()).next_multiple_of(GAP) + 3 * GAP;
        }
        let address_of = |symbol: object::SymbolIndex| {
            let symbol = file.symbol_by_index(symbol).expect("a symbol");
            let section = symbol.section_index().expect("a defined symbol").0;
            addresses[&section] + symbol.address()
        };
        let mut host_calls = BTreeMap::new();
        let mut exports = Vec::new();
        let mut imports = BTreeMap::new();
        // What upper parts refer to, for the lower ones; and the table that stands for the global offset table.
        let mut uppers = BTreeMap::new();
        let mut table: Vec<u8> = Vec::new();
        let table_at = next;
        let mut passes = Vec::new();
        for section in file.sections().filter(|section| addresses.contains_key(&section.index().0)) {
            let base = addresses[&section.index().0];
            for (offset, relocation) in section.relocations() {
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
                let value = address_of(symbol).wrapping_add(relocation.addend() as u64);
                let place = base + offset;
                let value = match r_type {
                    elf::R_RISCV_GOT_HI20 => {
                        table.extend(value.to_le_bytes());
                        table_at + table.len() as u64 - 8
                    }
                    _ => value,
                };
                if matches!(r_type, elf::R_RISCV_PCREL_HI20 | elf::R_RISCV_GOT_HI20) {
                    uppers.insert(place, value.wrapping_sub(place));
                }
                passes.push((section.index().0, base, offset, r_type, value));
            }
        }
        for (section, base, offset, r_type, value) in passes {
            let data = &mut contents.get_mut(&section).expect("contents").0;
            let at = offset as usize;
            let place = base + offset;
            let low = |value: u64| value as i64 as u32 & 0xfff;
            let high = |value: u64| (value.wrapping_add(0x800) >> 12 << 12) as u32;
            let mut patch = |at: usize, clear: u32, set: u32| {
                let word = u32::from_le_bytes(data[at..at + 4].try_into().expect("4 bytes"));
                data[at..at + 4].copy_from_slice(&(word & !clear | set).to_le_bytes());
            };
            let store_bits = |low: u32| (low & 31) << 7 | (low >> 5) << 25;
            match r_type {
                elf::R_RISCV_PCREL_HI20 | elf::R_RISCV_GOT_HI20 => {
                    patch(at, 0xffff_f000, high(value.wrapping_sub(place)))
                }
                elf::R_RISCV_PCREL_LO12_I => patch(at, 0xfff0_0000, low(uppers[&value]) << 20),
                elf::R_RISCV_PCREL_LO12_S => patch(at, 0xfe00_0f80, store_bits(low(uppers[&value]))),
                elf::R_RISCV_HI20 => patch(at, 0xffff_f000, high(value)),
                elf::R_RISCV_LO12_I => patch(at, 0xfff0_0000, low(value) << 20),
                elf::R_RISCV_LO12_S => patch(at, 0xfe00_0f80, store_bits(low(value))),
                elf::R_RISCV_CALL_PLT => {
                    let distance = value.wrapping_sub(place);
                    patch(at, 0xffff_f000, high(distance));
                    patch(at + 4, 0xfff0_0000, low(distance) << 20);
                }
                elf::R_RISCV_64 => data[at..at + 8].copy_from_slice(&value.to_le_bytes()),
                elf::R_RISCV_32 => {
                    data[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
                    host_calls.insert(place, value);
                }
                elf::R_RISCV_ADD32 | elf::R_RISCV_SUB32 => {
                    let old = u32::from_le_bytes(data[at..at + 4].try_into().expect("4 bytes"));
                    let new = match r_type {
                        elf::R_RISCV_ADD32 => old.wrapping_add(value as u32),
                        _ => old.wrapping_sub(value as u32),
                    };
                    data[at..at + 4].copy_from_slice(&new.to_le_bytes());
                }
                // The offsets of jumps and branches are in the code as well.
                _ => {}
            }
            if r_type == elf::R_RISCV_64 {
                host_calls.insert(place, value);
            }
        }
        // Records for the linker: names behind a header of 9 bytes (spec: abi.md 5.5).
        let pointer = if wide { 8 } else { 4 };
        let read = |data: &[u8], at: usize| {
            let mut bytes = [0; 8];
            bytes[..pointer].copy_from_slice(&data[at..at + pointer]);
            u64::from_le_bytes(bytes)
        };
        let find = |address: u64| {
            let (index, base) = addresses.iter().rfind(|(_, base)| **base <= address).expect("a section");
            (&contents[index].0, (address - base) as usize)
        };
        let name_of = |record: u64| {
            let (data, at) = find(record);
            let length = u32::from_le_bytes(data[at + 5..at + 9].try_into().expect("4 bytes")) as usize;
            let (text, from) = find(read(data, at + 9));
            text[from..from + length].to_vec()
        };
        for record in host_calls.values() {
            let (section, _) = find(*record);
            let name =
                addresses.iter().find(|(index, _)| std::ptr::eq(&contents[*index].0, section)).map(|(index, _)| *index);
            let is_metadata = name.is_some_and(|index| {
                file.section_by_index(object::SectionIndex(index))
                    .is_ok_and(|section| section.name() == Ok(".polkavm_metadata"))
            });
            if is_metadata {
                imports.insert(*record, name_of(*record));
            }
        }
        if let Some(section) = file.section_by_name(".polkavm_exports") {
            let data = &contents[&section.index().0].0;
            for record in data.chunks(1 + 2 * pointer) {
                exports.push((name_of(read(record, 1)), read(record, 1 + pointer)));
            }
        }
        let mut regions: BTreeMap<u64, Region> = contents
            .into_iter()
            .map(|(index, (bytes, writable))| (addresses[&index], Region { bytes, writable }))
            .collect();
        regions.insert(table_at, Region { bytes: table, writable: false });
        Machine { wide, registers: [0; 32], pc: 0, regions, exports, imports, host_calls }
    }
}
