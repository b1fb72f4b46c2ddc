//! The calibrated model: the execution time of a compiled block, in units of 10 picoseconds.
//!
//! Fed by [`super::BlockCost`] with the instructions of a block, in order. It computes two times: the block's share of
//! the processor's throughput, and the length of its critical path through registers and memory, from its entry to its
//! end. A block costs the larger of the two, however it overlaps with the blocks before and after it, because each
//! register that it reads may have been written last by the block before. The constants are fitted to the compiler's
//! code by `make gas-fit`; a released version never changes. Consensus rests on every number here. Spec:
//! `docs/spec/gas.md#the-calibrated-model`.

use super::ProgramFacts;
use super::costs::{Fields, places_of};
use crate::isa::{GasClass, InstructionSpec, Opcode, TABLE};

/// Penalty of a mispredicted branch. Every conditional branch is charged for it, and refunds it when it goes the likely
/// way.
pub(super) const MISPREDICTION: u32 = 480;

/// Cost of a host call: a handoff to the host and back while both spin.
pub(super) const HOST_CALL: u32 = 60_000;

/// Cost parameters of an instruction.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Its share of the processor's throughput.
    throughput: u32,
    /// The part of its time that overlaps with nothing else.
    serial: u32,
    /// Latency from its first two operands to its result.
    latency: i32,
    /// Latency from its third operand to its result.
    third_latency: i32,
    /// Positions in [`Fields`] of the register that it writes, and of those that it reads. Memory counts as a register:
    /// it is ready at the time at which a load would have to read an address register for its result to be as late as
    /// that of a load of the stored value.
    to: u8,
    from: [u8; 3],
}

/// Costs that depend on the memory that a program can address: up to this many bytes, the latency of a load and its
/// share of the throughput. If a program's memory is larger than a cache, every load may miss the cache.
const MEMORY: [(u32, u32, u32); 9] = [
    (16 << 10, 150, 12),
    (32 << 10, 170, 12),
    (64 << 10, 240, 12),
    (128 << 10, 290, 12),
    (256 << 10, 380, 15),
    (512 << 10, 500, 20),
    (1 << 20, 800, 40),
    (2 << 20, 1000, 60),
    (u32::MAX, 7000, 1000),
];

/// Costs that depend on the length of the code: up to this many bytes, the throughput that entering a block takes.
const CODE: [(u32, u32); 4] = [(4 << 10, 35), (16 << 10, 150), (64 << 10, 400), (u32::MAX, 900)];

/// Store-to-load forwarding: latency from a store to a load of the stored value.
const FORWARDING: u32 = 120;

/// Throughput, serial time and latency of an instruction.
#[rustfmt::skip]
const fn row(spec: &InstructionSpec, is_wide: bool, class: usize) -> (u32, u32, u32) {
    use GasClass as G;
    use Opcode as O;
    let (_, load_latency, load_throughput) = MEMORY[class];
    // The sign extension that 32-bit operations need where registers have 64 bits.
    let extension = if is_wide { 30 } else { 0 };
    match spec.opcode {
        O::RotateLeft32 | O::RotateRight32 | O::RotateLeft64 | O::RotateRight64 => return (35, 0, 65),
        O::RotateRightImmAlt32 | O::RotateRightImmAlt64 => return (35, 0, 65),
        O::MulUpperUnsignedUnsigned => return (30, 0, 115),
        O::DivUnsigned32 | O::DivSigned32 | O::RemUnsigned32 | O::RemSigned32 => return (200, 0, 350),
        _ => {}
    }
    match spec.gas_class {
        G::Alu | G::AluImm | G::BitCount => (8, 0, 30),
        G::Alu32 | G::AluImm32 => (13, 0, 30 + extension),
        G::Shift => (14, 0, 30),
        G::Shift32 => (16, 0, 30 + extension),
        G::ShiftAlt => (16, 0, 30),
        G::ShiftAlt32 => (20, 0, 30 + extension),
        G::TrailingZeros => (15, 0, 60),
        G::Negate => (14, 0, 60),
        G::Negate32 => (20, 0, 60 + extension),
        G::Compare | G::CompareImm => (15, 0, 90),
        G::Cmov => (12, 0, 30),
        G::CmovImm => (20, 0, 60),
        G::MinMax => (16, 0, 60),
        G::LogicInverted => (14, 0, 30),
        G::Xnor => (12, 0, 60),
        G::LoadImm | G::Move => (5, 0, 0),
        G::LoadImm64 => (8, 0, 0),
        G::Mul | G::MulImm => (30, 0, 90),
        G::Mul32 | G::MulImm32 => (30, 0, 90 + extension),
        G::MulUpper => (45, 0, 120),
        G::MulUpperMixed => (70, 0, 165),
        G::Divide => (320, 0, 560),
        G::Load | G::LoadIndirect => (load_throughput, 0, load_latency),
        G::Store | G::StoreIndirect | G::StoreImm | G::StoreImmIndirect => (30, 0, 0),
        G::Branch | G::BranchImm => (10, MISPREDICTION, 30),
        G::Jump => (30, 0, 0),
        G::JumpIndirect => (30, 420, 0),
        G::Trap | G::Unlikely => (0, 0, 0),
        G::HostCall | G::Sbrk => (0, HOST_CALL, 0),
    }
}

type Rows = [Row; Opcode::COUNT];

/// Cost parameters by class of memory, register width (32 or 64 bits), and opcode.
static ROWS: [[Rows; 2]; MEMORY.len()] = {
    let nothing = Row { throughput: 0, serial: 0, latency: 0, third_latency: 0, to: 0, from: [0; 3] };
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
        let mut row = Row {
            throughput,
            serial,
            latency: latency as i32,
            third_latency: 0,
            to: to as u8,
            from: [first as u8, second as u8, Fields::NO_SOURCE as u8],
        };
        match spec.gas_class {
            // A load has at most one operand, which is its second.
            GasClass::Load | GasClass::LoadIndirect => row.from[0] = Fields::MEMORY as u8,
            GasClass::Store | GasClass::StoreIndirect | GasClass::StoreImm | GasClass::StoreImmIndirect => {
                row.latency = FORWARDING as i32 - MEMORY[class].1 as i32;
                row.from[2] = Fields::MEMORY as u8;
                row.to = Fields::MEMORY as u8;
            }
            _ if updates => (row.from[2], row.third_latency) = (to as u8, latency as i32),
            _ => {}
        }
        row
    }
}

/// Running totals of a block.
#[derive(Clone, Debug)]
pub(super) struct Calibrated {
    rows: &'static Rows,
    /// Throughput of entering a block.
    entry: u32,
    throughput: u64,
    serial: u64,
    /// The time of the latest result.
    critical: i64,
    /// The time at which each register is ready, memory as one of them (see [`Row::to`]).
    ready: [i64; 16],
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

    /// Adds the next instruction; `opcode` is [`Opcode::Trap`] for an invalid one.
    #[inline(always)]
    pub fn feed(&mut self, opcode: Opcode, fields: Fields) {
        let row = &self.rows[opcode as usize];
        let ready = |place: u8| self.ready[fields.get(u64::from(place))];
        let [first, second, third] = row.from;
        let operands = ready(first).max(ready(second)) + i64::from(row.latency);
        let result = operands.max(ready(third) + i64::from(row.third_latency));
        self.ready[fields.get(u64::from(row.to))] = result;
        // The result of a store is never the latest: its operands were ready later.
        self.critical = self.critical.max(result);
        self.throughput += u64::from(row.throughput);
        self.serial += u64::from(row.serial);
    }

    /// Returns the cost of the block, once all of its instructions were fed, and starts the next block.
    pub fn finish(&mut self) -> u32 {
        let time = u64::from(self.entry) + self.serial + self.throughput.max(self.critical.unsigned_abs());
        (self.throughput, self.serial, self.critical, self.ready) = (0, 0, 0, [0; 16]);
        u32::try_from(time).unwrap_or(u32::MAX).max(1)
    }
}

/// Memory is ready at the start of a block, at a time that must not delay a load.
const _: () = {
    let mut class = 0;
    while class < MEMORY.len() {
        assert!(FORWARDING <= MEMORY[class].1);
        class += 1;
    }
};
