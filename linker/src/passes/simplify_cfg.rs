//! CFG simplification: threads jumps, folds branches, and merges blocks that have one predecessor.

use super::liveness::Reachable;
use crate::hash::Map;
use crate::ir::{Block, BlockId, IrProgram, Op, Role, Terminator, Val, condition};

/// Maximum number of operations of a block that is copied to its predecessors, if it leaves the function or the copy
/// saves a jump.
const COPIED: usize = 2;

/// Runs until nothing changes. Unreachable blocks are emptied.
pub fn run(program: &mut IrProgram) -> bool {
    let mut any = false;
    // Each round removes blocks or jumps, so there are few rounds; the bound is a safety net.
    for _ in 0..8 {
        let changed = thread(program) | merge(program);
        any |= changed;
        if !changed {
            break;
        }
    }
    any
}

/// Returns the destination of a jump to a block, after threading through blocks that only jump.
fn destination(program: &IrProgram, mut id: BlockId) -> BlockId {
    // A cycle of jumps has no end.
    for _ in 0..64 {
        match program.block(id) {
            Block { role, .. } if role.is_irregular => break,
            Block { steps, terminator: Terminator::Jump(next), .. } if steps.is_empty() && *next != id => id = *next,
            _ => break,
        }
    }
    id
}

fn thread(program: &mut IrProgram) -> bool {
    let mut changed = false;
    let destinations: Vec<BlockId> = program.ids().map(|id| destination(program, id)).collect();
    let before: Vec<Terminator> = program.blocks.iter().map(|block| block.terminator).collect();
    // The address of a label becomes that of its destination, which then must not be taken for a function.
    for (index, to) in destinations.iter().enumerate() {
        if program.blocks[index].role.is_label {
            program.block_mut(*to).role.is_label = true;
        }
    }
    program.retarget(|id| destinations[id.0 as usize]);
    for id in program.ids() {
        if program.block(id).role.is_irregular {
            continue;
        }
        let mut terminator = program.block(id).terminator;
        if let Terminator::Branch { op, a, b, then, otherwise } = terminator {
            let same = a == b && matches!(a, Val::Var(_));
            let known = match (a.number(), b.number()) {
                (Some(a), Some(b)) => condition(op, a, b, program.wide),
                _ if same => condition(op, 0, 0, program.wide),
                _ => None,
            };
            match known {
                Some(true) => terminator = Terminator::Jump(then),
                Some(false) => terminator = Terminator::Jump(otherwise),
                None if then == otherwise => terminator = Terminator::Jump(then),
                None => {}
            }
        }
        changed |= terminator != before[id.0 as usize];
        program.block_mut(id).terminator = terminator;
    }
    // A call of a function that only returns is removed. One that only makes a host call is inlined elsewhere.
    for id in program.ids() {
        if let Terminator::Call { link, target, back } = program.block(id).terminator
            && program.block(target).steps.is_empty()
            && !program.block(id).role.is_irregular
            && !program.block(target).role.is_irregular
            && program.block(target).terminator == (Terminator::JumpIndirect { base: link })
        {
            program.block_mut(id).terminator = Terminator::Jump(back);
            changed = true;
        }
    }
    changed
}

/// Counts of the ways in which each block is entered.
pub struct Entries {
    /// Jumps, branches and calls to it.
    pub count: Vec<u32>,
    /// Calls of it.
    pub calls: Vec<u32>,
    /// True if it is exported, or its address is taken.
    pub outside: Vec<bool>,
    /// True if it is exported.
    exported: Vec<bool>,
    /// Calls that return to it.
    pub returns: Vec<u32>,
    /// True if it is reachable.
    pub reachable: Vec<bool>,
}

impl Entries {
    /// Counts the entries of all blocks.
    pub fn of(program: &IrProgram) -> Entries {
        let reachable = Reachable::of(program);
        let mut out = Entries {
            count: vec![0; program.blocks.len()],
            calls: vec![0; program.blocks.len()],
            returns: vec![0; program.blocks.len()],
            outside: reachable.addressed,
            exported: vec![false; program.blocks.len()],
            reachable: reachable.blocks,
        };
        for (_, block, _) in &program.exports {
            out.outside[block.0 as usize] = true;
            out.exported[block.0 as usize] = true;
        }
        for id in program.ids().filter(|id| out.reachable[id.0 as usize]) {
            match program.block(id).terminator {
                Terminator::Call { target, back, .. } => {
                    out.count[target.0 as usize] += 1;
                    out.calls[target.0 as usize] += 1;
                    out.returns[back.0 as usize] += 1;
                }
                Terminator::CallIndirect { back, .. } => out.returns[back.0 as usize] += 1,
                terminator => terminator.targets().for_each(|target| out.count[target.0 as usize] += 1),
            }
        }
        out
    }

    /// True if a block is the entry of a function: called, exported, or with its address taken and not a label. `None`
    /// for a block that was added later.
    pub fn is_function(&self, program: &IrProgram, id: BlockId) -> Option<bool> {
        let index = id.0 as usize;
        let by_address = |outside: &bool| *outside && !program.block(id).role.is_label;
        self.outside.get(index).map(|outside| by_address(outside) || self.exported[index] || self.calls[index] > 0)
    }

    /// True if a function is entered only at its entry, which is the first block of `body`.
    pub fn is_closed(&self, program: &IrProgram, body: &[BlockId]) -> bool {
        let mut inside: Map<BlockId, (u32, u32)> = Map::default();
        for id in body {
            match program.block(*id).terminator {
                Terminator::Call { target, back, .. } => {
                    inside.entry(target).or_default().0 += 1;
                    inside.entry(back).or_default().1 += 1;
                }
                Terminator::CallIndirect { back, .. } => inside.entry(back).or_default().1 += 1,
                terminator => terminator.targets().for_each(|target| inside.entry(target).or_default().0 += 1),
            }
        }
        body[1..].iter().all(|id| {
            let index = id.0 as usize;
            let found = inside.get(id).copied().unwrap_or_default();
            (self.count[index], self.returns[index]) == found && !self.outside[index]
        })
    }

    /// True if a block's only entry is one jump or branch.
    pub fn is_only(&self, id: BlockId) -> bool {
        let index = id.0 as usize;
        let entered = (self.count[index], self.calls[index], self.returns[index]);
        entered == (1, 0, 0) && !self.outside[index]
    }

    /// True if a block's only entry is the return of one call.
    pub fn is_only_return(&self, id: BlockId) -> bool {
        let index = id.0 as usize;
        (self.count[index], self.returns[index], self.outside[index]) == (0, 1, false)
    }
}

/// Merges a block with its only predecessor, and copies small blocks.
fn merge(program: &mut IrProgram) -> bool {
    let mut entries = Entries::of(program);
    let mut changed = false;
    for id in program.ids() {
        if !entries.reachable[id.0 as usize] {
            let block = program.block_mut(id);
            block.role = Role::default();
            if !block.steps.is_empty() || block.terminator != Terminator::Trap {
                block.steps = Vec::new();
                block.terminator = Terminator::Trap;
            }
            continue;
        }
        while let Terminator::Jump(target) = program.block(id).terminator {
            let irregular = |id: BlockId| program.block(id).role.is_irregular;
            if target == id || irregular(id) || irregular(target) {
                break;
            }
            let only = entries.is_only(target);
            let copied = !only && is_worth_copying(program.block(target), target <= id);
            if !only && !copied {
                break;
            }
            changed = true;
            let Block { steps, terminator, at, .. } = match only {
                true => {
                    entries.reachable[target.0 as usize] = false;
                    let at = program.block(target).at;
                    std::mem::replace(program.block_mut(target), Block::new(Vec::new(), Terminator::Trap, at))
                }
                false => {
                    entries.count[target.0 as usize] -= 1;
                    count_targets(&mut entries, &program.block(target).terminator);
                    program.block(target).clone()
                }
            };
            let block = program.block_mut(id);
            block.steps.extend(steps);
            block.terminator = terminator;
            block.at = at;
        }
    }
    changed
}

fn count_targets(entries: &mut Entries, terminator: &Terminator) {
    terminator.targets().for_each(|target| entries.count[target.0 as usize] += 1);
}

/// True if a copy of a block is as good as a jump to it: it is about as short, or it is the header of a loop.
fn is_worth_copying(block: &Block, is_loop: bool) -> bool {
    let small = block.steps.len() <= COPIED && !block.steps.iter().any(|step| matches!(step.op, Op::HostCall { .. }));
    match block.terminator {
        Terminator::Trap => block.steps.is_empty(),
        Terminator::JumpIndirect { .. } => small && block.steps.len() <= 1,
        Terminator::Branch { .. } => small && is_loop,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::check;

    #[test]
    fn jumps_to_jumps_go_where_those_go() {
        check(
            run,
            "b0:
             branch_eq a0, 0 to b1 else b2
             b1:
             jump b3
             b2:
             a0 = 1
             jump b1
             b3:
             a0 = add_64 a0, a1
             a0 = add_64 a0, a1
             jump [ra]",
            "b0:
             branch_eq a0, 0 to b3 else b2
             b2:
             a0 = 1
             jump b3
             b3:
             a0 = add_64 a0, a1
             a0 = add_64 a0, a1
             jump [ra]",
        );
    }

    #[test]
    fn branches_on_what_is_known_are_jumps_and_blocks_with_one_way_in_join() {
        check(
            run,
            "b0:
             branch_less_unsigned 3, 5 to b1 else b2
             b1:
             a0 = 1
             jump b3
             b2:
             a0 = 2
             jump b3
             b3:
             a0 = add_64 a0, a0
             jump [ra]",
            "b0:
             a0 = 1
             a0 = add_64 a0, a0
             jump [ra]",
        );
    }

    #[test]
    fn a_short_return_is_copied_to_where_it_is_jumped_to() {
        check(
            run,
            "b0:
             branch_eq a0, a1 to b1 else b2
             b1:
             a0 = 1
             jump b2
             b2:
             jump [ra]",
            "b0:
             branch_eq a0, a1 to b1 else b2
             b1:
             a0 = 1
             jump [ra]
             b2:
             jump [ra]",
        );
    }

    #[test]
    fn an_address_is_the_same_wherever_it_is_named() {
        check(
            run,
            "b0:
             a1 = &b2
             branch_eq a0, &b2 to b1 else b4
             b1:
             a0 = 1
             jump [ra]
             b2:
             jump b3
             b3:
             a0 = add_64 a0, a1
             a0 = add_64 a0, a1
             jump [ra]
             b4:
             jump [a1]",
            "b0:
             a1 = &b3
             branch_eq a0, &b3 to b1 else b4
             b1:
             a0 = 1
             jump [ra]
             b3:
             a0 = add_64 a0, a1
             a0 = add_64 a0, a1
             jump [ra]
             b4:
             jump [a1]",
        );
    }

    #[test]
    fn a_ring_of_jumps_stays_one() {
        let mut program = crate::ir::parse::program("b0:\njump b1\nb1:\njump b2\nb2:\njump b1");
        run(&mut program);
        assert!(crate::ir::parse::text(&program).contains("jump b"));
    }
}
