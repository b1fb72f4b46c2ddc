//! Dead code elimination: removes operations whose results are never used.
//!
//! Trap propagation also removes blocks that can only trap: stores before a trap can be dropped, because contracts'
//! changes are undone and the VM's memory is no result of a failed call. So a path to a panic becomes a trap, and the
//! data that describes the panic becomes unreachable.

use super::demand::{Bits, Demand};
use crate::ir::{BlockId, IrProgram, Op, Terminator};

/// Removes dead operations.
pub fn run(program: &mut IrProgram) -> bool {
    let demand = Demand::of(program);
    let mut changed = false;
    for id in program.ids() {
        if program.block(id).role.is_irregular {
            continue;
        }
        let mut needed = demand.after_steps(program, id).into_iter();
        let steps = &mut program.block_mut(id).steps;
        let before = steps.len();
        steps.retain(|step| {
            let needed = needed.next().unwrap_or(Bits::NONE);
            let dead = step.op.is_pure() && step.op.dst().is_some_and(|dst| needed.of(dst) == 0);
            let nothing = matches!(step.op, Op::Move { dst, src } if dst == src);
            !dead && !nothing
        });
        changed |= steps.len() < before;
    }
    changed
}

/// Trap propagation: turns blocks that can only trap into traps.
pub fn propagate_traps(program: &mut IrProgram) -> bool {
    let predecessors = program.predecessors();
    let mut changed = false;
    let mut pending: Vec<BlockId> = program.ids().collect();
    while let Some(id) = pending.pop() {
        let is_trap = |id: BlockId| {
            let block = program.block(id);
            block.steps.is_empty() && block.terminator == Terminator::Trap
        };
        let ends_in_trap = match program.block(id).terminator {
            Terminator::Trap => true,
            Terminator::Jump(target) | Terminator::Call { target, .. } => is_trap(target),
            Terminator::Branch { then, otherwise, .. } => is_trap(then) && is_trap(otherwise),
            Terminator::CallIndirect { .. } | Terminator::JumpIndirect { .. } => false,
        };
        if !ends_in_trap || program.block(id).role.is_irregular {
            continue;
        }
        let block = program.block_mut(id);
        // The arguments of a host call are used, and so is the call itself.
        let lasting = |op: &Op| matches!(op, Op::HostCall { .. });
        let kept = block.steps.iter().rposition(|step| lasting(&step.op)).map_or(0, |last| last + 1);
        if kept < block.steps.len() || block.terminator != Terminator::Trap {
            block.steps.truncate(kept);
            block.terminator = Terminator::Trap;
            changed = true;
            pending.extend(&predecessors[id.0 as usize]);
        }
    }
    changed
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
            propagate_traps,
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
            propagate_traps,
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
