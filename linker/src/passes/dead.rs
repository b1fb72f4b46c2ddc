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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::check;

    #[test]
    fn what_nobody_reads_goes() {
        check(
            run,
            "a0 = add_64 a0, 1
             a1 = load_indirect_u64 [a0]
             t0 = 5
             t0 = add_64 t0, a1
             jump [ra]",
            "b0:
             a0 = add_64 a0, 1
             jump [ra]",
        );
    }

    #[test]
    fn stores_host_calls_and_what_they_read_stay() {
        check(
            run,
            "a1 = 7
             store_indirect_u8 [sp + 8] = a1
             a2 = 3
             a0 = 2
             host_call 0
             a0 = a0
             jump [ra]",
            "b0:
             a1 = 7
             store_indirect_u8 [sp + 8] = a1
             a0 = 2
             host_call 0
             jump [ra]",
        );
    }

    #[test]
    fn a_result_counts_if_a_caller_looks_at_it() {
        let callee = "b2:
             a0 = 1
             a1 = 2
             jump [ra]";
        for (reads, kept) in [("a0 = add_64 a0, a1", true), ("a0 = add_64 a0, 1", false)] {
            let head = format!(
                "b0:\nstore_indirect_u64 [sp] = ra\ncall b2 back to b1 by ra\nb1:\n{reads}\nra = load_indirect_u64 [sp]\njump [ra]\n"
            );
            let after = if kept { callee.to_owned() } else { callee.replace("a1 = 2", "") };
            check(run, &format!("{head}{callee}"), &format!("{head}{after}"));
        }
    }

    #[test]
    fn the_way_to_a_trap_is_a_trap() {
        check(
            traps,
            "b0:
             branch_eq a0, 0 to b1 else b2
             b1:
             store_indirect_u64 [sp] = a0
             call b3 back to b2 by ra
             b2:
             jump [ra]
             b3:
             a0 = 1
             trap",
            "b0:
             branch_eq a0, 0 to b1 else b2
             b1:
             trap
             b2:
             jump [ra]",
        );
    }

    #[test]
    fn what_the_host_is_told_before_a_trap_stays() {
        check(
            traps,
            "b0:
             a0 = 1
             host_call 0
             store_indirect_u64 [sp] = a0
             trap",
            "b0:
             a0 = 1
             host_call 0
             trap",
        );
    }
}
