//! Block layout: orders blocks and drops unreachable ones.
//!
//! The compiler's order, which block numbers reflect, is kept as far as possible, as it is based on likelihood. Where
//! blocks were merged, copied or dropped, a block's successor is placed after it, unless another block has a better
//! claim to that place. Blocks that can only trap are already at the end of their function in the compiler's order.

use super::liveness::Reachable;
use crate::ir::{BlockId, IrProgram, Terminator};

/// Computes the order.
pub fn run(program: &mut IrProgram) -> bool {
    let reachable = drop_unreachable_data(program);
    let count = program.blocks.len();
    let mut placed: Vec<bool> = reachable.iter().map(|reachable| !reachable).collect();
    let mut order = Vec::with_capacity(count);
    for root in program.ids() {
        let mut next = Some(root);
        while let Some(id) = next.filter(|id| !placed[id.0 as usize]) {
            placed[id.0 as usize] = true;
            order.push(id);
            next = follower(program, &placed, id);
        }
    }
    program.order = order;
    true
}

/// Keeps the order of the file.
pub fn keep_order(program: &mut IrProgram) {
    let reachable = drop_unreachable_data(program);
    program.order = program.ids().filter(|id| reachable[id.0 as usize]).collect();
}

/// Drops unreachable data; returns true for blocks that are reachable.
fn drop_unreachable_data(program: &mut IrProgram) -> Vec<bool> {
    let reachable = Reachable::of(program);
    for (data, _) in program.data.iter_mut().zip(reachable.data).filter(|(_, reachable)| !reachable) {
        *data = None;
    }
    reachable.blocks
}

/// Selects the block to place after another.
fn follower(program: &IrProgram, placed: &[bool], id: BlockId) -> Option<BlockId> {
    let free = |target: BlockId| !placed[target.0 as usize];
    // True if the previous block in the compiler's order falls through to it.
    let claimed = |target: BlockId| {
        let Some(before) = target.0.checked_sub(1).map(BlockId) else { return false };
        before != id && free(before) && goes_on(program, before, target)
    };
    match program.block(id).terminator {
        Terminator::Jump(target) => (free(target) && !claimed(target)).then_some(target),
        Terminator::Branch { then, otherwise, .. } => {
            let is_trap = |target: BlockId| {
                let block = program.block(target);
                block.steps.is_empty() && block.terminator == Terminator::Trap
            };
            // The next one in the compiler's order is the likely one; a trap never is.
            let rank = |target: BlockId| (is_trap(target), claimed(target), target.0.wrapping_sub(id.0));
            let best = [otherwise, then].into_iter().filter(|target| free(*target)).min_by_key(|target| rank(*target));
            best.filter(|target| !claimed(*target))
        }
        Terminator::Call { back, .. } | Terminator::CallIndirect { back, .. } => {
            (free(back) && !claimed(back)).then_some(back)
        }
        Terminator::JumpIndirect { .. } | Terminator::Trap => None,
    }
}

fn goes_on(program: &IrProgram, id: BlockId, target: BlockId) -> bool {
    match program.block(id).terminator {
        Terminator::Jump(to) => to == target,
        Terminator::Branch { then, otherwise, .. } => then == target || otherwise == target,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::program;

    #[test]
    fn what_a_block_goes_on_to_comes_next_and_what_is_unreachable_not_at_all() {
        let mut program = program(
            "b0:
             branch_eq a0, 0 to b1 else b3
             b1:
             trap
             b2:
             jump b0
             b3:
             a0 = 1
             jump b4
             b4:
             jump [ra]",
        );
        run(&mut program);
        assert_eq!(program.order, [0, 3, 4, 1].map(BlockId));
        assert!(program.data.iter().all(Option::is_none));
    }

    #[test]
    fn the_order_of_the_file_can_be_kept() {
        let mut program = program("b0:\njump b2\nb1:\ntrap\nb2:\njump [ra]");
        keep_order(&mut program);
        assert_eq!(program.order, [0, 2].map(BlockId));
    }
}
