//! Cost of a basic block under each cost model: `docs/spec/gas.md#gas`.

use crate::calibrated;
use crate::code::{DecodedCode, Instruction};
use std::collections::BTreeSet;

/// A cost model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
    /// One gas for each instruction.
    Naive,
    /// The pipeline, with the latency of loads in cycles, 1 to 127.
    Pipeline(u8),
    /// The first calibration.
    CalibratedV1,
}

/// Cost of a block of these instructions, of a program that can address this many bytes of memory.
pub fn cost(model: Model, code: &DecodedCode, memory: u64, block: &[Instruction]) -> u32 {
    match model {
        Model::Naive => block.len() as u32,
        Model::CalibratedV1 => calibrated::cost(code, memory, block),
        Model::Pipeline(latency) => {
            let mut pipeline = Pipeline::new();
            for instruction in block {
                pipeline.take(&Demand::of(instruction, code, latency));
            }
            pipeline.tick(Tick::Pending);
            while pipeline.in_use() > 0 {
                pipeline.tick(Tick::Drained);
            }
            pipeline.cycles.saturating_sub(3).max(1)
        }
    }
}

/// Free or needed units: ALU, LOAD, STORE, MUL, DIV.
type Units = [u32; 5];
const ALU: Units = [1, 0, 0, 0, 0];
const LOAD: Units = [1, 1, 0, 0, 0];
const STORE: Units = [1, 0, 1, 0, 0];
const MUL: Units = [1, 0, 0, 1, 0];
const DIV: Units = [1, 0, 0, 0, 1];

/// A row of the table, for one instruction.
struct Demand {
    latency: i32,
    decode: u32,
    units: Units,
    writes: Option<usize>,
    reads: Vec<usize>,
    /// The instruction is `move_reg`.
    moves: bool,
}

impl Demand {
    fn of(i: &Instruction, code: &DecodedCode, memory: u8) -> Demand {
        // The registers in the order of the fields: the one that is written, and those that are read.
        let (d, s): (usize, Vec<usize>) = match i.form {
            "RRR" => (i.r3, vec![i.r1, i.r2]),
            _ => (i.r1, vec![i.r2]),
        };
        let x = u32::from(code.isa.wide());
        let fresh = u32::from(!s.contains(&d));
        let not_first = u32::from(s[0] != d);
        let memory = i32::from(memory);
        let branch = if code.looks_rare(i.next) || code.looks_rare(i.target) { 1 } else { 20 };
        let made = |latency: u32, decode: u32, units: Units| (latency as i32, decode, units, Some(d), s.clone());
        let (latency, decode, units, writes, reads) = match i.name {
            "and" | "or" | "xor" | "add_64" | "sub_64" => made(1, 1 + fresh, ALU),
            "add_32" | "sub_32" => made(1 + x, 1 + x + fresh, ALU),
            "and_imm"
            | "or_imm"
            | "xor_imm"
            | "add_imm_64"
            | "rotate_right_imm_64"
            | "reverse_byte"
            | "shift_logical_left_imm_64"
            | "shift_logical_right_imm_64"
            | "shift_arithmetic_right_imm_64" => made(1, 1 + fresh, ALU),
            "add_imm_32"
            | "rotate_right_imm_32"
            | "shift_logical_left_imm_32"
            | "shift_logical_right_imm_32"
            | "shift_arithmetic_right_imm_32" => made(1 + x, 1 + x + fresh, ALU),
            "count_leading_zero_bits_32"
            | "count_leading_zero_bits_64"
            | "count_set_bits_32"
            | "count_set_bits_64"
            | "sign_extend_8"
            | "sign_extend_16"
            | "zero_extend_16" => made(1, 1, ALU),
            "count_trailing_zero_bits_32" | "count_trailing_zero_bits_64" => made(2, 1, [2, 0, 0, 0, 0]),
            "shift_logical_left_64"
            | "shift_logical_right_64"
            | "shift_arithmetic_right_64"
            | "rotate_left_64"
            | "rotate_right_64" => made(1, 2 + not_first, ALU),
            "shift_logical_left_32"
            | "shift_logical_right_32"
            | "shift_arithmetic_right_32"
            | "rotate_left_32"
            | "rotate_right_32" => made(1 + x, 2 + x + not_first, ALU),
            "shift_logical_left_imm_alt_64"
            | "shift_logical_right_imm_alt_64"
            | "shift_arithmetic_right_imm_alt_64"
            | "rotate_right_imm_alt_64" => made(1, 3, ALU),
            "shift_logical_left_imm_alt_32"
            | "shift_logical_right_imm_alt_32"
            | "shift_arithmetic_right_imm_alt_32"
            | "rotate_right_imm_alt_32" => made(2, 4, ALU),
            "set_less_than_unsigned"
            | "set_less_than_signed"
            | "set_less_than_unsigned_imm"
            | "set_less_than_signed_imm"
            | "set_greater_than_unsigned_imm"
            | "set_greater_than_signed_imm" => made(3, 3, ALU),
            "cmov_if_zero" | "cmov_if_not_zero" => (2, 2, ALU, Some(d), vec![d, i.r1, i.r2]),
            "cmov_if_zero_imm" | "cmov_if_not_zero_imm" => (2, 3, ALU, Some(d), vec![d, i.r2]),
            "maximum" | "maximum_unsigned" | "minimum" | "minimum_unsigned" => made(3, 2 + fresh, ALU),
            "and_inverted" | "or_inverted" => made(2, 3, ALU),
            "xnor" => made(2, 2 + fresh, ALU),
            "negate_and_add_imm_64" => made(2, 3, ALU),
            "negate_and_add_imm_32" => made(3, 4, ALU),
            "load_imm" => (1, 1, [0; 5], Some(d), vec![]),
            "load_imm64" => (1, 2, [0; 5], Some(d), vec![]),
            "mul_64" | "mul_imm_64" => made(3, 1 + fresh, MUL),
            "mul_32" | "mul_imm_32" => made(4, 2 + fresh, MUL),
            "mul_upper_signed_signed" | "mul_upper_unsigned_unsigned" => made(4, 4, MUL),
            "mul_upper_signed_unsigned" => made(6, 4, MUL),
            name if name.starts_with("div_") || name.starts_with("rem_") => made(60, 4, DIV),
            name if name.starts_with("load_indirect_") => (memory, 1, LOAD, Some(d), s),
            name if name.starts_with("store_imm_indirect_") => (25, 1, STORE, None, vec![i.r1]),
            name if name.starts_with("store_imm_") => (25, 1, STORE, None, vec![]),
            name if name.starts_with("store_indirect_") => (25, 1, STORE, None, vec![i.r1, i.r2]),
            name if name.starts_with("store_") => (25, 1, STORE, None, vec![i.r1]),
            name if name.starts_with("branch_") && i.form == "RRO" => (branch, 1, ALU, None, vec![i.r1, i.r2]),
            name if name.starts_with("branch_") => (branch, 1, ALU, None, vec![i.r1]),
            "jump" | "load_imm_and_jump" => (15, 1, [0; 5], None, vec![]),
            "jump_indirect" => (22, 1, [0; 5], None, vec![i.r1]),
            "load_imm_and_jump_indirect" => (22, 1, [0; 5], None, vec![i.r2]),
            "unlikely" => (40, 1, [0; 5], None, vec![]),
            "ecalli" | "memset" => (100, 4, ALU, None, vec![]),
            "sbrk" => made(100, 4, ALU),
            "move_reg" => made(0, 1, [0; 5]),
            name if name.starts_with("load_") => (memory, 1, LOAD, Some(d), vec![]),
            // trap, fallthrough, and invalid instructions
            _ => (2, 1, [0; 5], None, vec![]),
        };
        Demand { latency, decode, units, writes, reads, moves: i.name == "move_reg" }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Free,
    Decoded,
    Waiting,
    Executing,
    Done,
}

#[derive(Clone)]
struct Slot {
    stage: Stage,
    left: i32,
    units: Units,
    waits_for: BTreeSet<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tick {
    Pending,
    Stalled,
    Drained,
}

struct Pipeline {
    slots: Vec<Slot>,
    /// The oldest slot in use.
    head: usize,
    /// The slot that makes the newest value of each register.
    maker: [Option<usize>; 13],
    free: Units,
    decode_left: u32,
    cycles: u32,
}

impl Pipeline {
    fn new() -> Pipeline {
        let slot = Slot { stage: Stage::Free, left: 0, units: [0; 5], waits_for: BTreeSet::new() };
        Pipeline { slots: vec![slot; 32], head: 0, maker: [None; 13], free: [4, 4, 4, 1, 1], decode_left: 4, cycles: 0 }
    }

    fn in_use(&self) -> usize {
        self.slots.iter().filter(|slot| slot.stage != Stage::Free).count()
    }

    /// The numbers of the slots, oldest first.
    fn by_age(&self) -> Vec<usize> {
        (0..32).map(|age| (self.head + age) % 32).collect()
    }

    fn take(&mut self, demand: &Demand) {
        if self.decode_left < demand.decode || self.in_use() == 32 {
            self.tick(Tick::Pending);
            while self.in_use() == 32 {
                self.tick(Tick::Stalled);
            }
        }
        self.decode_left -= demand.decode;
        let makers: BTreeSet<usize> = demand.reads.iter().filter_map(|register| self.maker[*register]).collect();
        if let (true, Some(to)) = (demand.moves, demand.writes) {
            self.maker[to] = makers.first().copied();
            return;
        }
        let slot = (self.head + self.in_use()) % 32;
        self.slots[slot] = Slot { stage: Stage::Decoded, left: demand.latency, units: demand.units, waits_for: makers };
        if let Some(register) = demand.writes {
            self.maker[register] = Some(slot);
        }
    }

    fn tick(&mut self, kind: Tick) {
        // Retire.
        let mut retired = 0;
        while self.slots[self.head].stage == Stage::Done {
            self.slots[self.head].stage = Stage::Free;
            self.head = (self.head + 1) % 32;
            retired += 1;
        }
        // Issue.
        let mut issued = 0;
        for slot in self.by_age() {
            let slot = &mut self.slots[slot];
            if issued == 5 || slot.stage != Stage::Waiting || !slot.waits_for.is_empty() {
                continue;
            }
            if slot.units.iter().zip(&self.free).all(|(needed, free)| needed <= free) {
                self.free.iter_mut().zip(slot.units).for_each(|(free, needed)| *free -= needed);
                slot.stage = Stage::Executing;
                issued += 1;
            }
        }
        // Execute.
        let executing: Vec<usize> = (0..32).filter(|slot| self.slots[*slot].stage == Stage::Executing).collect();
        let mut step = 1;
        if kind == Tick::Drained || (kind == Tick::Stalled && retired == 0) {
            step = executing.iter().map(|slot| self.slots[*slot].left).min().unwrap_or(1).max(1);
        }
        for number in executing {
            let slot = &mut self.slots[number];
            slot.left -= step;
            if slot.left == 0 {
                self.free.iter_mut().zip(slot.units).for_each(|(free, used)| *free += used);
                self.slots.iter_mut().for_each(|other| _ = other.waits_for.remove(&number));
                self.maker.iter_mut().filter(|maker| **maker == Some(number)).for_each(|maker| *maker = None);
            } else if slot.left < 0 {
                slot.stage = Stage::Done;
            }
        }
        // Decode.
        if kind == Tick::Pending {
            self.slots.iter_mut().filter(|slot| slot.stage == Stage::Decoded).for_each(|s| s.stage = Stage::Waiting);
            self.decode_left = 4;
        }
        self.cycles += step as u32;
    }
}
