//! Removes operations whose results nobody needs.
//!
//! Also whole blocks that can only trap: what a program stores before it traps is lost, as contracts' changes are undone
//! and the VM's memory is no result of a failed call. So the way to a panic is a trap at once, and what describes the
//! panic is not reachable any more.

use super::demand::{Bits, Demand, step};
use crate::ir::{BlockId, End, Op, Program, Vars};

/// What counts at each return, besides results that somebody looks at (spec: abi.md 5.1).
pub const AT_RETURN: Vars = Vars::PRESERVED;

/// Removes dead operations.
pub fn run(program: &mut Program) -> bool {
    let demand = Demand::of(program, AT_RETURN);
    let mut changed = false;
    for id in program.ids() {
        let mut bits = demand.before_end(program, id);
        let mut keep = vec![true; program.block(id).steps.len()];
        for (index, one) in program.block(id).steps.iter().enumerate().rev() {
            let dead = one.op.is_pure() && one.op.dst().is_some_and(|dst| bits.of(dst) == 0);
            let nothing = matches!(one.op, Op::Move { dst, src } if dst == src);
            keep[index] = !dead && !nothing;
            if keep[index] {
                step(&mut bits, &one.op, program);
            }
        }
        if keep.contains(&false) {
            let mut flags = keep.into_iter();
            program.block_mut(id).steps.retain(|_| flags.next().unwrap_or(true));
            changed = true;
        }
    }
    changed
}

/// Turns blocks that can only trap into traps.
pub fn traps(program: &mut Program) -> bool {
    let mut users: Vec<Vec<u32>> = vec![Vec::new(); program.blocks.len()];
    for id in program.ids() {
        program.block(id).end.targets().for_each(|target| users[target.0 as usize].push(id.0));
    }
    let mut changed = false;
    let mut pending: Vec<u32> = (0..program.blocks.len() as u32).collect();
    while let Some(index) = pending.pop() {
        let id = BlockId(index);
        let is_trap = |id: BlockId| {
            let block = program.block(id);
            block.steps.is_empty() && block.end == End::Trap
        };
        let ends_in_trap = match program.block(id).end {
            End::Trap => true,
            End::Jump(target) | End::Call { target, .. } => is_trap(target),
            End::Branch { then, otherwise, .. } => is_trap(then) && is_trap(otherwise),
            End::CallIndirect { .. } | End::JumpIndirect { .. } => false,
        };
        if !ends_in_trap {
            continue;
        }
        let block = program.block_mut(id);
        // What the host is told counts, and so does whether it is asked at all.
        let lasting = |op: &Op| matches!(op, Op::HostCall { .. });
        let kept = block.steps.iter().rposition(|step| lasting(&step.op)).map_or(0, |last| last + 1);
        if kept < block.steps.len() || block.end != End::Trap {
            block.steps.truncate(kept);
            block.end = End::Trap;
            changed = true;
            pending.extend(&users[index as usize]);
        }
    }
    changed
}

/// What is needed behind each step of a block, for passes that go forwards.
pub fn needed_after(program: &Program, demand: &Demand, id: BlockId) -> Vec<Bits> {
    let steps = &program.block(id).steps;
    let mut out = vec![Bits::NONE; steps.len()];
    let mut bits = demand.before_end(program, id);
    for (index, one) in steps.iter().enumerate().rev() {
        out[index] = bits;
        step(&mut bits, &one.op, program);
    }
    out
}
