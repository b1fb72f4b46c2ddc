//! The main loop: runs ops until something happens that it does not decide.
//!
//! Called by the instance with translated code. Every op kind has its arm here; this is where instructions get their
//! meaning (spec: isa.md 2.4). One match over all of them, as a second one would be a second unpredictable jump for every
//! instruction. Registers of a 32-bit program hold sign-extended values, which all arms keep so.

use super::arith::*;
use super::op::{Kind, UNLINKED};
use super::translate::Translation;
use crate::blob::JumpTable;
use crate::isa::Reg;
use crate::memory::{MemoryMap, PagedMemory};

/// The registers: those of the guest, one that is always zero, and room up to a power of two, so that indexing needs no
/// check.
pub(super) type Registers = [u64; 16];

/// Why the loop stopped; the numbers are indexes of ops.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exit {
    Finished,
    Trap(usize),
    OutOfGas(usize),
    HostCall(usize),
    Step(usize),
    /// The op's target is not translated.
    Unlinked(usize),
    /// The op jumps to this code offset, which may be no valid target or is not translated.
    Enter(usize, u32),
}

/// Where a dynamic jump from op `from` to `address` leads (spec: isa.md 2.8).
#[inline]
fn dynamic_jump(code: &Translation, table: JumpTable<'_>, from: usize, address: u32) -> Result<usize, Exit> {
    if address == MemoryMap::RETURN_TO_HOST {
        return Err(Exit::Finished);
    }
    if address == 0 || !address.is_multiple_of(2) {
        return Err(Exit::Trap(from));
    }
    let offset = table.get(address / 2 - 1).ok_or(Exit::Trap(from))?;
    code.block(offset).ok_or(Exit::Enter(from, offset))
}

/// Guest memset (spec: isa.md 2.9): returns whether it is done, or why not.
#[inline(never)]
fn memset(regs: &mut Registers, memory: &mut PagedMemory, gas: &mut i64, metered: bool, at: usize) -> Result<(), Exit> {
    let (to, value, count) = (Reg::A0 as usize, Reg::A1 as usize, Reg::A2 as usize);
    let wanted = regs[count] as u32;
    let payable = match metered {
        true => u32::try_from((*gas).max(0)).unwrap_or(u32::MAX).min(wanted),
        false => wanted,
    };
    let done = memory.fill(regs[to] as u32, regs[value] as u8, payable);
    regs[to] = sx32((regs[to] as u32).wrapping_add(done));
    regs[count] = sx32(wanted - done);
    if metered {
        *gas -= i64::from(done);
    }
    if done < payable {
        Err(Exit::Trap(at))
    } else if done < wanted {
        Err(Exit::OutOfGas(at))
    } else {
        Ok(())
    }
}

/// Runs from op `ip`. Gas is only looked at by ops that charge.
#[inline(never)]
pub(super) fn execute(
    code: &Translation,
    table: JumpTable<'_>,
    metered: bool,
    regs: &mut Registers,
    memory: &mut PagedMemory,
    gas: &mut i64,
    mut ip: usize,
) -> Exit {
    let ops = code.ops();
    let mut gas_left = *gas;
    let exit = loop {
        let Some(op) = ops.get(ip) else { break Exit::Unlinked(ip & !(UNLINKED as usize)) };

        macro_rules! reg {
            ($field:ident) => {
                regs[(op.$field & 15) as usize]
            };
        }
        macro_rules! low {
            ($field:ident) => {
                reg!($field) as u32
            };
        }
        macro_rules! set {
            ($value:expr) => {
                reg!(a) = $value
            };
        }
        macro_rules! imm {
            () => {
                sx32(op.imm)
            };
        }
        macro_rules! load {
            ($type:ty, $wide:ty) => {
                match memory.load((reg!(b) as u32).wrapping_add(op.imm)) {
                    Ok(bytes) => set!(<$type>::from_le_bytes(bytes) as $wide as u64),
                    Err(_) => break Exit::Trap(ip),
                }
            };
        }
        macro_rules! store {
            ($type:ty, $value:expr) => {{
                let address = (reg!(b) as u32).wrapping_add(op.imm);
                if memory.store(address, ($value as $type).to_le_bytes()).is_err() {
                    break Exit::Trap(ip);
                }
            }};
        }
        macro_rules! branch {
            ($condition:expr) => {{
                ip = if $condition { op.lo as usize } else { ip + 1 };
                continue;
            }};
        }

        match op.kind {
            Kind::Charge => {
                let cost = i64::from(op.imm);
                if gas_left < cost {
                    break Exit::OutOfGas(ip);
                }
                gas_left -= cost;
            }
            Kind::Step => break Exit::Step(ip),
            Kind::Trap => break Exit::Trap(ip),
            Kind::HostCall => break Exit::HostCall(ip),
            Kind::Jump => branch!(true),
            Kind::LoadImmAndJump => {
                set!(imm!());
                branch!(true)
            }
            Kind::JumpIndirect => match dynamic_jump(code, table, ip, (reg!(b) as u32).wrapping_add(op.imm)) {
                Ok(index) => {
                    ip = index;
                    continue;
                }
                Err(exit) => break exit,
            },
            Kind::LoadImmAndJumpIndirect => {
                let address = (reg!(b) as u32).wrapping_add(op.imm);
                set!(sx32(op.lo));
                match dynamic_jump(code, table, ip, address) {
                    Ok(index) => {
                        ip = index;
                        continue;
                    }
                    Err(exit) => break exit,
                }
            }
            Kind::Memset => {
                if let Err(exit) = memset(regs, memory, &mut gas_left, metered, ip) {
                    break exit;
                }
            }
            Kind::Sbrk => set!(sx32(memory.sbrk(reg!(b) as u32).unwrap_or(0))),

            Kind::LoadImm => set!(imm!()),
            Kind::LoadImm64 => set!(u64::from(op.lo) | u64::from(op.hi) << 32),
            Kind::MoveReg => set!(reg!(b)),

            Kind::LoadU8 => load!(u8, u64),
            Kind::LoadI8 => load!(i8, i64),
            Kind::LoadU16 => load!(u16, u64),
            Kind::LoadI16 => load!(i16, i64),
            Kind::LoadU32 => load!(u32, u64),
            Kind::LoadI32 => load!(i32, i64),
            Kind::LoadU64 => load!(u64, u64),
            Kind::StoreU8 => store!(u8, reg!(a)),
            Kind::StoreU16 => store!(u16, reg!(a)),
            Kind::StoreU32 => store!(u32, reg!(a)),
            Kind::StoreU64 => store!(u64, reg!(a)),
            Kind::StoreImmU8 => store!(u8, op.lo),
            Kind::StoreImmU16 => store!(u16, op.lo),
            Kind::StoreImmU32 => store!(u32, op.lo),
            Kind::StoreImmU64 => store!(u64, sx32(op.lo)),

            Kind::BranchEq => branch!(reg!(a) == reg!(b)),
            Kind::BranchNotEq => branch!(reg!(a) != reg!(b)),
            Kind::BranchLessUnsigned => branch!(reg!(a) < reg!(b)),
            Kind::BranchLessSigned => branch!((reg!(a) as i64) < reg!(b) as i64),
            Kind::BranchGreaterOrEqualUnsigned => branch!(reg!(a) >= reg!(b)),
            Kind::BranchGreaterOrEqualSigned => branch!(reg!(a) as i64 >= reg!(b) as i64),
            Kind::BranchEqImm => branch!(reg!(a) == imm!()),
            Kind::BranchNotEqImm => branch!(reg!(a) != imm!()),
            Kind::BranchLessUnsignedImm => branch!(reg!(a) < imm!()),
            Kind::BranchLessSignedImm => branch!((reg!(a) as i64) < imm!() as i64),
            Kind::BranchLessOrEqualUnsignedImm => branch!(reg!(a) <= imm!()),
            Kind::BranchLessOrEqualSignedImm => branch!(reg!(a) as i64 <= imm!() as i64),
            Kind::BranchGreaterOrEqualUnsignedImm => branch!(reg!(a) >= imm!()),
            Kind::BranchGreaterOrEqualSignedImm => branch!(reg!(a) as i64 >= imm!() as i64),
            Kind::BranchGreaterUnsignedImm => branch!(reg!(a) > imm!()),
            Kind::BranchGreaterSignedImm => branch!(reg!(a) as i64 > imm!() as i64),

            Kind::AddImm32 => set!(sx32(low!(b).wrapping_add(op.imm))),
            Kind::AddImm64 => set!(reg!(b).wrapping_add(imm!())),
            Kind::AndImm => set!(reg!(b) & imm!()),
            Kind::XorImm => set!(reg!(b) ^ imm!()),
            Kind::OrImm => set!(reg!(b) | imm!()),
            Kind::MulImm32 => set!(sx32(low!(b).wrapping_mul(op.imm))),
            Kind::MulImm64 => set!(reg!(b).wrapping_mul(imm!())),
            Kind::SetLessThanUnsignedImm => set!(u64::from(reg!(b) < imm!())),
            Kind::SetLessThanSignedImm => set!(u64::from((reg!(b) as i64) < imm!() as i64)),
            Kind::SetGreaterThanUnsignedImm => set!(u64::from(reg!(b) > imm!())),
            Kind::SetGreaterThanSignedImm => set!(u64::from(reg!(b) as i64 > imm!() as i64)),
            Kind::ShiftLogicalLeftImm32 => set!(sx32(low!(b).wrapping_shl(op.imm))),
            Kind::ShiftLogicalLeftImm64 => set!(reg!(b).wrapping_shl(op.imm)),
            Kind::ShiftLogicalRightImm32 => set!(sx32(low!(b).wrapping_shr(op.imm))),
            Kind::ShiftLogicalRightImm64 => set!(reg!(b).wrapping_shr(op.imm)),
            Kind::ShiftArithmeticRightImm32 => set!(sx32((low!(b) as i32).wrapping_shr(op.imm) as u32)),
            Kind::ShiftArithmeticRightImm64 => set!((reg!(b) as i64).wrapping_shr(op.imm) as u64),
            Kind::NegateAndAddImm32 => set!(sx32(op.imm.wrapping_sub(low!(b)))),
            Kind::NegateAndAddImm64 => set!(imm!().wrapping_sub(reg!(b))),
            Kind::ShiftLogicalRightImmAlt32 => set!(sx32(op.imm.wrapping_shr(low!(b)))),
            Kind::ShiftLogicalRightImmAlt64 => set!(imm!().wrapping_shr(low!(b))),
            Kind::ShiftArithmeticRightImmAlt32 => set!(sx32((op.imm as i32).wrapping_shr(low!(b)) as u32)),
            Kind::ShiftArithmeticRightImmAlt64 => set!((imm!() as i64).wrapping_shr(low!(b)) as u64),
            Kind::ShiftLogicalLeftImmAlt32 => set!(sx32(op.imm.wrapping_shl(low!(b)))),
            Kind::ShiftLogicalLeftImmAlt64 => set!(imm!().wrapping_shl(low!(b))),
            Kind::CmovIfZeroImm => set!(if reg!(b) == 0 { imm!() } else { reg!(a) }),
            Kind::CmovIfNotZeroImm => set!(if reg!(b) != 0 { imm!() } else { reg!(a) }),
            Kind::RotateRightImm32 => set!(sx32(low!(b).rotate_right(op.imm & 31))),
            Kind::RotateRightImmAlt32 => set!(sx32(op.imm.rotate_right(low!(b) & 31))),
            Kind::RotateRightImm64 => set!(reg!(b).rotate_right(op.imm & 63)),
            Kind::RotateRightImmAlt64 => set!(imm!().rotate_right(low!(b) & 63)),
            Kind::Add32 => set!(sx32(low!(b).wrapping_add(low!(c)))),
            Kind::Add64 => set!(reg!(b).wrapping_add(reg!(c))),
            Kind::Sub32 => set!(sx32(low!(b).wrapping_sub(low!(c)))),
            Kind::Sub64 => set!(reg!(b).wrapping_sub(reg!(c))),
            Kind::And => set!(reg!(b) & reg!(c)),
            Kind::Xor => set!(reg!(b) ^ reg!(c)),
            Kind::Or => set!(reg!(b) | reg!(c)),
            Kind::Mul32 => set!(sx32(low!(b).wrapping_mul(low!(c)))),
            Kind::Mul64 => set!(reg!(b).wrapping_mul(reg!(c))),
            Kind::MulUpperSignedSigned => set!(mul_upper_signed(reg!(b), reg!(c))),
            Kind::MulUpperUnsignedUnsigned => set!(mul_upper_unsigned(reg!(b), reg!(c))),
            Kind::MulUpperSignedUnsigned => set!(mul_upper_signed_unsigned(reg!(b), reg!(c))),
            Kind::MulUpperSignedSignedNarrow => set!(mul_upper_signed_narrow(reg!(b), reg!(c))),
            Kind::MulUpperUnsignedUnsignedNarrow => set!(mul_upper_unsigned_narrow(reg!(b), reg!(c))),
            Kind::MulUpperSignedUnsignedNarrow => set!(mul_upper_signed_unsigned_narrow(reg!(b), reg!(c))),
            Kind::SetLessThanUnsigned => set!(u64::from(reg!(b) < reg!(c))),
            Kind::SetLessThanSigned => set!(u64::from((reg!(b) as i64) < reg!(c) as i64)),
            Kind::ShiftLogicalLeft32 => set!(sx32(low!(b).wrapping_shl(low!(c)))),
            Kind::ShiftLogicalLeft64 => set!(reg!(b).wrapping_shl(low!(c))),
            Kind::ShiftLogicalRight32 => set!(sx32(low!(b).wrapping_shr(low!(c)))),
            Kind::ShiftLogicalRight64 => set!(reg!(b).wrapping_shr(low!(c))),
            Kind::ShiftArithmeticRight32 => set!(sx32((low!(b) as i32).wrapping_shr(low!(c)) as u32)),
            Kind::ShiftArithmeticRight64 => set!((reg!(b) as i64).wrapping_shr(low!(c)) as u64),
            Kind::DivUnsigned32 => set!(sx32(div_unsigned_32(low!(b), low!(c)))),
            Kind::DivUnsigned64 => set!(div_unsigned_64(reg!(b), reg!(c))),
            Kind::DivSigned32 => set!(sx32(div_signed_32(low!(b) as i32, low!(c) as i32) as u32)),
            Kind::DivSigned64 => set!(div_signed_64(reg!(b) as i64, reg!(c) as i64) as u64),
            Kind::RemUnsigned32 => set!(sx32(rem_unsigned_32(low!(b), low!(c)))),
            Kind::RemUnsigned64 => set!(rem_unsigned_64(reg!(b), reg!(c))),
            Kind::RemSigned32 => set!(sx32(rem_signed_32(low!(b) as i32, low!(c) as i32) as u32)),
            Kind::RemSigned64 => set!(rem_signed_64(reg!(b) as i64, reg!(c) as i64) as u64),
            Kind::CmovIfZero => set!(if reg!(c) == 0 { reg!(b) } else { reg!(a) }),
            Kind::CmovIfNotZero => set!(if reg!(c) != 0 { reg!(b) } else { reg!(a) }),
            Kind::AndInverted => set!(reg!(b) & !reg!(c)),
            Kind::OrInverted => set!(reg!(b) | !reg!(c)),
            Kind::Xnor => set!(!(reg!(b) ^ reg!(c))),
            Kind::Maximum => set!((reg!(b) as i64).max(reg!(c) as i64) as u64),
            Kind::MaximumUnsigned => set!(reg!(b).max(reg!(c))),
            Kind::Minimum => set!((reg!(b) as i64).min(reg!(c) as i64) as u64),
            Kind::MinimumUnsigned => set!(reg!(b).min(reg!(c))),
            Kind::RotateLeft32 => set!(sx32(low!(b).rotate_left(low!(c) & 31))),
            Kind::RotateLeft64 => set!(reg!(b).rotate_left(low!(c) & 63)),
            Kind::RotateRight32 => set!(sx32(low!(b).rotate_right(low!(c) & 31))),
            Kind::RotateRight64 => set!(reg!(b).rotate_right(low!(c) & 63)),
            Kind::CountLeadingZeroBits32 => set!(u64::from(low!(b).leading_zeros())),
            Kind::CountLeadingZeroBits64 => set!(u64::from(reg!(b).leading_zeros())),
            Kind::CountTrailingZeroBits32 => set!(u64::from(low!(b).trailing_zeros())),
            Kind::CountTrailingZeroBits64 => set!(u64::from(reg!(b).trailing_zeros())),
            Kind::CountSetBits32 => set!(u64::from(low!(b).count_ones())),
            Kind::CountSetBits64 => set!(u64::from(reg!(b).count_ones())),
            Kind::SignExtend8 => set!(reg!(b) as i8 as u64),
            Kind::SignExtend16 => set!(reg!(b) as i16 as u64),
            Kind::ZeroExtend16 => set!(u64::from(reg!(b) as u16)),
            Kind::ReverseByte => set!(reg!(b).swap_bytes()),
            Kind::ReverseByteNarrow => set!(sx32(low!(b).swap_bytes())),
        }
        ip += 1;
    };
    *gas = gas_left;
    exit
}
