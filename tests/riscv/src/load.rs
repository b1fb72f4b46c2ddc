//! Loads an ELF file: assigns addresses to its sections, applies the relocations by the psABI, and reads the guests'
//! records for the linker.
//!
//! The addresses of a relocatable file differ from those in the VM on purpose. Features that no program of the VM can
//! have (thread-local storage, shared libraries) are errors.

use super::emulator::{Emulator, Region};
use super::relocate::{Relocator, Value};
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SectionFlags, SymbolFlags,
    SymbolSection, elf,
};
use std::collections::BTreeMap;

/// Address of the first section, and minimum distance between sections.
const BASE: u64 = 0x0123_0000;
const GAP: u64 = 0x1000;

/// Addresses of undefined symbols, 16 bytes each: there is no memory.
const UNDEFINED: u64 = 0xe000_0000;

/// Addresses of IFUNC symbols, 16 bytes each: a jump there goes to the address that the resolver returned.
const IFUNCS: u64 = 0xd000_0000;

/// Maximum memory that a file can ask for, in bytes.
const MEMORY: u64 = 256 << 20;

/// Maximum number of bytes of a name.
const NAME: usize = 4096;

/// The sections of a file that are in memory, and those that only the linker reads.
pub(crate) struct Sections {
    /// Loaded sections by index: address, contents, and whether they are writable.
    pub loaded: BTreeMap<usize, (u64, Vec<u8>, bool)>,
}

impl Sections {
    /// Finds the section and offset at an address.
    fn find(&self, address: u64) -> Option<(&[u8], usize)> {
        let found = self.loaded.values().filter(|(base, ..)| *base <= address).max_by_key(|(base, ..)| *base)?;
        let offset = usize::try_from(address - found.0).ok().filter(|offset| *offset <= found.1.len())?;
        Some((&found.1, offset))
    }
}

/// True if a name is `prefix`, or begins with it and a dot.
fn is(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Order of an array of constructors among the others: by kind, then by priority, those without one last.
fn order(name: &str) -> Option<(u8, u32)> {
    for (kind, prefix) in [".preinit_array", ".init_array", ".ctors"].into_iter().enumerate() {
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        let number = rest.strip_prefix('.').and_then(|rest| rest.parse::<u32>().ok());
        return Some(match kind {
            0 => (0, 0),
            1 => (1, number.map_or(65536, |number| number.min(65535))),
            _ => (1, number.map_or(65536, |number| 65535u32.saturating_sub(number))),
        });
    }
    None
}

impl Emulator {
    /// Loads a valid file.
    ///
    /// # Panics
    /// If it is invalid: it is one of our own.
    pub fn load_elf(bytes: &[u8]) -> Emulator {
        Emulator::try_load(bytes).expect("a file of our own")
    }

    /// Loads a file.
    ///
    /// # Errors
    /// If it is malformed, or needs features that this machine lacks.
    pub fn try_load(bytes: &[u8]) -> Result<Emulator, String> {
        let file = object::File::parse(bytes).map_err(|error| error.to_string())?;
        if !matches!(file.architecture(), object::Architecture::Riscv32 | object::Architecture::Riscv64)
            || !file.is_little_endian()
        {
            return Err("not for little-endian RISC-V".to_owned());
        }
        let relocatable = file.kind() == object::ObjectKind::Relocatable;
        let wide = file.is_64();
        let mut sections = Sections { loaded: BTreeMap::new() };
        let mut next = BASE;
        let mut constructors = Vec::new();
        let mut stack = 0;
        let mut memory = 0u64;
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
            let name = section.name().unwrap_or("");
            let flag = |flag: u32| sh_flags & u64::from(flag) != 0;
            if is(name, ".polkavm_min_stack_size") {
                let data = section.data().map_err(|error| error.to_string())?;
                let sizes = data.chunks_exact(4).map(|size| u32::from_le_bytes([size[0], size[1], size[2], size[3]]));
                stack = sizes.max().unwrap_or(0).max(stack);
            }
            if !flag(elf::SHF_ALLOC) && !name.starts_with(".polkavm_") {
                continue;
            }
            if flag(elf::SHF_TLS) {
                return Err(format!("{name}: thread-local storage"));
            }
            memory = memory.saturating_add(section.size());
            if memory > MEMORY || u64::from(stack) > MEMORY {
                return Err("too much memory".to_owned());
            }
            let mut data = section.data().map_err(|error| error.to_string())?.to_vec();
            data.resize(section.size() as usize, 0);
            let align = section.align().clamp(1, 1 << 20).next_power_of_two();
            let address =
                if relocatable || section.address() == 0 { next.next_multiple_of(align) } else { section.address() };
            next = if relocatable || section.address() == 0 {
                (address + section.size()).next_multiple_of(GAP) + 3 * GAP
            } else {
                next.max(address.saturating_add(section.size()).min(0xc000_0000).next_multiple_of(GAP) + 3 * GAP)
            };
            if let Some(order) = order(name).filter(|_| flag(elf::SHF_ALLOC)) {
                constructors.push((order, is(name, ".ctors"), address, section.size()));
            }
            sections.loaded.insert(section.index().0, (address, data, flag(elf::SHF_WRITE)));
        }

        // The value of each symbol.
        let mut ifuncs = Vec::new();
        let mut values = BTreeMap::new();
        let mut symbols = BTreeMap::new();
        let mut zeros = Vec::new();
        for symbol in file.symbols() {
            let SymbolFlags::Elf { st_info, .. } = symbol.flags() else { continue };
            let in_section = |index: object::SectionIndex| match relocatable {
                true => sections.loaded.get(&index.0).map(|(address, ..)| address.wrapping_add(symbol.address())),
                false => Some(symbol.address()),
            };
            let value = match symbol.section() {
                SymbolSection::Section(index) => in_section(index),
                SymbolSection::Absolute => Some(symbol.address()),
                SymbolSection::Common => {
                    let align = symbol.address().clamp(1, 1 << 20).next_power_of_two();
                    memory = memory.saturating_add(symbol.size());
                    if memory > MEMORY {
                        return Err("too much memory".to_owned());
                    }
                    let at = next.next_multiple_of(align);
                    next = (at + symbol.size()).next_multiple_of(GAP) + GAP;
                    zeros.push((at, symbol.size()));
                    Some(at)
                }
                _ if symbol.is_weak() || symbol.index().0 == 0 => Some(0),
                _ => Some(UNDEFINED + 16 * symbol.index().0 as u64),
            };
            let Some(mut value) = value else { continue };
            if st_info & 0xf == elf::STT_GNU_IFUNC && symbol.section_index().is_some() {
                ifuncs.push(value);
                value = IFUNCS + 16 * (ifuncs.len() as u64 - 1);
            }
            if symbol.is_global() && symbol.section_index().is_some() {
                symbols.insert(symbol.name_bytes().unwrap_or_default().to_vec(), value);
            }
            values.insert(symbol.index().0, value);
        }

        // The relocations.
        let mut pointers = BTreeMap::new();
        let mut list = Vec::new();
        for section in file.sections() {
            let Some((base, ..)) = sections.loaded.get(&section.index().0) else { continue };
            for (offset, relocation) in section.relocations() {
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                let symbol = match relocation.target() {
                    RelocationTarget::Symbol(symbol) => match values.get(&symbol.0) {
                        Some(value) => *value,
                        // In a section that is not loaded: no running code can see it.
                        None => continue,
                    },
                    _ => 0,
                };
                // A relocation in a linked file is for an address.
                let offset = if relocatable { offset } else { offset.wrapping_sub(*base) };
                let value = symbol.wrapping_add(relocation.addend() as u64);
                list.push(Value { section: section.index().0, offset, r_type, value });
                if matches!(r_type, elf::R_RISCV_32 | elf::R_RISCV_64 | elf::R_RISCV_PCREL_HI20) {
                    pointers.insert(base.wrapping_add(offset), value);
                }
            }
        }
        let mut relocator = Relocator { sections: &mut sections, table: Vec::new(), table_at: next, wide };
        if relocatable {
            relocator.apply(&list)?;
        }
        let (table_at, table) = (relocator.table_at, relocator.table);

        let (imports, exports) = records(&file, &sections, &pointers, wide)?;
        let mut regions: BTreeMap<u64, Region> =
            sections.loaded.into_values().map(|(at, bytes, writable)| (at, Region { bytes, writable })).collect();
        regions.insert(table_at, Region { bytes: table, writable: false });
        for (at, size) in zeros {
            regions.insert(at, Region { bytes: vec![0; size as usize], writable: true });
        }
        constructors.sort_by_key(|(order, ..)| *order);
        let mut machine = Emulator {
            wide,
            registers: [0; 32],
            pc: 0,
            regions,
            exports,
            symbols,
            imports,
            host_calls: pointers,
            jumps: BTreeMap::new(),
            constructors: Vec::new(),
            stack: stack as usize,
            started: false,
        };
        let pointer = if wide { 8 } else { 4 };
        for (_, backwards, at, size) in constructors {
            let mut list = Vec::new();
            for slot in 0..size / pointer {
                let entry = machine.load(at + slot * pointer, pointer as usize).map_err(|_| "a broken array")?;
                list.extend((entry != 0 && entry != u64::MAX).then_some(entry));
            }
            if backwards {
                list.reverse();
            }
            machine.constructors.extend(list);
        }
        for (index, resolver) in ifuncs.into_iter().enumerate() {
            machine.jumps.insert(IFUNCS + 16 * index as u64, resolver);
        }
        Ok(machine)
    }
}

type Imports = BTreeMap<u64, Vec<u8>>;
type Exports = Vec<(Vec<u8>, u64)>;

/// Reads the records for the linker: imports by their record, exports with their code. Names follow a header of 9 bytes
/// (docs/linking.md#records-of-guests).
fn records(
    file: &object::File<'_>,
    sections: &Sections,
    pointers: &BTreeMap<u64, u64>,
    wide: bool,
) -> Result<(Imports, Exports), String> {
    let width = if wide { 8 } else { 4 };
    let name_of = |record: u64| -> Option<Vec<u8>> {
        let (data, at) = sections.find(record)?;
        let length = data.get(at + 5..at + 9)?;
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        if length > NAME {
            return None;
        }
        let (text, from) = sections.find(*pointers.get(&(record + 9))?)?;
        Some(text.get(from..from.checked_add(length)?)?.to_vec())
    };
    let mut imports = BTreeMap::new();
    for record in pointers.values() {
        if let Some(name) = name_of(*record) {
            imports.insert(*record, name);
        }
    }
    let mut exports = Vec::new();
    for section in file.sections() {
        if !is(section.name().unwrap_or(""), ".polkavm_exports") {
            continue;
        }
        let Some((base, data, _)) = sections.loaded.get(&section.index().0) else { continue };
        for start in (0..data.len() as u64).step_by(1 + 2 * width) {
            let pointer = |at: u64| pointers.get(&(base + start + at)).copied();
            let export = pointer(1).and_then(name_of).zip(pointer(1 + width as u64));
            exports.push(export.ok_or("a broken export")?);
        }
    }
    Ok((imports, exports))
}
