//! Removes what functions save for nothing.
//!
//! A function that called others and, with those inlined, does not any more need not save its return address. If then
//! nothing of its frame is used, the frame goes as well. Only functions are looked at that nobody enters in the middle.
//! That a slot which a function saves its return address in is used for nothing else is what compilers do.

use super::cfg::Entries;
use crate::ir::{Address, BlockId, End, Imm, Op, Program, Val, Var};
use std::collections::HashSet;
use vm_core::isa::Opcode as O;

/// The most blocks of a function that are looked at, to keep the time linear.
const LIMIT: usize = 2000;

/// Looks at all functions.
pub fn run(program: &mut Program) -> bool {
    let entries = Entries::of(program);
    let mut changed = false;
    let mut seen = HashSet::new();
    let called: Vec<BlockId> = program
        .ids()
        .filter(|id| entries.reachable[id.0 as usize])
        .filter_map(|id| match program.block(id).end {
            End::Call { link: Var::RA, target, .. } => Some(target),
            _ => None,
        })
        .chain(program.exports.iter().map(|(_, block, _)| *block))
        .chain(program.ids().filter(|id| entries.outside[id.0 as usize]))
        .collect();
    for entry in called {
        if seen.insert(entry)
            && let Some(body) = body(program, &entries, entry)
        {
            changed |= return_address(program, &body) | frame(program, &body);
        }
    }
    changed
}

/// The blocks of a function without calls, if nobody else enters them.
fn body(program: &Program, entries: &Entries, entry: BlockId) -> Option<Vec<BlockId>> {
    let mut out = vec![entry];
    let mut seen = HashSet::from([entry]);
    let mut next = 0;
    let mut inner = std::collections::HashMap::<BlockId, u32>::new();
    while let Some(id) = out.get(next).copied() {
        next += 1;
        match program.block(id).end {
            End::Call { .. } | End::CallIndirect { .. } => return None,
            End::JumpIndirect { base } if base != Var::RA => return None,
            end => {
                for target in end.targets() {
                    *inner.entry(target).or_default() += 1;
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
    let closed = |id: &BlockId| {
        let index = id.0 as usize;
        let inside = inner.get(id).copied().unwrap_or(0);
        // Whoever enters at the start runs the whole function; a jump back to it would run its start again.
        if *id == entry {
            inside == 0
        } else {
            (entries.count[index], entries.returns[index], entries.outside[index]) == (inside, 0, false)
        }
    };
    out.iter().all(closed).then_some(out)
}

/// Whether an operation changes the stack pointer by a number, and by which.
fn adjusts(op: &Op) -> Option<i64> {
    match *op {
        Op::Binary { op: O::Add64 | O::Add32, dst: Var::SP, a: Val::Var(Var::SP), b } => b.number(),
        _ => None,
    }
}

fn slot(address: Address) -> Option<i64> {
    match address {
        Address { base: Some(Var::SP), offset: Imm::Num(offset) } => Some(offset),
        _ => None,
    }
}

/// Removes the saving of a return address that is never lost.
fn return_address(program: &mut Program, body: &[BlockId]) -> bool {
    // The slot is told by its distance from the stack pointer that the function was called with.
    let mut saved = None;
    let mut depth = 0;
    for step in &program.block(body[0]).steps {
        if let Some(by) = adjusts(&step.op) {
            depth += by;
        } else if let Op::Store { value: Val::Var(Var::RA), address, .. } = step.op {
            saved = slot(address).map(|offset| (depth + offset, offset));
            break;
        }
    }
    let Some((_, offset)) = saved else { return false };
    let (mut saves, mut restores) = (0, 0);
    for step in body.iter().flat_map(|id| &program.block(*id).steps) {
        match step.op {
            Op::Store { value: Val::Var(Var::RA), address, op: O::StoreIndirectU64 | O::StoreIndirectU32 }
                if slot(address) == Some(offset) =>
            {
                saves += 1;
            }
            Op::Load { dst: Var::RA, address, .. } if slot(address) == Some(offset) => restores += 1,
            // Anything else that has to do with the register or the slot.
            op if op.dst() == Some(Var::RA) || op.reads(&program.imports).has(Var::RA) => return false,
            Op::Load { address, .. } | Op::Store { address, .. }
                if slot(address).is_some_and(|other| (other - offset).abs() < 8) =>
            {
                return false;
            }
            _ => {}
        }
    }
    if saves != 1 || restores == 0 && body.iter().any(|id| matches!(program.block(*id).end, End::JumpIndirect { .. })) {
        return false;
    }
    for id in body {
        program.block_mut(*id).steps.retain(|step| {
            !matches!(step.op, Op::Store { value: Val::Var(Var::RA), address, .. } if slot(address) == Some(offset))
                && !matches!(step.op, Op::Load { dst: Var::RA, address, .. } if slot(address) == Some(offset))
        });
    }
    true
}

/// Removes a frame that nothing is in.
fn frame(program: &mut Program, body: &[BlockId]) -> bool {
    let mut adjustments = 0;
    for id in body {
        for step in &program.block(*id).steps {
            if adjusts(&step.op).is_some() {
                adjustments += 1;
                continue;
            }
            // The host is not told where the stack is; it is among what a host call reads for the sake of caution.
            let reads = !matches!(step.op, Op::HostCall { .. }) && step.op.reads(&program.imports).has(Var::SP);
            if reads || step.op.dst() == Some(Var::SP) {
                return false;
            }
        }
        if program.block(*id).end.reads().has(Var::SP) {
            return false;
        }
    }
    // Taking it down and putting it up must cancel out on each way through, which one look at the start and at each
    // return can only say of functions that adjust it there.
    let total = |id: &BlockId| program.block(*id).steps.iter().filter_map(|step| adjusts(&step.op)).sum::<i64>();
    let entry = total(&body[0]);
    let returns = |id: &BlockId| matches!(program.block(*id).end, End::JumpIndirect { .. });
    let balanced = match body {
        [only] => total(only) == 0,
        [first, rest @ ..] => {
            !returns(first) && rest.iter().all(|id| total(id) == if returns(id) { -entry } else { 0 })
        }
        [] => false,
    };
    if adjustments == 0 || !balanced {
        return false;
    }
    for id in body {
        program.block_mut(*id).steps.retain(|step| adjusts(&step.op).is_none());
    }
    true
}
