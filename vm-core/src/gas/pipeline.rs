//! The pipeline model: simulates an idealised out-of-order processor to find the cost of a basic block.
//!
//! Fed by [`super::BlockCost`] with the demand of each instruction, in order; returns at the end the number of cycles
//! that the block took. No values are computed: the simulation covers decoding, a reorder buffer of 32 slots, the
//! execution units and retirement. Takes bounded time per instruction and no memory beyond this state. Consensus rests
//! on every detail here. Spec: `docs/spec/gas.md#the-pipeline-model`.
//!
//! The specification counts cycles; this is an event-driven simulation with the same results. When an instruction is
//! issued, the cycle of its result is known, so nothing is counted down: a calendar of [`CALENDAR`] cycles holds the
//! set of slots that finish in each. Only ticks in which something can be issued, finish or be decoded are simulated.
//! Sets of slots are bits of a word. Slots retire only when the buffer is full, as before that their retirement cannot
//! be observed.

use super::costs::{Demand, Fields};

/// Slots of the reorder buffer.
const SLOTS: u32 = 32;
/// Decode slots per cycle.
const DECODE: u32 = 4;
/// Issue width: instructions that can start per cycle.
const ISSUE: u32 = 5;
/// Cycles at the end of a block that overlap with the next one and are not charged.
const SLACK: u32 = 3;
/// Cycles from the result of the last instruction until the buffer is empty: one until it is done, one until it
/// retires.
const RETIREMENT: u64 = 2;
/// Cycles that the calendar covers. A later result is entered again when that time has passed.
const CALENDAR: u32 = 64;

/// A set of buffer slots, one bit each.
type Slots = u32;

/// State of the simulated processor. It is empty at the start of each block.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    /// Current cycle.
    now: u64,
    /// Cycle of the latest result that is known.
    last: u64,
    /// Decode slots left in this cycle.
    decode_left: u32,
    /// Number of the oldest instruction that is not known to have retired; its slot is the number modulo [`SLOTS`].
    head: u32,
    /// Number of the next instruction.
    tail: u32,
    /// Free units.
    free: u32,
    /// Slots decoded in this cycle: they wait for execution from the next cycle on.
    decoded: Slots,
    /// Slots that wait for execution.
    waiting: Slots,
    /// Slots whose results are pending.
    unfinished: Slots,
    /// Slots that finished at `now`, and in the cycle before.
    finished: Slots,
    finished_before: Slots,
    /// Slots that wait for their first operand (low half) and their second one (high half).
    blocked: u64,
    /// Slots that wait for their third operand.
    blocked_third: Slots,
    /// Waiting slots that need no unit.
    unitless: Slots,
    /// Waiting slots that need other units than one ALU.
    special: Slots,
    /// Executing slots that finish later than the calendar says, and the cycles in which they do.
    far: Slots,
    far_ends: [u64; SLOTS as usize],
    /// Latency and units of each slot.
    demands: [Demand; SLOTS as usize],
    /// The slots that wait for each slot's result, encoded as in `blocked`. The entry behind the last slot is for
    /// operands that are ready.
    consumers: [u64; SLOTS as usize + 1],
    consumers_third: [Slots; SLOTS as usize + 1],
    /// The slot that produces the newest value of each register, or none. It may have finished, but has not been
    /// reused.
    makers: [Slots; 16],
    /// The slots that finish in each cycle, modulo [`CALENDAR`].
    calendar: [Slots; CALENDAR as usize],
    /// The cycles in which slots finish, one bit each, from the cycle after `now` on.
    events: u64,
}

impl Pipeline {
    pub fn new() -> Self {
        Pipeline {
            now: 0,
            last: 0,
            decode_left: DECODE,
            head: 0,
            tail: 0,
            free: Demand::ALL_UNITS,
            decoded: 0,
            waiting: 0,
            unfinished: 0,
            finished: 0,
            finished_before: 0,
            blocked: 0,
            blocked_third: 0,
            unitless: 0,
            special: 0,
            far: 0,
            far_ends: [0; SLOTS as usize],
            demands: [Demand::NOTHING; SLOTS as usize],
            consumers: [0; SLOTS as usize + 1],
            consumers_third: [0; SLOTS as usize + 1],
            makers: [0; 16],
            calendar: [0; CALENDAR as usize],
            events: 0,
        }
    }

    /// Resets the state for the next block.
    fn restart(&mut self) {
        while self.events != 0 {
            let at = (self.now as u32).wrapping_add(1 + self.events.trailing_zeros()) % CALENDAR;
            self.events &= self.events - 1;
            self.calendar[at as usize] = 0;
        }
        self.far = 0;
        self.now = 0;
        self.last = 0;
        self.decode_left = DECODE;
        self.head = 0;
        self.tail = 0;
        self.free = Demand::ALL_UNITS;
        self.unfinished = 0;
        self.finished = 0;
        self.finished_before = 0;
        self.makers = [0; 16];
    }

    /// Decodes the next instruction.
    #[inline(always)]
    pub fn feed(&mut self, demand: Demand, fields: Fields) {
        if self.decode_left < demand.decode(fields) || self.is_full() {
            self.feed_later(demand, fields);
        } else {
            self.decode(demand, fields);
        }
    }

    #[inline(never)]
    fn feed_later(&mut self, demand: Demand, fields: Fields) {
        self.make_room(demand.decode(fields));
        self.decode(demand, fields);
    }

    #[inline(always)]
    fn decode(&mut self, demand: Demand, fields: Fields) {
        self.decode_left = self.decode_left.wrapping_sub(demand.decode(fields));
        let [to, first, second] = demand.registers(fields);
        if demand.is_move() {
            self.makers[to] = self.makers[second];
            return;
        }
        let slot = self.tail % SLOTS;
        self.tail = self.tail.wrapping_add(1);
        let bit: Slots = 1 << slot;
        let first = self.makers[first] & self.unfinished;
        let second = self.makers[second] & self.unfinished;
        self.consumers[first.trailing_zeros() as usize] |= u64::from(bit);
        self.consumers[second.trailing_zeros() as usize] |= u64::from(bit) << SLOTS;
        self.blocked |= (u64::from(first != 0) | u64::from(second != 0) << SLOTS) << slot;
        if demand.reads_destination() {
            let third = self.makers[to] & self.unfinished;
            self.consumers_third[third.trailing_zeros() as usize] |= bit;
            self.blocked_third |= Slots::from(third != 0) << slot;
        }
        self.consumers[slot as usize] = 0;
        self.consumers_third[slot as usize] = 0;
        self.makers[to] = bit;
        self.demands[slot as usize] = demand;
        if !demand.is_alu() {
            match demand.units() {
                0 => self.unitless |= bit,
                _ => self.special |= bit,
            }
        }
        self.decoded |= bit;
        self.unfinished |= bit;
    }

    /// Returns the cost of the block, once all of its instructions were fed, and starts the next block.
    pub fn finish(&mut self) -> u32 {
        self.decode_tick();
        let mut end = self.now;
        loop {
            let is_cut_short = self.issue();
            if self.waiting == 0 {
                break;
            }
            self.skip(is_cut_short && self.finished != 0);
        }
        end = end.max(self.last + RETIREMENT);
        self.restart();
        u32::try_from(end).unwrap_or(u32::MAX).saturating_sub(SLACK).max(1)
    }

    /// Advances until `decode` decode slots and a buffer slot are free.
    #[inline(never)]
    fn make_room(&mut self, decode: u32) {
        if self.is_full() {
            self.retire(self.finished | self.finished_before);
            if self.decode_left >= decode && !self.is_full() {
                return;
            }
            // The order of this step and those below makes no difference.
            self.retire(self.finished);
        }
        self.decode_tick();
        while self.is_full() {
            self.stalled_tick();
        }
    }

    /// True if all slots are in use, once finished ones were retired.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.tail.wrapping_sub(self.head) == SLOTS
    }

    /// Simulates a cycle in which instructions were decoded.
    #[inline(always)]
    fn decode_tick(&mut self) {
        self.issue();
        self.step(1);
        self.waiting |= self.decoded;
        self.decoded = 0;
        self.decode_left = DECODE;
    }

    /// Simulates a cycle in which nothing can be decoded because the buffer is full, and skips those in which nothing
    /// happens.
    fn stalled_tick(&mut self) {
        self.retire(self.finished);
        let is_cut_short = self.issue();
        // After a result in this cycle, the specification's next tick is in the next cycle.
        let retires_next = self.finished >> (self.head % SLOTS) & 1 != 0;
        self.skip(!self.is_full() || retires_next || (is_cut_short && self.finished != 0));
    }

    /// Frees the oldest slots, as long as they have finished and are not `too_new`.
    #[inline(always)]
    fn retire(&mut self, too_new: Slots) {
        let done = !(self.unfinished | too_new);
        let (head, in_use) = (self.head % SLOTS, self.tail.wrapping_sub(self.head));
        let count = done.rotate_right(head).trailing_ones().min(in_use);
        self.head = self.head.wrapping_add(count);
        let freed = (((1u64 << count) - 1) as Slots).rotate_left(head);
        for maker in &mut self.makers {
            *maker &= !freed;
        }
    }

    /// Starts slots that wait for nothing, oldest first, as far as there are free units. Returns true if the limit of
    /// [`ISSUE`] kept others from starting.
    #[inline(always)]
    fn issue(&mut self) -> bool {
        let blocked = self.blocked as Slots | (self.blocked >> SLOTS) as Slots | self.blocked_third;
        let mut ready = self.waiting & !blocked;
        if ready == 0 {
            return false;
        }
        ready &= self.with_units(ready);
        let mut issued = 0;
        while ready != 0 {
            if issued == ISSUE {
                return true;
            }
            issued += 1;
            let oldest = ready.rotate_right(self.head % SLOTS).trailing_zeros();
            let slot = oldest.wrapping_add(self.head) % SLOTS;
            let bit: Slots = 1 << slot;
            let demand = self.demands[slot as usize];
            self.waiting &= !bit;
            ready &= !bit;
            if !demand.is_alu() {
                self.unitless &= !bit;
                self.special &= !bit;
            }
            self.free = self.free.wrapping_sub(demand.units());
            self.last = self.last.max(self.now + u64::from(demand.latency()));
            self.finish_after(slot, demand.latency());
            // A slot whose units are taken now cannot start later in this cycle, so one pass is enough.
            ready &= self.with_units(ready);
        }
        false
    }

    /// Enters into the calendar that `slot` finishes after `cycles`.
    #[inline(always)]
    fn finish_after(&mut self, slot: u32, cycles: u32) {
        let mut ahead = cycles;
        if cycles > CALENDAR {
            self.far |= 1 << slot;
            self.far_ends[slot as usize] = self.now + u64::from(cycles);
            ahead = CALENDAR;
        }
        self.calendar[((self.now as u32).wrapping_add(ahead) % CALENDAR) as usize] |= 1 << slot;
        self.events |= 1 << (ahead.wrapping_sub(1) % CALENDAR);
    }

    /// Removes those slots from `finished` that finish later than the calendar said, and enters them again.
    #[cold]
    #[inline(never)]
    fn put_off(&mut self, mut finished: Slots) -> Slots {
        let mut rest = finished & self.far;
        while rest != 0 {
            let slot = rest.trailing_zeros();
            rest &= rest - 1;
            self.far &= !(1 << slot);
            let left = self.far_ends[slot as usize % SLOTS as usize].saturating_sub(self.now) as u32;
            if left != 0 {
                finished &= !(1 << slot);
                self.finish_after(slot, left);
            }
        }
        finished
    }

    /// Returns those of the `ready` slots for which there are free units.
    #[inline(always)]
    fn with_units(&self, ready: Slots) -> Slots {
        if self.free & Demand::ALUS == 0 {
            return self.unitless;
        }
        match ready & self.special {
            0 => ready,
            special => self.with_special_units(ready, special),
        }
    }

    #[inline(never)]
    fn with_special_units(&self, mut ready: Slots, special: Slots) -> Slots {
        let mut rest = special;
        while rest != 0 {
            let slot = rest.trailing_zeros();
            rest &= rest - 1;
            if !self.demands[slot as usize % SLOTS as usize].fits(self.free) {
                ready &= !(1 << slot);
            }
        }
        ready
    }

    /// Advances to the next result, or by one cycle if `is_next`.
    #[inline(always)]
    fn skip(&mut self, is_next: bool) {
        loop {
            let ahead = self.events.trailing_zeros();
            self.step(if is_next || ahead == CALENDAR { 1 } else { ahead + 1 });
            // Nothing finished if all slots of that cycle were entered again.
            if is_next || self.finished != 0 || self.events == 0 {
                return;
            }
        }
    }

    /// Advances by `step` cycles, at most [`CALENDAR`]; no result comes before the last of them.
    #[inline(always)]
    fn step(&mut self, step: u32) {
        self.now += u64::from(step);
        let events = self.events >> (step.wrapping_sub(1) % CALENDAR);
        self.events = events >> 1;
        self.finished_before = if step == 1 { self.finished } else { 0 };
        self.finished = 0;
        if events & 1 == 0 {
            return;
        }
        let mut finished = core::mem::take(&mut self.calendar[(self.now as u32 % CALENDAR) as usize]);
        if finished & self.far != 0 {
            finished = self.put_off(finished);
        }
        self.finished = finished;
        self.unfinished &= !finished;
        let mut rest = finished;
        while rest != 0 {
            let slot = rest.trailing_zeros() as usize % SLOTS as usize;
            rest &= rest - 1;
            self.free = self.free.wrapping_add(self.demands[slot].units());
            self.blocked &= !self.consumers[slot];
            self.blocked_third &= !self.consumers_third[slot];
        }
    }
}
