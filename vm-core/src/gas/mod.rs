//! Gas: what a basic block costs.
//!
//! Asked by every backend when it translates a block, and by tools. A block is charged in full when it is entered, so
//! its cost depends on its instructions alone. This is the only place where costs are defined. Spec: gas.md.

use crate::isa::{CodeView, Decoded};

/// How costs are computed. Models are versioned data: a released one never changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum CostModelKind {
    /// One gas for every instruction, invalid ones included.
    #[default]
    Naive,
}

/// Whether and how gas is metered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Metering {
    /// No metering; a program may run for ever.
    Off,
    /// Checked on entering each block: a block that cannot be paid has no effect, and costs nothing.
    #[default]
    Sync,
}

/// Adds up the cost of one basic block, instruction by instruction.
#[derive(Clone, Debug)]
pub struct BlockCost {
    model: CostModelKind,
    total: u32,
}

impl BlockCost {
    /// Starts a block.
    pub fn new(model: CostModelKind) -> Self {
        BlockCost { model, total: 0 }
    }

    /// Counts the next instruction.
    pub fn feed(&mut self, _instruction: &Decoded) {
        match self.model {
            CostModelKind::Naive => self.total = self.total.saturating_add(1),
        }
    }

    /// Counts the trap that stands behind code that can run off its end.
    pub fn feed_end_of_code(&mut self) {
        match self.model {
            CostModelKind::Naive => self.total = self.total.saturating_add(1),
        }
    }

    /// Counts the instructions from `offset` to the end of the block. Takes time linear in their number.
    pub fn feed_rest(&mut self, code: &CodeView<'_>, offset: u32) {
        for decoded in code.instructions_from(offset) {
            self.feed(&decoded);
            if decoded.ends_block() {
                return;
            }
        }
        self.feed_end_of_code();
    }

    /// The cost of the block.
    pub fn finish(self) -> u32 {
        self.total
    }
}

/// What entering the block at `offset` costs: `None` if no block starts there; at or behind the end of the code the
/// cost of a lone trap.
pub fn block_cost(model: CostModelKind, code: &CodeView<'_>, offset: u32) -> Option<u32> {
    if offset < code.len() && !code.is_jump_target(offset) {
        return None;
    }
    let mut cost = BlockCost::new(model);
    cost.feed_rest(code, offset);
    Some(cost.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn a_block_costs_one_per_instruction_up_to_and_with_the_one_that_ends_it() {
        // move_reg, move_reg, fallthrough | undefined | add_32 (runs off the end)
        let code = [100, 0, 100, 0, 1, 255, 190, 0, 0];
        let view = CodeView::new(Isa::ReviveV1, &code, &[0b0111_0101, 0]);
        assert_eq!(block_cost(CostModelKind::Naive, &view, 0), Some(3));
        assert_eq!(block_cost(CostModelKind::Naive, &view, 2), None);
        assert_eq!(block_cost(CostModelKind::Naive, &view, 5), Some(1));
        assert_eq!(block_cost(CostModelKind::Naive, &view, 6), Some(2), "with the trap behind the end");
        assert_eq!(block_cost(CostModelKind::Naive, &view, 9), Some(1));
        assert_eq!(block_cost(CostModelKind::Naive, &view, u32::MAX), Some(1));
    }
}
