//! Tail call elimination: turns a call that is followed by a return into a jump.
//!
//! A wrapper saves its return address, calls, restores it and returns. If its frame has no other use, the called
//! function can return directly to the wrapper's caller: this saves the frame's two instructions, the save, an entry in
//! the jump table and an indirect jump.

use super::frames::{adjusts, restores, saves};
use super::simplify_cfg::Entries;
use crate::ir::{BlockId, IrProgram, Op, Terminator, Var};

/// Processes all calls.
pub fn run(program: &mut IrProgram) -> bool {
    let entries = Entries::of(program);
    let mut changed = false;
    for id in program.ids().filter(|id| entries.reachable[id.0 as usize]) {
        let Terminator::Call { link: Var::RA, target, back } = program.block(id).terminator else { continue };
        let irregular = |id: BlockId| program.block(id).role.is_irregular;
        if entries.is_only_return(back)
            && ![id, target, back].into_iter().any(irregular)
            && let Some(kept) = wrapper(program, id, back)
        {
            let mut flags = kept.into_iter();
            let block = program.block_mut(id);
            block.steps.retain(|_| flags.next().unwrap_or(true));
            block.terminator = Terminator::Jump(target);
            changed = true;
        }
    }
    changed
}

/// Returns the steps of the calling block to keep, if it and the block after the call are a mere wrapper.
fn wrapper(program: &IrProgram, id: BlockId, back: BlockId) -> Option<Vec<bool>> {
    let after = program.block(back);
    if after.terminator != (Terminator::JumpIndirect { base: Var::RA }) {
        return None;
    }
    let [restore, release] = &after.steps[..] else { return None };
    let (home, size) = (restores(&restore.op)?, adjusts(&release.op)?);
    let mut opened = false;
    let mut saved = false;
    let mut kept = Vec::new();
    for step in &program.block(id).steps {
        let op = &step.op;
        let keep = match *op {
            _ if adjusts(op) == Some(-size) && !opened => {
                opened = true;
                false
            }
            _ if opened && !saved && saves(op) == Some(home) => {
                saved = true;
                false
            }
            // The host does not use the stack.
            Op::HostCall { .. } => true,
            _ => {
                let both = op.reads(&program.imports).or(op.clobbers());
                if both.has(Var::SP) || both.has(Var::RA) {
                    return None;
                }
                true
            }
        };
        kept.push(keep);
    }
    (opened && saved).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::{check, program};

    #[test]
    fn a_wrapper_jumps_to_what_it_wraps() {
        check(
            run,
            "b0:
             sp = add_64 sp, -16
             store_indirect_u64 [sp + 8] = ra
             a0 = add_64 a0, 1
             call b2 back to b1 by ra
             b1:
             ra = load_indirect_u64 [sp + 8]
             sp = add_64 sp, 16
             jump [ra]
             b2:
             a0 = mul_64 a0, a0
             jump [ra]",
            "b0:
             a0 = add_64 a0, 1
             jump b2
             b2:
             a0 = mul_64 a0, a0
             jump [ra]",
        );
    }

    #[test]
    fn a_frame_that_is_used_and_work_behind_the_call_keep_it() {
        let text = |inside: &str, behind: &str| {
            format!(
                "b0:
                 sp = add_64 sp, -16
                 store_indirect_u64 [sp + 8] = ra
                 {inside}
                 call b2 back to b1 by ra
                 b1:
                 {behind}
                 ra = load_indirect_u64 [sp + 8]
                 sp = add_64 sp, 16
                 jump [ra]
                 b2:
                 jump [ra]"
            )
        };
        assert!(run(&mut program(&text("", ""))));
        for (inside, behind) in [("a0 = sp", ""), ("store_indirect_u64 [sp] = a0", ""), ("", "a0 = add_64 a0, 1")] {
            assert!(!run(&mut program(&text(inside, behind))), "{inside} {behind}");
        }
    }
}
