//! Resource demands of instructions: version 1 of the table of the [`Pipeline`](super::CostModelKind) model.
//!
//! Read by the simulator for every instruction that it is fed. The rows are data, one for each [`GasClass`] of the
//! instruction table; a released version never changes, a new one is a new table beside it. Spec: `docs/spec/gas.md#latencies-and-units-of-instructions`.

use super::MemoryLatency;
use crate::isa::{CodeView, Format, GasClass, InstructionSpec, Opcode, Reg, TABLE};

/// Resource demand of one instruction, packed into a word for the simulator's speed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Demand(u64);

/// The register fields of an instruction, four bits each, followed by three pseudo-registers that no guest has.
#[derive(Clone, Copy)]
pub(super) struct Fields(u32);

impl Fields {
    const R1: u64 = 0;
    const R2: u64 = 4;
    const R3: u64 = 8;
    /// Position of a pseudo-register that is never written.
    pub const NO_SOURCE: u64 = 12;
    /// Position of a pseudo-register that is never read.
    pub const NO_DESTINATION: u64 = 16;
    /// Position of a pseudo-register that stands for memory.
    pub const MEMORY: u64 = 20;
    const NONE: u32 = 0xfed000;

    /// Converts decoded registers.
    pub fn new(r1: Reg, r2: Reg, r3: Reg) -> Self {
        Fields(r1 as u32 | (r2 as u32) << Self::R2 | (r3 as u32) << Self::R3 | Self::NONE)
    }

    /// Converts the twelve bits of the encoded fields.
    #[inline(always)]
    pub fn from_code(bits: u32) -> Self {
        Fields(
            u32::from(PAIRS[bits as usize & 0xff])
                | u32::from(PAIRS[bits as usize >> 8 & 0xf]) << Self::R3
                | Self::NONE,
        )
    }

    /// Returns the register at one of the positions above.
    #[inline(always)]
    pub fn get(self, shift: u64) -> usize {
        (self.0 >> (shift & 31) & 15) as usize
    }
}

/// Decodes two register fields of four bits at once.
static PAIRS: [u8; 256] = {
    let mut pairs = [0; 256];
    let mut index = 0;
    while index < 256 {
        pairs[index] = Reg::from_field(index as u8) as u8 | (Reg::from_field(index as u8 >> 4) as u8) << 4;
        index += 1;
    }
    pairs
};

/// Execution units that an instruction needs: arithmetic units (ALUs), and at most one unit of another kind. Load and
/// store units are not modelled: there are as many of them as ALUs, and each load or store needs an ALU too, so they
/// are never the bottleneck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// No unit.
    Free,
    /// One ALU.
    Alu,
    /// Two ALUs.
    AluTwice,
    /// One ALU, and the multiplier.
    Mul,
    /// One ALU, and the divider.
    Div,
}

impl Class {
    const fn units(self) -> u32 {
        match self {
            Class::Free => 0,
            Class::Alu => 1,
            Class::AluTwice => 2,
            Class::Mul => 1 | Demand::MUL,
            Class::Div => 1 | Demand::DIV,
        }
    }
}

/// Rule for the latency.
#[derive(Clone, Copy)]
enum Latency {
    Fixed(u8),
    /// One more where registers have 64 bits.
    PlusOneOn64Bit(u8),
    Memory,
    Branch,
}

/// Rule for decode slots beyond the least number.
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

/// The register fields that count, destination first.
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

/// A row: latency, least number of decode slots, further ones, units, registers.
type Row = (Latency, u8, Extra, Class, Registers);

#[rustfmt::skip]
const fn row(class: GasClass) -> Row {
    use {Class as U, Extra as E, GasClass as G, Latency as L, Registers as R};
    match class {
        G::Alu =>              (L::Fixed(1),     1, E::IfNew,            U::Alu,       R::ToFromBoth),
        G::Alu32 =>            (L::PlusOneOn64Bit(1), 1, E::IfNewPlusOneOn64Bit,      U::Alu,       R::ToFromBoth),
        G::AluImm =>           (L::Fixed(1),     1, E::IfNew,            U::Alu,       R::ToFrom),
        G::AluImm32 =>         (L::PlusOneOn64Bit(1), 1, E::IfNewPlusOneOn64Bit,      U::Alu,       R::ToFrom),
        G::BitCount =>         (L::Fixed(1),     1, E::No,               U::Alu,       R::ToFrom),
        G::TrailingZeros =>    (L::Fixed(2),     1, E::No,               U::AluTwice, R::ToFrom),
        G::Shift =>            (L::Fixed(1),     2, E::IfNotFirst,       U::Alu,       R::ToFromBoth),
        G::Shift32 =>          (L::PlusOneOn64Bit(1), 2, E::IfNotFirstPlusOneOn64Bit, U::Alu,       R::ToFromBoth),
        G::ShiftAlt =>         (L::Fixed(1),     3, E::No,               U::Alu,       R::ToFrom),
        G::ShiftAlt32 =>       (L::Fixed(2),     4, E::No,               U::Alu,       R::ToFrom),
        G::Compare =>          (L::Fixed(3),     3, E::No,               U::Alu,       R::ToFromBoth),
        G::CompareImm =>       (L::Fixed(3),     3, E::No,               U::Alu,       R::ToFrom),
        G::Cmov =>             (L::Fixed(2),     2, E::No,               U::Alu,       R::UpdateFromBoth),
        G::CmovImm =>          (L::Fixed(2),     3, E::No,               U::Alu,       R::UpdateFrom),
        G::MinMax =>           (L::Fixed(3),     2, E::IfNew,            U::Alu,       R::ToFromBoth),
        G::LogicInverted =>    (L::Fixed(2),     3, E::No,               U::Alu,       R::ToFromBoth),
        G::Xnor =>             (L::Fixed(2),     2, E::IfNew,            U::Alu,       R::ToFromBoth),
        G::Negate =>           (L::Fixed(2),     3, E::No,               U::Alu,       R::ToFrom),
        G::Negate32 =>         (L::Fixed(3),     4, E::No,               U::Alu,       R::ToFrom),
        G::LoadImm =>          (L::Fixed(1),     1, E::No,               U::Free,      R::To),
        G::LoadImm64 =>        (L::Fixed(1),     2, E::No,               U::Free,      R::To),
        // Renames only; the simulator never executes it.
        G::Move =>             (L::Fixed(1),     1, E::No,               U::Free,      R::ToFrom),
        G::Mul =>              (L::Fixed(3),     1, E::IfNew,            U::Mul,       R::ToFromBoth),
        G::Mul32 =>            (L::Fixed(4),     2, E::IfNew,            U::Mul,       R::ToFromBoth),
        G::MulImm =>           (L::Fixed(3),     1, E::IfNew,            U::Mul,       R::ToFrom),
        G::MulImm32 =>         (L::Fixed(4),     2, E::IfNew,            U::Mul,       R::ToFrom),
        G::MulUpper =>         (L::Fixed(4),     4, E::No,               U::Mul,       R::ToFromBoth),
        G::MulUpperMixed =>    (L::Fixed(6),     4, E::No,               U::Mul,       R::ToFromBoth),
        G::Divide =>           (L::Fixed(60),    4, E::No,               U::Div,       R::ToFromBoth),
        G::Load =>             (L::Memory,    1, E::No,               U::Alu,       R::To),
        G::LoadIndirect =>     (L::Memory,    1, E::No,               U::Alu,       R::ToFrom),
        G::Store =>            (L::Fixed(25),    1, E::No,               U::Alu,       R::From),
        G::StoreIndirect =>    (L::Fixed(25),    1, E::No,               U::Alu,       R::FromBoth),
        G::StoreImm =>         (L::Fixed(25),    1, E::No,               U::Alu,       R::None),
        G::StoreImmIndirect => (L::Fixed(25),    1, E::No,               U::Alu,       R::From),
        G::Branch =>           (L::Branch,    1, E::No,               U::Alu,       R::FromBoth),
        G::BranchImm =>        (L::Branch,    1, E::No,               U::Alu,       R::From),
        G::Jump =>             (L::Fixed(15),    1, E::No,               U::Free,      R::None),
        G::JumpIndirect =>     (L::Fixed(22),    1, E::No,               U::Free,      R::FromLast),
        G::Trap =>             (L::Fixed(2),     1, E::No,               U::Free,      R::None),
        G::Unlikely =>         (L::Fixed(40),    1, E::No,               U::Free,      R::None),
        G::HostCall =>         (L::Fixed(100),   4, E::No,               U::Alu,       R::None),
        G::Sbrk =>             (L::Fixed(100),   4, E::No,               U::Alu,       R::ToFrom),
    }
}

/// Positions in [`Fields`] of the register that an instruction writes and of the first two that it reads, and whether
/// it also reads the register that it writes.
const fn places(spec: &InstructionSpec, registers: Registers) -> (u64, u64, u64, bool) {
    const NO_SOURCE: u64 = Fields::NO_SOURCE;
    const NO_DESTINATION: u64 = Fields::NO_DESTINATION;
    let (to, first, second) = match registers {
        Registers::None => (NO_DESTINATION, NO_SOURCE, NO_SOURCE),
        Registers::To => (Fields::R1, NO_SOURCE, NO_SOURCE),
        Registers::ToFrom | Registers::UpdateFrom => (Fields::R1, NO_SOURCE, Fields::R2),
        Registers::ToFromBoth | Registers::UpdateFromBoth => (Fields::R3, Fields::R1, Fields::R2),
        Registers::From => (NO_DESTINATION, Fields::R1, NO_SOURCE),
        Registers::FromBoth => (NO_DESTINATION, Fields::R1, Fields::R2),
        Registers::FromLast if matches!(spec.format, Format::RegImm) => (NO_DESTINATION, Fields::R1, NO_SOURCE),
        Registers::FromLast => (NO_DESTINATION, NO_SOURCE, Fields::R2),
    };
    (to, first, second, matches!(registers, Registers::UpdateFrom | Registers::UpdateFromBoth))
}

/// As [`places`], for a row of the instruction table.
pub(super) const fn places_of(spec: &InstructionSpec) -> (u64, u64, u64, bool) {
    places(spec, row(spec.gas_class).4)
}

/// Latency of a predictable branch: its target or fall-through is `trap`, `unlikely`, or past the end of the code.
const BRANCH_FORESEEN: u8 = 1;
/// Latency of any other branch.
const BRANCH: u8 = 20;

/// Demands by register width (32 or 64 bits) and opcode.
static DEMANDS: [[Demand; Opcode::COUNT]; 2] = {
    let mut result = [[Demand::NOTHING; Opcode::COUNT]; 2];
    let mut index = 0;
    while index < Opcode::COUNT {
        result[0][index] = Demand::new(&TABLE[index], false);
        result[1][index] = Demand::new(&TABLE[index], true);
        index += 1;
    }
    result
};

impl Demand {
    /// Demand of a trap, or of an instruction that acts as one.
    pub const TRAP: Demand = Demand::new(Opcode::Trap.spec(), false);
    /// No demand.
    pub const NOTHING: Demand = Demand(0);
    /// All units: 4 ALUs, one multiplier, one divider.
    pub const ALL_UNITS: u32 = 4 | Self::MUL | Self::DIV;
    /// Mask of the number of ALUs.
    pub const ALUS: u32 = 7;
    /// The multiplier.
    pub const MUL: u32 = 8;
    /// The divider.
    pub const DIV: u32 = 16;

    // Positions of the parts in the word. The latency is the lowest byte.
    const UNITS: u32 = 8;
    const ALU: u64 = 1 << 16;
    const DECODE: u32 = 24;
    const TO: u32 = 32;
    const FIRST: u32 = 40;
    const SECOND: u32 = 48;
    const IF_NEW: u64 = 1 << 56;
    const IF_NOT_FIRST: u64 = 1 << 57;
    const READS_DESTINATION: u64 = 1 << 58;
    const MEMORY: u64 = 1 << 59;
    const BRANCH: u64 = 1 << 60;
    const MOVE: u64 = 1 << 61;

    const fn new(spec: &InstructionSpec, is_wide: bool) -> Demand {
        let (latency, decode, extra, class, registers) = row(spec.gas_class);
        let wide = is_wide as u64;
        let latency = match latency {
            Latency::Fixed(cycles) => cycles as u64,
            Latency::PlusOneOn64Bit(cycles) => cycles as u64 + wide,
            Latency::Memory => Self::MEMORY,
            Latency::Branch => Self::BRANCH,
        };
        let extra = match extra {
            Extra::No => 0,
            Extra::IfNew => Self::IF_NEW,
            Extra::IfNotFirst => Self::IF_NEW | Self::IF_NOT_FIRST,
            Extra::IfNewPlusOneOn64Bit => Self::IF_NEW | wide << Self::DECODE,
            Extra::IfNotFirstPlusOneOn64Bit => Self::IF_NEW | Self::IF_NOT_FIRST | wide << Self::DECODE,
        };
        let (to, first, second, updates) = places(spec, registers);
        let updates = if updates { Self::READS_DESTINATION } else { 0 };
        let moves = if matches!(spec.gas_class, GasClass::Move) { Self::MOVE } else { 0 };
        let units = (class.units() as u64) << Self::UNITS | if matches!(class, Class::Alu) { Self::ALU } else { 0 };
        let registers = to << Self::TO | first << Self::FIRST | second << Self::SECOND;
        Demand((latency + ((decode as u64) << Self::DECODE) + extra) | units | registers | updates | moves)
    }

    /// Returns the demand of an instruction of `code` with this opcode ([`Opcode::Trap`] for an invalid one). `ends`
    /// gives the offsets at which a branch can continue: its fall-through and its target.
    #[inline(always)]
    pub fn of(code: &CodeView<'_>, opcode: Opcode, memory: MemoryLatency, ends: impl FnOnce() -> [u32; 2]) -> Demand {
        let demand = DEMANDS[usize::from(code.isa().is_64_bit())][opcode as usize];
        if demand.0 & (Self::MEMORY | Self::BRANCH) == 0 {
            return demand;
        }
        let latency = match demand.0 & Self::BRANCH == 0 {
            true => memory.cycles(),
            false if ends().into_iter().any(|end| is_rare(code, end)) => BRANCH_FORESEEN,
            false => BRANCH,
        };
        Demand(demand.0 | u64::from(latency))
    }

    /// Latency: 1 to 127 cycles from its start to its result.
    #[inline(always)]
    pub fn latency(self) -> u32 {
        self.0 as u32 & 0xff
    }

    /// Its units, as bits and counts of [`Self::ALL_UNITS`].
    #[inline(always)]
    pub fn units(self) -> u32 {
        (self.0 >> Self::UNITS) as u32 & 0xff
    }

    /// True if it needs one ALU and no other unit.
    #[inline(always)]
    pub fn is_alu(self) -> bool {
        self.0 & Self::ALU != 0
    }

    /// True if its units are among the `free` ones.
    #[inline(always)]
    pub fn fits(self, free: u32) -> bool {
        let (units, others) = (self.units(), Self::MUL | Self::DIV);
        units & Self::ALUS <= free & Self::ALUS && units & others & !free == 0
    }

    /// The register that it writes and the first two of those that it reads, as indexes; 13 and 14 stand for none.
    #[inline(always)]
    pub fn registers(self, fields: Fields) -> [usize; 3] {
        [Self::TO, Self::FIRST, Self::SECOND].map(|at| fields.get(self.0 >> at))
    }

    /// Its decode slots, 1 to 4, with these registers.
    #[inline(always)]
    pub fn decode(self, fields: Fields) -> u32 {
        let least = (self.0 >> Self::DECODE) as u32 & 7;
        if self.0 & Self::IF_NEW == 0 {
            return least;
        }
        let [to, first, second] = self.registers(fields);
        let may_be_second = self.0 & Self::IF_NOT_FIRST == 0;
        least + u32::from(to != first && (to != second || !may_be_second))
    }

    /// True if it also reads the register that it writes.
    #[inline(always)]
    pub fn reads_destination(self) -> bool {
        self.0 & Self::READS_DESTINATION != 0
    }

    /// True if it is a register rename: the register it writes becomes the second that it reads.
    #[inline(always)]
    pub fn is_move(self) -> bool {
        self.0 & Self::MOVE != 0
    }
}

/// True if `offset` is a rare branch destination: a `trap`, an `unlikely`, or past the end of the code. Compares bytes,
/// whether or not an instruction starts there.
pub(super) fn is_rare(code: &CodeView<'_>, offset: u32) -> bool {
    let isa = code.isa();
    match code.byte(offset) {
        Some(byte) => Some(byte) == isa.number(Opcode::Unlikely) || Some(byte) == isa.number(Opcode::Trap),
        None => true,
    }
}
