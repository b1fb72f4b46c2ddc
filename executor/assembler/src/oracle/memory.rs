//! Tests of the forms with a memory operand, each with every addressing form.

use super::Operand::{Imm, Mem as M, Reg as R};
use super::registers::{opcode_len, source_bits};
use super::space::{EDGES, SIZES, addresses, bits, conditions, is_high, name, width};
use super::{Address, Checker, Operand};
use crate::forms::{arithmetic, bits as bit_forms, control, moves};
use crate::inst::Inst;
use crate::mem::Mem;
use crate::operand::{Reg, RegSize, StoreImm, Width};
use iced_x86::Mnemonic;
use std::format;

fn rex(address: &Address, size: RegSize, reg: Reg) -> usize {
    usize::from(address.needs_rex || size == RegSize::R64 || is_high(reg))
}

/// Checks a form with each address. `length` is its number of bytes without those of the address and the REX prefix,
/// which depends on the size and the register.
fn check<const N: usize>(
    checker: &mut Checker,
    addresses: &[(Mem, Address)],
    (size, reg): (RegSize, Reg),
    expected: Mnemonic,
    length: usize,
    form: impl Fn(Mem) -> Inst,
    operands: impl Fn(Address) -> [Operand; N],
) {
    for &(mem, address) in addresses {
        let len = rex(&address, size, reg) + length + usize::from(address.len);
        checker.check(form(mem), expected, operands(address), len);
    }
}

#[test]
fn forms_from_memory_to_a_register_decode_to_what_they_say() {
    let mut checker = Checker::new("memory to register");
    type List = &'static [(&'static str, fn(RegSize, Reg, Mem) -> Inst)];
    let lists: [List; 3] = [arithmetic::REG_MEM, moves::LOAD, bit_forms::COUNT_MEM];
    let addresses = addresses();
    for (list, &(mnemonic, form)) in lists.into_iter().flat_map(|list| list.iter().enumerate()) {
        let expected = checker.mnemonic(mnemonic);
        // In the table of loads the words come before the bytes.
        let is_byte = list > 2;
        for size in SIZES {
            let touched = if mnemonic == "lea" { 0 } else { source_bits(mnemonic, is_byte, size) / 8 };
            for dst in Reg::ALL {
                let operands = |address| [R(name(dst, bits(size))), M(address, touched)];
                let length = opcode_len(mnemonic);
                check(&mut checker, &addresses, (size, dst), expected, length, |mem| form(size, dst, mem), operands);
            }
        }
    }
    checker.done();
}

#[test]
fn conditional_loads_decode_to_what_they_say() {
    let mut checker = Checker::new("conditional loads");
    let addresses = addresses();
    for &(mnemonic, form) in moves::LOAD_IF {
        for (cond, suffix) in conditions() {
            let expected = checker.mnemonic(&format!("{mnemonic}{suffix}"));
            for (size, dst) in SIZES.into_iter().flat_map(|size| Reg::ALL.map(|dst| (size, dst))) {
                let operands = |address| [R(name(dst, bits(size))), M(address, bits(size) / 8)];
                check(&mut checker, &addresses, (size, dst), expected, 2, |mem| form(cond, size, dst, mem), operands);
            }
        }
    }
    checker.done();
}

#[test]
fn forms_from_a_register_to_memory_decode_to_what_they_say() {
    let mut checker = Checker::new("register to memory");
    type List = &'static [(&'static str, fn(RegSize, Mem, Reg) -> Inst)];
    let lists: [List; 2] = [arithmetic::MEM_REG, moves::EXCHANGE_MEM];
    let addresses = addresses();
    for &(mnemonic, form) in lists.into_iter().flatten() {
        let expected = checker.mnemonic(mnemonic);
        for (size, src) in SIZES.into_iter().flat_map(|size| Reg::ALL.map(|src| (size, src))) {
            let operands = |address| [M(address, bits(size) / 8), R(name(src, bits(size)))];
            check(&mut checker, &addresses, (size, src), expected, 1, |mem| form(size, mem, src), operands);
        }
    }
    checker.done();
}

#[test]
fn stores_of_every_width_decode_to_what_they_say() {
    let mut checker = Checker::new("stores");
    let addresses = addresses();
    for &(mnemonic, form) in moves::STORE {
        let expected = checker.mnemonic(mnemonic);
        for (store, width) in [(Width::W8, 8), (Width::W16, 16), (Width::W32, 32), (Width::W64, 64)] {
            let size = if width == 64 { RegSize::R64 } else { RegSize::R32 };
            for src in Reg::ALL {
                let is_new_byte = width == 8 && src as u8 >= 4;
                for &(mem, address) in &addresses {
                    let operands = [M(address, width / 8), R(name(src, width))];
                    let rex = rex(&address, size, src).max(usize::from(is_new_byte));
                    let len = usize::from(width == 16) + rex + 1 + usize::from(address.len);
                    checker.check(form(store, mem, src), expected, operands, len);
                }
            }
        }
    }
    checker.done();
}

#[test]
fn forms_from_a_number_to_memory_decode_to_what_they_say() {
    let mut checker = Checker::new("number to memory");
    let addresses = addresses();
    for &(mnemonic, form) in arithmetic::MEM_IMM {
        let expected = checker.mnemonic(mnemonic);
        for (size, imm) in SIZES.into_iter().flat_map(|size| EDGES.map(|imm| (size, imm))) {
            let operands = |address| [M(address, bits(size) / 8), Imm(imm as u64, bits(size))];
            let length = 1 + width(imm);
            check(&mut checker, &addresses, (size, Reg::Rax), expected, length, |mem| form(size, mem, imm), operands);
        }
    }
    for &(mnemonic, form) in moves::STORE_IMM {
        let expected = checker.mnemonic(mnemonic);
        for edge in EDGES {
            let stores = [
                (StoreImm::W8(edge as i8), edge as i8 as u64, 8, 1),
                (StoreImm::W16(edge as i16), edge as i16 as u64, 16, 3),
                (StoreImm::W32(edge), edge as u64, 32, 4),
                (StoreImm::W64(edge), edge as u64, 64, 4),
            ];
            for (imm, value, width, extra_len) in stores {
                let size = if width == 64 { RegSize::R64 } else { RegSize::R32 };
                for &(mem, address) in &addresses {
                    let len = rex(&address, size, Reg::Rax) + 1 + usize::from(address.len) + extra_len;
                    checker.check(form(mem, imm), expected, [M(address, width / 8), Imm(value, width)], len);
                }
            }
        }
    }
    checker.done();
}

#[test]
fn forms_on_memory_alone_decode_to_what_they_say() {
    let mut checker = Checker::new("memory alone");
    type List = &'static [(&'static str, fn(Mem) -> Inst)];
    let lists: [List; 2] = [moves::STACK_MEM, control::BRANCH_MEM];
    let addresses = addresses();
    for &(mnemonic, form) in lists.into_iter().flatten() {
        let expected = checker.mnemonic(mnemonic);
        for &(mem, address) in &addresses {
            let len = usize::from(address.needs_rex) + 1 + usize::from(address.len);
            checker.check(form(mem), expected, [M(address, 8)], len);
        }
    }
    checker.done();
}
