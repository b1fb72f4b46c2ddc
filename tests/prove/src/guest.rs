//! Guest semantics: the effects of an instruction on registers, memory and control, as terms.
//!
//! Written from `docs/spec/instructions.md#instructions` alone; `tests/guest.rs` compares it with the reference model
//! (`pvm-reference`) for each opcode on random operands. Registers are as wide as the instruction set's.

use crate::term::{Term, Terms};
use vm_core::isa::{Format, Instruction, Opcode, Reg};

/// Memory access of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// The guest's address, 32 bits.
    pub address: Term,
    /// Width in bits.
    pub width: u32,
    /// The stored value; `None` for a load.
    pub stored: Option<Term>,
}

/// Control flow after an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// To the next one.
    Next,
    /// To the instruction's target if the condition is 1, else to the next one.
    Branch(Term),
    /// To the jump table's entry for this address, 32 bits.
    Dynamic(Term),
    /// Nowhere: a trap.
    Trap,
    /// To the host, with this 32-bit number, and then to the next instruction.
    HostCall(Term),
    /// To the host, which grows the heap, and then to the next instruction.
    Sbrk,
    /// To the host, which fills memory, and then to the next instruction.
    Memset,
}

/// The effect of an instruction. Its memory access comes first: if it faults nothing else happens.
#[derive(Clone, Debug)]
pub struct Effect {
    /// The registers after it, as wide as the instruction set's.
    pub registers: [Term; Reg::COUNT],
    /// The register that it writes.
    pub written: Option<Reg>,
    /// Its memory access.
    pub access: Option<Access>,
    /// Control flow.
    pub flow: Flow,
}

/// The operands that may be symbolic: `imm` of 64 bits, `imm2` of 32.
#[derive(Clone, Copy, Debug)]
pub struct Immediates {
    /// [`Instruction::imm`].
    pub imm: Term,
    /// [`Instruction::imm2`].
    pub imm2: Term,
}

/// Returns the effect of `instruction` with these immediates. `loaded` makes the value read by a load of the given
/// width in bits.
pub fn step(
    terms: &Terms,
    width: u32,
    instruction: &Instruction,
    immediates: Immediates,
    registers: &[Term; Reg::COUNT],
    loaded: impl FnOnce(u32) -> Term,
) -> Effect {
    Step { t: terms, width, instruction, immediates, registers }.run(loaded)
}

struct Step<'a> {
    t: &'a Terms,
    width: u32,
    instruction: &'a Instruction,
    immediates: Immediates,
    registers: &'a [Term; Reg::COUNT],
}

impl Step<'_> {
    fn register(&self, reg: Reg) -> Term {
        self.registers[reg as usize]
    }

    /// An immediate, sign-extended to the width of registers.
    fn imm(&self) -> Term {
        self.t.low(self.immediates.imm, self.width)
    }

    /// An address: a register, if the instruction has a base, and an immediate, modulo 2^32.
    fn address(&self, base: Option<Reg>, offset: Term) -> Term {
        let offset = self.t.low(offset, 32);
        match base {
            Some(base) => self.t.add(self.t.low(self.register(base), 32), offset),
            None => offset,
        }
    }

    fn stays(&self, flow: Flow) -> Effect {
        Effect { registers: *self.registers, written: None, access: None, flow }
    }

    fn sets(&self, reg: Reg, value: Term) -> Effect {
        let mut effect = self.stays(Flow::Next);
        effect.registers[reg as usize] = value;
        effect.written = Some(reg);
        effect
    }

    fn store(&self, address: Term, width: u32, value: Term) -> Effect {
        // A 32-bit register has no more bits than are stored.
        let stored = Some(self.t.low(value, width));
        Effect { access: Some(Access { address, width, stored }), ..self.stays(Flow::Next) }
    }

    fn run(&self, loaded: impl FnOnce(u32) -> Term) -> Effect {
        use Opcode::*;
        let (t, i) = (self.t, self.instruction);
        match i.opcode {
            Trap => return self.stays(Flow::Trap),
            Fallthrough | Unlikely => return self.stays(Flow::Next),
            Memset => return self.stays(Flow::Memset),
            Sbrk => return self.stays(Flow::Sbrk),
            Ecalli => return self.stays(Flow::HostCall(t.low(self.immediates.imm, 32))),
            Jump => return self.stays(Flow::Branch(t.bool(true))),
            LoadImmAndJump => return Effect { flow: Flow::Branch(t.bool(true)), ..self.sets(i.r1, self.imm()) },
            JumpIndirect => return self.stays(Flow::Dynamic(self.address(Some(i.r1), self.immediates.imm))),
            LoadImmAndJumpIndirect => {
                // The address is computed before the link register is written.
                let address = self.address(Some(i.r2), self.immediates.imm2);
                return Effect { flow: Flow::Dynamic(address), ..self.sets(i.r1, self.imm()) };
            }
            _ => {}
        }
        if let Some(condition) = self.condition() {
            return self.stays(Flow::Branch(condition));
        }
        if let Some((bits, is_signed)) = load(i.opcode) {
            let address = self.memory_address();
            let (value, reg) = (loaded(bits), i.r1);
            let value =
                if is_signed { t.sext(value, self.width.max(bits)) } else { t.zext(value, self.width.max(bits)) };
            let access = Some(Access { address, width: bits, stored: None });
            return Effect { access, ..self.sets(reg, t.low(value, self.width)) };
        }
        if let Some(bits) = store(i.opcode) {
            let value = match i.format() {
                Format::RegImm | Format::RegRegImm => self.register(i.r1),
                _ => t.sext(self.immediates.imm2, 64),
            };
            return self.store(self.memory_address(), bits, value);
        }
        let destination = if i.format() == Format::RegRegReg { i.r3 } else { i.r1 };
        self.sets(destination, self.value(self.register(destination)))
    }

    fn memory_address(&self) -> Term {
        let i = self.instruction;
        let base = match i.format() {
            Format::RegRegImm => Some(i.r2),
            Format::RegImmImm => Some(i.r1),
            _ => None,
        };
        self.address(base, self.immediates.imm)
    }

    fn condition(&self) -> Option<Term> {
        use Opcode::*;
        let (t, i) = (self.t, self.instruction);
        let a = self.register(i.r1);
        let b = if i.format() == Format::RegRegOffset { self.register(i.r2) } else { self.imm() };
        Some(match i.opcode {
            BranchEq | BranchEqImm => t.eq(a, b),
            BranchNotEq | BranchNotEqImm => t.ne(a, b),
            BranchLessUnsigned | BranchLessUnsignedImm => t.ult(a, b),
            BranchLessSigned | BranchLessSignedImm => t.slt(a, b),
            BranchGreaterOrEqualUnsigned | BranchGreaterOrEqualUnsignedImm => t.not(t.ult(a, b)),
            BranchGreaterOrEqualSigned | BranchGreaterOrEqualSignedImm => t.not(t.slt(a, b)),
            BranchLessOrEqualUnsignedImm => t.not(t.ult(b, a)),
            BranchLessOrEqualSignedImm => t.not(t.slt(b, a)),
            BranchGreaterUnsignedImm => t.ult(b, a),
            BranchGreaterSignedImm => t.slt(b, a),
            _ => return None,
        })
    }

    /// Returns the result of a computing instruction; `old` is the previous value of its destination.
    fn value(&self, old: Term) -> Term {
        use Opcode::*;
        let (t, i, w) = (self.t, self.instruction, self.width);
        let (a, b) = match i.format() {
            Format::RegRegReg => (self.register(i.r1), self.register(i.r2)),
            _ => (self.register(i.r2), self.imm()),
        };
        // Low halves; a result of 32 bits is sign-extended.
        let (la, lb) = (t.low(a, 32), t.low(b, 32));
        let narrow = |value: Term| t.sext(value, w);
        let truth = |value: Term| t.zext(value, w);
        let count32 = |count: Term| t.and(count, t.constant(32, 31));
        let count64 = |count: Term| t.and(count, t.constant(64, 63));
        match i.opcode {
            LoadImm | LoadImm64 => self.imm(),
            MoveReg => a,
            CountLeadingZeroBits32 => t.zext(t.leading_zeros(la), w),
            CountLeadingZeroBits64 => t.leading_zeros(a),
            CountTrailingZeroBits32 => t.zext(t.trailing_zeros(la), w),
            CountTrailingZeroBits64 => t.trailing_zeros(a),
            CountSetBits32 => t.zext(t.count_ones(la), w),
            CountSetBits64 => t.count_ones(a),
            SignExtend8 => t.sext(t.low(a, 8), w),
            SignExtend16 => t.sext(t.low(a, 16), w),
            ZeroExtend16 => t.zext(t.low(a, 16), w),
            ReverseByte => t.reverse_bytes(a),

            Add32 | AddImm32 => narrow(t.add(la, lb)),
            Add64 | AddImm64 => t.add(a, b),
            Sub32 => narrow(t.sub(la, lb)),
            Sub64 => t.sub(a, b),
            NegateAndAddImm32 => narrow(t.sub(lb, la)),
            NegateAndAddImm64 => t.sub(b, a),
            Mul32 | MulImm32 => narrow(t.mul(la, lb)),
            Mul64 | MulImm64 => t.mul(a, b),
            MulUpperSignedSigned => self.upper(t.sext(a, 2 * w), t.sext(b, 2 * w)),
            MulUpperUnsignedUnsigned => self.upper(t.zext(a, 2 * w), t.zext(b, 2 * w)),
            // For 64 bits by a lemma on the upper half of products; for 32 bits by definition.
            MulUpperSignedUnsigned if w == 64 => {
                let unsigned = self.upper(t.zext(a, 2 * w), t.zext(b, 2 * w));
                t.sub(unsigned, t.ite(t.sign(a), b, t.constant(w, 0)))
            }
            MulUpperSignedUnsigned => self.upper(t.sext(a, 2 * w), t.zext(b, 2 * w)),
            DivUnsigned32 => narrow(t.udiv(la, lb)),
            DivUnsigned64 => t.udiv(a, b),
            DivSigned32 => narrow(self.quotient(la, lb)),
            DivSigned64 => self.quotient(a, b),
            RemUnsigned32 => narrow(t.urem(la, lb)),
            RemUnsigned64 => t.urem(a, b),
            RemSigned32 => narrow(t.srem(la, lb)),
            RemSigned64 => t.srem(a, b),

            And | AndImm => t.and(a, b),
            Or | OrImm => t.or(a, b),
            Xor | XorImm => t.xor(a, b),
            AndInverted => t.and(a, t.not(b)),
            OrInverted => t.or(a, t.not(b)),
            Xnor => t.not(t.xor(a, b)),
            Maximum => t.ite(t.slt(a, b), b, a),
            MaximumUnsigned => t.ite(t.ult(a, b), b, a),
            Minimum => t.ite(t.slt(a, b), a, b),
            MinimumUnsigned => t.ite(t.ult(a, b), a, b),
            SetLessThanUnsigned | SetLessThanUnsignedImm => truth(t.ult(a, b)),
            SetLessThanSigned | SetLessThanSignedImm => truth(t.slt(a, b)),
            SetGreaterThanUnsignedImm => truth(t.ult(b, a)),
            SetGreaterThanSignedImm => truth(t.slt(b, a)),
            CmovIfZero => t.ite(t.eq_value(b, 0), a, old),
            CmovIfNotZero => t.ite(t.eq_value(b, 0), old, a),
            CmovIfZeroImm => t.ite(t.eq_value(a, 0), b, old),
            CmovIfNotZeroImm => t.ite(t.eq_value(a, 0), old, b),

            ShiftLogicalLeft32 | ShiftLogicalLeftImm32 => narrow(t.shl(la, count32(lb))),
            ShiftLogicalLeft64 | ShiftLogicalLeftImm64 => t.shl(a, count64(b)),
            ShiftLogicalLeftImmAlt32 => narrow(t.shl(lb, count32(la))),
            ShiftLogicalLeftImmAlt64 => t.shl(b, count64(a)),
            ShiftLogicalRight32 | ShiftLogicalRightImm32 => narrow(t.lshr(la, count32(lb))),
            ShiftLogicalRight64 | ShiftLogicalRightImm64 => t.lshr(a, count64(b)),
            ShiftLogicalRightImmAlt32 => narrow(t.lshr(lb, count32(la))),
            ShiftLogicalRightImmAlt64 => t.lshr(b, count64(a)),
            ShiftArithmeticRight32 | ShiftArithmeticRightImm32 => narrow(t.ashr(la, count32(lb))),
            ShiftArithmeticRight64 | ShiftArithmeticRightImm64 => t.ashr(a, count64(b)),
            ShiftArithmeticRightImmAlt32 => narrow(t.ashr(lb, count32(la))),
            ShiftArithmeticRightImmAlt64 => t.ashr(b, count64(a)),
            RotateLeft32 => narrow(t.rotate_left(la, lb)),
            RotateLeft64 => t.rotate_left(a, b),
            RotateRight32 | RotateRightImm32 => narrow(t.rotate_right(la, lb)),
            RotateRight64 | RotateRightImm64 => t.rotate_right(a, b),
            RotateRightImmAlt32 => narrow(t.rotate_right(lb, la)),
            RotateRightImmAlt64 => t.rotate_right(b, a),
            opcode => panic!("{opcode:?} has no semantics here"),
        }
    }

    fn upper(&self, a: Term, b: Term) -> Term {
        self.t.extract(self.t.mul(a, b), self.width, self.width)
    }

    /// Signed quotient; all ones for division by zero.
    fn quotient(&self, a: Term, b: Term) -> Term {
        let t = self.t;
        let width = t.width(a);
        t.ite(t.eq_value(b, 0), t.constant(width, u128::MAX), t.sdiv(a, b))
    }
}

/// Width of a load in bits, and true if its value is sign-extended.
pub fn load(opcode: Opcode) -> Option<(u32, bool)> {
    use Opcode::*;
    Some(match opcode {
        LoadU8 | LoadIndirectU8 => (8, false),
        LoadI8 | LoadIndirectI8 => (8, true),
        LoadU16 | LoadIndirectU16 => (16, false),
        LoadI16 | LoadIndirectI16 => (16, true),
        LoadU32 | LoadIndirectU32 => (32, false),
        LoadI32 | LoadIndirectI32 => (32, true),
        LoadU64 | LoadIndirectU64 => (64, false),
        _ => return None,
    })
}

/// Width of a store in bits.
pub fn store(opcode: Opcode) -> Option<u32> {
    use Opcode::*;
    Some(match opcode {
        StoreU8 | StoreIndirectU8 | StoreImmU8 | StoreImmIndirectU8 => 8,
        StoreU16 | StoreIndirectU16 | StoreImmU16 | StoreImmIndirectU16 => 16,
        StoreU32 | StoreIndirectU32 | StoreImmU32 | StoreImmIndirectU32 => 32,
        StoreU64 | StoreIndirectU64 | StoreImmU64 | StoreImmIndirectU64 => 64,
        _ => return None,
    })
}
