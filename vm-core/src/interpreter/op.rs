//! Ops: the interpreter's own instructions, decoded and of a fixed size.
//!
//! Made by `translate`, run by `dispatch`; `op_table` defines the effect of each kind. One kind serves several
//! instructions that differ only in their operands: absolute loads and stores are indirect ones with the register that
//! always reads as zero. 32-bit programs use the same kinds, as their registers hold sign-extended values; the four
//! operations for which that does not suffice have kinds of their own.

pub(super) use super::op_table::OpKind;
use crate::isa::{Opcode, Reg};

/// A register of the interpreter: one of the guest's, or the one that always reads as zero and that no op writes. It is
/// an enum so that indexing by it needs no bounds check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Slot {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    R11,
    R12,
    Zero,
}

impl Slot {
    /// Number of slots, rounded up to a power of two, so that a masked index needs no bounds check either.
    pub const COUNT: usize = 16;

    /// Slots of the guest's registers, in their order.
    const OF: [Slot; Reg::COUNT] = [
        Slot::R0,
        Slot::R1,
        Slot::R2,
        Slot::R3,
        Slot::R4,
        Slot::R5,
        Slot::R6,
        Slot::R7,
        Slot::R8,
        Slot::R9,
        Slot::R10,
        Slot::R11,
        Slot::R12,
    ];

    pub const fn of(reg: Reg) -> Slot {
        Slot::OF[reg as usize]
    }

    /// Returns the slot with this number; the one that reads as zero if no slot has it.
    pub fn from_number(number: u32) -> Slot {
        Slot::OF.get(number as usize).copied().unwrap_or(Slot::Zero)
    }
}

/// Marks a jump target that is not translated yet: this bit, and the index of the jumping op. As an op index it is out
/// of range, so the main loop needs no check for it.
pub(super) const UNLINKED: u32 = 1 << 31;

/// One op; 16 bytes. `a` is the destination or the stored value, `b` the base or first source, `imm` the immediate, the
/// address offset of memory accesses, or the number of the second source `c`. `lo` and `hi` are, in jumps and branches,
/// the index and the code offset of the target; otherwise a second immediate in `lo`, or 64 bits of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub kind: OpKind,
    pub a: Slot,
    pub b: Slot,
    pub imm: u32,
    pub lo: u32,
    pub hi: u32,
}

const _: () = assert!(core::mem::size_of::<Op>() == 16);

impl Op {
    pub const fn new(kind: OpKind) -> Op {
        Op { kind, a: Slot::Zero, b: Slot::Zero, imm: 0, lo: 0, hi: 0 }
    }
}

impl OpKind {
    /// The op for an instruction; `None` for instructions without an op, and for those whose op depends on more than
    /// the opcode.
    pub fn of(opcode: Opcode, is_64_bit: bool) -> Option<OpKind> {
        let opcode = match opcode {
            Opcode::MulUpperSignedSigned if !is_64_bit => return Some(OpKind::MulUpperSignedSigned32),
            Opcode::MulUpperUnsignedUnsigned if !is_64_bit => return Some(OpKind::MulUpperUnsignedUnsigned32),
            Opcode::MulUpperSignedUnsigned if !is_64_bit => return Some(OpKind::MulUpperSignedUnsigned32),
            Opcode::ReverseByte if !is_64_bit => return Some(OpKind::ReverseByte32),
            Opcode::LoadIndirectU8 => Opcode::LoadU8,
            Opcode::LoadIndirectI8 => Opcode::LoadI8,
            Opcode::LoadIndirectU16 => Opcode::LoadU16,
            Opcode::LoadIndirectI16 => Opcode::LoadI16,
            Opcode::LoadIndirectU32 => Opcode::LoadU32,
            Opcode::LoadIndirectI32 => Opcode::LoadI32,
            Opcode::LoadIndirectU64 => Opcode::LoadU64,
            Opcode::StoreIndirectU8 => Opcode::StoreU8,
            Opcode::StoreIndirectU16 => Opcode::StoreU16,
            Opcode::StoreIndirectU32 => Opcode::StoreU32,
            Opcode::StoreIndirectU64 => Opcode::StoreU64,
            Opcode::StoreImmIndirectU8 => Opcode::StoreImmU8,
            Opcode::StoreImmIndirectU16 => Opcode::StoreImmU16,
            Opcode::StoreImmIndirectU32 => Opcode::StoreImmU32,
            Opcode::StoreImmIndirectU64 => Opcode::StoreImmU64,
            opcode => opcode,
        };
        OpKind::BY_OPCODE[opcode as usize]
    }

    /// True if the sources `b` and `c` are interchangeable.
    pub const fn is_commutative(self) -> bool {
        use OpKind::*;
        matches!(self, Add32 | Add64 | And | Xor | Or | Xnor | Mul32 | Mul64 | MulUpperUnsignedUnsigned)
    }
}
