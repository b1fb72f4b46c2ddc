//! Cost table, version 1: what instructions demand of the [`Pipeline`](super::CostModelKind) model.
//!
//! Read by the simulator for every instruction that it is fed. The rows are data, one for each [`GasClass`] of the
//! instruction table; a released version never changes, a new one is a new table beside it. Spec:
//! `docs/spec/gas.md#what-instructions-ask-for`.

use super::MemoryLatency;
use crate::isa::{CodeView, Decoded, Format, GasClass, Instruction, Opcode, Reg};

/// Resources that one instruction demands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Demand {
    /// Cycles from its start to its result, at least 1.
    pub latency: u8,
    /// Decode slots, 1 to 4.
    pub decode: u8,
    /// Execution units.
    pub units: Units,
    /// The register whose value it makes.
    pub writes: Option<Reg>,
    /// The registers whose values it needs, a bit each.
    pub reads: u16,
}

/// Counts of execution units, four bits a kind: the count, and above it a bit that is clear. So counts of all kinds add
/// and subtract at once, and a subtraction that goes below zero shows in the clear bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Units(u32);

impl Units {
    const NONE: Units = Units(0);
    const ALU: Units = Units(1);
    const ALU_TWICE: Units = Units(2);
    const LOAD: Units = Units(1 | 1 << 4);
    const STORE: Units = Units(1 | 1 << 8);
    const MUL: Units = Units(1 | 1 << 12);
    const DIV: Units = Units(1 | 1 << 16);
    /// All there are: 4 for arithmetic, 4 for loads, 4 for stores, 1 for products, 1 for quotients.
    pub const ALL: Units = Units(4 | 4 << 4 | 4 << 8 | 1 << 12 | 1 << 16);
    const BORROWS: u32 = 0x8_8888;

    /// The units left after `need` is taken, if there are enough.
    pub fn take(self, need: Units) -> Option<Units> {
        let left = (self.0 | Self::BORROWS) - need.0;
        (left & Self::BORROWS == Self::BORROWS).then_some(Units(left ^ Self::BORROWS))
    }

    /// Gives back what was taken.
    pub fn give(&mut self, units: Units) {
        self.0 += units.0;
    }
}

/// Latency of an instruction class.
#[derive(Clone, Copy)]
enum Latency {
    Fixed(u8),
    /// One more where registers have 64 bits.
    PlusOneOn64Bit(u8),
    Memory,
    Branch,
}

/// Decode slots added to the least number.
#[derive(Clone, Copy)]
enum Extra {
    No,
    /// One if the destination is none of the sources.
    IfNew,
    /// One if the destination is not the first source.
    IfNotFirst,
    /// As [`Extra::IfNew`], and one where registers have 64 bits.
    IfNewPlusOneOn64Bit,
    /// As [`Extra::IfNotFirst`], and one where registers have 64 bits.
    IfNotFirstPlusOneOn64Bit,
}

/// Register fields that are written and read, destination first.
#[derive(Clone, Copy)]
enum Registers {
    None,
    /// `r1` is written.
    To,
    /// `r1` is written, `r2` read.
    ToFrom,
    /// `r1` is written and read, `r2` read.
    UpdateFrom,
    /// `r3` is written, `r1` and `r2` read.
    ToFromBoth,
    /// `r3` is written and read, `r1` and `r2` read.
    UpdateFromBoth,
    /// `r1` is read.
    From,
    /// `r1` and `r2` are read.
    FromBoth,
    /// The last register field is read.
    FromLast,
}

/// A row: latency, least decode slots, further ones, units, registers.
type Row = (Latency, u8, Extra, Units, Registers);

#[rustfmt::skip]
const fn row(class: GasClass) -> Row {
    use {Extra as E, GasClass as G, Latency as L, Registers as R, Units as U};
    match class {
        G::Alu =>              (L::Fixed(1),          1, E::IfNew,                    U::ALU,       R::ToFromBoth),
        G::Alu32 =>            (L::PlusOneOn64Bit(1), 1, E::IfNewPlusOneOn64Bit,      U::ALU,       R::ToFromBoth),
        G::AluImm =>           (L::Fixed(1),          1, E::IfNew,                    U::ALU,       R::ToFrom),
        G::AluImm32 =>         (L::PlusOneOn64Bit(1), 1, E::IfNewPlusOneOn64Bit,      U::ALU,       R::ToFrom),
        G::BitCount =>         (L::Fixed(1),          1, E::No,                       U::ALU,       R::ToFrom),
        G::TrailingZeros =>    (L::Fixed(2),          1, E::No,                       U::ALU_TWICE, R::ToFrom),
        G::Shift =>            (L::Fixed(1),          2, E::IfNotFirst,               U::ALU,       R::ToFromBoth),
        G::Shift32 =>          (L::PlusOneOn64Bit(1), 2, E::IfNotFirstPlusOneOn64Bit, U::ALU,       R::ToFromBoth),
        G::ShiftAlt =>         (L::Fixed(1),          3, E::No,                       U::ALU,       R::ToFrom),
        G::ShiftAlt32 =>       (L::Fixed(2),          4, E::No,                       U::ALU,       R::ToFrom),
        G::Compare =>          (L::Fixed(3),          3, E::No,                       U::ALU,       R::ToFromBoth),
        G::CompareImm =>       (L::Fixed(3),          3, E::No,                       U::ALU,       R::ToFrom),
        G::Cmov =>             (L::Fixed(2),          2, E::No,                       U::ALU,       R::UpdateFromBoth),
        G::CmovImm =>          (L::Fixed(2),          3, E::No,                       U::ALU,       R::UpdateFrom),
        G::MinMax =>           (L::Fixed(3),          2, E::IfNew,                    U::ALU,       R::ToFromBoth),
        G::LogicInverted =>    (L::Fixed(2),          3, E::No,                       U::ALU,       R::ToFromBoth),
        G::Xnor =>             (L::Fixed(2),          2, E::IfNew,                    U::ALU,       R::ToFromBoth),
        G::Negate =>           (L::Fixed(2),          3, E::No,                       U::ALU,       R::ToFrom),
        G::Negate32 =>         (L::Fixed(3),          4, E::No,                       U::ALU,       R::ToFrom),
        G::LoadImm =>          (L::Fixed(1),          1, E::No,                       U::NONE,      R::To),
        G::LoadImm64 =>        (L::Fixed(1),          2, E::No,                       U::NONE,      R::To),
        // Renames only; the simulator never executes it.
        G::Move =>             (L::Fixed(1),          1, E::No,                       U::NONE,      R::ToFrom),
        G::Mul =>              (L::Fixed(3),          1, E::IfNew,                    U::MUL,       R::ToFromBoth),
        G::Mul32 =>            (L::Fixed(4),          2, E::IfNew,                    U::MUL,       R::ToFromBoth),
        G::MulImm =>           (L::Fixed(3),          1, E::IfNew,                    U::MUL,       R::ToFrom),
        G::MulImm32 =>         (L::Fixed(4),          2, E::IfNew,                    U::MUL,       R::ToFrom),
        G::MulUpper =>         (L::Fixed(4),          4, E::No,                       U::MUL,       R::ToFromBoth),
        G::MulUpperMixed =>    (L::Fixed(6),          4, E::No,                       U::MUL,       R::ToFromBoth),
        G::Divide =>           (L::Fixed(60),         4, E::No,                       U::DIV,       R::ToFromBoth),
        G::Load =>             (L::Memory,            1, E::No,                       U::LOAD,      R::To),
        G::LoadIndirect =>     (L::Memory,            1, E::No,                       U::LOAD,      R::ToFrom),
        G::Store =>            (L::Fixed(25),         1, E::No,                       U::STORE,     R::From),
        G::StoreIndirect =>    (L::Fixed(25),         1, E::No,                       U::STORE,     R::FromBoth),
        G::StoreImm =>         (L::Fixed(25),         1, E::No,                       U::STORE,     R::None),
        G::StoreImmIndirect => (L::Fixed(25),         1, E::No,                       U::STORE,     R::From),
        G::Branch =>           (L::Branch,            1, E::No,                       U::ALU,       R::FromBoth),
        G::BranchImm =>        (L::Branch,            1, E::No,                       U::ALU,       R::From),
        G::Jump =>             (L::Fixed(15),         1, E::No,                       U::NONE,      R::None),
        G::JumpIndirect =>     (L::Fixed(22),         1, E::No,                       U::NONE,      R::FromLast),
        G::Trap =>             (L::Fixed(2),          1, E::No,                       U::NONE,      R::None),
        G::Unlikely =>         (L::Fixed(40),         1, E::No,                       U::NONE,      R::None),
        G::HostCall =>         (L::Fixed(100),        4, E::No,                       U::ALU,       R::None),
        G::Sbrk =>             (L::Fixed(100),        4, E::No,                       U::ALU,       R::ToFrom),
    }
}

/// A branch that one side of which is marked as rarely taken, or cannot be taken.
const BRANCH_FORESEEN: u8 = 1;
/// Any other branch.
const BRANCH: u8 = 20;

impl Demand {
    /// The demand of a trap, or of whatever acts as one.
    pub const TRAP: Demand = Demand { latency: 2, decode: 1, units: Units::NONE, writes: None, reads: 0 };

    /// The demand of the instruction `decoded` of `code`.
    pub fn of(code: &CodeView<'_>, decoded: &Decoded, memory: MemoryLatency) -> Demand {
        let Some(instruction) = decoded.instruction else { return Demand::TRAP };
        let (latency, decode, extra, units, registers) = row(instruction.opcode.spec().gas_class);
        let Instruction { r1, r2, r3, .. } = instruction;
        let (writes, reads) = match registers {
            Registers::None => (None, 0),
            Registers::To => (Some(r1), 0),
            Registers::ToFrom => (Some(r1), bit(r2)),
            Registers::UpdateFrom => (Some(r1), bit(r1) | bit(r2)),
            Registers::ToFromBoth => (Some(r3), bit(r1) | bit(r2)),
            Registers::UpdateFromBoth => (Some(r3), bit(r1) | bit(r2) | bit(r3)),
            Registers::From => (None, bit(r1)),
            Registers::FromBoth => (None, bit(r1) | bit(r2)),
            Registers::FromLast if instruction.format() == Format::RegImm => (None, bit(r1)),
            Registers::FromLast => (None, bit(r2)),
        };
        let is_new = writes.is_some_and(|to| bit(to) & reads == 0);
        let is_not_first = writes != Some(r1);
        let wide = u8::from(code.isa().is_64_bit());
        let extra = match extra {
            Extra::No => 0,
            Extra::IfNew => u8::from(is_new),
            Extra::IfNotFirst => u8::from(is_not_first),
            Extra::IfNewPlusOneOn64Bit => u8::from(is_new) + wide,
            Extra::IfNotFirstPlusOneOn64Bit => u8::from(is_not_first) + wide,
        };
        let latency = match latency {
            Latency::Fixed(cycles) => cycles,
            Latency::PlusOneOn64Bit(cycles) => cycles + wide,
            Latency::Memory => memory.cycles(),
            Latency::Branch if is_rare(code, decoded.next) || is_rare(code, instruction.target) => BRANCH_FORESEEN,
            Latency::Branch => BRANCH,
        };
        Demand { latency, decode: decode + extra, units, writes, reads }
    }
}

const fn bit(reg: Reg) -> u16 {
    1 << reg as u16
}

/// True if a branch will hardly ever go to `offset`. Bytes are compared, whether or not an instruction starts there.
fn is_rare(code: &CodeView<'_>, offset: u32) -> bool {
    let isa = code.isa();
    match code.byte(offset) {
        Some(byte) => Some(byte) == isa.number(Opcode::Unlikely) || Some(byte) == isa.number(Opcode::Trap),
        None => true,
    }
}
