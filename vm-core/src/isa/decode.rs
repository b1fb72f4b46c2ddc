//! Operand decoding: sixteen bytes and a length in, an [`Instruction`] out.
//!
//! Called by [`super::CodeView`] for every instruction. Total: any bytes and any `skip` of 0..=24 give an answer.
//! Spec: isa.md 2.3.

use super::{Format, Instruction, Opcode, Reg};

/// The sign-extended value of the low `count` (0..=4) bytes of `bytes`.
const fn immediate(bytes: u32, count: u32) -> i32 {
    match count {
        0 => 0,
        1 => bytes as u8 as i8 as i32,
        2 => bytes as u16 as i16 as i32,
        3 => ((bytes << 8) as i32) >> 8,
        _ => bytes as i32,
    }
}

/// A size field: values over 4 act as 4.
const fn size_field(bits: u8) -> u32 {
    let size = (bits & 7) as u32;
    if size > 4 { 4 } else { size }
}

/// What is left for the last immediate when `used` of `skip` argument bytes are taken.
const fn remaining(skip: u32, used: u32) -> u32 {
    let left = skip.saturating_sub(used);
    if left > 4 { 4 } else { left }
}

/// Decodes the operands of `opcode` at code offset `offset`. `window` holds the 16 code bytes from there,
/// little-endian; `skip` is the instruction's length less one.
#[inline(always)]
pub(super) fn operands(opcode: Opcode, offset: u32, window: u128, skip: u32) -> Instruction {
    let b1 = (window >> 8) as u8;
    let b2 = (window >> 16) as u8;
    // The immediate of `n` bytes at byte `k`; k <= 7, so that its four bytes lie inside the window.
    let imm = |k: u32, n: u32| immediate((window >> (8 * k)) as u32, n);
    let low = Reg::from_field(b1);
    let high = Reg::from_field(b1 >> 4);
    match opcode.spec().format {
        Format::None => Instruction::none(opcode),
        Format::Imm => Instruction::i(opcode, imm(1, remaining(skip, 0))),
        Format::Offset => Instruction::o(opcode, offset.wrapping_add(imm(1, remaining(skip, 0)) as u32)),
        Format::ImmImm => {
            let n = size_field(b1);
            Instruction::ii(opcode, imm(2, n), imm(2 + n, remaining(skip, n + 1)))
        }
        Format::RegImm => Instruction::ri(opcode, low, imm(2, remaining(skip, 1))),
        Format::RegImmImm => {
            let n = size_field(b1 >> 4);
            Instruction::rii(opcode, low, imm(2, n), imm(2 + n, remaining(skip, n + 1)))
        }
        Format::RegImmOffset => {
            let n = size_field(b1 >> 4);
            let target = offset.wrapping_add(imm(2 + n, remaining(skip, n + 1)) as u32);
            Instruction::rio(opcode, low, imm(2, n), target)
        }
        Format::RegReg => Instruction::rr(opcode, low, high),
        Format::RegRegImm => Instruction::rri(opcode, low, high, imm(2, remaining(skip, 1))),
        Format::RegRegOffset => {
            Instruction::rro(opcode, low, high, offset.wrapping_add(imm(2, remaining(skip, 1)) as u32))
        }
        Format::RegRegReg => Instruction::rrr(opcode, Reg::from_field(b2), low, high),
        Format::RegRegImmImm => {
            let n = size_field(b2);
            Instruction::rrii(opcode, low, high, imm(3, n), imm(3 + n, remaining(skip, n + 2)))
        }
        Format::RegImm64 => Instruction::rx(opcode, low, (window >> 16) as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bytes: &[u8]) -> u128 {
        let mut padded = [0; 16];
        padded[..bytes.len()].copy_from_slice(bytes);
        u128::from_le_bytes(padded)
    }

    #[test]
    fn the_examples_of_the_specification_decode() {
        let long = operands(Opcode::LoadImm, 0, window(&[0x33, 0x07, 0x2a]), 2);
        assert_eq!(long, Instruction::ri(Opcode::LoadImm, Reg::A0, 42));
        let short = operands(Opcode::LoadImm, 0, window(&[0x33, 0x07]), 1);
        assert_eq!(short, Instruction::ri(Opcode::LoadImm, Reg::A0, 0));
        let add = operands(Opcode::Add64, 0, window(&[0xc8, 0x87, 0x09]), 2);
        assert_eq!(add, Instruction::rrr(Opcode::Add64, Reg::A2, Reg::A0, Reg::A1));
        let branch = operands(Opcode::BranchEqImm, 100, window(&[0x51, 0x17, 0x21, 0x0a]), 3);
        assert_eq!(branch, Instruction::rio(Opcode::BranchEqImm, Reg::A0, 0x21, 110));
    }

    #[test]
    fn immediates_are_sign_extended_from_every_size() {
        for (bytes, count, value) in [
            (0xffff_ffffu32, 0, 0),
            (0x0000_0080, 1, -128),
            (0x0000_7f7f, 1, 0x7f),
            (0x0000_8000, 2, -32768),
            (0x0080_0000, 3, -0x80_0000),
            (0xff7f_ffff, 3, 0x7f_ffff),
            (0x8000_0000, 4, i32::MIN),
        ] {
            assert_eq!(immediate(bytes, count), value, "{bytes:#x} {count}");
        }
    }

    #[test]
    fn only_the_last_immediate_depends_on_the_length() {
        // Two bytes long: the first immediate still reads its four bytes behind the instruction.
        let op = operands(Opcode::StoreImmU8, 0, window(&[30, 4, 1, 2, 3, 4, 9]), 1);
        assert_eq!(op, Instruction::ii(Opcode::StoreImmU8, 0x0403_0201, 0));
        let op = operands(Opcode::LoadImm64, 0, window(&[20, 7, 1, 2, 3, 4, 5, 6, 7, 8]), 0);
        assert_eq!(op, Instruction::rx(Opcode::LoadImm64, Reg::A0, 0x0807_0605_0403_0201));
    }

    #[test]
    fn size_fields_over_four_act_as_four_and_register_fields_over_twelve_as_a5() {
        let seven = operands(Opcode::StoreImmU8, 0, window(&[30, 0xff, 1, 2, 3, 4, 5]), 6);
        assert_eq!(seven, Instruction::ii(Opcode::StoreImmU8, 0x0403_0201, 5));
        let regs = operands(Opcode::Add64, 0, window(&[200, 0xfd, 0xfe]), 2);
        assert_eq!(regs, Instruction::rrr(Opcode::Add64, Reg::A5, Reg::A5, Reg::A5));
    }

    #[test]
    fn every_opcode_with_any_length_decodes() {
        for opcode in Opcode::all() {
            for skip in 0..=24 {
                operands(opcode, u32::MAX, u128::MAX, skip);
            }
        }
    }
}
