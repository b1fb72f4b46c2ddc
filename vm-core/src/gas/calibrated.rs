//! The calibrated model: the time that a block takes once it is compiled, in units of 10 picoseconds.
//!
//! Fed by [`super::BlockCost`] with the instructions of a block, in order. Two sums are kept: what the block takes of
//! the processor's throughput, and its longest dependency chain through registers and memory, from its entry to its
//! end. A block takes as long as the longer of both, however the blocks before and after it overlap with it: each
//! register that it reads may have been written last by the block before. Constants are fitted to what the compiler
//! emits, by `make gas-fit`; a released version never changes. Consensus rests on every number here. Spec:
//! `docs/spec/gas.md#the-calibrated-model`.

use super::ProgramFacts;
use super::costs::{Fields, places_of};
use crate::isa::{GasClass, InstructionSpec, Opcode, TABLE};

/// Time that a mispredicted branch takes. Every conditional branch is charged for it, and gives it back when it goes the
/// likely way.
pub(super) const MISPREDICTION: u32 = 560;

/// Cost of a host call: a handoff to the host and back while both spin.
pub(super) const HOST_CALL: u32 = 60_000;

/// What an instruction asks for.
#[derive(Clone, Copy)]
struct Row {
    /// Its part of the processor's throughput.
    throughput: u32,
    /// Its part of the time that nothing else overlaps with.
    serial: u32,
    /// From its operands to its result.
    latency: u32,
    /// From the last store before it to its result.
    forwarding: u32,
    /// Where the register is that it writes, and those that it reads, in [`Fields`].
    to: u8,
    from: [u8; 3],
    memory: u8,
}

/// What depends on the memory that a program can address: up to so many bytes, the latency of a load and its part of the
/// throughput. A program whose memory is larger than a cache can miss it with every load.
const MEMORY: [(u32, u32, u32); 9] = [
    (16 << 10, 175, 14),
    (32 << 10, 200, 14),
    (64 << 10, 280, 15),
    (128 << 10, 340, 15),
    (256 << 10, 440, 20),
    (512 << 10, 600, 30),
    (1 << 20, 950, 60),
    (2 << 20, 1200, 80),
    (u32::MAX, 8000, 1500),
];

/// What depends on the length of the code: up to so many bytes, the part of the throughput that entering a block takes.
const CODE: [(u32, u32); 4] = [(4 << 10, 50), (16 << 10, 170), (64 << 10, 450), (u32::MAX, 1000)];

/// From a store to a load of what it stored.
const FORWARDING: u32 = 140;

/// Throughput, what nothing overlaps with, and latency of an instruction.
#[rustfmt::skip]
const fn row(spec: &InstructionSpec, is_wide: bool, class: usize) -> (u32, u32, u32) {
    use GasClass as G;
    use Opcode as O;
    let (_, load_latency, load_throughput) = MEMORY[class];
    // The sign extension that 32-bit operations need where registers have 64 bits.
    let extension = if is_wide { 35 } else { 0 };
    match spec.opcode {
        O::RotateLeft32 | O::RotateRight32 | O::RotateLeft64 | O::RotateRight64 => return (60, 0, 75),
        O::RotateRightImmAlt32 | O::RotateRightImmAlt64 => return (60, 0, 75),
        O::MulUpperUnsignedUnsigned => return (38, 0, 135),
        O::DivUnsigned32 | O::DivSigned32 | O::RemUnsigned32 | O::RemSigned32 => return (250, 0, 420),
        _ => {}
    }
    match spec.gas_class {
        G::Alu | G::AluImm | G::BitCount => (14, 0, 35),
        G::Alu32 | G::AluImm32 => (22, 0, 35 + extension),
        G::Shift => (20, 0, 35),
        G::Shift32 => (22, 0, 35 + extension),
        G::ShiftAlt => (28, 0, 35),
        G::ShiftAlt32 => (30, 0, 35 + extension),
        G::TrailingZeros => (20, 0, 70),
        G::Negate => (25, 0, 70),
        G::Negate32 => (40, 0, 70 + extension),
        G::Compare | G::CompareImm => (25, 0, 105),
        G::Cmov => (18, 0, 35),
        G::CmovImm => (40, 0, 70),
        G::MinMax => (28, 0, 70),
        G::LogicInverted => (25, 0, 35),
        G::Xnor => (18, 0, 70),
        G::LoadImm | G::Move => (7, 0, 0),
        G::LoadImm64 => (15, 0, 0),
        G::Mul | G::MulImm => (38, 0, 105),
        G::Mul32 | G::MulImm32 => (40, 0, 105 + extension),
        G::MulUpper => (55, 0, 140),
        G::MulUpperMixed => (90, 0, 195),
        G::Divide => (420, 0, 680),
        G::Load | G::LoadIndirect => (load_throughput, 0, load_latency),
        G::Store | G::StoreIndirect | G::StoreImm | G::StoreImmIndirect => (32, 0, 0),
        G::Branch | G::BranchImm => (20, MISPREDICTION, 35),
        G::Jump => (35, 0, 0),
        G::JumpIndirect => (35, 465, 0),
        G::Trap | G::Unlikely => (0, 0, 0),
        G::HostCall | G::Sbrk => (0, HOST_CALL, 0),
    }
}

type Rows = [Row; Opcode::COUNT];

/// By memory, by whether registers have 64 bits, and by opcode.
static ROWS: [[Rows; 2]; MEMORY.len()] = {
    let nothing = Row { throughput: 0, serial: 0, latency: 0, forwarding: 0, to: 0, from: [0; 3], memory: 0 };
    let mut rows = [[[nothing; Opcode::COUNT]; 2]; MEMORY.len()];
    let mut class = 0;
    while class < MEMORY.len() {
        let mut opcode = 0;
        while opcode < Opcode::COUNT {
            rows[class][0][opcode] = Row::new(&TABLE[opcode], false, class);
            rows[class][1][opcode] = Row::new(&TABLE[opcode], true, class);
            opcode += 1;
        }
        class += 1;
    }
    rows
};

impl Row {
    const fn new(spec: &InstructionSpec, is_wide: bool, class: usize) -> Row {
        let (throughput, serial, latency) = row(spec, is_wide, class);
        let (to, first, second, updates) = places_of(spec);
        let third = if updates { to } else { Fields::NO_SOURCE };
        let (to, memory, forwarding) = match spec.gas_class {
            GasClass::Load | GasClass::LoadIndirect => (to, Fields::MEMORY, FORWARDING),
            // What stores is as late as the latest of them.
            GasClass::Store | GasClass::StoreIndirect | GasClass::StoreImm | GasClass::StoreImmIndirect => {
                (Fields::MEMORY, Fields::MEMORY, 0)
            }
            _ => (to, Fields::NO_SOURCE, 0),
        };
        Row {
            throughput,
            serial,
            latency,
            forwarding,
            to: to as u8,
            from: [first as u8, second as u8, third as u8],
            memory: memory as u8,
        }
    }
}

/// The state of a block.
#[derive(Clone, Debug)]
pub(super) struct Calibrated {
    rows: &'static Rows,
    /// What entering a block takes.
    entry: u32,
    throughput: u64,
    serial: u64,
    /// The time of the latest result.
    critical: u64,
    /// The time at which each register is ready, memory as one of them.
    ready: [u64; 16],
}

impl core::fmt::Debug for Row {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.throughput, self.latency)
    }
}

impl Calibrated {
    pub fn new(facts: ProgramFacts) -> Self {
        let class = MEMORY.iter().position(|(bytes, ..)| facts.memory <= *bytes).unwrap_or(MEMORY.len() - 1);
        let entry = CODE.iter().find(|(bytes, _)| facts.code <= *bytes).map_or(0, |(_, entry)| *entry);
        Calibrated {
            rows: &ROWS[class][usize::from(facts.is_64_bit)],
            entry,
            throughput: 0,
            serial: 0,
            critical: 0,
            ready: [0; 16],
        }
    }

    /// Counts the next instruction, [`Opcode::Trap`] for an invalid one.
    #[inline(always)]
    pub fn feed(&mut self, opcode: Opcode, fields: Fields) {
        let row = &self.rows[opcode as usize];
        let ready = |place: u8| self.ready[fields.get(u64::from(place))];
        let [first, second, third] = row.from;
        let operands = ready(first).max(ready(second)).max(ready(third));
        let result = (operands + u64::from(row.latency)).max(ready(row.memory) + u64::from(row.forwarding));
        self.ready[fields.get(u64::from(row.to))] = result;
        self.critical = self.critical.max(result);
        self.throughput += u64::from(row.throughput);
        self.serial += u64::from(row.serial);
    }

    /// The cost of the block, once everything in it was fed; and the start of another.
    pub fn finish(&mut self) -> u32 {
        let time = u64::from(self.entry) + self.serial + self.throughput.max(self.critical);
        (self.throughput, self.serial, self.critical, self.ready) = (0, 0, 0, [0; 16]);
        u32::try_from(time).unwrap_or(u32::MAX).max(1)
    }
}
