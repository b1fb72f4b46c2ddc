//! Global value numbering over extended basic blocks, through registers and memory.
//!
//! An extended basic block is a block and the blocks whose only predecessor is in it. Registers are given value
//! numbers: constants and copies are propagated, common subexpressions eliminated, operations and branches folded,
//! loads forwarded from stores, and additions moved into the offsets of loads and stores. `dce` removes operations that
//! become unused.

mod memory;
mod rewrite;
mod table;

use super::demand::{Bits, Demand, FULL};
use super::simplify_cfg::Entries;
use crate::elf::{Field, SectionKind};
use crate::ir::{BlockId, Fixup, Imm, IrProgram, Op, Part, Step, Terminator, Val, Var, Vars, condition, width};
use memory::Memory;
use table::{Def, Facts, Table, Vn};
use vm_core::isa::Opcode as O;

/// Maximum number of remembered branch conditions.
const CONDITIONS: usize = 8;

/// Known values at a point of the code.
#[derive(Clone)]
struct State {
    /// The value in each register.
    vars: [Vn; Var::COUNT],
    /// Age of each register's value; reading older registers is better.
    since: [u32; Var::COUNT],
    memory: Memory,
    /// Branch conditions on the path here, and their results.
    conditions: Vec<(O, Vn, Vn, bool)>,
}

/// Uses of a step's result in its block.
#[derive(Clone, Copy, Default)]
struct Uses {
    /// Uses as the base of a load or store.
    as_base: u32,
    /// Other uses.
    other: u32,
    /// True if it is live after the block.
    escapes: bool,
}

struct Pass<'a> {
    program: &'a mut IrProgram,
    table: Table,
    changed: bool,
    clock: u32,
    /// In the last run: prefer shorter code to fewer live values.
    compact: bool,
}

/// Runs on the whole program.
pub fn run(program: &mut IrProgram) -> bool {
    pass(program, false)
}

/// The last run: reads registers that hold a constant anyway instead of using immediates.
pub fn compact(program: &mut IrProgram) -> bool {
    pass(program, true)
}

fn pass(program: &mut IrProgram, compact: bool) -> bool {
    let entries = Entries::of(program);
    let demand = Demand::of(program);
    let mut done = vec![false; program.blocks.len()];
    let wide = program.wide;
    // True if a call through a pointer may reach a function that violates the convention.
    let irregular_pointers = program.ids().any(|id| {
        let role = program.block(id).role;
        role.is_irregular && !role.is_label && entries.outside[id.0 as usize]
    });
    let mut pass = Pass { program, table: Table::new(wide), changed: false, clock: 0, compact };
    for root in pass.program.ids() {
        let index = root.0 as usize;
        let irregular = |id: BlockId| pass.program.block(id).role.is_irregular;
        if !entries.reachable[index]
            || irregular(root)
            || done[index]
            || entries.is_only(root)
            || entries.is_only_return(root)
        {
            continue;
        }
        pass.table = Table::new(wide);
        let state = pass.unknown();
        let mut pending = vec![(root, state)];
        while let Some((id, mut state)) = pending.pop() {
            done[id.0 as usize] = true;
            let needed = demand.after_steps(pass.program, id);
            let at_end = demand.before_end(pass.program, id);
            pass.block(id, &mut state, &needed, &at_end);
            let terminator = pass.program.block(id).terminator;
            match terminator {
                Terminator::Jump(target) if entries.is_only(target) => pending.push((target, state)),
                Terminator::Branch { op, a, b, then, otherwise } => {
                    for (target, holds) in [(then, true), (otherwise, false)] {
                        if entries.is_only(target) {
                            let mut state = state.clone();
                            pass.learn(&mut state, op, a, b, holds);
                            pending.push((target, state));
                        }
                    }
                }
                Terminator::Call { link, back, .. } | Terminator::CallIndirect { link, back, .. }
                    if entries.is_only_return(back) =>
                {
                    state.memory.forget();
                    let keeps = match terminator {
                        Terminator::Call { target, .. } => !pass.program.block(target).role.is_irregular,
                        _ => !irregular_pointers,
                    };
                    let kept = if link == Var::RA && keeps { Vars::PRESERVED } else { Vars::NONE };
                    pass.clobber(&mut state, Vars::ALL.without(kept));
                    pending.push((back, state));
                }
                _ => {}
            }
        }
    }
    // A cycle of blocks with one predecessor each is unreachable, so nothing is missed.
    pass.changed
}

impl Pass<'_> {
    fn opaque(&mut self, facts: Facts) -> Vn {
        let facts = if self.program.wide { facts } else { Facts { signed: facts.signed.min(32), ..facts } };
        self.table.opaque(facts)
    }

    fn unknown(&mut self) -> State {
        let vars = std::array::from_fn(|_| self.opaque(Facts::NONE));
        State { vars, since: [0; Var::COUNT], memory: Memory::default(), conditions: Vec::new() }
    }

    fn clobber(&mut self, state: &mut State, vars: Vars) {
        for var in vars.iter() {
            let vn = self.opaque(Facts::NONE);
            self.set(state, var, vn);
        }
    }

    fn set(&mut self, state: &mut State, var: Var, vn: Vn) {
        self.clock += 1;
        state.vars[var.index()] = vn;
        state.since[var.index()] = self.clock;
    }

    /// Returns the value of an operand.
    fn value(&mut self, state: &State, value: Val) -> Vn {
        match value {
            Val::Var(var) => state.vars[var.index()],
            Val::Imm(imm) => self.table.imm(imm),
        }
    }

    /// Returns the register that has held a value the longest. Temporaries are only used where they were defined.
    fn holder(&self, state: &State, vn: Vn) -> Option<Var> {
        let holders = Vars::ALL.iter().filter(|var| state.vars[var.index()] == vn);
        holders.min_by_key(|var| state.since[var.index()])
    }

    /// Derives facts from a branch that was taken or not taken.
    fn learn(&mut self, state: &mut State, op: O, a: Val, b: Val, holds: bool) {
        let (a, b) = (self.value(state, a), self.value(state, b));
        let equal = matches!((op, holds), (O::BranchEq, true) | (O::BranchNotEq, false));
        if equal {
            let (known, other) = match (self.table.constant(a), self.table.constant(b)) {
                (None, Some(_)) => (b, a),
                (Some(_), None) => (a, b),
                _ => return,
            };
            for slot in &mut state.vars {
                if *slot == other {
                    *slot = known;
                }
            }
            return;
        }
        // A boolean that is not 0 is 1.
        let not_equal = matches!((op, holds), (O::BranchNotEq, true) | (O::BranchEq, false));
        if not_equal && self.table.number(b) == Some(0) && self.table.facts(a).unsigned <= 1 {
            let one = self.table.num(1);
            state.vars.iter_mut().filter(|slot| **slot == a).for_each(|slot| *slot = one);
            return;
        }
        if state.conditions.len() >= CONDITIONS {
            state.conditions.remove(0);
        }
        state.conditions.push((op, a, b, holds));
    }

    fn block(&mut self, id: BlockId, state: &mut State, needed: &[Bits], at_end: &Bits) {
        // Temporaries are not live across blocks.
        self.clobber(state, Vars::all_temporaries());
        let uses = self.uses(id, at_end);
        let steps = std::mem::take(&mut self.program.block_mut(id).steps);
        let mut made_at = [None; Var::COUNT];
        let mut out = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            let context = rewrite::Context { uses: &uses, made_at: &made_at };
            let needed = step.op.dst().map_or(FULL, |dst| needed[index].of(dst));
            let op = self.step(state, step.op, needed, &context);
            if op != Some(step.op) {
                self.changed = true;
            }
            step.op.clobbers().iter().for_each(|var| made_at[var.index()] = Some(index));
            out.extend(op.map(|op| Step { op, at: step.at }));
        }
        self.program.block_mut(id).steps = out;
        let terminator = self.program.block(id).terminator;
        let context = rewrite::Context { uses: &uses, made_at: &made_at };
        let new = self.terminator(state, terminator, &context);
        if new != terminator {
            self.program.block_mut(id).terminator = new;
            self.changed = true;
        }
    }

    /// Counts the uses of each step's result.
    fn uses(&self, id: BlockId, at_end: &Bits) -> Vec<Uses> {
        let block = self.program.block(id);
        let mut out = vec![Uses::default(); block.steps.len()];
        let mut current: [Uses; Var::COUNT] = std::array::from_fn(|index| Uses {
            escapes: Var::all().nth(index).is_some_and(|var| at_end.of(var) > 0),
            ..Uses::default()
        });
        for var in block.terminator.reads().iter() {
            current[var.index()].other += 1;
            // A result that only the terminator reads is not live after the block.
            let behind = block.terminator.targets().next().is_some();
            current[var.index()].escapes &= behind;
        }
        for (index, step) in block.steps.iter().enumerate().rev() {
            let clobbers = step.op.clobbers();
            if let Some(dst) = step.op.dst() {
                out[index] = current[dst.index()];
            }
            clobbers.iter().for_each(|var| current[var.index()] = Uses::default());
            let base = match step.op {
                Op::Load { address, .. } => address.base,
                Op::Store { value, address, .. } if value.var() != address.base => address.base,
                _ => None,
            };
            for var in step.op.reads(&self.program.imports).iter() {
                match base == Some(var) {
                    true => current[var.index()].as_base += 1,
                    false => current[var.index()].other += 1,
                }
            }
        }
        out
    }

    /// Returns the value of a constant in read-only data.
    fn constant_at(&mut self, offset: Imm, op: O) -> Option<Imm> {
        let Imm::Data { section, part: Part::Full, offset } = offset else { return None };
        let data = self.program.data.get(section as usize)?.as_ref()?;
        if data.kind != SectionKind::ReadOnly {
            return None;
        }
        let (start, width) = (u64::try_from(offset).ok()?, width(op) as u64);
        let end = start.checked_add(width).filter(|end| *end <= data.size)?;
        let overlaps = |fixup: &&Fixup| fixup.offset < end && start < fixup.offset + fixup.length();
        let first = data.fixups.partition_point(|fixup| fixup.offset + fixup.length() <= start);
        if let Some(fixup) = data.fixups[first..].iter().take(1).find(overlaps) {
            let whole = fixup.offset == start && fixup.field == Field::Bytes(width as u8);
            return match fixup.value {
                (imm, None) if whole && width >= 4 => Some(imm),
                _ => None,
            };
        }
        let mut bytes = [0u8; 8];
        for (index, byte) in bytes.iter_mut().enumerate().take(width as usize) {
            *byte = data.bytes.get(start as usize + index).copied().unwrap_or(0);
        }
        let raw = i64::from_le_bytes(bytes);
        Some(Imm::Num(match op {
            O::LoadIndirectI8 => i64::from(raw as i8),
            O::LoadIndirectI16 => i64::from(raw as i16),
            O::LoadIndirectI32 => i64::from(raw as i32),
            _ => raw,
        }))
    }

    /// Returns the result of a branch that follows from known conditions.
    fn known(&self, state: &State, op: O, a: Vn, b: Vn) -> Option<bool> {
        if let (Some(a), Some(b)) = (self.table.number(a), self.table.number(b)) {
            return condition(op, a, b, self.program.wide);
        }
        if a == b {
            return condition(op, 0, 0, self.program.wide);
        }
        if let Some(b) = self.table.number(b) {
            let facts = self.table.facts(a);
            let below = |limit: i64| facts.unsigned < 63 && 1i64 << facts.unsigned <= limit;
            match op {
                O::BranchLessUnsigned | O::BranchLessSigned if below(b) => return Some(true),
                O::BranchGreaterOrEqualUnsigned | O::BranchGreaterOrEqualSigned if below(b) => return Some(false),
                O::BranchLessSigned if facts.unsigned < 64 && b <= 0 => return Some(false),
                O::BranchGreaterOrEqualSigned if facts.unsigned < 64 && b <= 0 => return Some(true),
                O::BranchLessUnsigned if b == 0 => return Some(false),
                O::BranchGreaterOrEqualUnsigned if b == 0 => return Some(true),
                _ => {}
            }
        }
        let same = |(other, x, y, holds): &(O, Vn, Vn, bool)| {
            let swap = matches!(op, O::BranchEq | O::BranchNotEq) && (*x, *y) == (b, a);
            if (*x, *y) != (a, b) && !swap {
                return None;
            }
            match *other == op {
                true => Some(*holds),
                false if crate::emit::select::opposite(*other) == op => Some(!holds),
                false => None,
            }
        };
        state.conditions.iter().rev().find_map(same)
    }
}

#[cfg(test)]
mod tests;
