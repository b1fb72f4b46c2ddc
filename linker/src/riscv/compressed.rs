//! Decoder of compressed instructions: expands each to its 32-bit form.

use super::{Condition, DecodeError, Inst, Operand, register};
use vm_core::isa::{Opcode as O, Reg};

/// Moves groups of bits of the halfword to their places: `(from, count, to)` of each group.
const fn gather(half: u32, groups: &[(u32, u32, u32)]) -> u32 {
    let mut out = 0;
    let mut index = 0;
    while index < groups.len() {
        let (from, count, to) = groups[index];
        out |= (half >> from & ((1 << count) - 1)) << to;
        index += 1;
    }
    out
}

/// Sign-extends the low `count` bits.
const fn signed(value: u32, count: u32) -> i32 {
    (value << (32 - count)) as i32 >> (32 - count)
}

pub(super) fn decode(half: u16, wide: bool) -> Result<Inst, DecodeError> {
    let word = u32::from(half);
    let unsupported = Err(DecodeError::Unsupported { word });
    let full = |narrow, wide_op| if wide { wide_op } else { narrow };
    // The registers x8 to x15, which three-bit fields encode.
    let short = |low: u32| register((word >> low & 7) + 8, word);
    let long = |low: u32| register(word >> low & 31, word);
    let sp: Operand = Some(Reg::SP);
    let add = full(O::Add32, O::Add64);
    let imm6 = signed(gather(word, &[(2, 5, 0), (12, 1, 5)]), 6);
    let amount = gather(word, &[(2, 5, 0), (12, 1, 5)]) as i32;
    let word_offset = gather(word, &[(6, 1, 2), (10, 3, 3), (5, 1, 6)]) as i32;
    let double_offset = gather(word, &[(10, 3, 3), (5, 2, 6)]) as i32;
    let jump = signed(
        gather(word, &[(3, 3, 1), (11, 1, 4), (2, 1, 5), (7, 1, 6), (6, 1, 7), (9, 2, 8), (8, 1, 10), (12, 1, 11)]),
        12,
    );
    Ok(match (word & 3, word >> 13) {
        (0, 0) if half == 0 => Inst::Trap,
        (0, 0) => {
            let imm = gather(word, &[(6, 1, 2), (5, 1, 3), (11, 2, 4), (7, 4, 6)]) as i32;
            if imm == 0 {
                return unsupported;
            }
            Inst::OpImm { op: add, rd: short(2)?, rs1: sp, imm }
        }
        (0, 2) => Inst::Load { op: O::LoadIndirectI32, rd: short(2)?, rs1: short(7)?, offset: word_offset },
        (0, 3) if wide => Inst::Load { op: O::LoadIndirectU64, rd: short(2)?, rs1: short(7)?, offset: double_offset },
        (0, 6) => Inst::Store { op: O::StoreIndirectU32, rs1: short(7)?, rs2: short(2)?, offset: word_offset },
        (0, 7) if wide => {
            Inst::Store { op: O::StoreIndirectU64, rs1: short(7)?, rs2: short(2)?, offset: double_offset }
        }
        (1, 0) => Inst::OpImm { op: add, rd: long(7)?, rs1: long(7)?, imm: imm6 },
        (1, 1) if wide => {
            if word >> 7 & 31 == 0 {
                return unsupported;
            }
            Inst::OpImm { op: O::Add32, rd: long(7)?, rs1: long(7)?, imm: imm6 }
        }
        (1, 1) => Inst::Jal { rd: Some(Reg::RA), offset: jump },
        (1, 2) => Inst::OpImm { op: add, rd: long(7)?, rs1: None, imm: imm6 },
        (1, 3) if word >> 7 & 31 == 2 => {
            let imm = signed(gather(word, &[(6, 1, 4), (2, 1, 5), (5, 1, 6), (3, 2, 7), (12, 1, 9)]), 10);
            if imm == 0 {
                return unsupported;
            }
            Inst::OpImm { op: add, rd: sp, rs1: sp, imm }
        }
        (1, 3) if imm6 != 0 => Inst::Lui { rd: long(7)?, imm: imm6 << 12 },
        (1, 4) => {
            let rd = short(7)?;
            if !wide && amount >= 32 && word >> 10 & 3 < 2 {
                return unsupported;
            }
            let op_imm = |op, imm| Inst::OpImm { op, rd, rs1: rd, imm };
            match word >> 10 & 3 {
                0 => op_imm(full(O::ShiftLogicalRight32, O::ShiftLogicalRight64), amount),
                1 => op_imm(full(O::ShiftArithmeticRight32, O::ShiftArithmeticRight64), amount),
                2 => op_imm(O::And, imm6),
                _ => {
                    let op = match (word >> 12 & 1, word >> 5 & 3) {
                        (0, 0) => full(O::Sub32, O::Sub64),
                        (0, 1) => O::Xor,
                        (0, 2) => O::Or,
                        (0, 3) => O::And,
                        (1, 0) if wide => O::Sub32,
                        (1, 1) if wide => O::Add32,
                        _ => return unsupported,
                    };
                    Inst::Op { op, rd, rs1: rd, rs2: short(2)? }
                }
            }
        }
        (1, 5) => Inst::Jal { rd: None, offset: jump },
        (1, 6 | 7) => {
            let offset = signed(gather(word, &[(3, 2, 1), (10, 2, 3), (2, 1, 5), (5, 2, 6), (12, 1, 8)]), 9);
            let condition = if word >> 13 == 6 { Condition::Equal } else { Condition::NotEqual };
            Inst::Branch { condition, rs1: short(7)?, rs2: None, offset }
        }
        (2, 0) if wide || amount < 32 => {
            let op = full(O::ShiftLogicalLeft32, O::ShiftLogicalLeft64);
            Inst::OpImm { op, rd: long(7)?, rs1: long(7)?, imm: amount }
        }
        (2, 2) if word >> 7 & 31 != 0 => {
            let offset = gather(word, &[(4, 3, 2), (12, 1, 5), (2, 2, 6)]) as i32;
            Inst::Load { op: O::LoadIndirectI32, rd: long(7)?, rs1: sp, offset }
        }
        (2, 3) if wide && word >> 7 & 31 != 0 => {
            let offset = gather(word, &[(5, 2, 3), (12, 1, 5), (2, 3, 6)]) as i32;
            Inst::Load { op: O::LoadIndirectU64, rd: long(7)?, rs1: sp, offset }
        }
        (2, 4) => match (word >> 12 & 1, long(7)?, long(2)?) {
            (0, Some(rs1), None) => Inst::Jalr { rd: None, rs1: Some(rs1), offset: 0 },
            (0, rd, Some(rs2)) => Inst::Op { op: add, rd, rs1: None, rs2: Some(rs2) },
            (1, Some(rs1), None) => Inst::Jalr { rd: Some(Reg::RA), rs1: Some(rs1), offset: 0 },
            // `c.ebreak`
            (1, None, None) => Inst::Trap,
            (1, rd, Some(rs2)) => Inst::Op { op: add, rd, rs1: rd, rs2: Some(rs2) },
            _ => return unsupported,
        },
        (2, 6) => {
            let offset = gather(word, &[(9, 4, 2), (7, 2, 6)]) as i32;
            Inst::Store { op: O::StoreIndirectU32, rs1: sp, rs2: long(2)?, offset }
        }
        (2, 7) if wide => {
            let offset = gather(word, &[(10, 3, 3), (7, 3, 6)]) as i32;
            Inst::Store { op: O::StoreIndirectU64, rs1: sp, rs2: long(2)?, offset }
        }
        _ => return unsupported,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halfwords_are_what_an_assembler_makes_of_the_text() {
        let (a0, a1, sp, ra, s0) = (Some(Reg::A0), Some(Reg::A1), Some(Reg::SP), Some(Reg::RA), Some(Reg::S0));
        let cases: &[(u16, Inst)] = &[
            // c.addi a0, 1
            (0x0505, Inst::OpImm { op: O::Add64, rd: a0, rs1: a0, imm: 1 }),
            // c.addi sp, -32
            (0x1101, Inst::OpImm { op: O::Add64, rd: sp, rs1: sp, imm: -32 }),
            // c.addi4spn a0, sp, 8
            (0x0028, Inst::OpImm { op: O::Add64, rd: a0, rs1: sp, imm: 8 }),
            // c.sdsp ra, 24(sp)
            (0xec06, Inst::Store { op: O::StoreIndirectU64, rs1: sp, rs2: ra, offset: 24 }),
            // c.ldsp s0, 16(sp)
            (0x6442, Inst::Load { op: O::LoadIndirectU64, rd: s0, rs1: sp, offset: 16 }),
            // c.li a1, -1
            (0x55fd, Inst::OpImm { op: O::Add64, rd: a1, rs1: None, imm: -1 }),
            // c.lui a0, 0x1f000 (sign extended)
            (0x7575, Inst::Lui { rd: a0, imm: -12288 }),
            // c.mv a0, a1
            (0x852e, Inst::Op { op: O::Add64, rd: a0, rs1: None, rs2: a1 }),
            // c.add a0, a1
            (0x952e, Inst::Op { op: O::Add64, rd: a0, rs1: a0, rs2: a1 }),
            // c.jr ra
            (0x8082, Inst::Jalr { rd: None, rs1: ra, offset: 0 }),
            // c.jalr a0
            (0x9502, Inst::Jalr { rd: ra, rs1: a0, offset: 0 }),
            // c.lw a0, 4(a1)
            (0x41c8, Inst::Load { op: O::LoadIndirectI32, rd: a0, rs1: a1, offset: 4 }),
            // c.ld a0, 8(a1)
            (0x6588, Inst::Load { op: O::LoadIndirectU64, rd: a0, rs1: a1, offset: 8 }),
            // c.srli a0, 32
            (0x9101, Inst::OpImm { op: O::ShiftLogicalRight64, rd: a0, rs1: a0, imm: 32 }),
            // c.subw a0, a1
            (0x9d0d, Inst::Op { op: O::Sub32, rd: a0, rs1: a0, rs2: a1 }),
            // c.beqz a0, 8
            (0xc501, Inst::Branch { condition: Condition::Equal, rs1: a0, rs2: None, offset: 8 }),
            // c.j -2
            (0xbffd, Inst::Jal { rd: None, offset: -2 }),
            (0x0000, Inst::Trap),
        ];
        for (half, expected) in cases {
            assert_eq!(decode(*half, true), Ok(*expected), "{half:#x}");
        }
    }
}
