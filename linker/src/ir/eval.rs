//! Constant folding: the VM's arithmetic on constants (docs/spec/instructions.md#instructions).
//!
//! `tests/arithmetic.rs` compares each operation with the interpreter.

use vm_core::isa::Opcode as O;

/// Truncates a number to a register of 32 or 64 bits, sign-extended.
pub const fn narrow(value: i64, wide: bool) -> i64 {
    if wide { value } else { value as i32 as i64 }
}

const fn sx(value: u32) -> i64 {
    value as i32 as i64
}

/// Evaluates a two-operand operation; `None` for other opcodes.
pub fn binary(op: O, a: i64, b: i64, wide: bool) -> Option<i64> {
    let (a, b) = (narrow(a, wide), narrow(b, wide));
    let (ua, ub) = (a as u64, b as u64);
    let (a32, b32) = (a as i32, b as i32);
    let (ua32, ub32) = (a as u32, b as u32);
    let result = match op {
        O::Add32 => sx(ua32.wrapping_add(ub32)),
        O::Add64 => a.wrapping_add(b),
        O::Sub32 => sx(ua32.wrapping_sub(ub32)),
        O::Sub64 => a.wrapping_sub(b),
        O::And => a & b,
        O::Xor => a ^ b,
        O::Or => a | b,
        O::Mul32 => sx(ua32.wrapping_mul(ub32)),
        O::Mul64 => a.wrapping_mul(b),
        O::MulUpperSignedSigned if wide => ((a as i128 * b as i128) >> 64) as i64,
        O::MulUpperUnsignedUnsigned if wide => ((ua as u128 * ub as u128) >> 64) as i64,
        O::MulUpperSignedUnsigned if wide => ((a as i128 * ub as i128) >> 64) as i64,
        O::MulUpperSignedSigned => (a * b) >> 32,
        O::MulUpperUnsignedUnsigned => sx(((u64::from(ua32) * u64::from(ub32)) >> 32) as u32),
        O::MulUpperSignedUnsigned => (i64::from(a32) * i64::from(ub32)) >> 32,
        O::SetLessThanUnsigned => i64::from(ua < ub),
        O::SetLessThanSigned => i64::from(a < b),
        O::ShiftLogicalLeft32 => sx(ua32.wrapping_shl(ub32)),
        O::ShiftLogicalLeft64 => a.wrapping_shl(ub32),
        O::ShiftLogicalRight32 => sx(ua32.wrapping_shr(ub32)),
        O::ShiftLogicalRight64 => ua.wrapping_shr(ub32) as i64,
        O::ShiftArithmeticRight32 => i64::from(a32.wrapping_shr(ub32)),
        O::ShiftArithmeticRight64 => a.wrapping_shr(ub32),
        O::DivUnsigned32 => sx(ua32.checked_div(ub32).unwrap_or(u32::MAX)),
        O::DivUnsigned64 => ua.checked_div(ub).unwrap_or(u64::MAX) as i64,
        O::DivSigned32 => i64::from(if b32 == 0 { -1 } else { a32.wrapping_div(b32) }),
        O::DivSigned64 => {
            if b == 0 {
                -1
            } else {
                a.wrapping_div(b)
            }
        }
        O::RemUnsigned32 => sx(ua32.checked_rem(ub32).unwrap_or(ua32)),
        O::RemUnsigned64 => ua.checked_rem(ub).unwrap_or(ua) as i64,
        O::RemSigned32 => i64::from(if b32 == 0 { a32 } else { a32.wrapping_rem(b32) }),
        O::RemSigned64 => {
            if b == 0 {
                a
            } else {
                a.wrapping_rem(b)
            }
        }
        O::AndInverted => a & !b,
        O::OrInverted => a | !b,
        O::Xnor => !(a ^ b),
        O::Maximum => a.max(b),
        O::MaximumUnsigned => ua.max(ub) as i64,
        O::Minimum => a.min(b),
        O::MinimumUnsigned => ua.min(ub) as i64,
        O::RotateLeft32 => sx(ua32.rotate_left(ub32 & 31)),
        O::RotateLeft64 => a.rotate_left(ub32 & 63),
        O::RotateRight32 => sx(ua32.rotate_right(ub32 & 31)),
        O::RotateRight64 => a.rotate_right(ub32 & 63),
        _ => return None,
    };
    Some(narrow(result, wide))
}

/// Evaluates a one-operand operation; `None` for other opcodes.
pub fn unary(op: O, a: i64, wide: bool) -> Option<i64> {
    let a = narrow(a, wide);
    Some(match op {
        O::CountLeadingZeroBits32 => i64::from((a as u32).leading_zeros()),
        O::CountLeadingZeroBits64 => i64::from(a.leading_zeros()),
        O::CountTrailingZeroBits32 => i64::from((a as u32).trailing_zeros()),
        O::CountTrailingZeroBits64 => i64::from(a.trailing_zeros()),
        O::CountSetBits32 => i64::from((a as u32).count_ones()),
        O::CountSetBits64 => i64::from(a.count_ones()),
        O::SignExtend8 => i64::from(a as i8),
        O::SignExtend16 => i64::from(a as i16),
        O::ZeroExtend16 => i64::from(a as u16),
        O::ReverseByte if wide => a.swap_bytes(),
        O::ReverseByte => i64::from((a as i32).swap_bytes()),
        _ => return None,
    })
}

/// True if a branch is taken; `None` for opcodes that are not branches on two registers.
pub fn condition(op: O, a: i64, b: i64, wide: bool) -> Option<bool> {
    let (a, b) = (narrow(a, wide), narrow(b, wide));
    Some(match op {
        O::BranchEq => a == b,
        O::BranchNotEq => a != b,
        O::BranchLessUnsigned => (a as u64) < b as u64,
        O::BranchLessSigned => a < b,
        O::BranchGreaterOrEqualUnsigned => a as u64 >= b as u64,
        O::BranchGreaterOrEqualSigned => a >= b,
        _ => return None,
    })
}
