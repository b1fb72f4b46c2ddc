//! Decoder of 32-bit instructions.

use super::{Atomic, BitOp, Condition, DecodeError, Inst, Operand, compressed, register};
use vm_core::isa::Opcode as O;

/// A field of a word.
const fn bits(word: u32, low: u32, count: u32) -> u32 {
    word >> low & ((1 << count) - 1)
}

/// The immediate of loads, of `jalr` and of arithmetic.
const fn imm_i(word: u32) -> i32 {
    word as i32 >> 20
}

const fn imm_s(word: u32) -> i32 {
    (word as i32 >> 25 << 5) | bits(word, 7, 5) as i32
}

const fn imm_b(word: u32) -> i32 {
    (word as i32 >> 31 << 12) | (bits(word, 7, 1) << 11 | bits(word, 25, 6) << 5 | bits(word, 8, 4) << 1) as i32
}

const fn imm_j(word: u32) -> i32 {
    (word as i32 >> 31 << 20) | (bits(word, 12, 8) << 12 | bits(word, 20, 1) << 11 | bits(word, 21, 10) << 1) as i32
}

/// Decodes the instruction at the start of `word`, of which only the low half is used if it is a compressed one. Also
/// returns its length in bytes.
///
/// # Errors
/// If it is not an instruction that can be linked.
pub fn decode(word: u32, wide: bool) -> Result<(Inst, u32), DecodeError> {
    if word & 3 != 3 {
        return Ok((compressed::decode(word as u16, wide)?, 2));
    }
    Ok((Decoder { word, wide }.decode()?, 4))
}

struct Decoder {
    word: u32,
    wide: bool,
}

impl Decoder {
    fn unsupported<T>(&self) -> Result<T, DecodeError> {
        Err(DecodeError::Unsupported { word: self.word })
    }

    fn rd(&self) -> Result<Operand, DecodeError> {
        register(bits(self.word, 7, 5), self.word)
    }

    fn rs1(&self) -> Result<Operand, DecodeError> {
        register(bits(self.word, 15, 5), self.word)
    }

    fn rs2(&self) -> Result<Operand, DecodeError> {
        register(bits(self.word, 20, 5), self.word)
    }

    /// Selects the opcode for full-width registers.
    fn full(&self, narrow: O, wide: O) -> O {
        if self.wide { wide } else { narrow }
    }

    fn decode(&self) -> Result<Inst, DecodeError> {
        let word = self.word;
        let funct3 = bits(word, 12, 3);
        match bits(word, 0, 7) {
            0x37 => Ok(Inst::Lui { rd: self.rd()?, imm: (word & 0xffff_f000) as i32 }),
            0x17 => Ok(Inst::Auipc { rd: self.rd()?, imm: (word & 0xffff_f000) as i32 }),
            0x6f => Ok(Inst::Jal { rd: self.rd()?, offset: imm_j(word) }),
            0x67 if funct3 == 0 => Ok(Inst::Jalr { rd: self.rd()?, rs1: self.rs1()?, offset: imm_i(word) }),
            0x63 => {
                let condition = match funct3 {
                    0 => Condition::Equal,
                    1 => Condition::NotEqual,
                    4 => Condition::Less,
                    5 => Condition::GreaterOrEqual,
                    6 => Condition::LessUnsigned,
                    7 => Condition::GreaterOrEqualUnsigned,
                    _ => return self.unsupported(),
                };
                Ok(Inst::Branch { condition, rs1: self.rs1()?, rs2: self.rs2()?, offset: imm_b(word) })
            }
            0x03 => {
                let op = match (funct3, self.wide) {
                    (0, _) => O::LoadIndirectI8,
                    (1, _) => O::LoadIndirectI16,
                    (2, _) => O::LoadIndirectI32,
                    (3, true) => O::LoadIndirectU64,
                    (4, _) => O::LoadIndirectU8,
                    (5, _) => O::LoadIndirectU16,
                    (6, true) => O::LoadIndirectU32,
                    _ => return self.unsupported(),
                };
                Ok(Inst::Load { op, rd: self.rd()?, rs1: self.rs1()?, offset: imm_i(word) })
            }
            0x23 => {
                let op = match (funct3, self.wide) {
                    (0, _) => O::StoreIndirectU8,
                    (1, _) => O::StoreIndirectU16,
                    (2, _) => O::StoreIndirectU32,
                    (3, true) => O::StoreIndirectU64,
                    _ => return self.unsupported(),
                };
                Ok(Inst::Store { op, rs1: self.rs1()?, rs2: self.rs2()?, offset: imm_s(word) })
            }
            0x13 => self.op_imm(funct3),
            0x1b if self.wide => self.op_imm_32(funct3),
            0x33 => self.op(funct3),
            0x3b if self.wide => self.op_32(funct3),
            0x0f if funct3 <= 1 => Ok(Inst::Fence),
            0x2f => self.atomic(funct3),
            0x0b => self.custom(funct3),
            // `csrrw x0, cycle, x0`, which no program can execute, and `ebreak`.
            0x73 if matches!(word, 0xc000_1073 | 0x0010_0073) => Ok(Inst::Trap),
            _ => self.unsupported(),
        }
    }

    fn op_imm(&self, funct3: u32) -> Result<Inst, DecodeError> {
        let (rd, rs1, imm) = (self.rd()?, self.rs1()?, imm_i(self.word));
        let top = bits(self.word, 26, 6);
        let amount_bits = if self.wide { 6 } else { 5 };
        let amount = bits(self.word, 20, amount_bits) as i32;
        if !self.wide && matches!(funct3, 1 | 5) && top & 0x20 == 0 && bits(self.word, 25, 1) == 1 && top != 0x0a {
            return self.unsupported();
        }
        let bit = |op| Inst::BitImm { op, rd, rs1, bit: amount as u8 };
        let shift = |narrow, wide| Inst::OpImm { op: self.full(narrow, wide), rd, rs1, imm: amount };
        let op = match funct3 {
            0 => self.full(O::Add32, O::Add64),
            2 => O::SetLessThanSigned,
            3 => O::SetLessThanUnsigned,
            4 => O::Xor,
            6 => O::Or,
            7 => O::And,
            1 => {
                return match (top, self.word >> 20) {
                    (0, _) => Ok(shift(O::ShiftLogicalLeft32, O::ShiftLogicalLeft64)),
                    (0x0a, _) => Ok(bit(BitOp::Set)),
                    (0x12, _) => Ok(bit(BitOp::Clear)),
                    (0x1a, _) => Ok(bit(BitOp::Invert)),
                    (_, 0x600) => self.unary(O::CountLeadingZeroBits32, O::CountLeadingZeroBits64),
                    (_, 0x601) => self.unary(O::CountTrailingZeroBits32, O::CountTrailingZeroBits64),
                    (_, 0x602) => self.unary(O::CountSetBits32, O::CountSetBits64),
                    (_, 0x604) => self.unary(O::SignExtend8, O::SignExtend8),
                    (_, 0x605) => self.unary(O::SignExtend16, O::SignExtend16),
                    _ => self.unsupported(),
                };
            }
            _ => {
                return match (top, self.word >> 20) {
                    (_, 0x287) => Ok(Inst::OrCombine { rd, rs1 }),
                    (_, 0x698) if !self.wide => self.unary(O::ReverseByte, O::ReverseByte),
                    (_, 0x6b8) if self.wide => self.unary(O::ReverseByte, O::ReverseByte),
                    (0, _) => Ok(shift(O::ShiftLogicalRight32, O::ShiftLogicalRight64)),
                    (0x10, _) => Ok(shift(O::ShiftArithmeticRight32, O::ShiftArithmeticRight64)),
                    (0x18, _) => Ok(shift(O::RotateRight32, O::RotateRight64)),
                    (0x12, _) => Ok(bit(BitOp::Extract)),
                    _ => self.unsupported(),
                };
            }
        };
        Ok(Inst::OpImm { op, rd, rs1, imm })
    }

    fn unary(&self, narrow: O, wide: O) -> Result<Inst, DecodeError> {
        Ok(Inst::Unary { op: self.full(narrow, wide), rd: self.rd()?, rs1: self.rs1()? })
    }

    fn op_imm_32(&self, funct3: u32) -> Result<Inst, DecodeError> {
        let (rd, rs1) = (self.rd()?, self.rs1()?);
        let amount = bits(self.word, 20, 5) as i32;
        let op = match (funct3, bits(self.word, 25, 7)) {
            (0, _) => return Ok(Inst::OpImm { op: O::Add32, rd, rs1, imm: imm_i(self.word) }),
            (1, 0) => O::ShiftLogicalLeft32,
            (1, 4 | 5) => {
                return Ok(Inst::ShiftLeftWord { rd, rs1, amount: bits(self.word, 20, 6) as i32 });
            }
            (1, 0x30) => {
                let op = match amount {
                    0 => O::CountLeadingZeroBits32,
                    1 => O::CountTrailingZeroBits32,
                    2 => O::CountSetBits32,
                    _ => return self.unsupported(),
                };
                return Ok(Inst::Unary { op, rd, rs1 });
            }
            (5, 0) => O::ShiftLogicalRight32,
            (5, 0x20) => O::ShiftArithmeticRight32,
            (5, 0x30) => O::RotateRight32,
            _ => return self.unsupported(),
        };
        Ok(Inst::OpImm { op, rd, rs1, imm: amount })
    }

    fn op(&self, funct3: u32) -> Result<Inst, DecodeError> {
        let (rd, rs1, rs2) = (self.rd()?, self.rs1()?, self.rs2()?);
        let bit = |op| Ok(Inst::Bit { op, rd, rs1, rs2 });
        let op = match (bits(self.word, 25, 7), funct3) {
            (0, 0) => self.full(O::Add32, O::Add64),
            (0, 1) => self.full(O::ShiftLogicalLeft32, O::ShiftLogicalLeft64),
            (0, 2) => O::SetLessThanSigned,
            (0, 3) => O::SetLessThanUnsigned,
            (0, 4) => O::Xor,
            (0, 5) => self.full(O::ShiftLogicalRight32, O::ShiftLogicalRight64),
            (0, 6) => O::Or,
            (0, 7) => O::And,
            (0x20, 0) => self.full(O::Sub32, O::Sub64),
            (0x20, 4) => O::Xnor,
            (0x20, 5) => self.full(O::ShiftArithmeticRight32, O::ShiftArithmeticRight64),
            (0x20, 6) => O::OrInverted,
            (0x20, 7) => O::AndInverted,
            (1, 0) => self.full(O::Mul32, O::Mul64),
            (1, 1) => O::MulUpperSignedSigned,
            (1, 2) => O::MulUpperSignedUnsigned,
            (1, 3) => O::MulUpperUnsignedUnsigned,
            (1, 4) => self.full(O::DivSigned32, O::DivSigned64),
            (1, 5) => self.full(O::DivUnsigned32, O::DivUnsigned64),
            (1, 6) => self.full(O::RemSigned32, O::RemSigned64),
            (1, 7) => self.full(O::RemUnsigned32, O::RemUnsigned64),
            (5, 4) => O::Minimum,
            (5, 5) => O::MinimumUnsigned,
            (5, 6) => O::Maximum,
            (5, 7) => O::MaximumUnsigned,
            (0x30, 1) => self.full(O::RotateLeft32, O::RotateLeft64),
            (0x30, 5) => self.full(O::RotateRight32, O::RotateRight64),
            (0x10, 2 | 4 | 6) => {
                return Ok(Inst::ShiftAdd { shift: (funct3 / 2) as u8, word: false, rd, rs1, rs2 });
            }
            (0x14, 1) => return bit(BitOp::Set),
            (0x24, 1) => return bit(BitOp::Clear),
            (0x24, 5) => return bit(BitOp::Extract),
            (0x34, 1) => return bit(BitOp::Invert),
            (7, 5) => return Ok(Inst::ClearIf { zero: true, rd, rs1, condition: rs2 }),
            (7, 7) => return Ok(Inst::ClearIf { zero: false, rd, rs1, condition: rs2 }),
            (4, 4) if !self.wide && bits(self.word, 20, 5) == 0 => {
                return Ok(Inst::Unary { op: O::ZeroExtend16, rd, rs1 });
            }
            _ => return self.unsupported(),
        };
        Ok(Inst::Op { op, rd, rs1, rs2 })
    }

    fn op_32(&self, funct3: u32) -> Result<Inst, DecodeError> {
        let (rd, rs1, rs2) = (self.rd()?, self.rs1()?, self.rs2()?);
        let op = match (bits(self.word, 25, 7), funct3) {
            (0, 0) => O::Add32,
            (0, 1) => O::ShiftLogicalLeft32,
            (0, 5) => O::ShiftLogicalRight32,
            (0x20, 0) => O::Sub32,
            (0x20, 5) => O::ShiftArithmeticRight32,
            (1, 0) => O::Mul32,
            (1, 4) => O::DivSigned32,
            (1, 5) => O::DivUnsigned32,
            (1, 6) => O::RemSigned32,
            (1, 7) => O::RemUnsigned32,
            (0x30, 1) => O::RotateLeft32,
            (0x30, 5) => O::RotateRight32,
            (4, 0) if rs2.is_none() => return Ok(Inst::ZeroExtend32 { rd, rs1 }),
            (4, 0) => return Ok(Inst::ShiftAdd { shift: 0, word: true, rd, rs1, rs2 }),
            (4, 4) if rs2.is_none() => return Ok(Inst::Unary { op: O::ZeroExtend16, rd, rs1 }),
            (0x10, 2 | 4 | 6) => {
                return Ok(Inst::ShiftAdd { shift: (funct3 / 2) as u8, word: true, rd, rs1, rs2 });
            }
            _ => return self.unsupported(),
        };
        Ok(Inst::Op { op, rd, rs1, rs2 })
    }

    fn atomic(&self, funct3: u32) -> Result<Inst, DecodeError> {
        let word = match (funct3, self.wide) {
            (2, _) => true,
            (3, true) => false,
            _ => return self.unsupported(),
        };
        let (rd, rs1, rs2) = (self.rd()?, self.rs1()?, self.rs2()?);
        let plain = |op| Ok(Inst::Atomic { op: Atomic::Op(op), word, rd, rs1, rs2 });
        let add = if word { O::Add32 } else { O::Add64 };
        match bits(self.word, 27, 5) {
            0x02 if rs2.is_none() && rd.is_some() && rs1.is_some() => Ok(Inst::LoadReserved { word, rd, rs1 }),
            0x03 if rs1.is_some() => Ok(Inst::StoreConditional { word, rd, rs1, rs2 }),
            _ if rs1.is_none() => self.unsupported(),
            0x01 => Ok(Inst::Atomic { op: Atomic::Swap, word, rd, rs1, rs2 }),
            0x00 => plain(add),
            0x04 => plain(O::Xor),
            0x08 => plain(O::Or),
            0x0c => plain(O::And),
            0x10 => plain(O::Minimum),
            0x14 => plain(O::Maximum),
            0x18 => plain(O::MinimumUnsigned),
            0x1c => plain(O::MaximumUnsigned),
            _ => self.unsupported(),
        }
    }

    /// T-Head's conditional moves, and the custom instructions of guests (docs/linking.md#records-of-guests).
    fn custom(&self, funct3: u32) -> Result<Inst, DecodeError> {
        let (rd, rs1, rs2) = (self.rd()?, self.rs1()?, self.rs2()?);
        match (bits(self.word, 25, 7), funct3) {
            (0, 0) if self.word == 0x0b => Ok(Inst::HostCall),
            (0, 1) if rd.is_some() && rs1.is_some() && rs2.is_none() => Ok(Inst::Sbrk { rd, rs1 }),
            (0, 2) if (rd, rs1, rs2) == (None, None, None) => Ok(Inst::Memset),
            (0, 3) if (rs1, rs2) == (None, None) => Ok(Inst::HeapBase { rd }),
            (0x20, 1) => Ok(Inst::MoveIf { zero: true, rd, rs1, condition: rs2 }),
            (0x21, 1) => Ok(Inst::MoveIf { zero: false, rd, rs1, condition: rs2 }),
            _ => self.unsupported(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_core::isa::Reg;

    #[test]
    fn words_are_what_an_assembler_makes_of_the_text() {
        let (a0, a1, a2, sp, ra) = (Some(Reg::A0), Some(Reg::A1), Some(Reg::A2), Some(Reg::SP), Some(Reg::RA));
        let cases: &[(u32, Inst)] = &[
            // lui a0, 0x12345
            (0x1234_5537, Inst::Lui { rd: a0, imm: 0x1234_5000 }),
            // addi a0, a1, -1
            (0xfff5_8513, Inst::OpImm { op: O::Add64, rd: a0, rs1: a1, imm: -1 }),
            // addiw a0, a1, 5
            (0x0055_851b, Inst::OpImm { op: O::Add32, rd: a0, rs1: a1, imm: 5 }),
            // sd ra, 8(sp)
            (0x0011_3423, Inst::Store { op: O::StoreIndirectU64, rs1: sp, rs2: ra, offset: 8 }),
            // ld a0, -8(sp)
            (0xff81_3503, Inst::Load { op: O::LoadIndirectU64, rd: a0, rs1: sp, offset: -8 }),
            // beq a0, a1, +16
            (0x00b5_0863, Inst::Branch { condition: Condition::Equal, rs1: a0, rs2: a1, offset: 16 }),
            // jal ra, -4
            (0xffdf_f0ef, Inst::Jal { rd: ra, offset: -4 }),
            // jalr ra, 0(a0)
            (0x0005_00e7, Inst::Jalr { rd: ra, rs1: a0, offset: 0 }),
            // slli a0, a1, 63
            (0x03f5_9513, Inst::OpImm { op: O::ShiftLogicalLeft64, rd: a0, rs1: a1, imm: 63 }),
            // srai a0, a1, 32
            (0x4205_d513, Inst::OpImm { op: O::ShiftArithmeticRight64, rd: a0, rs1: a1, imm: 32 }),
            // sraiw a0, a1, 31
            (0x41f5_d51b, Inst::OpImm { op: O::ShiftArithmeticRight32, rd: a0, rs1: a1, imm: 31 }),
            // mulhsu a0, a1, a2
            (0x02c5_a533, Inst::Op { op: O::MulUpperSignedUnsigned, rd: a0, rs1: a1, rs2: a2 }),
            // andn a0, a1, a2
            (0x40c5_f533, Inst::Op { op: O::AndInverted, rd: a0, rs1: a1, rs2: a2 }),
            // rori a0, a1, 7
            (0x6075_d513, Inst::OpImm { op: O::RotateRight64, rd: a0, rs1: a1, imm: 7 }),
            // orc.b a0, a1
            (0x2875_d513, Inst::OrCombine { rd: a0, rs1: a1 }),
            // rev8 a0, a1
            (0x6b85_d513, Inst::Unary { op: O::ReverseByte, rd: a0, rs1: a1 }),
            // clz a0, a1
            (0x6005_9513, Inst::Unary { op: O::CountLeadingZeroBits64, rd: a0, rs1: a1 }),
            // zext.h a0, a1
            (0x0805_c53b, Inst::Unary { op: O::ZeroExtend16, rd: a0, rs1: a1 }),
            // sh2add a0, a1, a2
            (0x20c5_c533, Inst::ShiftAdd { shift: 2, word: false, rd: a0, rs1: a1, rs2: a2 }),
            // amoadd.w a0, a2, (a1)
            (0x00c5_a52f, Inst::Atomic { op: Atomic::Op(O::Add32), word: true, rd: a0, rs1: a1, rs2: a2 }),
            // th.mveqz a0, a1, a2
            (0x40c5_950b, Inst::MoveIf { zero: true, rd: a0, rs1: a1, condition: a2 }),
            // czero.nez a0, a1, a2
            (0x0ec5_f533, Inst::ClearIf { zero: false, rd: a0, rs1: a1, condition: a2 }),
            (0x0000_000b, Inst::HostCall),
            (0xc000_1073, Inst::Trap),
            (0x0010_0073, Inst::Trap),
        ];
        for (word, expected) in cases {
            assert_eq!(decode(*word, true), Ok((*expected, 4)), "{word:#x}");
        }
    }

    #[test]
    fn what_the_vm_lacks_is_refused_by_name() {
        // addi a6, a6, 1
        assert_eq!(decode(0x0018_0813, true), Err(DecodeError::Register { register: 16, word: 0x0018_0813 }));
        for (word, name) in [
            (0x0000_0073, "ecall"),
            (0x00b5_7553, "floating-point"),
            (0xc000_2573, "control and status register"),
            (0x0205_4057, "vector"),
            (u32::MAX, "unsupported instruction 0xffffffff"),
        ] {
            let error = decode(word, true).unwrap_err();
            assert_eq!(error, DecodeError::Unsupported { word });
            assert!(error.to_string().contains(name), "{error}");
        }
        // ld on RV32
        assert_eq!(decode(0xff81_3503, false), Err(DecodeError::Unsupported { word: 0xff81_3503 }));
    }
}
