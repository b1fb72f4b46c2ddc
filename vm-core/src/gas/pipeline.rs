//! The pipeline: an idealised out-of-order processor that a basic block is run through to find its cost.
//!
//! Fed by [`super::BlockCost`] with what each instruction of a block demands, in order; says at the end how many cycles
//! the block took. No values are computed: only the flow of instructions through decoding, a buffer of 32, the
//! execution units and retirement is. Takes bounded time for each instruction and no memory of its own but this state.
//! Consensus rests on every detail here; the order of steps in a tick is part of the model. Spec:
//! `docs/spec/gas.md#the-pipeline-model`.

use super::costs::{Demand, Units};
use crate::isa::Reg;

/// Slots of the reorder buffer.
const SLOTS: usize = 32;
/// Decode slots in a cycle.
const DECODE: u8 = 4;
/// Instructions that can start in a cycle.
const ISSUE: u32 = 5;
/// Cycles at the end of a block that count for the next one.
const SLACK: u32 = 3;
/// Stands in [`Pipeline::writer`] for no slot.
const NO_SLOT: u8 = SLOTS as u8;

/// A set of buffer slots, a bit each.
type Slots = u32;

/// State of the decoder in a cycle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Front {
    /// Some were: they wait for execution from the next cycle on.
    Pending,
    /// None can be, as the buffer is full; idle cycles are skipped if nothing was retired.
    Stalled,
    /// None will be; idle cycles are skipped.
    Drained,
}

/// State of the processor. It starts empty for each block.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    cycles: u32,
    /// Decode slots left in this cycle.
    decode_left: u8,
    units_free: Units,
    /// The oldest slot in use; slots are used in a circle.
    head: u32,
    /// Number of slots in use.
    in_use: u32,
    /// The sets of slots in each stage; a slot in use is in one of the five.
    decoded: Slots,
    waiting: Slots,
    executing: Slots,
    /// The result is there; done after one more cycle.
    finished: Slots,
    done: Slots,
    /// Slots with something in `needs`.
    blocked: Slots,
    /// Cycles that an executing slot still takes; for others those it will take.
    left: [u8; SLOTS],
    units: [Units; SLOTS],
    /// Slots whose results a slot waits for.
    needs: [Slots; SLOTS],
    /// Registers whose newest value a slot makes, a bit each.
    writes: [u16; SLOTS],
    /// The slot that makes the newest value of a register, or [`NO_SLOT`].
    writer: [u8; 16],
}

impl Pipeline {
    pub fn new() -> Self {
        Pipeline {
            cycles: 0,
            decode_left: DECODE,
            units_free: Units::ALL,
            head: 0,
            in_use: 0,
            decoded: 0,
            waiting: 0,
            executing: 0,
            finished: 0,
            done: 0,
            blocked: 0,
            left: [0; SLOTS],
            units: [Units::ALL; SLOTS],
            needs: [0; SLOTS],
            writes: [0; SLOTS],
            writer: [NO_SLOT; 16],
        }
    }

    /// Takes the next instruction.
    pub fn feed(&mut self, demand: &Demand) {
        self.make_room(demand.decode);
        let slot = (self.head + self.in_use) as usize % SLOTS;
        let mut needs = 0;
        for register in bits(u32::from(demand.reads)) {
            let writer = self.writer[register];
            if writer != NO_SLOT {
                needs |= 1 << writer;
            }
        }
        self.needs[slot] = needs;
        if needs != 0 {
            self.blocked |= 1 << slot;
        }
        self.left[slot] = demand.latency;
        self.units[slot] = demand.units;
        self.writes[slot] = 0;
        if let Some(to) = demand.writes {
            self.set_writer(to, slot as u8);
        }
        self.decoded |= 1 << slot;
        self.in_use += 1;
        self.decode_left -= demand.decode;
    }

    /// Takes a register move, which only renames: it is decoded, but neither buffered nor executed.
    pub fn feed_move(&mut self, to: Reg, from: Reg) {
        self.make_room(1);
        self.set_writer(to, self.writer[from as usize]);
        self.decode_left -= 1;
    }

    /// The cost of the block, once everything in it was fed.
    pub fn finish(mut self) -> u32 {
        self.tick(Front::Pending);
        while self.in_use > 0 {
            self.tick(Front::Drained);
        }
        self.cycles.saturating_sub(SLACK).max(1)
    }

    fn set_writer(&mut self, register: Reg, slot: u8) {
        let register = register as usize;
        let bit = 1 << register;
        if let Some(writes) = self.writes.get_mut(usize::from(self.writer[register])) {
            *writes &= !bit;
        }
        self.writer[register] = slot;
        if let Some(writes) = self.writes.get_mut(usize::from(slot)) {
            *writes |= bit;
        }
    }

    /// Waits until `decode` decode slots and a buffer slot are free.
    fn make_room(&mut self, decode: u8) {
        if self.decode_left < decode || self.in_use == SLOTS as u32 {
            self.tick(Front::Pending);
            while self.in_use == SLOTS as u32 {
                self.tick(Front::Stalled);
            }
        }
    }

    /// Goes on by a cycle, or by several if only time passes in them.
    fn tick(&mut self, front: Front) {
        let retired = self.retire();
        self.issue();
        let skips = front == Front::Drained || (front == Front::Stalled && retired == 0);
        let step = self.execute(skips);
        if front == Front::Pending {
            self.waiting |= self.decoded;
            self.decoded = 0;
            self.decode_left = DECODE;
        }
        self.cycles = self.cycles.saturating_add(u32::from(step));
    }

    /// Frees the oldest slots, as far as they are done; returns how many.
    fn retire(&mut self) -> u32 {
        let count = self.done.rotate_right(self.head).trailing_ones();
        let freed = ((1u64 << count) - 1) as Slots;
        self.done &= !freed.rotate_left(self.head);
        self.head = (self.head + count) % SLOTS as u32;
        self.in_use -= count;
        count
    }

    /// Starts what waits for nothing, oldest first, as far as there are units for it.
    fn issue(&mut self) {
        let ready = (self.waiting & !self.blocked).rotate_right(self.head);
        let mut issued = 0;
        for age in bits(ready) {
            let slot = (self.head as usize + age) % SLOTS;
            // What did not fit fits even less later in the same cycle, so one pass is enough.
            if let Some(left) = self.units_free.take(self.units[slot]) {
                self.units_free = left;
                self.waiting &= !(1 << slot);
                self.executing |= 1 << slot;
                issued += 1;
                if issued == ISSUE {
                    break;
                }
            }
        }
    }

    /// Lets the executing slots go on; returns by how many cycles. If it may skip, it goes to the next result.
    fn execute(&mut self, skips: bool) -> u8 {
        let mut step = 1;
        if skips && self.finished == 0 {
            step = bits(self.executing).map(|slot| self.left[slot]).min().unwrap_or(1);
        }
        self.done |= self.finished;
        self.finished = 0;
        for slot in bits(self.executing) {
            self.left[slot] -= step;
            if self.left[slot] == 0 {
                self.finished |= 1 << slot;
                self.units_free.give(self.units[slot]);
                for register in bits(u32::from(self.writes[slot])) {
                    self.writer[register] = NO_SLOT;
                }
                self.writes[slot] = 0;
            }
        }
        self.executing &= !self.finished;
        if self.finished != 0 {
            for slot in bits(self.blocked) {
                self.needs[slot] &= !self.finished;
                if self.needs[slot] == 0 {
                    self.blocked &= !(1 << slot);
                }
            }
        }
        step
    }
}

/// The indexes of the bits that are set, from the lowest on.
fn bits(mut set: u32) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let index = set.trailing_zeros();
        // Clears the lowest bit; of an empty set it leaves an empty set.
        set &= set.wrapping_sub(1);
        (index < 32).then_some(index as usize)
    })
}
