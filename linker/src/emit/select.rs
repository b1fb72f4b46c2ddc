//! Instruction selection: chooses the instruction for an operation.
//!
//! An operation becomes one instruction, whose form (docs/spec/encoding.md#forms) depends on which operands are
//! constant.

use crate::ir::{Address, Imm, Op, Terminator, Val, Var, narrow};
use vm_core::isa::{Instruction, Opcode as O, Reg};

/// True if a constant fits an immediate. Addresses always do, see `data`.
pub fn imm_fits(imm: Imm, wide: bool) -> bool {
    match imm {
        Imm::Num(value) => !wide || value == value as i32 as i64,
        _ => true,
    }
}

/// True if there is an instruction for an operation in its current form.
pub fn fits(op: &Op, wide: bool) -> bool {
    match *op {
        Op::Binary { op, a, b, .. } => match (a, b) {
            (Val::Var(_), Val::Var(_)) => true,
            (Val::Var(_), Val::Imm(Imm::Num(imm))) => right(op, imm, wide).is_some(),
            (Val::Imm(Imm::Num(imm)), Val::Var(_)) => left(op, imm, wide).is_some(),
            // A symbol's value is not known yet; additions accept any value.
            (Val::Var(_), Val::Imm(_)) | (Val::Imm(_), Val::Var(_)) => {
                matches!(op, O::Add32 | O::Add64 | O::And | O::Or | O::Xor)
            }
            (Val::Imm(a), Val::Imm(b)) => a.number().is_some() && b.number().is_some(),
        },
        Op::Cmov { value: Val::Imm(imm), .. } => imm_fits(imm, wide),
        // A store keeps no more bits than the immediate is extended to.
        Op::Store { value: Val::Imm(Imm::Num(value)), op, .. } => {
            imm_fits(Imm::Num(value), wide) || op != O::StoreIndirectU64
        }
        _ => true,
    }
}

/// True if there is an instruction for a terminator in its current form.
pub fn terminator_fits(terminator: &Terminator, wide: bool) -> bool {
    match *terminator {
        Terminator::Branch { a: Val::Imm(a), b: Val::Imm(b), .. } => a.number().is_some() && b.number().is_some(),
        Terminator::Branch { a, b, .. } => [a, b].iter().all(|value| match value {
            Val::Imm(imm) => imm_fits(*imm, wide),
            Val::Var(_) => true,
        }),
        _ => true,
    }
}

/// Returns the form of `op(register, imm)`: its opcode, and its immediate.
pub fn right(op: O, imm: i64, wide: bool) -> Option<(O, i32)> {
    let imm = narrow(imm, wide);
    let same = i32::try_from(imm).ok();
    let inverted = i32::try_from(!imm).ok();
    let with = |op, imm: Option<i32>| Some((op, imm?));
    let amount = Some(imm as i32);
    match op {
        O::Add32 => with(O::AddImm32, amount),
        O::Add64 => with(O::AddImm64, same),
        O::Sub32 => with(O::AddImm32, Some((imm as i32).wrapping_neg())),
        O::Sub64 => with(O::AddImm64, i32::try_from(imm.checked_neg()?).ok()),
        O::And => with(O::AndImm, same),
        O::Xor => with(O::XorImm, same),
        O::Or => with(O::OrImm, same),
        O::AndInverted => with(O::AndImm, inverted),
        O::OrInverted => with(O::OrImm, inverted),
        O::Xnor => with(O::XorImm, inverted),
        O::Mul32 => with(O::MulImm32, amount),
        O::Mul64 => with(O::MulImm64, same),
        O::SetLessThanUnsigned => with(O::SetLessThanUnsignedImm, same),
        O::SetLessThanSigned => with(O::SetLessThanSignedImm, same),
        O::ShiftLogicalLeft32 => with(O::ShiftLogicalLeftImm32, amount.map(|by| by & 31)),
        O::ShiftLogicalLeft64 => with(O::ShiftLogicalLeftImm64, amount.map(|by| by & 63)),
        O::ShiftLogicalRight32 => with(O::ShiftLogicalRightImm32, amount.map(|by| by & 31)),
        O::ShiftLogicalRight64 => with(O::ShiftLogicalRightImm64, amount.map(|by| by & 63)),
        O::ShiftArithmeticRight32 => with(O::ShiftArithmeticRightImm32, amount.map(|by| by & 31)),
        O::ShiftArithmeticRight64 => with(O::ShiftArithmeticRightImm64, amount.map(|by| by & 63)),
        O::RotateRight32 => with(O::RotateRightImm32, amount.map(|by| by & 31)),
        O::RotateRight64 => with(O::RotateRightImm64, amount.map(|by| by & 63)),
        O::RotateLeft32 => with(O::RotateRightImm32, amount.map(|by| by.wrapping_neg() & 31)),
        O::RotateLeft64 => with(O::RotateRightImm64, amount.map(|by| by.wrapping_neg() & 63)),
        _ => None,
    }
}

/// Returns the form of `op(imm, register)`.
pub fn left(op: O, imm: i64, wide: bool) -> Option<(O, i32)> {
    let same = i32::try_from(narrow(imm, wide)).ok();
    let with = |op, imm: Option<i32>| Some((op, imm?));
    match op {
        O::Add32 | O::Add64 | O::And | O::Xor | O::Or | O::Xnor | O::Mul32 | O::Mul64 => right(op, imm, wide),
        O::Sub32 => with(O::NegateAndAddImm32, Some(imm as i32)),
        O::Sub64 => with(O::NegateAndAddImm64, same),
        O::SetLessThanUnsigned => with(O::SetGreaterThanUnsignedImm, same),
        O::SetLessThanSigned => with(O::SetGreaterThanSignedImm, same),
        O::ShiftLogicalLeft32 => with(O::ShiftLogicalLeftImmAlt32, Some(imm as i32)),
        O::ShiftLogicalLeft64 => with(O::ShiftLogicalLeftImmAlt64, same),
        O::ShiftLogicalRight32 => with(O::ShiftLogicalRightImmAlt32, Some(imm as i32)),
        O::ShiftLogicalRight64 => with(O::ShiftLogicalRightImmAlt64, same),
        O::ShiftArithmeticRight32 => with(O::ShiftArithmeticRightImmAlt32, Some(imm as i32)),
        O::ShiftArithmeticRight64 => with(O::ShiftArithmeticRightImmAlt64, same),
        O::RotateRight32 => with(O::RotateRightImmAlt32, Some(imm as i32)),
        O::RotateRight64 => with(O::RotateRightImmAlt64, same),
        // All ones and not x: the complement of x.
        O::AndInverted if imm == -1 => Some((O::XorImm, -1)),
        _ => None,
    }
}

/// Returns the branches for `register op imm` and `imm op register`.
fn branch_forms(op: O) -> Option<(O, O)> {
    Some(match op {
        O::BranchEq => (O::BranchEqImm, O::BranchEqImm),
        O::BranchNotEq => (O::BranchNotEqImm, O::BranchNotEqImm),
        O::BranchLessUnsigned => (O::BranchLessUnsignedImm, O::BranchGreaterUnsignedImm),
        O::BranchLessSigned => (O::BranchLessSignedImm, O::BranchGreaterSignedImm),
        O::BranchGreaterOrEqualUnsigned => (O::BranchGreaterOrEqualUnsignedImm, O::BranchLessOrEqualUnsignedImm),
        O::BranchGreaterOrEqualSigned => (O::BranchGreaterOrEqualSignedImm, O::BranchLessOrEqualSignedImm),
        _ => return None,
    })
}

/// Returns the branch with the negated condition.
pub fn opposite(op: O) -> O {
    match op {
        O::BranchEq => O::BranchNotEq,
        O::BranchNotEq => O::BranchEq,
        O::BranchLessUnsigned => O::BranchGreaterOrEqualUnsigned,
        O::BranchGreaterOrEqualUnsigned => O::BranchLessUnsigned,
        O::BranchLessSigned => O::BranchGreaterOrEqualSigned,
        O::BranchGreaterOrEqualSigned => O::BranchLessSigned,
        other => other,
    }
}

/// Returns the load from an absolute address for one relative to a register.
fn absolute(op: O) -> O {
    match op {
        O::LoadIndirectU8 => O::LoadU8,
        O::LoadIndirectI8 => O::LoadI8,
        O::LoadIndirectU16 => O::LoadU16,
        O::LoadIndirectI16 => O::LoadI16,
        O::LoadIndirectU32 => O::LoadU32,
        O::LoadIndirectI32 => O::LoadI32,
        O::LoadIndirectU64 => O::LoadU64,
        O::StoreIndirectU8 => O::StoreU8,
        O::StoreIndirectU16 => O::StoreU16,
        O::StoreIndirectU32 => O::StoreU32,
        O::StoreIndirectU64 => O::StoreU64,
        other => other,
    }
}

/// Returns the stores of a constant: to an absolute address, and relative to a register.
fn store_imm(op: O) -> (O, O) {
    match op {
        O::StoreIndirectU8 => (O::StoreImmU8, O::StoreImmIndirectU8),
        O::StoreIndirectU16 => (O::StoreImmU16, O::StoreImmIndirectU16),
        O::StoreIndirectU32 => (O::StoreImmU32, O::StoreImmIndirectU32),
        _ => (O::StoreImmU64, O::StoreImmIndirectU64),
    }
}

/// Selects instructions. `resolve` returns the values of symbols.
pub struct Selector<R> {
    /// True if registers have 64 bits.
    pub wide: bool,
    /// Returns the value of a constant.
    pub resolve: R,
}

impl<R: Fn(Imm) -> i64> Selector<R> {
    fn imm(&self, imm: Imm) -> i32 {
        (self.resolve)(imm) as i32
    }

    fn constant(&self, dst: Reg, value: i64) -> Instruction {
        match i32::try_from(narrow(value, self.wide)) {
            Ok(value) => Instruction::ri(O::LoadImm, dst, value),
            Err(_) => Instruction::rx(O::LoadImm64, dst, value),
        }
    }

    /// Selects the instruction for an operation; `None` if there is none, for which [`fits`] is false.
    pub fn op(&self, op: &Op) -> Option<Instruction> {
        let reg = |var: Var| var.reg();
        Some(match *op {
            Op::Const { dst, value } => self.constant(reg(dst)?, (self.resolve)(value)),
            Op::Move { dst, src } => Instruction::rr(O::MoveReg, reg(dst)?, reg(src)?),
            Op::Unary { op, dst, src } => Instruction::rr(op, reg(dst)?, reg(src)?),
            Op::Sbrk { dst, size } => Instruction::rr(O::Sbrk, reg(dst)?, reg(size)?),
            Op::Memset => Instruction::none(O::Memset),
            Op::HostCall { import } => Instruction::i(O::Ecalli, import as i32),
            Op::Binary { op, dst, a, b } => {
                let dst = reg(dst)?;
                match (a, b) {
                    (Val::Var(a), Val::Var(b)) => Instruction::rrr(op, dst, reg(a)?, reg(b)?),
                    (Val::Var(a), Val::Imm(imm)) => {
                        let (op, imm) = right(op, (self.resolve)(imm), self.wide)?;
                        Instruction::rri(op, dst, reg(a)?, imm)
                    }
                    (Val::Imm(imm), Val::Var(b)) => {
                        let (op, imm) = left(op, (self.resolve)(imm), self.wide)?;
                        Instruction::rri(op, dst, reg(b)?, imm)
                    }
                    (Val::Imm(a), Val::Imm(b)) => {
                        let value = crate::ir::binary(op, (self.resolve)(a), (self.resolve)(b), self.wide)?;
                        self.constant(dst, value)
                    }
                }
            }
            Op::Cmov { zero, dst, value, cond } => match value {
                Val::Var(value) => {
                    let op = if zero { O::CmovIfZero } else { O::CmovIfNotZero };
                    Instruction::rrr(op, reg(dst)?, reg(value)?, reg(cond)?)
                }
                Val::Imm(value) => {
                    let op = if zero { O::CmovIfZeroImm } else { O::CmovIfNotZeroImm };
                    Instruction::rri(op, reg(dst)?, reg(cond)?, self.imm(value))
                }
            },
            Op::Load { op, dst, address: Address { base, offset } } => match base {
                Some(base) => Instruction::rri(op, reg(dst)?, reg(base)?, self.imm(offset)),
                None => Instruction::ri(absolute(op), reg(dst)?, self.imm(offset)),
            },
            Op::Store { op, value, address: Address { base, offset } } => match (value, base) {
                (Val::Var(value), Some(base)) => Instruction::rri(op, reg(value)?, reg(base)?, self.imm(offset)),
                (Val::Var(value), None) => Instruction::ri(absolute(op), reg(value)?, self.imm(offset)),
                (Val::Imm(value), Some(base)) => {
                    Instruction::rii(store_imm(op).1, reg(base)?, self.imm(offset), self.imm(value))
                }
                (Val::Imm(value), None) => Instruction::ii(store_imm(op).0, self.imm(offset), self.imm(value)),
            },
        })
    }

    /// Selects the branch to `target` if `a op b`. `Err` holds the result of a condition that is constant.
    pub fn branch(&self, op: O, a: Val, b: Val, target: u32) -> Option<Result<Instruction, bool>> {
        let (right, left) = branch_forms(op)?;
        Some(Ok(match (a, b) {
            (Val::Var(a), Val::Var(b)) => Instruction::rro(op, a.reg()?, b.reg()?, target),
            (Val::Var(a), Val::Imm(imm)) => Instruction::rio(right, a.reg()?, self.imm(imm), target),
            (Val::Imm(imm), Val::Var(b)) => Instruction::rio(left, b.reg()?, self.imm(imm), target),
            (Val::Imm(a), Val::Imm(b)) => {
                return Some(Err(crate::ir::condition(op, (self.resolve)(a), (self.resolve)(b), self.wide)?));
            }
        }))
    }
}
