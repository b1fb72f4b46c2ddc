//! Upper bounds on the machine code that a compiler emits for a program, known when the code is uploaded.
//!
//! Used by [`super::check()`]. Compilation time is proportional to the length of the emitted code, and some
//! instructions expand a lot: a division is three bytes of code and becomes sixty. A chain that charged for loading a
//! program by the length of its code alone would be paid a fraction of the cost. A test in `executor/engine` holds
//! these bounds against what the compiler emits; they are part of what a chain charges, so they only change with a new
//! runtime.

use crate::isa::{GasClass, Opcode};

/// Bytes per basic block beside its instructions: its charge, the out-of-gas stub, and an entry of the pc map.
pub(super) const BLOCK: u32 = 28;

/// Bytes per entry of the jump table; a table has up to twice as many as it needs.
pub(super) const JUMP_TABLE_ENTRY: u32 = 16;

/// Maximum number of bytes of machine code for one instruction.
pub(super) const fn of(opcode: Opcode) -> u32 {
    use GasClass as G;
    match opcode.spec().gas_class {
        G::Unlikely => 0,
        G::Move => 3,
        G::Trap | G::BitCount | G::TrailingZeros => 5,
        G::Alu | G::Cmov | G::Mul | G::MulImm => 7,
        G::LoadImm | G::LoadImm64 | G::Alu32 | G::Mul32 | G::MulImm32 | G::HostCall | G::Sbrk => 10,
        G::AluImm | G::Load | G::LoadIndirect | G::MinMax | G::Xnor | G::Compare => 10,
        G::AluImm32 | G::LogicInverted | G::Negate | G::Branch | G::BranchImm | G::Store | G::StoreIndirect => 13,
        G::Jump => 12,
        G::StoreImm | G::StoreImmIndirect | G::CompareImm | G::Negate32 => 16,
        G::Shift | G::Shift32 | G::ShiftAlt | G::ShiftAlt32 | G::CmovImm => 20,
        G::MulUpper => 28,
        G::MulUpperMixed => 48,
        G::JumpIndirect => 64,
        G::Divide => 64,
    }
}
