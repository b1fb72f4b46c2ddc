//! Gas: the cost of basic blocks.
//!
//! Used by every backend when it translates a block, and by tools. A block is charged in full when it is entered, so
//! its cost depends on its instructions alone. Costs are defined here and nowhere else. Spec: `docs/spec/gas.md#gas`.

mod calibrated;
mod costs;
mod model;
mod pipeline;

pub use model::{CostModelKind, MemoryLatency, ProgramFacts};

use crate::isa::{CodeView, Decoded, Encoded, Instruction, Opcode};
use calibrated::Calibrated;
use costs::{Demand, Fields, is_rare};
use pipeline::Pipeline;

/// Metering mode: whether and how gas is charged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Metering {
    /// No metering; a program may run for ever.
    Off,
    /// Gas is checked on entering each block: a block that cannot be paid is not charged and has no effect. After gas
    /// is added the run can continue.
    #[default]
    Sync,
    /// Gas is checked late: a run that cannot pay is over, its gas is negative (zero if a `memset` ran out), it has no
    /// program counter, and memory and registers are unspecified. Whether a run can pay is decided as with
    /// [`Metering::Sync`].
    Async,
}

/// Adds up the cost of one basic block, instruction by instruction.
#[derive(Clone, Debug)]
pub struct BlockCost(State);

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "short-lived, and allocating would cost more than the room")]
enum State {
    Naive(u32),
    Pipeline(Pipeline, MemoryLatency),
    Calibrated(Calibrated),
}

impl BlockCost {
    /// Starts a block of a program with these facts.
    pub fn new(model: CostModelKind, facts: ProgramFacts) -> Self {
        BlockCost(match model {
            CostModelKind::Naive => State::Naive(0),
            CostModelKind::Pipeline(latency) => State::Pipeline(Pipeline::new(), latency),
            CostModelKind::CalibratedV1 => State::Calibrated(Calibrated::new(facts)),
        })
    }

    /// Makes a meter that counts nothing, for code that is not metered or already paid.
    pub fn free() -> Self {
        BlockCost(State::Naive(0))
    }

    /// Adds the next instruction, which is one of `code`.
    #[inline]
    pub fn feed(&mut self, code: &CodeView<'_>, decoded: &Decoded) {
        match &mut self.0 {
            State::Naive(total) => *total = total.saturating_add(1),
            State::Pipeline(pipeline, latency) => {
                let instruction = decoded.instruction.unwrap_or(Instruction::none(Opcode::Trap));
                let ends = || [decoded.next, instruction.target];
                let demand = Demand::of(code, instruction.opcode, *latency, ends);
                feed(pipeline, demand, Fields::new(instruction.r1, instruction.r2, instruction.r3));
            }
            State::Calibrated(calibrated) => {
                let instruction = decoded.instruction.unwrap_or(Instruction::none(Opcode::Trap));
                calibrated.feed(instruction.opcode, Fields::new(instruction.r1, instruction.r2, instruction.r3));
            }
        }
    }

    /// As [`Self::feed`], for an instruction that is decoded only if its operands matter.
    #[inline(always)]
    pub fn feed_encoded(&mut self, code: &CodeView<'_>, encoded: &Encoded) {
        match &mut self.0 {
            State::Naive(total) => *total = total.saturating_add(1),
            State::Pipeline(pipeline, latency) => {
                let ends =
                    || [encoded.next(), encoded.decode().instruction.map_or(0, |instruction| instruction.target)];
                let demand = Demand::of(code, encoded.opcode(), *latency, ends);
                feed(pipeline, demand, Fields::from_code(encoded.register_fields()));
            }
            State::Calibrated(calibrated) => {
                calibrated.feed(encoded.opcode(), Fields::from_code(encoded.register_fields()));
            }
        }
    }

    /// Adds the trap that follows code that can run off its end.
    pub fn feed_end_of_code(&mut self) {
        match &mut self.0 {
            State::Naive(total) => *total = total.saturating_add(1),
            State::Pipeline(pipeline, _) => {
                feed(pipeline, Demand::TRAP, Fields::from_code(0));
            }
            State::Calibrated(calibrated) => calibrated.feed(Opcode::Trap, Fields::from_code(0)),
        }
    }

    /// Adds the instructions from `offset` to the end of the block. Takes time linear in their number.
    pub fn feed_rest(&mut self, code: &CodeView<'_>, offset: u32) {
        for decoded in code.instructions_from(offset) {
            self.feed(code, &decoded);
            if decoded.ends_block() {
                return;
            }
        }
        self.feed_end_of_code();
    }

    /// Returns the cost of the block as [`Self::finish`] does, and starts another under the same model.
    pub fn finish_and_restart(&mut self) -> u32 {
        match &mut self.0 {
            State::Naive(total) => core::mem::take(total),
            State::Pipeline(pipeline, _) => pipeline.finish(),
            State::Calibrated(calibrated) => calibrated.finish(),
        }
    }

    /// Returns the cost of the block: at least 1 if it has an instruction.
    pub fn finish(self) -> u32 {
        match self.0 {
            State::Naive(total) => total,
            State::Pipeline(mut pipeline, _) => pipeline.finish(),
            State::Calibrated(mut calibrated) => calibrated.finish(),
        }
    }
}

#[inline(never)]
fn feed(pipeline: &mut Pipeline, demand: Demand, fields: Fields) {
    pipeline.feed(demand, fields);
}

/// True if a conditional branch at `offset` is likely to be taken to `target` rather than to fall through to `next`:
/// the side that is not marked as rare is likely (`docs/spec/gas.md#the-calibrated-model`), else the backward one.
pub fn branch_is_likely_taken(code: &CodeView<'_>, offset: u32, next: u32, target: u32) -> bool {
    match (is_rare(code, next), is_rare(code, target)) {
        (true, false) => true,
        (false, true) => false,
        _ => target <= offset,
    }
}

/// Returns the cost of entering the block at `offset` of a program with these facts; `None` if no block starts there;
/// at or past the end of the code, the cost of a lone trap.
pub fn block_cost(model: CostModelKind, facts: ProgramFacts, code: &CodeView<'_>, offset: u32) -> Option<u32> {
    if offset < code.len() && !code.is_jump_target(offset) {
        return None;
    }
    let mut cost = BlockCost::new(model, facts);
    cost.feed_rest(code, offset);
    Some(cost.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use alloc::vec::Vec;

    #[test]
    fn a_block_costs_one_per_instruction_up_to_and_with_the_one_that_ends_it() {
        // move_reg, move_reg, fallthrough | undefined | add_32 (runs off the end)
        let code = [100, 0, 100, 0, 1, 255, 190, 0, 0];
        let view = CodeView::new(Isa::ReviveV1, &code, &[0b0111_0101, 0]);
        assert_eq!(block_cost(CostModelKind::Naive, ProgramFacts::default(), &view, 0), Some(3));
        assert_eq!(block_cost(CostModelKind::Naive, ProgramFacts::default(), &view, 2), None);
        assert_eq!(block_cost(CostModelKind::Naive, ProgramFacts::default(), &view, 5), Some(1));
        assert_eq!(
            block_cost(CostModelKind::Naive, ProgramFacts::default(), &view, 6),
            Some(2),
            "with the trap behind the end"
        );
        assert_eq!(block_cost(CostModelKind::Naive, ProgramFacts::default(), &view, 9), Some(1));
        assert_eq!(block_cost(CostModelKind::Naive, ProgramFacts::default(), &view, u32::MAX), Some(1));
    }

    /// The costs of the blocks at the given offsets of `ReviveV1` code.
    fn costs(latency: MemoryLatency, code: &[u8], bitmask: &[u8], offsets: &[u32]) -> Vec<u32> {
        let view = CodeView::new(Isa::ReviveV1, code, bitmask);
        offsets
            .iter()
            .map(|offset| {
                block_cost(CostModelKind::Pipeline(latency), ProgramFacts::default(), &view, *offset).unwrap()
            })
            .collect()
    }

    #[test]
    fn a_block_of_one_instruction_costs_its_latency() {
        // fallthrough | undefined | trap
        assert_eq!(costs(MemoryLatency::L2, &[1, 255, 0], &[7], &[0, 1, 2, 3]), [2, 2, 2, 2]);
        // jump back to itself: 15 cycles in execution
        assert_eq!(costs(MemoryLatency::L2, &[40, 0], &[1], &[0]), [15]);
    }

    #[test]
    fn divisions_take_turns_and_independent_loads_do_not() {
        // div_unsigned_64 a0 = a1 / a2, twice, trap
        let divisions = [203, 0x98, 7, 203, 0x98, 7, 0];
        assert_eq!(costs(MemoryLatency::L1, &divisions, &[0b0100_1001], &[0]), [120]);
        // load_u8 a0, load_u8 a1, trap
        let loads = [52, 7, 52, 8, 0];
        for latency in [MemoryLatency::L1, MemoryLatency::L2, MemoryLatency::L3] {
            assert_eq!(costs(latency, &loads, &[0b1_0101], &[0]), [u32::from(latency.cycles())]);
        }
    }
}
