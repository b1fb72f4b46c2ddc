//! How much machine code a compiler makes of a program, known when the code is uploaded.
//!
//! Asked by [`super::check()`]. Compiling takes time in proportion to what is emitted, and the most is emitted for the fewest
//! bytes of code: a division is three bytes and becomes sixty. A chain that charges for loading a program by the length of
//! its code alone is paid for a fraction of that. These are upper bounds for the compiler in `executor/engine`, which a test
//! there holds against what it emits; they are part of what a chain charges, so they only change with a new runtime.

use crate::isa::{GasClass, Opcode};

/// Bytes for a basic block beside its instructions: its charge, the stub that leaves it when that can't be paid, and an entry
/// of the pc map.
pub(super) const BLOCK: u32 = 28;

/// Bytes for an entry of the jump table, of which a table has up to twice as many as it needs.
pub(super) const JUMP_TABLE_ENTRY: u32 = 16;

/// The most bytes of machine code for one instruction.
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
