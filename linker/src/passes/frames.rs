//! Eliminates dead callee saves, dead frame stores and empty frames.
//!
//! A function whose calls were inlined need not save its return address. Stores to its frame that are never read are
//! dead, and an empty frame is removed. Only functions that are entered at their start alone are changed. The pass
//! relies on compilers not using the slot of a saved return address for anything else.

use super::simplify_cfg::Entries;
use crate::hash::{Map, Set};
use crate::ir::{Address, BlockId, Imm, IrProgram, Op, Terminator, Val, Var, width};
use vm_core::isa::Opcode as O;

/// Maximum number of blocks of a function, to keep the time linear.
const LIMIT: usize = 2000;

/// Processes all functions.
pub fn run(program: &mut IrProgram) -> bool {
    let entries = Entries::of(program);
    let mut changed = false;
    let mut seen = Set::default();
    let called: Vec<BlockId> = program
        .ids()
        .filter(|id| entries.reachable[id.0 as usize])
        .filter_map(|id| match program.block(id).terminator {
            Terminator::Call { link: Var::RA, target, .. } => Some(target),
            _ => None,
        })
        .chain(program.exports.iter().map(|(_, block, _)| *block))
        .chain(program.ids().filter(|id| entries.outside[id.0 as usize]))
        .filter(|id| !program.block(*id).role.is_label)
        .collect();
    for entry in called {
        if seen.insert(entry)
            && let Some(body) = body(program, &entries, entry)
        {
            let Some(depths) = depths(program, &body) else { continue };
            changed |= return_address(program, &body, &depths)
                | slots(program, &body, &depths)
                | frame(program, &body, &depths);
        }
    }
    changed
}

/// Returns the blocks of a function without calls, if it is entered at its start alone.
fn body(program: &IrProgram, entries: &Entries, entry: BlockId) -> Option<Vec<BlockId>> {
    let mut out = vec![entry];
    let mut seen = Set::from_iter([entry]);
    let mut next = 0;
    while let Some(id) = out.get(next).copied() {
        next += 1;
        if program.block(id).role.is_irregular {
            return None;
        }
        match program.block(id).terminator {
            Terminator::Call { .. } | Terminator::CallIndirect { .. } => return None,
            Terminator::JumpIndirect { base } if base != Var::RA => return None,
            terminator => {
                for target in terminator.targets() {
                    // Entering at the start runs the whole function; a jump back to it would run its start again.
                    if target == entry {
                        return None;
                    }
                    if seen.insert(target) {
                        out.push(target);
                    }
                }
            }
        }
        if out.len() > LIMIT {
            return None;
        }
    }
    entries.is_closed(program, &out).then_some(out)
}

/// Returns the constant by which an operation adjusts the stack pointer.
pub(super) fn adjusts(op: &Op) -> Option<i64> {
    match *op {
        Op::Binary { op: O::Add64 | O::Add32, dst: Var::SP, a: Val::Var(Var::SP), b } => b.number(),
        _ => None,
    }
}

/// Returns the distance from the stack pointer, if the address is relative to it.
fn slot(address: Address) -> Option<i64> {
    match address {
        Address { base: Some(Var::SP), offset: Imm::Num(offset) } => Some(offset),
        _ => None,
    }
}

/// Returns the slot in which an operation saves the return address.
pub(super) fn saves(op: &Op) -> Option<i64> {
    match *op {
        Op::Store { value: Val::Var(Var::RA), address, op: O::StoreIndirectU64 | O::StoreIndirectU32 } => slot(address),
        _ => None,
    }
}

/// Returns the slot from which an operation restores the return address.
pub(super) fn restores(op: &Op) -> Option<i64> {
    match *op {
        Op::Load { dst: Var::RA, address, op: O::LoadIndirectU64 | O::LoadIndirectI32 } => slot(address),
        _ => None,
    }
}

/// True if an operation does not access the stack, or only moves its pointer by a constant. The host does not use the
/// stack pointer; that a host call counts as reading it is only a precaution.
fn is_apart(op: &Op, program: &IrProgram) -> bool {
    adjusts(op).is_some() || matches!(op, Op::HostCall { .. }) || !op.reads(&program.imports).has(Var::SP)
}

/// True if the terminator of any block reads the stack pointer.
fn ends_read_stack(program: &IrProgram, body: &[BlockId]) -> bool {
    body.iter().any(|id| program.block(*id).terminator.reads().has(Var::SP))
}

/// Computes the depth of the stack at the start of each block, relative to function entry; `None` if it is unknown or
/// differs between paths.
fn depths(program: &IrProgram, body: &[BlockId]) -> Option<Map<BlockId, i64>> {
    let mut out = Map::from_iter([(body[0], 0i64)]);
    let mut pending = vec![body[0]];
    while let Some(id) = pending.pop() {
        let mut depth = out[&id];
        for step in &program.block(id).steps {
            match adjusts(&step.op) {
                Some(by) => depth = depth.checked_add(by)?,
                None if step.op.clobbers().has(Var::SP) => return None,
                None => {}
            }
        }
        if matches!(program.block(id).terminator, Terminator::JumpIndirect { .. }) && depth != 0 {
            return None;
        }
        for target in program.block(id).terminator.targets() {
            match out.insert(target, depth) {
                None => pending.push(target),
                Some(before) if before == depth => {}
                Some(_) => return None,
            }
        }
    }
    Some(out)
}

/// Calls `visit` with each step and the stack's depth before it, until it returns false; returns true if it never did.
fn all_steps(
    program: &IrProgram,
    body: &[BlockId],
    depths: &Map<BlockId, i64>,
    mut visit: impl FnMut(&Op, i64) -> bool,
) -> bool {
    body.iter().all(|id| {
        let mut depth = depths.get(id).copied().unwrap_or(0);
        program.block(*id).steps.iter().all(|step| {
            let go_on = visit(&step.op, depth);
            depth += adjusts(&step.op).unwrap_or(0);
            go_on
        })
    })
}

/// Removes the steps for which `drop` returns true, given each one and the stack's depth before it.
fn remove(program: &mut IrProgram, body: &[BlockId], depths: &Map<BlockId, i64>, drop: impl Fn(&Op, i64) -> bool) {
    for id in body {
        let mut depth = depths.get(id).copied().unwrap_or(0);
        program.block_mut(*id).steps.retain(|step| {
            let keep = !drop(&step.op, depth);
            depth += adjusts(&step.op).unwrap_or(0);
            keep
        });
    }
}

/// Removes the save of a return address that is never overwritten.
fn return_address(program: &mut IrProgram, body: &[BlockId], depths: &Map<BlockId, i64>) -> bool {
    // The slot is identified by its distance from the stack pointer at function entry.
    let saves = |op: &Op, depth: i64| saves(op).map(|offset| depth + offset);
    let restores = |op: &Op, depth: i64| restores(op).map(|offset| depth + offset);
    let mut home = None;
    all_steps(program, &body[..1], depths, |op, depth| {
        home = saves(op, depth);
        home.is_none()
    });
    let Some(home) = home else { return false };
    let mut count = 0;
    let clean = all_steps(program, body, depths, |op, depth| {
        let saved = saves(op, depth);
        count += u32::from(saved.is_some());
        if let Some(at) = saved.or_else(|| restores(op, depth)) {
            return at == home;
        }
        // Any other access to the register or the slot.
        let near = match *op {
            Op::Load { address, .. } | Op::Store { address, .. } => {
                slot(address).is_some_and(|offset| (depth + offset - home).abs() < 8)
            }
            _ => false,
        };
        let touches = op.dst() == Some(Var::RA) || op.reads(&program.imports).has(Var::RA);
        !near && !touches
    });
    if !clean || count != 1 {
        return false;
    }
    let at_home = |op: &Op, depth: i64| saves(op, depth) == Some(home) || restores(op, depth) == Some(home);
    remove(program, body, depths, at_home);
    true
}

/// Removes dead stores to slots of the frame: there are no calls, and if no address of the frame escapes, only the
/// function itself can read them.
fn slots(program: &mut IrProgram, body: &[BlockId], depths: &Map<BlockId, i64>) -> bool {
    let mut read: Vec<(i64, i64)> = Vec::new();
    let mut stored = false;
    let private = all_steps(program, body, depths, |op, depth| match *op {
        Op::Load { op, address, .. } if slot(address).is_some() => {
            let at = depth + slot(address).unwrap_or(0);
            read.push((at, at + width(op)));
            true
        }
        Op::Store { value, address, .. } if slot(address).is_some() => {
            stored = true;
            value != Val::Var(Var::SP)
        }
        _ => is_apart(op, program),
    });
    if !private || !stored || ends_read_stack(program, body) {
        return false;
    }
    let mut changed = false;
    let unread = |op: &Op, depth: i64| match *op {
        Op::Store { op, address, .. } => slot(address).is_some_and(|offset| {
            let at = depth + offset;
            // Slots at or above the stack pointer at function entry belong to the caller's frame.
            at < 0 && !read.iter().any(|(start, end)| *start < at + width(op) && at < *end)
        }),
        _ => false,
    };
    all_steps(program, body, depths, |op, depth| {
        changed |= unread(op, depth);
        !changed
    });
    if changed {
        remove(program, body, depths, unread);
    }
    changed
}

/// Removes an empty frame.
fn frame(program: &mut IrProgram, body: &[BlockId], depths: &Map<BlockId, i64>) -> bool {
    let mut moves = false;
    let unused = all_steps(program, body, depths, |op, _| {
        moves |= adjusts(op).is_some();
        is_apart(op, program)
    });
    if !unused || !moves || ends_read_stack(program, body) {
        return false;
    }
    remove(program, body, depths, |op, _| adjusts(op).is_some());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::{check, program};

    #[test]
    fn an_address_that_is_not_lost_is_not_saved_and_an_empty_frame_goes() {
        check(
            run,
            "b0:
             sp = add_64 sp, -16
             store_indirect_u64 [sp + 8] = ra
             a0 = add_64 a0, a1
             ra = load_indirect_u64 [sp + 8]
             sp = add_64 sp, 16
             jump [ra]",
            "b0:
             a0 = add_64 a0, a1
             jump [ra]",
        );
    }

    #[test]
    fn what_is_stored_in_a_frame_and_never_read_goes() {
        check(
            run,
            "b0:
             sp = add_64 sp, -16
             store_indirect_u64 [sp + 8] = a0
             store_indirect_u64 [sp] = a1
             store_indirect_u64 [sp + 24] = a1
             a0 = load_indirect_u8 [sp + 3]
             sp = add_64 sp, 16
             jump [ra]",
            "b0:
             sp = add_64 sp, -16
             store_indirect_u64 [sp] = a1
             store_indirect_u64 [sp + 24] = a1
             a0 = load_indirect_u8 [sp + 3]
             sp = add_64 sp, 16
             jump [ra]",
        );
    }

    #[test]
    fn frames_that_are_used_stay() {
        for used in ["a0 = load_indirect_u64 [sp]", "a0 = sp", "ra = 5"] {
            let text = format!(
                "b0:
                 sp = add_64 sp, -16
                 store_indirect_u64 [sp + 8] = ra
                 {used}
                 ra = load_indirect_u64 [sp + 8]
                 sp = add_64 sp, 16
                 jump [ra]"
            );
            let mut program = program(&text);
            run(&mut program);
            assert!(crate::ir::parse::text(&program).contains("sp = add_64 sp, -16"), "{program}");
        }
    }

    #[test]
    fn a_slot_of_the_same_offset_at_another_depth_is_another() {
        // The outer function's address is saved first; the inner save has lost its restore, and is removed itself.
        let text = |inner: &str| {
            format!(
                "b0:
                 sp = add_64 sp, -16
                 store_indirect_u64 [sp + 8] = ra
                 sp = add_64 sp, -16
                 {inner}
                 sp = add_64 sp, 16
                 ra = load_indirect_u64 [sp + 8]
                 sp = add_64 sp, 16
                 jump [ra]"
            )
        };
        check(run, &text("store_indirect_u64 [sp + 8] = ra"), &text(""));
    }
}
