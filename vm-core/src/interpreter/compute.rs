//! The arithmetic part of the main loop: ops that only change a register.
//!
//! Inlined into `execute`, where both matches become one jump table. Spec: isa.md 2.4.

use super::arith::*;
use super::execute::Registers;
use super::op::{Kind, Op};

/// Runs an op that touches nothing but registers. Others do nothing here.
#[inline(always)]
pub(super) fn compute(op: &Op, regs: &mut Registers) {
    // First and second source, and their low halves.
    let b = regs[(op.b & 15) as usize];
    let c = regs[(op.c & 15) as usize];
    let b32 = b as u32;
    let c32 = c as u32;
    // The immediate in full width.
    let imm = sx32(op.imm);
    let old = regs[(op.a & 15) as usize];

    regs[(op.a & 15) as usize] = match op.kind {
        Kind::AddImm32 => sx32(b32.wrapping_add(op.imm)),
        Kind::AddImm64 => b.wrapping_add(imm),
        Kind::AndImm => b & imm,
        Kind::XorImm => b ^ imm,
        Kind::OrImm => b | imm,
        Kind::MulImm32 => sx32(b32.wrapping_mul(op.imm)),
        Kind::MulImm64 => b.wrapping_mul(imm),
        Kind::SetLessThanUnsignedImm => u64::from(b < imm),
        Kind::SetLessThanSignedImm => u64::from((b as i64) < imm as i64),
        Kind::SetGreaterThanUnsignedImm => u64::from(b > imm),
        Kind::SetGreaterThanSignedImm => u64::from(b as i64 > imm as i64),
        Kind::ShiftLogicalLeftImm32 => sx32(b32.wrapping_shl(op.imm)),
        Kind::ShiftLogicalLeftImm64 => b.wrapping_shl(op.imm),
        Kind::ShiftLogicalRightImm32 => sx32(b32.wrapping_shr(op.imm)),
        Kind::ShiftLogicalRightImm64 => b.wrapping_shr(op.imm),
        Kind::ShiftArithmeticRightImm32 => sx32((b32 as i32).wrapping_shr(op.imm) as u32),
        Kind::ShiftArithmeticRightImm64 => (b as i64).wrapping_shr(op.imm) as u64,
        Kind::NegateAndAddImm32 => sx32(op.imm.wrapping_sub(b32)),
        Kind::NegateAndAddImm64 => imm.wrapping_sub(b),
        Kind::ShiftLogicalRightImmAlt32 => sx32(op.imm.wrapping_shr(b32)),
        Kind::ShiftLogicalRightImmAlt64 => imm.wrapping_shr(b32),
        Kind::ShiftArithmeticRightImmAlt32 => sx32((op.imm as i32).wrapping_shr(b32) as u32),
        Kind::ShiftArithmeticRightImmAlt64 => (imm as i64).wrapping_shr(b32) as u64,
        Kind::ShiftLogicalLeftImmAlt32 => sx32(op.imm.wrapping_shl(b32)),
        Kind::ShiftLogicalLeftImmAlt64 => imm.wrapping_shl(b32),
        Kind::CmovIfZeroImm => {
            if b == 0 {
                imm
            } else {
                old
            }
        }
        Kind::CmovIfNotZeroImm => {
            if b != 0 {
                imm
            } else {
                old
            }
        }
        Kind::RotateRightImm32 => sx32(b32.rotate_right(op.imm & 31)),
        Kind::RotateRightImmAlt32 => sx32(op.imm.rotate_right(b32 & 31)),
        Kind::RotateRightImm64 => b.rotate_right(op.imm & 63),
        Kind::RotateRightImmAlt64 => imm.rotate_right(b32 & 63),

        Kind::Add32 => sx32(b32.wrapping_add(c32)),
        Kind::Add64 => b.wrapping_add(c),
        Kind::Sub32 => sx32(b32.wrapping_sub(c32)),
        Kind::Sub64 => b.wrapping_sub(c),
        Kind::And => b & c,
        Kind::Xor => b ^ c,
        Kind::Or => b | c,
        Kind::Mul32 => sx32(b32.wrapping_mul(c32)),
        Kind::Mul64 => b.wrapping_mul(c),
        Kind::MulUpperSignedSigned => mul_upper_signed(b, c),
        Kind::MulUpperUnsignedUnsigned => mul_upper_unsigned(b, c),
        Kind::MulUpperSignedUnsigned => mul_upper_signed_unsigned(b, c),
        Kind::MulUpperSignedSignedNarrow => mul_upper_signed_narrow(b, c),
        Kind::MulUpperUnsignedUnsignedNarrow => mul_upper_unsigned_narrow(b, c),
        Kind::MulUpperSignedUnsignedNarrow => mul_upper_signed_unsigned_narrow(b, c),
        Kind::SetLessThanUnsigned => u64::from(b < c),
        Kind::SetLessThanSigned => u64::from((b as i64) < c as i64),
        Kind::ShiftLogicalLeft32 => sx32(b32.wrapping_shl(c32)),
        Kind::ShiftLogicalLeft64 => b.wrapping_shl(c32),
        Kind::ShiftLogicalRight32 => sx32(b32.wrapping_shr(c32)),
        Kind::ShiftLogicalRight64 => b.wrapping_shr(c32),
        Kind::ShiftArithmeticRight32 => sx32((b32 as i32).wrapping_shr(c32) as u32),
        Kind::ShiftArithmeticRight64 => (b as i64).wrapping_shr(c32) as u64,
        Kind::DivUnsigned32 => sx32(div_unsigned_32(b32, c32)),
        Kind::DivUnsigned64 => div_unsigned_64(b, c),
        Kind::DivSigned32 => sx32(div_signed_32(b32 as i32, c32 as i32) as u32),
        Kind::DivSigned64 => div_signed_64(b as i64, c as i64) as u64,
        Kind::RemUnsigned32 => sx32(rem_unsigned_32(b32, c32)),
        Kind::RemUnsigned64 => rem_unsigned_64(b, c),
        Kind::RemSigned32 => sx32(rem_signed_32(b32 as i32, c32 as i32) as u32),
        Kind::RemSigned64 => rem_signed_64(b as i64, c as i64) as u64,
        Kind::CmovIfZero => {
            if c == 0 {
                b
            } else {
                old
            }
        }
        Kind::CmovIfNotZero => {
            if c != 0 {
                b
            } else {
                old
            }
        }
        Kind::AndInverted => b & !c,
        Kind::OrInverted => b | !c,
        Kind::Xnor => !(b ^ c),
        Kind::Maximum => (b as i64).max(c as i64) as u64,
        Kind::MaximumUnsigned => b.max(c),
        Kind::Minimum => (b as i64).min(c as i64) as u64,
        Kind::MinimumUnsigned => b.min(c),
        Kind::RotateLeft32 => sx32(b32.rotate_left(c32 & 31)),
        Kind::RotateLeft64 => b.rotate_left(c32 & 63),
        Kind::RotateRight32 => sx32(b32.rotate_right(c32 & 31)),
        Kind::RotateRight64 => b.rotate_right(c32 & 63),

        Kind::CountLeadingZeroBits32 => u64::from(b32.leading_zeros()),
        Kind::CountLeadingZeroBits64 => u64::from(b.leading_zeros()),
        Kind::CountTrailingZeroBits32 => u64::from(b32.trailing_zeros()),
        Kind::CountTrailingZeroBits64 => u64::from(b.trailing_zeros()),
        Kind::CountSetBits32 => u64::from(b32.count_ones()),
        Kind::CountSetBits64 => u64::from(b.count_ones()),
        Kind::SignExtend8 => b as i8 as u64,
        Kind::SignExtend16 => b as i16 as u64,
        Kind::ZeroExtend16 => u64::from(b as u16),
        Kind::ReverseByte => b.swap_bytes(),
        Kind::ReverseByteNarrow => sx32(b32.swap_bytes()),
        _ => old,
    };
}
