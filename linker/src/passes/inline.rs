//! Inlining of small functions, and of those with one caller.
//!
//! A call costs the instruction, an entry in the jump table, and an indirect jump back, which is the slowest
//! instruction of the VM. A copy's returns become jumps to the block after the call. The calling convention ensures
//! that a jump through the link register is a return (docs/linking.md#calling-conventions).

use super::simplify_cfg::Entries;
use crate::hash::{Map, Set};
use crate::ir::{Block, BlockId, Fixup, Imm, IrProgram, Terminator, Var};

/// Maximum number of operations and terminators of a function that is inlined into all its callers.
const SMALL: usize = 4;

/// Maximum size of a function that is inlined into its only caller.
const SINGLE: usize = 4000;

/// Maximum growth of a program, in operations.
const GROWTH: usize = 20_000;

/// Inlines calls; returns true if there were any. Blocks are renumbered.
pub fn run(program: &mut IrProgram) -> bool {
    let entries = Entries::of(program);
    let mut grown = 0;
    let mut copies: Map<BlockId, Vec<BlockId>> = Map::default();
    // A function into which a call was inlined in this round is not inlined itself until the next.
    let mut changed = vec![false; program.blocks.len()];
    for id in program.ids() {
        let Terminator::Call { link, target, back } = program.block(id).terminator else { continue };
        if !entries.reachable[id.0 as usize] || program.block(id).role.is_irregular {
            continue;
        }
        let index = target.0 as usize;
        let single = entries.count[index] == 1 && entries.returns[index] == 0 && !entries.outside[index];
        let Some(body) = body(program, &entries, target, link, if single { SINGLE } else { SMALL }) else { continue };
        if single && !entries.is_closed(program, &body) {
            continue;
        }
        let size = size(program, &body);
        let own = body.contains(&id);
        if own || body.iter().any(|block| changed.get(block.0 as usize).copied().unwrap_or(true)) {
            continue;
        }
        if !single {
            grown += size;
            if grown > GROWTH {
                break;
            }
        }
        let made = copy(program, &body, link, back);
        program.block_mut(id).terminator = Terminator::Jump(made[0]);
        changed[id.0 as usize] = true;
        copies.insert(id, made);
    }
    let any = !copies.is_empty();
    if any {
        compact(program, &copies);
    }
    any
}

fn size(program: &IrProgram, body: &[BlockId]) -> usize {
    body.iter().map(|id| program.block(*id).steps.len() + 1).sum()
}

/// Returns the blocks of a function, its entry first, if it can be inlined and has at most `limit` operations.
///
/// A jump to another function is a tail call: it stays, and its target is not part of the body.
fn body(program: &IrProgram, entries: &Entries, entry: BlockId, link: Var, limit: usize) -> Option<Vec<BlockId>> {
    let mut out = Vec::new();
    let mut seen = Set::from_iter([entry]);
    let mut pending = vec![entry];
    let mut left = limit;
    while let Some(id) = pending.pop() {
        out.push(id);
        let block = program.block(id);
        if block.role.is_irregular {
            return None;
        }
        left = left.checked_sub(block.steps.len() + 1)?;
        match block.terminator {
            Terminator::JumpIndirect { base } if base != link => return None,
            // If the link register was reused for another call, its value at the end is unknown.
            Terminator::Call { link: other, target, .. } if other != Var::RA || target == entry => return None,
            Terminator::Call { .. } | Terminator::CallIndirect { .. } if link != Var::RA => return None,
            Terminator::CallIndirect { link: other, .. } if other != Var::RA => return None,
            _ => {}
        }
        let inside = match block.terminator {
            Terminator::Call { back, .. } => vec![back],
            Terminator::Jump(target) if link == Var::RA && entries.is_function(program, target) == Some(true) => vec![],
            terminator => terminator.targets().collect(),
        };
        // Copies of this round have no entry in the list: their function is handled in the next.
        if inside.iter().any(|target| entries.is_function(program, *target).unwrap_or(true)) {
            return None;
        }
        for next in inside.into_iter().rev() {
            if seen.insert(next) {
                pending.push(next);
            }
        }
    }
    // Calls of a function that never returns are not on a hot path; keeping them short is better.
    let returns = |id: &BlockId| match program.block(*id).terminator {
        Terminator::JumpIndirect { .. } => true,
        Terminator::Jump(target) => entries.is_function(program, target) == Some(true),
        _ => false,
    };
    let small_enough = limit >= SINGLE || !out.iter().any(|id| calls(program, *id));
    (out.iter().any(returns) && small_enough).then_some(out)
}

fn calls(program: &IrProgram, id: BlockId) -> bool {
    matches!(program.block(id).terminator, Terminator::Call { .. } | Terminator::CallIndirect { .. })
}

/// Copies blocks; their returns become jumps to `back`.
fn copy(program: &mut IrProgram, body: &[BlockId], link: Var, back: BlockId) -> Vec<BlockId> {
    let first = program.blocks.len() as u32;
    let map: Map<BlockId, BlockId> =
        body.iter().enumerate().map(|(index, id)| (*id, BlockId(first + index as u32))).collect();
    let made: Vec<BlockId> = body.iter().map(|id| map[id]).collect();
    for id in body {
        let Block { steps, mut terminator, at, .. } = program.block(*id).clone();
        terminator = match terminator {
            Terminator::JumpIndirect { base } if base == link => Terminator::Jump(back),
            Terminator::Jump(target) if !map.contains_key(&target) => Terminator::Call { link, target, back },
            mut other => {
                other.retarget(|target| map.get(&target).copied().unwrap_or(target));
                // A call target stays the original block, even if it is also jumped to.
                if let (Terminator::Call { target, .. }, Terminator::Call { target: old, .. }) =
                    (&mut other, terminator)
                {
                    *target = old;
                }
                other
            }
        };
        program.blocks.push(Block::new(steps, terminator, at));
    }
    made
}

/// Drops unreachable blocks and numbers the others in layout order: copies follow the block that they were inlined
/// into.
pub fn compact(program: &mut IrProgram, copies: &Map<BlockId, Vec<BlockId>>) {
    let reachable = super::liveness::Reachable::of(program).blocks;
    let mut placed = vec![false; program.blocks.len()];
    let mut order = Vec::with_capacity(program.blocks.len());
    let mut push = |id: BlockId, order: &mut Vec<BlockId>| {
        if reachable[id.0 as usize] && !std::mem::replace(&mut placed[id.0 as usize], true) {
            order.push(id);
        }
    };
    let copied: Set<BlockId> = copies.values().flatten().copied().collect();
    for id in program.ids().filter(|id| !copied.contains(id)) {
        push(id, &mut order);
        copies.get(&id).into_iter().flatten().for_each(|copy| push(*copy, &mut order));
    }
    renumber(program, &order);
}

/// Keeps the blocks of `order`, in that order, and renumbers them.
fn renumber(program: &mut IrProgram, order: &[BlockId]) {
    let mut numbers = vec![BlockId(u32::MAX); program.blocks.len()];
    for (new, old) in order.iter().enumerate() {
        numbers[old.0 as usize] = BlockId(new as u32);
    }
    let to = |id: BlockId| numbers[id.0 as usize];
    let mut old: Vec<Option<Block>> = std::mem::take(&mut program.blocks).into_iter().map(Some).collect();
    program.blocks.extend(order.iter().filter_map(|id| old[id.0 as usize].take()));
    // Unreferenced data may refer to blocks that were dropped.
    let gone = |imm: &Imm| matches!(imm, Imm::Code { block, .. } if to(*block).0 == u32::MAX);
    let stays = |fixup: &Fixup| !gone(&fixup.value.0) && !fixup.value.1.as_ref().is_some_and(gone);
    program.data.iter_mut().flatten().for_each(|data| data.fixups.retain(stays));
    program.retarget(to);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::{check, program, text};

    #[test]
    fn a_small_function_goes_where_it_is_called() {
        check(
            run,
            "b0:
             store_indirect_u64 [sp] = ra
             call b3 back to b1 by ra
             b1:
             call b3 back to b2 by ra
             b2:
             ra = load_indirect_u64 [sp]
             jump [ra]
             b3:
             a0 = add_64 a0, 1
             jump [ra]",
            "b0:
             store_indirect_u64 [sp] = ra
             jump b1
             b1:
             a0 = add_64 a0, 1
             jump b2
             b2:
             jump b3
             b3:
             a0 = add_64 a0, 1
             jump b4
             b4:
             ra = load_indirect_u64 [sp]
             jump [ra]",
        );
    }

    #[test]
    fn a_jump_to_another_function_becomes_a_call_of_it() {
        let before = "b0:
             store_indirect_u64 [sp] = ra
             call b2 back to b1 by ra
             b1:
             call b3 back to b4 by ra
             b2:
             a0 = add_64 a0, 1
             jump b3
             b3:
             a0 = mul_64 a0, 3
             a0 = add_64 a0, 1
             a0 = mul_64 a0, 3
             a0 = add_64 a0, 1
             jump [ra]
             b4:
             ra = load_indirect_u64 [sp]
             jump [ra]";
        let mut program = program(before);
        assert!(run(&mut program));
        assert_eq!(text(&program).matches("call ").count(), 2, "{program}");
    }

    #[test]
    fn recursion_and_large_functions_stay_calls() {
        for body in [
            "call b2 back to b3 by ra\nb3:\njump [ra]".to_owned(),
            format!("{}jump [ra]", "a0 = mul_64 a0, a0\n".repeat(SMALL + 1)),
        ] {
            let before = format!("b0:\ncall b2 back to b1 by ra\nb1:\ncall b2 back to b1 by ra\nb2:\n{body}");
            let mut program = program(&before);
            assert!(!run(&mut program), "{program}");
        }
    }
}
