//! Cases for loads and stores: every width and form, at the boundaries of every region, of pages and of the address
//! space.

use crate::case::{Case, Step};
use vm_core::Outcome;
use vm_core::blob::BlobBuilder;
use vm_core::isa::{Instruction, Isa, Opcode, Reg, assemble};
use vm_core::program::ProgramConfig;

/// Loads: absolute form, indirect form, bytes, whether the value is sign-extended.
const LOADS: &[(Opcode, Opcode, u32, bool)] = &[
    (Opcode::LoadU8, Opcode::LoadIndirectU8, 1, false),
    (Opcode::LoadI8, Opcode::LoadIndirectI8, 1, true),
    (Opcode::LoadU16, Opcode::LoadIndirectU16, 2, false),
    (Opcode::LoadI16, Opcode::LoadIndirectI16, 2, true),
    (Opcode::LoadU32, Opcode::LoadIndirectU32, 4, false),
    (Opcode::LoadI32, Opcode::LoadIndirectI32, 4, true),
    (Opcode::LoadU64, Opcode::LoadIndirectU64, 8, false),
];

/// Stores: of a register absolute and indirect, of an immediate absolute and indirect, bytes.
const STORES: &[(Opcode, Opcode, Opcode, Opcode, u32)] = &[
    (Opcode::StoreU8, Opcode::StoreIndirectU8, Opcode::StoreImmU8, Opcode::StoreImmIndirectU8, 1),
    (Opcode::StoreU16, Opcode::StoreIndirectU16, Opcode::StoreImmU16, Opcode::StoreImmIndirectU16, 2),
    (Opcode::StoreU32, Opcode::StoreIndirectU32, Opcode::StoreImmU32, Opcode::StoreImmIndirectU32, 4),
    (Opcode::StoreU64, Opcode::StoreIndirectU64, Opcode::StoreImmU64, Opcode::StoreImmIndirectU64, 8),
];

/// Regions of the test programs: first address, end, and whether they are writable. Pages are 4 KiB; the declared
/// sizes are a little less than two pages each, so that the last bytes are after the declared ones.
const REGIONS: [(u32, u32, bool); 3] =
    [(0x1_0000, 0x1_2000, false), (0x3_0000, 0x3_2000, true), (0xfffd_e000, 0xfffe_0000, true)];
const DECLARED: u32 = 0x1ff0;

/// Initial contents of memory at `address`.
fn content(address: u32) -> u8 {
    let (start, _, _) = REGIONS.into_iter().rev().find(|(start, _, _)| address >= *start).unwrap();
    if address - start >= DECLARED { 0 } else { (address ^ address >> 8).wrapping_mul(29) as u8 | 0x81 }
}

fn contents(address: u32, length: u32) -> Vec<u8> {
    (address..address + length).map(content).collect()
}

fn blob(isa: Isa, code: Vec<Instruction>) -> Vec<u8> {
    BlobBuilder::new(isa)
        .ro_data(DECLARED, &contents(REGIONS[0].0, DECLARED))
        .rw_data(DECLARED, &contents(REGIONS[1].0, DECLARED))
        .stack_size(DECLARED)
        .instructions(code)
        .build()
        .unwrap()
}

/// Addresses worth trying for an access of `width` bytes.
fn addresses(width: u32) -> Vec<u32> {
    let mut list =
        vec![0, 1, 0xffff, 0x7fff_fffc, 0xffff_0000, u32::MAX, width.wrapping_neg(), 1u32.wrapping_sub(width)];
    for (start, end, _) in REGIONS {
        let page = start + 0x1000;
        let near = [start, page, start + DECLARED, end];
        for border in near {
            list.extend([border - width, border - width / 2, border - 1, border, border + 1]);
        }
        list.push(start.wrapping_sub(width).wrapping_add(1));
        list.push(end - width + 1);
        // Unaligned, in the middle.
        list.push(start + 0x203);
    }
    list.sort_unstable();
    list.dedup();
    list
}

fn accessible(address: u32, width: u32, write: bool) -> bool {
    REGIONS.iter().any(|(start, end, writable)| {
        (*writable || !write) && address >= *start && u64::from(address) + u64::from(width) <= u64::from(*end)
    })
}

/// Ways to reach an address: base register and offset.
fn bases(isa: Isa, address: u32) -> Vec<(u64, i32)> {
    let mut list = vec![
        (u64::from(address), 0),
        (u64::from(address.wrapping_sub(0x7f)), 0x7f),
        (u64::from(address.wrapping_add(0x8000)), -0x8000),
        (u64::from(address.wrapping_add(0x8000_0000)), i32::MIN),
    ];
    if isa.is_64_bit() {
        // The upper half of the base does not count.
        list.push((0xdead_beef_0000_0000 | u64::from(address), 0));
        list.push(((1 << 32) + u64::from(address), -1 + 1));
    }
    list
}

fn value_at(isa: Isa, address: u32, width: u32, signed: bool) -> u64 {
    let mut bytes = [0; 8];
    bytes[..width as usize].copy_from_slice(&contents(address, width));
    let shift = 64 - 8 * width;
    let value = u64::from_le_bytes(bytes);
    let value = if signed { ((value << shift) as i64 >> shift) as u64 } else { value };
    if isa.is_64_bit() { value } else { value & 0xffff_ffff }
}

/// The access and a trap; what must be seen afterwards is `after`, or nothing at all if the access is a fault.
fn case(isa: Isa, access: Instruction, regs: &[(Reg, u64)], address: u32, fault: bool, after: Vec<Step>) -> Case {
    let code = vec![access, Instruction::none(Opcode::Trap)];
    let length = assemble(isa, &code).unwrap().offsets[1];
    let stack = windows(address).filter(|(from, _)| *from >= REGIONS[2].0);
    let mut script: Vec<Step> = stack.map(|(from, to)| Step::Write(from, contents(from, to - from))).collect();
    script.extend(regs.iter().map(|(reg, value)| Step::Set(*reg, *value)));
    script.extend([Step::Gas(5), Step::Enter(0)]);
    script.push(Step::Run(Outcome::Trap, Some(if fault { 0 } else { length }), None, 3));
    if fault {
        script.push(Step::Unchanged);
        script.extend(memory_with(address, &[]));
    } else {
        script.extend(after);
    }
    let mnemonic = access.opcode.spec().mnemonic;
    Case {
        name: format!("{mnemonic} at {address:#x} ({:x?}, {:#x})", regs, access.imm),
        isa,
        covers: vec![mnemonic],
        blob: blob(isa, code),
        config: ProgramConfig::default(),
        script,
    }
}

/// The part of each region that is near `address`.
fn windows(address: u32) -> impl Iterator<Item = (u32, u32)> {
    REGIONS.into_iter().filter_map(move |(start, end, _)| {
        let (from, to) = (start.max(address.saturating_sub(24)), end.min(address.saturating_add(32)));
        (from < to).then_some((from, to))
    })
}

/// Contents of memory around `address` after `data` was written there.
fn memory_with(address: u32, data: &[u8]) -> Vec<Step> {
    windows(address)
        .map(|(from, to)| {
            let mut expected = contents(from, to - from);
            // Of an access that is a fault this does not matter, and need not fit.
            let at = address.checked_sub(from).map(|at| at as usize);
            if let Some(part) = at.and_then(|at| expected.get_mut(at..at + data.len())) {
                part.copy_from_slice(data);
            }
            Step::Memory(from, expected)
        })
        .collect()
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for isa in Isa::ALL {
        let exists = |opcode: Opcode| isa.number(opcode).is_some();
        for (absolute, indirect, width, signed) in LOADS.iter().copied().filter(|load| exists(load.0)) {
            for address in addresses(width) {
                let fault = !accessible(address, width, false);
                let value = if fault { 0 } else { value_at(isa, address, width, signed) };
                let after = |reg| vec![Step::Only(reg, value)];
                let load = Instruction::ri(absolute, Reg::A0, address as i32);
                cases.push(case(isa, load, &[(Reg::A0, 0xdd)], address, fault, after(Reg::A0)));
                for (base, offset) in bases(isa, address) {
                    let load = Instruction::rri(indirect, Reg::A0, Reg::A1, offset);
                    cases.push(case(isa, load, &[(Reg::A0, 0xdd), (Reg::A1, base)], address, fault, after(Reg::A0)));
                }
                let load = Instruction::rri(indirect, Reg::A1, Reg::A1, 0);
                cases.push(case(isa, load, &[(Reg::A1, u64::from(address))], address, fault, after(Reg::A1)));
            }
        }
        for (absolute, indirect, immediate, immediate_indirect, width) in
            STORES.iter().copied().filter(|store| exists(store.0))
        {
            let mask = if isa.is_64_bit() { u64::MAX } else { 0xffff_ffff };
            for address in addresses(width) {
                let fault = !accessible(address, width, true);
                let stored = |value: u64| memory_with(address, &value.to_le_bytes()[..width as usize]);
                let value = 0x1122_3344_5566_7788 & mask;
                // An immediate is sign-extended.
                let imm = -0x1234_5678;
                let imm_value = i64::from(imm) as u64;

                let store = Instruction::ri(absolute, Reg::A0, address as i32);
                cases.push(case(isa, store, &[(Reg::A0, value)], address, fault, stored(value)));
                let store = Instruction::ii(immediate, address as i32, imm);
                cases.push(case(isa, store, &[], address, fault, stored(imm_value)));
                for (base, offset) in bases(isa, address) {
                    let regs = [(Reg::A0, value), (Reg::A1, base)];
                    let store = Instruction::rri(indirect, Reg::A0, Reg::A1, offset);
                    cases.push(case(isa, store, &regs, address, fault, stored(value)));
                    let store = Instruction::rii(immediate_indirect, Reg::A1, offset, imm);
                    cases.push(case(isa, store, &regs[1..], address, fault, stored(imm_value)));
                }
                let store = Instruction::rri(indirect, Reg::A1, Reg::A1, 0);
                cases.push(case(isa, store, &[(Reg::A1, u64::from(address))], address, fault, stored(address.into())));
            }
        }
    }
    cases
}
