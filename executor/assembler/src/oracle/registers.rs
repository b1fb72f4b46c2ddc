//! Tests of the forms without a memory operand.

use super::Checker;
use super::Operand::{Imm, Reg as R};
use super::space::{EDGES, SIZES, bits, conditions, is_high, name, rex, width};
use crate::forms::{self, arithmetic, bits as bit_forms, control, moves};
use crate::inst::Inst;
use crate::operand::{Reg, RegSize};
use std::format;

/// Length of the opcode in bytes, mandatory prefix included, of a form on two registers or a register and memory.
pub(super) fn opcode_len(mnemonic: &str) -> usize {
    match mnemonic {
        "popcnt" | "tzcnt" | "lzcnt" => 3,
        "imul" | "movzx" | "movsx" | "bsf" | "bsr" | "cmov" => 2,
        _ => 1,
    }
}

/// Width in bits of the source of an extending form, else of the operation.
pub(super) fn source_bits(mnemonic: &str, is_byte: bool, size: RegSize) -> u8 {
    match mnemonic {
        "movzx" | "movsx" if is_byte => 8,
        "movzx" | "movsx" => 16,
        "movsxd" => 32,
        _ => bits(size),
    }
}

fn pairs() -> impl Iterator<Item = (RegSize, Reg, Reg)> {
    SIZES.into_iter().flat_map(|size| Reg::ALL.into_iter().flat_map(move |a| Reg::ALL.map(|b| (size, a, b))))
}

fn singles() -> impl Iterator<Item = (RegSize, Reg)> {
    SIZES.into_iter().flat_map(|size| Reg::ALL.map(|reg| (size, reg)))
}

#[test]
fn forms_on_two_registers_decode_to_what_they_say() {
    let mut checker = Checker::new("two registers");
    type List = &'static [(&'static str, fn(RegSize, Reg, Reg) -> Inst)];
    let lists: [List; 5] =
        [arithmetic::REG_REG, arithmetic::MULTIPLY, moves::MOVE, moves::EXTEND, bit_forms::COUNT_REG];
    for &(mnemonic, form) in lists.into_iter().flatten() {
        let expected = checker.mnemonic(mnemonic);
        for (size, dst, src) in pairs() {
            let operands = [R(name(dst, bits(size))), R(name(src, source_bits(mnemonic, false, size)))];
            let len = rex(size, [dst, src]) + opcode_len(mnemonic) + 1;
            checker.check(form(size, dst, src), expected, operands, len);
        }
    }
    for &(mnemonic, form) in moves::EXTEND_BYTE {
        let expected = checker.mnemonic(mnemonic);
        for (size, dst, src) in pairs() {
            let len = rex(size, [dst, src]).max(usize::from(src as u8 >= 4)) + 3;
            checker.check(form(size, dst, src), expected, [R(name(dst, bits(size))), R(name(src, 8))], len);
        }
    }
    for &(mnemonic, form) in moves::MOVE_IF {
        for (cond, suffix) in conditions() {
            let expected = checker.mnemonic(&format!("{mnemonic}{suffix}"));
            for (size, dst, src) in pairs() {
                let operands = [R(name(dst, bits(size))), R(name(src, bits(size)))];
                checker.check(form(cond, size, dst, src), expected, operands, rex(size, [dst, src]) + 3);
            }
        }
    }
    checker.done();
}

#[test]
fn exchanges_of_registers_decode_to_what_they_say() {
    let mut checker = Checker::new("exchange");
    for &(mnemonic, form) in moves::EXCHANGE {
        let expected = checker.mnemonic(mnemonic);
        for (size, a, b) in pairs() {
            // The short form always has rax as its last operand.
            let is_short = (a == Reg::Rax) != (b == Reg::Rax);
            let (first, second) = if is_short && a == Reg::Rax { (b, a) } else { (a, b) };
            let operands = [R(name(first, bits(size))), R(name(second, bits(size)))];
            checker.check(form(size, a, b), expected, operands, rex(size, [a, b]) + 2 - usize::from(is_short));
        }
    }
    checker.done();
}

#[test]
fn forms_on_one_register_decode_to_what_they_say() {
    let mut checker = Checker::new("one register");
    for &(mnemonic, form) in arithmetic::ONE_REG.iter().chain(bit_forms::SWAP) {
        let expected = checker.mnemonic(mnemonic);
        for (size, reg) in singles() {
            checker.check(form(size, reg), expected, [R(name(reg, bits(size)))], rex(size, [reg]) + 2);
        }
    }
    for (list, length) in [(moves::STACK_REG, 1), (control::BRANCH_REG, 2)] {
        for &(mnemonic, form) in list {
            let expected = checker.mnemonic(mnemonic);
            for reg in Reg::ALL {
                checker.check(form(reg), expected, [R(name(reg, 64))], rex(RegSize::R32, [reg]) + length);
            }
        }
    }
    for &(mnemonic, form) in moves::SET_IF {
        for (cond, suffix) in conditions() {
            let expected = checker.mnemonic(&format!("{mnemonic}{suffix}"));
            for reg in Reg::ALL {
                let len = usize::from(reg as u8 >= 4) + 3;
                checker.check(form(cond, reg), expected, [R(name(reg, 8))], len);
            }
        }
    }
    checker.done();
}

#[test]
fn shifts_decode_to_what_they_say_for_every_count() {
    let mut checker = Checker::new("shifts");
    for &(mnemonic, form) in bit_forms::SHIFT_CL {
        let expected = checker.mnemonic(mnemonic);
        for (size, reg) in singles() {
            let operands = [R(name(reg, bits(size))), R(name(Reg::Rcx, 8))];
            checker.check(form(size, reg), expected, operands, rex(size, [reg]) + 2);
        }
    }
    for &(mnemonic, form) in bit_forms::SHIFT_IMM {
        let expected = checker.mnemonic(mnemonic);
        for (size, reg) in singles() {
            for count in 0..=u8::MAX {
                let operands = [R(name(reg, bits(size))), Imm(count.into(), 8)];
                checker.check(
                    form(size, reg, count),
                    expected,
                    operands,
                    rex(size, [reg]) + 2 + usize::from(count != 1),
                );
            }
        }
    }
    for &(mnemonic, form) in bit_forms::ROTATE_IMM {
        let expected = checker.mnemonic(mnemonic);
        for (size, dst, src) in pairs() {
            for count in 0..=u8::MAX {
                let operands = [R(name(dst, bits(size))), R(name(src, bits(size))), Imm(count.into(), 8)];
                checker.check(form(size, dst, src, count), expected, operands, 6);
            }
        }
    }
    checker.done();
}

#[test]
fn forms_on_three_registers_decode_to_what_they_say() {
    let mut checker = Checker::new("three registers");
    type List = &'static [(&'static str, fn(RegSize, Reg, Reg, Reg) -> Inst)];
    let lists: [List; 3] = [bit_forms::SHIFT_REG, bit_forms::AND_NOT, arithmetic::MULTIPLY_WIDE];
    for &(mnemonic, form) in lists.into_iter().flatten() {
        let expected = checker.mnemonic(mnemonic);
        for (size, a, b) in pairs() {
            for c in Reg::ALL {
                let operands = [a, b, c].map(|reg| R(name(reg, bits(size))));
                checker.check(form(size, a, b, c), expected, operands, 5);
            }
        }
    }
    checker.done();
}

#[test]
fn forms_on_a_register_and_a_number_decode_to_what_they_say() {
    let mut checker = Checker::new("register and number");
    for &(mnemonic, form) in arithmetic::REG_IMM {
        let expected = checker.mnemonic(mnemonic);
        for ((size, reg), imm) in singles().flat_map(|single| EDGES.map(|imm| (single, imm))) {
            let operands = [R(name(reg, bits(size))), Imm(imm as u64, bits(size))];
            checker.check(form(size, reg, imm), expected, operands, rex(size, [reg]) + 2 + width(imm));
        }
    }
    for &(mnemonic, form) in arithmetic::TEST_IMM {
        let expected = checker.mnemonic(mnemonic);
        for ((size, reg), imm) in singles().flat_map(|single| EDGES.map(|imm| (single, imm))) {
            let operands = [R(name(reg, bits(size))), Imm(imm as u64, bits(size))];
            checker.check(form(size, reg, imm), expected, operands, rex(size, [reg]) + 6);
        }
    }
    for &(mnemonic, form) in arithmetic::MULTIPLY_IMM {
        let expected = checker.mnemonic(mnemonic);
        for ((size, dst, src), imm) in pairs().flat_map(|pair| EDGES.map(|imm| (pair, imm))) {
            let operands = [R(name(dst, bits(size))), R(name(src, bits(size))), Imm(imm as u64, bits(size))];
            checker.check(form(size, dst, src, imm), expected, operands, rex(size, [dst, src]) + 2 + width(imm));
        }
    }
    for &(mnemonic, form) in moves::STACK_IMM {
        let expected = checker.mnemonic(mnemonic);
        for imm in EDGES {
            checker.check(form(imm), expected, [Imm(imm as u64, 64)], 1 + width(imm));
        }
    }
    checker.done();
}

#[test]
fn constants_are_loaded_whole_and_in_the_shortest_way() {
    let mut checker = Checker::new("constants");
    let edges = EDGES.map(|edge| edge as u32 as u64);
    for reg in Reg::ALL {
        let high = usize::from(is_high(reg));
        for &(mnemonic, form) in moves::LOAD_U32 {
            let expected = checker.mnemonic(mnemonic);
            for imm in edges {
                checker.check(form(reg, imm as u32), expected, [R(name(reg, 32)), Imm(imm, 32)], high + 5);
            }
        }
        for &(mnemonic, form) in moves::LOAD_I32 {
            let expected = checker.mnemonic(mnemonic);
            for imm in EDGES {
                checker.check(form(reg, imm), expected, [R(name(reg, 64)), Imm(imm as u64, 64)], 7);
            }
        }
        let mov = checker.mnemonic("mov");
        for (low, up) in edges.into_iter().flat_map(|low| edges.map(|up| (low, up))) {
            let imm = low | up << 32;
            for &(mnemonic, form) in moves::LOAD_U64 {
                let expected = checker.mnemonic(mnemonic);
                checker.check(form(reg, imm), expected, [R(name(reg, 64)), Imm(imm, 64)], 10);
            }
            let inst = forms::mov_ri(reg, imm);
            if u32::try_from(imm).is_ok() {
                checker.check(inst, mov, [R(name(reg, 32)), Imm(imm, 32)], high + 5);
            } else {
                let len = if i32::try_from(imm as i64).is_ok() { 7 } else { 10 };
                checker.check(inst, mov, [R(name(reg, 64)), Imm(imm, 64)], len);
            }
        }
    }
    checker.done();
}
