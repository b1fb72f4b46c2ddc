//! Calling-convention check: finds the functions that follow it, and refuses jumps to addresses that do not exist in
//! the VM.
//!
//! The passes assume that a function returns to its caller with `sp`, `s0` and `s1` unchanged, that it does not use its
//! return address otherwise, and that it reads its caller's `s0` and `s1` only to save them
//! (docs/linking.md#calling-conventions). Compilers follow these rules; context switches, `setjmp`, hand-written
//! millicode and the like do not. This analysis follows the registers through each function; if one violates the rules,
//! its blocks and those that they reach are marked ([`crate::ir::Role::is_irregular`]), and the passes leave them
//! unchanged.
//!
//! It runs once, right after lifting, at every level: the passes preserve the rules. It does not detect a function that
//! overwrites its saved registers through a pointer.

mod state;

use super::liveness::Reachable;
use crate::LinkError;
use crate::elf::{Image, SectionOffset};
use crate::ir::{BlockId, Fixup, Imm, IrProgram, Lifted, Op, Origin, Terminator, Val, Var};
use state::{State, Value};

/// Maximum number of blocks of a subroutine with another link register that are followed from its caller.
const MILLICODE_BLOCKS: usize = 64;

/// Reason for which a block violates the calling convention; for tests and for debugging the linker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Violation {
    /// A jump through a register that does not hold the function's return address.
    Return,
    /// The stack pointer, s0 or s1 has changed when the function is left.
    Preserved,
    /// Its return address, or one left by a call, is read or passed on.
    ReturnAddress,
    /// The caller's s0 or s1 is used in a computation.
    CallersRegister,
    /// A subroutine that does not return to its caller.
    Subroutine,
}

/// Result of analysing one block.
#[derive(Default)]
struct Findings {
    violation: Option<Violation>,
    /// Origin of a jump whose target was computed from a code address and an unknown value.
    computed: Option<Origin>,
    /// Origin of a read or write of code.
    accessed: Option<Origin>,
    /// True if the difference of two code addresses is computed.
    difference: bool,
}

struct Analysis<'a> {
    program: &'a IrProgram,
    functions: &'a [Option<(u32, bool)>],
    /// True for blocks at which functions begin.
    entries: Vec<bool>,
    /// True for blocks from which a return can be reached.
    returns: Vec<bool>,
    /// Labels by function.
    labels: Vec<(u32, BlockId)>,
    /// True for data sections with differences of code addresses.
    differences: Vec<bool>,
    states: Vec<Option<State>>,
}

/// Marks the blocks of a newly lifted program.
///
/// # Errors
/// If a jump goes to an address that is computed from code addresses in a way that is invalid for the VM's addresses.
pub fn run(lifted: Lifted, image: &Image) -> Result<IrProgram, LinkError> {
    mark(lifted).map_err(|(origin, what)| LinkError::Code {
        place: image.describe(SectionOffset::from(origin)),
        what: what.to_owned(),
    })
}

/// Marks the irregular functions; errors keep their origin.
fn mark(lifted: Lifted) -> Result<IrProgram, (Origin, &'static str)> {
    let Lifted { mut program, functions, variants } = lifted;
    mark_labels(&mut program, &functions);
    let mut analysis = Analysis::new(&program, &functions);
    analysis.solve();
    let mut irregular: Vec<BlockId> = variants;
    let mut findings = Vec::new();
    for id in program.ids() {
        if let Some(state) = analysis.states[id.0 as usize].clone() {
            let mut found = Findings::default();
            analysis.block(id, state, &mut found, |_, _| {});
            if found.violation.is_some() {
                irregular.push(id);
            }
            findings.push(found);
        }
    }
    if let Some(origin) = findings.iter().find_map(|found| found.accessed) {
        return Err((origin, "code is read or written as data, but the VM's code is not in memory"));
    }
    // Differences computed by the program itself, or by the linker, are differences of the VM's addresses.
    if !findings.iter().any(|found| found.difference)
        && let Some(origin) = findings.iter().find_map(|found| found.computed)
    {
        return Err((
            origin,
            "a jump to an address that is computed from that of a label and a distance in bytes, which the assembler \
             has put in; code has other addresses in the VM (let the compiler keep relocations, or use a table of \
             addresses)",
        ));
    }
    let irregular_blocks = spread(&program, &functions, irregular);
    for (id, _) in irregular_blocks.iter().enumerate().filter(|(_, is)| **is) {
        program.blocks[id].role.is_irregular = true;
    }
    Ok(program)
}

/// Distinguishes labels inside of functions from the starts of functions.
fn mark_labels(program: &mut IrProgram, functions: &[Option<(u32, bool)>]) {
    let addressed = Reachable::of(program).addressed;
    for (index, block) in program.blocks.iter_mut().enumerate() {
        let inside = functions.get(index).copied().flatten().is_some_and(|(_, starts)| !starts);
        block.role.is_label = addressed[index] && inside;
    }
}

/// Returns the blocks of all functions that contain `irregular` blocks, and the blocks that these reach.
fn spread(program: &IrProgram, functions: &[Option<(u32, bool)>], irregular: Vec<BlockId>) -> Vec<bool> {
    let mut marked = vec![false; program.blocks.len()];
    if irregular.is_empty() {
        return marked;
    }
    // Backwards to the entries of functions, but not from a function to its callers, which continue after the call.
    let mut before = vec![Vec::new(); program.blocks.len()];
    for id in program.ids() {
        match program.block(id).terminator {
            Terminator::Call { back, .. } | Terminator::CallIndirect { back, .. } => before[back.0 as usize].push(id),
            terminator => terminator.targets().for_each(|target| before[target.0 as usize].push(id)),
        }
    }
    let labels = labels(program, functions);
    let of_labels = |id: BlockId| labels_of(&labels, functions, id);
    for id in program.ids() {
        if matches!(program.block(id).terminator, Terminator::JumpIndirect { .. }) {
            of_labels(id).for_each(|label| before[label.0 as usize].push(id));
        }
    }
    let mut pending = irregular;
    while let Some(id) = pending.pop() {
        if !std::mem::replace(&mut marked[id.0 as usize], true) {
            pending.extend(&before[id.0 as usize]);
        }
    }
    let mut pending: Vec<BlockId> = program.ids().filter(|id| marked[id.0 as usize]).collect();
    while let Some(id) = pending.pop() {
        let terminator = program.block(id).terminator;
        let jumps = matches!(terminator, Terminator::JumpIndirect { .. });
        for next in terminator.targets().chain(of_labels(id).filter(|_| jumps)) {
            if !std::mem::replace(&mut marked[next.0 as usize], true) {
                pending.push(next);
            }
        }
    }
    marked
}

/// Returns the labels of all functions, sorted.
fn labels(program: &IrProgram, functions: &[Option<(u32, bool)>]) -> Vec<(u32, BlockId)> {
    let mut labels: Vec<(u32, BlockId)> = program
        .ids()
        .filter(|id| program.block(*id).role.is_label)
        .filter_map(|id| Some((functions.get(id.0 as usize).copied().flatten()?.0, id)))
        .collect();
    labels.sort_unstable();
    labels
}

/// Returns the labels of the function that contains a block.
fn labels_of<'a>(
    labels: &'a [(u32, BlockId)],
    functions: &[Option<(u32, bool)>],
    id: BlockId,
) -> impl Iterator<Item = BlockId> + use<'a> {
    let function = functions.get(id.0 as usize).copied().flatten().map(|(function, _)| function);
    let start = labels.partition_point(|(its, _)| function.is_none_or(|function| *its < function));
    labels[start..].iter().take_while(move |(its, _)| Some(*its) == function).map(|(_, label)| *label)
}

impl<'a> Analysis<'a> {
    fn new(program: &'a IrProgram, functions: &'a [Option<(u32, bool)>]) -> Analysis<'a> {
        let count = program.blocks.len();
        let mut entries = vec![false; count];
        program.exports.iter().for_each(|(_, block, _)| entries[block.0 as usize] = true);
        let addressed = Reachable::of(program).addressed;
        for id in program.ids() {
            let index = id.0 as usize;
            entries[index] |= addressed[index] && !program.block(id).role.is_label;
            if let Terminator::Call { link: Var::RA, target, .. } = program.block(id).terminator {
                entries[target.0 as usize] = true;
            }
        }
        let is_code = |imm: &Imm| matches!(imm, Imm::Code { .. });
        let differences = program.data.iter().map(|data| {
            let both = |fixup: &Fixup| fixup.value.1.as_ref().is_some_and(is_code) && is_code(&fixup.value.0);
            data.as_ref().is_some_and(|data| data.fixups.iter().any(both))
        });
        Analysis {
            program,
            functions,
            entries,
            returns: returns(program),
            labels: labels(program, functions),
            differences: differences.collect(),
            states: vec![None; count],
        }
    }

    /// Propagates states from the functions' entries to a fixed point. Each register and slot of a state can change
    /// twice, so this terminates.
    fn solve(&mut self) {
        let mut pending = Vec::new();
        for id in self.program.ids() {
            if !self.entries[id.0 as usize] {
                continue;
            }
            self.join(id, &State::entry(Var::RA), &mut pending);
        }
        for id in self.program.ids() {
            if let Terminator::Call { link, target, .. } = self.program.block(id).terminator
                && link != Var::RA
            {
                self.join(target, &State::entry(link), &mut pending);
            }
        }
        self.propagate(pending);
        // Labels that only other functions jump to, such as the targets of a non-local goto.
        for (_, label) in self.labels.clone() {
            if self.states[label.0 as usize].is_none() {
                let mut pending = Vec::new();
                self.join(label, &State::entry(Var::RA), &mut pending);
                self.propagate(pending);
            }
        }
    }

    fn propagate(&mut self, mut pending: Vec<BlockId>) {
        while let Some(id) = pending.pop() {
            let Some(state) = self.states[id.0 as usize].clone() else { continue };
            let mut out = Vec::new();
            self.block(id, state, &mut Findings::default(), |target, state| out.push((target, state.clone())));
            for (target, state) in out {
                self.join(target, &state, &mut pending);
            }
        }
    }

    fn join(&mut self, id: BlockId, state: &State, pending: &mut Vec<BlockId>) {
        let slot = &mut self.states[id.0 as usize];
        let changed = match slot {
            Some(known) => known.join(state),
            None => {
                *slot = Some(state.clone());
                true
            }
        };
        if changed {
            pending.push(id);
        }
    }

    /// True if a function begins with a block, according to the file or to the code.
    fn begins_function(&self, id: BlockId) -> bool {
        let index = id.0 as usize;
        self.entries[index] || self.functions.get(index).copied().flatten().is_some_and(|(_, starts)| starts)
    }

    /// Interprets a block, and passes the state at the start of each successor to `flow`.
    fn block(&self, id: BlockId, mut state: State, findings: &mut Findings, mut flow: impl FnMut(BlockId, &State)) {
        let block = self.program.block(id);
        for step in &block.steps {
            self.step(&mut state, &step.op, step.at, findings);
        }
        let mut violation = |found: bool, kind: Violation| {
            if found {
                findings.violation.get_or_insert(kind);
            }
        };
        for var in
            block.terminator.reads().iter().filter(|_| !matches!(block.terminator, Terminator::JumpIndirect { .. }))
        {
            violation(state.value(var).is_hidden(state.link), Violation::ReturnAddress);
        }
        match block.terminator {
            Terminator::Jump(target) => {
                // After a host function that does not return, control would continue in the next function.
                let last = block.steps.last().map(|step| step.op);
                let may_not_return = last.is_none_or(|op| matches!(op, Op::HostCall { .. }));
                if !(may_not_return && !state.is_clean() && self.begins_function(target)) {
                    flow(target, &state);
                }
            }
            Terminator::Branch { then, otherwise, .. } => {
                flow(then, &state);
                flow(otherwise, &state);
            }
            Terminator::Call { link: Var::RA, target, back } => {
                violation(state.shows_return_address(), Violation::ReturnAddress);
                if self.returns[target.0 as usize] {
                    self.after_call(&mut state, back, &mut flow);
                }
            }
            Terminator::CallIndirect { link: Var::RA, base, back } => {
                violation(state.shows_return_address(), Violation::ReturnAddress);
                if state.value(base) == Value::Computed {
                    findings.computed.get_or_insert(block.at);
                }
                self.after_call(&mut state, back, &mut flow);
            }
            Terminator::Call { link, target, back } => match self.subroutine(&mut state, link, target) {
                true => flow(back, &state),
                false => {
                    violation(true, Violation::Subroutine);
                    flow(back, &State::unknown());
                }
            },
            Terminator::CallIndirect { back, .. } => {
                violation(true, Violation::Subroutine);
                flow(back, &State::unknown());
            }
            Terminator::JumpIndirect { base } => {
                let value = state.value(base);
                if value == Value::Computed {
                    findings.computed.get_or_insert(block.at);
                }
                let is_return = state.link.is_some_and(|link| value == Value::Entry(link));
                let labels = labels_of(&self.labels, self.functions, id);
                if is_return {
                    // Millicode may leave anything in registers; its callers assume nothing about them.
                    let kept = state.link != Some(Var::RA) || state.preserves();
                    violation(!kept, Violation::Preserved);
                    violation(state.results_show_return_address(), Violation::ReturnAddress);
                } else if base == Var::RA {
                    violation(true, Violation::Return);
                } else if !state.is_clean() || state.link != Some(Var::RA) {
                    // A computed goto; without labels that it could go to, control leaves the function in the middle.
                    let mut any = false;
                    for label in labels {
                        any = true;
                        flow(label, &state);
                    }
                    violation(!any, Violation::Preserved);
                } else {
                    // A tail call, or a computed goto in a function without a frame.
                    for label in labels {
                        let known = self.states[label.0 as usize].as_ref();
                        if known.is_none_or(State::is_clean) {
                            flow(label, &state);
                        }
                    }
                }
            }
            Terminator::Trap => {}
        }
    }

    /// Passes on the state after a call that follows the convention.
    fn after_call(&self, state: &mut State, back: BlockId, flow: &mut impl FnMut(BlockId, &State)) {
        // A function that does not return may be followed by the next function.
        let is_clean = state.is_clean();
        if !is_clean && self.begins_function(back) {
            return;
        }
        state.call();
        flow(back, state);
    }

    /// Analyses a subroutine with another link register as part of its caller; returns true if it returns.
    fn subroutine(&self, state: &mut State, link: Var, target: BlockId) -> bool {
        state.set(link, Value::Subroutine);
        let mut at = target;
        for _ in 0..MILLICODE_BLOCKS {
            let block = self.program.block(at);
            for step in &block.steps {
                let reads = step.op.reads(&self.program.imports);
                let moves = matches!(step.op, Op::Move { .. } | Op::Store { .. });
                if !moves && reads.iter().any(|var| state.value(var) == Value::Subroutine) {
                    return false;
                }
                let mut ignored = Findings::default();
                self.step(state, &step.op, step.at, &mut ignored);
                if ignored.violation.is_some() {
                    return false;
                }
            }
            match block.terminator {
                Terminator::Jump(next) => at = next,
                Terminator::JumpIndirect { base } => return state.value(base) == Value::Subroutine,
                _ => return false,
            }
        }
        false
    }

    /// Interprets one operation.
    fn step(&self, state: &mut State, op: &Op, at: Origin, findings: &mut Findings) {
        let reads = op.reads(&self.program.imports);
        let hidden = |value: Value| value.is_hidden(state.link);
        let saves = matches!(*op, Op::Store { value: Val::Var(_), address, .. } if state.is_own_slot(address));
        if !matches!(op, Op::Move { .. }) && !saves {
            for var in reads.iter().filter(|var| hidden(state.value(*var))) {
                let kind = match state.value(var) {
                    Value::Entry(Var::RA) | Value::Return => Violation::ReturnAddress,
                    _ => Violation::CallersRegister,
                };
                findings.violation.get_or_insert(kind);
            }
        }
        if let Op::Load { address, .. } | Op::Store { address, .. } = *op {
            let by_base = address.base.is_some_and(|base| state.value(base) == Value::Code);
            if by_base || matches!(address.offset, Imm::Code { .. }) {
                findings.accessed.get_or_insert(at);
            }
        }
        let wide = self.program.wide;
        match *op {
            Op::Const { dst, value } => state.set(dst, Value::of(value)),
            Op::Move { dst, src } => state.set(dst, state.value(src)),
            Op::Binary { op, dst, a, b } => {
                let (a, b) = (state.operand(a), state.operand(b));
                let (value, difference) = state::binary(op, a, b, &self.differences, wide);
                findings.difference |= difference;
                state.set(dst, value);
            }
            Op::Cmov { dst, value, .. } => {
                let joined = state.value(dst).join(state.operand(value).value());
                state.set(dst, joined);
            }
            Op::Load { op, dst, address } => {
                let value = state.load(op, address, wide);
                state.set(dst, value);
            }
            Op::Store { op, value, address } => state.store(op, value, address, wide),
            _ => op.clobbers().iter().for_each(|var| state.set(var, Value::Unknown)),
        }
    }
}

/// Returns, for each block, true if a return is reachable from it within the function.
fn returns(program: &IrProgram) -> Vec<bool> {
    let mut out = vec![false; program.blocks.len()];
    let mut predecessors = program.predecessors();
    for id in program.ids() {
        if matches!(program.block(id).terminator, Terminator::CallIndirect { .. } | Terminator::JumpIndirect { .. }) {
            predecessors[id.0 as usize].push(id);
        }
    }
    let mut pending: Vec<BlockId> = program.ids().collect();
    while let Some(id) = pending.pop() {
        if out[id.0 as usize] {
            continue;
        }
        let of = |id: BlockId| out[id.0 as usize];
        let found = match program.block(id).terminator {
            Terminator::Jump(target) => of(target),
            Terminator::Branch { then, otherwise, .. } => of(then) || of(otherwise),
            Terminator::Call { link: Var::RA, target, back } => of(target) && of(back),
            // A subroutine may do anything.
            Terminator::Call { .. } | Terminator::JumpIndirect { .. } => true,
            Terminator::CallIndirect { back, .. } => of(back),
            Terminator::Trap => false,
        };
        if found {
            out[id.0 as usize] = true;
            pending.extend(predecessors[id.0 as usize].iter().filter(|predecessor| !out[predecessor.0 as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests;
