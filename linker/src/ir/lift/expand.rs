//! Lifting of single instructions: those that the VM has, and the expansions of the others (docs/linking.md#input-files).

use super::{Lifter, val};
use crate::ir::{Address, Imm, Op, Val, Var, narrow, unary};
use crate::riscv::{Atomic, BitOp, Inst};
use vm_core::isa::{Opcode as O, Reg};

impl Lifter<'_> {
    /// Lifts an instruction to the VM's operations: to one if the VM has it, else to an expansion.
    pub(super) fn expand(&self, inst: Inst, ops: &mut Vec<Op>) {
        let wide = self.image.wide;
        let full = |narrow, wide_op| if wide { wide_op } else { narrow };
        let left = full(O::ShiftLogicalLeft32, O::ShiftLogicalLeft64);
        let right = full(O::ShiftLogicalRight32, O::ShiftLogicalRight64);
        let add = full(O::Add32, O::Add64);
        let (e0, e1) = (Var::temporary(0), Var::temporary(1));
        let num = |value: i64| Val::Imm(Imm::Num(value));
        let mut push = |op, dst: Var, a: Val, b: Val| ops.push(Op::Binary { op, dst, a, b });
        match inst {
            Inst::Unary { op, rd: Some(rd), rs1 } => match rs1 {
                Some(src) => ops.push(Op::Unary { op, dst: Var::of(rd), src: Var::of(src) }),
                None => {
                    let value = Imm::Num(unary(op, 0, wide).unwrap_or(0));
                    ops.push(Op::Const { dst: Var::of(rd), value });
                }
            },
            Inst::ZeroExtend32 { rd: Some(rd), rs1 } => {
                push(left, Var::of(rd), val(rs1), num(32));
                push(right, Var::of(rd), Var::of(rd).into(), num(32));
            }
            Inst::ShiftAdd { shift, word, rd: Some(rd), rs1, rs2 } => {
                if word {
                    push(left, e0, val(rs1), num(32));
                    push(right, e0, e0.into(), num(32 - i64::from(shift)));
                } else {
                    push(left, e0, val(rs1), num(shift.into()));
                }
                push(add, Var::of(rd), e0.into(), val(rs2));
            }
            Inst::ShiftLeftWord { rd: Some(rd), rs1, amount } => {
                push(left, e0, val(rs1), num(32));
                if amount < 32 {
                    push(right, Var::of(rd), e0.into(), num(i64::from(32 - amount)));
                } else {
                    push(left, Var::of(rd), e0.into(), num(i64::from(amount - 32)));
                }
            }
            Inst::Bit { op, rd: Some(rd), rs1, rs2 } => match op {
                BitOp::Extract => {
                    push(right, e0, val(rs1), val(rs2));
                    push(O::And, Var::of(rd), e0.into(), num(1));
                }
                _ => {
                    push(left, e0, num(1), val(rs2));
                    push(bit(op), Var::of(rd), val(rs1), e0.into());
                }
            },
            Inst::BitImm { op, rd: Some(rd), rs1, bit: number } => match op {
                BitOp::Extract => {
                    push(right, e0, val(rs1), num(number.into()));
                    push(O::And, Var::of(rd), e0.into(), num(1));
                }
                _ => push(bit(op), Var::of(rd), val(rs1), num(narrow(1 << (number & 63), wide))),
            },
            Inst::OrCombine { rd: Some(rd), rs1 } => {
                // The high bit of each byte that is not zero: either it is set, or adding 0x7f to the other bits sets
                // it.
                let low = narrow(0x7f7f_7f7f_7f7f_7f7f, wide);
                push(O::And, e0, val(rs1), num(low));
                push(add, e0, e0.into(), num(low));
                push(O::Or, e0, e0.into(), val(rs1));
                push(O::AndInverted, e0, e0.into(), num(low));
                push(right, e0, e0.into(), num(7));
                push(full(O::Mul32, O::Mul64), Var::of(rd), e0.into(), num(255));
            }
            Inst::MoveIf { zero, rd: Some(rd), rs1, condition } => match condition {
                Some(cond) => {
                    ops.push(Op::Cmov { zero, dst: Var::of(rd), value: val(rs1), cond: Var::of(cond) });
                }
                None if zero => ops.push(Op::copy(Var::of(rd), val(rs1))),
                None => {}
            },
            Inst::ClearIf { zero, rd: Some(rd), rs1, condition } => match condition {
                Some(cond) => {
                    ops.push(Op::copy(e0, val(rs1)));
                    ops.push(Op::Cmov { zero, dst: e0, value: num(0), cond: Var::of(cond) });
                    ops.push(Op::copy(Var::of(rd), e0.into()));
                }
                None if zero => ops.push(Op::copy(Var::of(rd), num(0))),
                None => ops.push(Op::copy(Var::of(rd), val(rs1))),
            },
            Inst::LoadReserved { word, rd: Some(rd), rs1 } => {
                ops.push(Op::Load { op: load(word), dst: Var::of(rd), address: at(rs1) });
            }
            Inst::StoreConditional { word, rd, rs1, rs2 } => {
                ops.push(Op::Store { op: store(word), value: val(rs2), address: at(rs1) });
                // It never fails: there is one thread.
                ops.extend(rd.map(|rd| Op::Const { dst: Var::of(rd), value: Imm::ZERO }));
            }
            Inst::Atomic { op, word, rd, rs1, rs2 } => {
                let address = at(rs1);
                ops.push(Op::Load { op: load(word), dst: e0, address });
                let value = match op {
                    Atomic::Swap => val(rs2),
                    Atomic::Op(op) => {
                        let mut b = val(rs2);
                        let compares = matches!(op, O::Minimum | O::MinimumUnsigned | O::Maximum | O::MaximumUnsigned);
                        if word && wide && compares {
                            // The loaded value is sign-extended, so the other operand must be too.
                            ops.push(Op::Binary { op: O::Add32, dst: e1, a: b, b: num(0) });
                            b = e1.into();
                        }
                        ops.push(Op::Binary { op, dst: e1, a: e0.into(), b });
                        e1.into()
                    }
                };
                ops.push(Op::Store { op: store(word), value, address });
                ops.extend(rd.map(|rd| Op::Move { dst: Var::of(rd), src: e0 }));
            }
            Inst::Sbrk { rd: Some(rd), rs1: Some(rs1) } => {
                ops.push(Op::Sbrk { dst: Var::of(rd), size: Var::of(rs1) });
            }
            Inst::Memset => ops.push(Op::Memset),
            // All other instructions write to x0.
            _ => {}
        }
    }
}

fn bit(op: BitOp) -> O {
    match op {
        BitOp::Set => O::Or,
        BitOp::Clear => O::AndInverted,
        BitOp::Invert => O::Xor,
        BitOp::Extract => O::And,
    }
}

fn at(rs1: Option<Reg>) -> Address {
    Address { base: rs1.map(Var::of), offset: Imm::ZERO }
}

const fn load(word: bool) -> O {
    if word { O::LoadIndirectI32 } else { O::LoadIndirectU64 }
}

const fn store(word: bool) -> O {
    if word { O::StoreIndirectU32 } else { O::StoreIndirectU64 }
}
