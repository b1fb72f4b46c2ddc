//! Tail merging: merges identical exit blocks.
//!
//! Functions have equal epilogues: registers are restored, the frame is released, and a jump returns. Of blocks with
//! the same operations and the same terminator, one is kept. Blocks whose address is taken are kept apart: programs may
//! compare the addresses of functions.

use super::simplify_cfg::Entries;
use crate::hash::Map;
use crate::ir::{Block, BlockId, IrProgram, Op, Terminator};

/// Minimum number of operations that makes a block worth a jump to it.
const LEAST: usize = 2;

/// Runs until nothing changes.
pub fn run(program: &mut IrProgram) -> bool {
    let mut any = false;
    for _ in 0..4 {
        let entries = Entries::of(program);
        let mut firsts: Map<(Vec<Op>, Terminator), BlockId> = Map::default();
        let mut replaced: Map<BlockId, BlockId> = Map::default();
        for id in program.ids() {
            let index = id.0 as usize;
            let Block { steps, terminator, role, .. } = program.block(id);
            let leaves = matches!(
                terminator,
                Terminator::JumpIndirect { .. } | Terminator::Trap | Terminator::Call { .. } | Terminator::Jump(_)
            );
            if !entries.reachable[index] || role.is_irregular || !leaves || steps.len() < LEAST {
                continue;
            }
            let key = (steps.iter().map(|step| step.op).collect(), *terminator);
            let first = *firsts.entry(key).or_insert(id);
            if first != id && !entries.outside[index] {
                replaced.insert(id, first);
            }
        }
        if replaced.is_empty() {
            break;
        }
        any = true;
        for block in &mut program.blocks {
            block.terminator.retarget(|target| replaced.get(&target).copied().unwrap_or(target));
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::check;

    #[test]
    fn equal_ends_become_one() {
        check(
            run,
            "b0:
             branch_eq a0, 0 to b1 else b2
             b1:
             ra = load_indirect_u64 [sp]
             sp = add_64 sp, 16
             jump [ra]
             b2:
             ra = load_indirect_u64 [sp]
             sp = add_64 sp, 16
             jump [ra]",
            "b0:
             branch_eq a0, 0 to b1 else b1
             b1:
             ra = load_indirect_u64 [sp]
             sp = add_64 sp, 16
             jump [ra]",
        );
    }

    #[test]
    fn functions_that_are_told_apart_by_address_stay_two() {
        let text = "b0:
             a0 = &b1
             a1 = &b2
             jump [ra]
             b1:
             a0 = add_64 a0, 1
             a0 = mul_64 a0, 3
             jump [ra]
             b2:
             a0 = add_64 a0, 1
             a0 = mul_64 a0, 3
             jump [ra]";
        check(run, text, text);
    }
}
