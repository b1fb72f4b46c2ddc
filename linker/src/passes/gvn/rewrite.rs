//! Rewrites a single operation.

use super::memory::{SectionOffset, load_facts};
use super::{Def, Pass, State, Uses, Vn};
use crate::emit::select;
use crate::ir::{Address, Imm, Op, Part, Terminator, Val, Var, Vars};
use vm_core::isa::Opcode as O;

/// The definitions of available values in the block, and their uses.
pub struct Context<'a> {
    /// Uses by step.
    pub uses: &'a [Uses],
    /// The step in this block that defined each register, if any.
    pub made_at: &'a [Option<usize>; Var::COUNT],
}

impl Context<'_> {
    fn uses(&self, var: Var) -> Option<Uses> {
        self.made_at[var.index()].and_then(|index| self.uses.get(index)).copied()
    }

    /// True if a register's definition becomes dead when `count` uses as a base stop using it.
    fn only_bases(&self, var: Var, count: u32) -> bool {
        self.uses(var).is_some_and(|uses| !uses.escapes && uses.other == 0 && uses.as_base <= count)
    }

    /// True if the definition becomes dead when at most `count` uses stop using it.
    fn few_uses(&self, var: Var, count: u32) -> bool {
        self.uses(var).is_some_and(|uses| !uses.escapes && uses.other + uses.as_base <= count)
    }
}

/// Returns the length of an immediate in bytes; addresses of data take three.
fn size(imm: Imm) -> u32 {
    match imm {
        Imm::Num(0) => 0,
        Imm::Num(-128..=127) => 1,
        Imm::Num(-32768..=32767) | Imm::Code { .. } => 2,
        Imm::Num(-0x80_0000..=0x7f_ffff) | Imm::Data { .. } | Imm::HeapBase => 3,
        Imm::Num(value) if value == value as i32 as i64 => 4,
        Imm::Num(_) => 8,
    }
}

impl Pass<'_> {
    /// True if an immediate is better than the register that holds the constant.
    fn prefers_imm(&self, imm: Imm, var: Var, context: &Context<'_>) -> bool {
        // A use costs the immediate's bytes, less the byte of a third register; loading it costs two more.
        match size(imm) {
            0 | 1 => true,
            // Faster, and eventually smaller if the load becomes superfluous.
            2 => !self.compact,
            3 | 4 => context.few_uses(var, 2),
            _ => false,
        }
    }

    /// Returns the best operand for a value: a constant, the register that has held it longest, or the given one.
    fn operand(&self, state: &State, vn: Vn, given: Val, context: &Context<'_>) -> Val {
        match given {
            // A register that happens to hold it is shorter.
            Val::Imm(imm) if self.compact && size(imm) >= 2 => self.holder(state, vn).map_or(given, Val::Var),
            Val::Imm(_) => given,
            Val::Var(var) => {
                if let Some(imm) = self.table.constant(vn)
                    && self.prefers_imm(imm, var, context)
                {
                    return imm.into();
                }
                self.holder(state, vn).map_or(given, Val::Var)
            }
        }
    }

    /// Returns a value as an operand, if it is available.
    fn available(&self, state: &State, vn: Vn) -> Option<Val> {
        if let Some(imm) = self.table.constant(vn)
            && (size(imm) <= 2 || self.holder(state, vn).is_none())
        {
            return Some(imm.into());
        }
        self.holder(state, vn).map(Val::Var)
    }

    pub(super) fn step(&mut self, state: &mut State, op: Op, needed: u8, context: &Context<'_>) -> Option<Op> {
        match op {
            Op::Const { dst, value } => {
                let vn = self.table.imm(value);
                self.define(state, dst, vn, op)
            }
            Op::Move { dst, src } => {
                let vn = state.vars[src.index()];
                self.define(state, dst, vn, op)
            }
            Op::Unary { op: unary, dst, src } => {
                let vn = state.vars[src.index()];
                let src = self.holder(state, vn).unwrap_or(src);
                let vn = self.table.unary(unary, vn);
                self.define(state, dst, vn, Op::Unary { op: unary, dst, src })
            }
            Op::Binary { op, dst, a, b } => {
                let (op, a, b) = self.narrowed(state, op, a, b, needed);
                let (va, vb) = (self.value(state, a), self.value(state, b));
                let vn = self.table.binary(op, va, vb);
                let (x, y) = (self.operand(state, va, a, context), self.operand(state, vb, b, context));
                let wide = self.program.wide;
                let forms = [(x, y), (x, b), (a, y), (a, b)];
                let best = forms.into_iter().map(|(a, b)| Op::Binary { op, dst, a, b });
                let fallback = best.into_iter().find(|op| select::fits(op, wide));
                self.define(state, dst, vn, fallback.unwrap_or(Op::Binary { op, dst, a, b }))
            }
            Op::Cmov { zero, dst, value, cond } => self.cmov(state, zero, dst, value, cond, context),
            Op::Load { op, dst, address } => {
                let (address, place) = self.address(state, address, context);
                if let Some(imm) = place.base.is_none().then(|| self.constant_at(place.offset, op)).flatten() {
                    let vn = self.table.imm(imm);
                    state.memory.loaded(place, op, vn);
                    return self.define(state, dst, vn, Op::Const { dst, value: imm });
                }
                let load = Op::Load { op, dst, address };
                if let Some(vn) = state.memory.load(&mut self.table, place, op) {
                    return self.define(state, dst, vn, load);
                }
                let vn = self.opaque(load_facts(op));
                state.memory.loaded(place, op, vn);
                self.set(state, dst, vn);
                Some(load)
            }
            Op::Store { op, value, address } => {
                let (address, place) = self.address(state, address, context);
                let mut vn = self.value(state, value);
                let mut best = self.operand(state, vn, value, context);
                if op != O::StoreIndirectU64 && self.program.wide {
                    // Only the low bits are stored.
                    let word = self.table.low_word(vn);
                    if word != vn
                        && let Some(other) = self.available(state, word)
                    {
                        (vn, best) = (word, other);
                    }
                }
                if state.memory.holds(place, op, vn) {
                    return None;
                }
                state.memory.stored(&self.table, place, op, vn);
                let store = |value| Op::Store { op, value, address };
                let better = store(best);
                Some(if select::fits(&better, self.program.wide) { better } else { store(value) })
            }
            Op::HostCall { .. } | Op::Memset | Op::Sbrk { .. } => {
                if op.writes_memory() {
                    state.memory.forget();
                }
                self.clobber(state, op.clobbers());
                Some(op)
            }
        }
    }

    /// Returns an operation that computes `vn`: none if `dst` holds it, a constant, a move, a simpler operation, or
    /// `fallback`.
    fn define(&mut self, state: &mut State, dst: Var, vn: Vn, fallback: Op) -> Option<Op> {
        // A temporary is computed again for each use, which keeps its live range short.
        if state.vars[dst.index()] == vn && dst.reg().is_some() {
            return None;
        }
        let op = self.made(state, dst, vn, fallback);
        self.set(state, dst, vn);
        Some(op)
    }

    fn made(&self, state: &State, dst: Var, vn: Vn, fallback: Op) -> Op {
        if let Some(value) = self.table.constant(vn) {
            return self.shortest(state, dst, vn, value).unwrap_or(Op::Const { dst, value });
        }
        if let Some(src) = self.holder(state, vn) {
            return Op::Move { dst, src };
        }
        let wide = self.program.wide;
        let made = match self.table.def(vn) {
            Def::Sum(base, number) => self.holder(state, base).map(|base| Op::Binary {
                op: if wide { O::Add64 } else { O::Add32 },
                dst,
                a: base.into(),
                b: Imm::Num(number).into(),
            }),
            Def::Binary(op, a, b) => match (self.available(state, a), self.available(state, b)) {
                (Some(a), Some(b)) => Some(Op::Binary { op, dst, a, b }),
                _ => None,
            },
            Def::Unary(op, a) => self.holder(state, a).map(|src| Op::Unary { op, dst, src }),
            Def::Const(_) | Def::Opaque(_) => None,
        };
        match made {
            // The given operation may read a register where this one would hold a large constant, and is as good.
            Some(Op::Binary { op, .. }) if matches!(fallback, Op::Binary { op: given, .. } if given == op) => fallback,
            Some(made) if select::fits(&made, wide) => made,
            _ => fallback,
        }
    }

    /// Returns a shorter operation for a constant than loading it: from a register that holds it, or a value near it.
    fn shortest(&self, state: &State, dst: Var, vn: Vn, value: Imm) -> Option<Op> {
        if !self.compact || size(value) < 2 {
            return None;
        }
        if let Some(src) = self.holder(state, vn) {
            return Some(Op::Move { dst, src });
        }
        let distance = |from: Imm| match (from, value) {
            (Imm::Num(from), Imm::Num(to)) => to.checked_sub(from),
            (
                Imm::Data { section: a, part: Part::Full, offset: from },
                Imm::Data { section: b, part: Part::Full, offset: to },
            ) if a == b => to.checked_sub(from),
            _ => None,
        };
        let near = |var: Var| {
            let by = self.table.constant(state.vars[var.index()]).and_then(distance)?;
            // The instruction has one byte more than the load, besides the immediate.
            (size(Imm::Num(by)) < size(value)).then_some((size(Imm::Num(by)), var, by))
        };
        let (_, base, by) = Vars::ALL.iter().filter_map(near).min()?;
        let op = if self.program.wide { O::Add64 } else { O::Add32 };
        Some(Op::Binary { op, dst, a: base.into(), b: Imm::Num(by).into() })
    }

    /// Narrows an operation to the demanded bits of its result.
    fn narrowed(&mut self, state: &State, op: O, a: Val, b: Val, needed: u8) -> (O, Val, Val) {
        if !self.program.wide || needed > 32 {
            return (op, a, b);
        }
        let op = match op {
            // Drop an extension whose bits are not demanded.
            O::Add32 => O::Add64,
            O::Sub32 => O::Sub64,
            O::Mul32 => O::Mul64,
            O::ShiftLogicalLeft32 if b.number().is_some_and(|by| (0..32).contains(&by)) => O::ShiftLogicalLeft64,
            other => other,
        };
        let word = |value: Val| match value {
            Val::Var(var) => {
                let vn = state.vars[var.index()];
                let word = self.table.low_word(vn);
                match word == vn {
                    true => value,
                    false => self.holder(state, word).map_or(value, Val::Var),
                }
            }
            Val::Imm(_) => value,
        };
        match op {
            O::Add64 | O::Sub64 | O::Mul64 | O::And | O::Or | O::Xor => (op, word(a), word(b)),
            O::ShiftLogicalLeft64 if b.number().is_some() => (op, word(a), b),
            O::ShiftLogicalRight64 => {
                // An index that was extended and scaled at once.
                let vn = self.value(state, a);
                if let (Some(by), Def::Binary(O::ShiftLogicalLeft64, inner, left)) = (b.number(), self.table.def(vn))
                    && self.table.number(left) == Some(32)
                    && (0..=32).contains(&by)
                    && let Some(inner) = self.holder(state, inner)
                {
                    return (O::ShiftLogicalLeft64, inner.into(), Imm::Num(32 - by).into());
                }
                (op, a, b)
            }
            _ => (op, a, b),
        }
    }

    fn cmov(
        &mut self,
        state: &mut State,
        zero: bool,
        dst: Var,
        value: Val,
        cond: Var,
        context: &Context<'_>,
    ) -> Option<Op> {
        let (mut zero, mut vc) = (zero, state.vars[cond.index()]);
        let vv = self.value(state, value);
        if let Some(cond) = self.table.number(vc) {
            return match (cond == 0) == zero {
                true => self.define(state, dst, vv, Op::copy(dst, value)),
                false => None,
            };
        }
        if state.vars[dst.index()] == vv {
            return None;
        }
        // Looks through negations of the condition, as long as a register holds the inner value.
        let mut cond = self.holder(state, vc).unwrap_or(cond);
        let mut turned = false;
        while let Def::Binary(op, a, b) = self.table.def(vc) {
            match (op, self.table.number(a), self.table.number(b)) {
                (O::SetLessThanUnsigned, Some(0), _) => vc = b,
                (O::SetLessThanUnsigned, _, Some(1)) => (vc, turned) = (a, !turned),
                (O::Xor, _, Some(1)) if self.table.facts(a).unsigned <= 1 => (vc, turned) = (a, !turned),
                _ => break,
            }
            if let Some(holder) = self.holder(state, vc) {
                cond = holder;
                zero ^= std::mem::take(&mut turned);
            }
        }
        let facts = self.table.facts(vv).either(self.table.facts(state.vars[dst.index()]));
        let best = self.operand(state, vv, value, context);
        let forms = [best, value].into_iter().map(|value| Op::Cmov { zero, dst, value, cond });
        let op = forms.into_iter().find(|op| select::fits(op, self.program.wide));
        let vn = self.opaque(facts);
        self.set(state, dst, vn);
        Some(op.unwrap_or(Op::Cmov { zero, dst, value, cond }))
    }

    /// Returns a better form of the address for the same location, and the location.
    fn address(&mut self, state: &State, address: Address, context: &Context<'_>) -> (Address, SectionOffset) {
        let stack = self.table.split(state.vars[Var::SP.index()]).0;
        let Some(given) = address.base else {
            return (address, SectionOffset { base: None, offset: address.offset, is_stack: false });
        };
        let vn = state.vars[given.index()];
        // The location is the base that remains after all sums are split.
        let (base, number) = self.table.split(vn);
        let place = match (self.table.constant(base), address.offset.plus(number)) {
            (Some(imm), Some(offset)) => match (imm, offset) {
                (Imm::Num(a), offset) => {
                    offset.plus(a).map(|offset| SectionOffset { base: None, offset, is_stack: false })
                }
                (imm, Imm::Num(b)) => imm.plus(b).map(|offset| SectionOffset { base: None, offset, is_stack: false }),
                _ => None,
            },
            (None, Some(offset)) => Some(SectionOffset { base: Some(base), offset, is_stack: base == stack }),
            _ => None,
        };
        let place = place.unwrap_or(SectionOffset { base: Some(vn), offset: address.offset, is_stack: false });

        let kept = Address { base: Some(self.holder(state, vn).unwrap_or(given)), offset: address.offset };
        // A constant address: without the register, if that saves loading it.
        if place.base.is_none() {
            let offset_size = size(place.offset);
            let enough = if offset_size <= 2 { 4 } else { 2 };
            let better = context.only_bases(given, enough) || self.holder(state, vn).is_none();
            return (if better { Address { base: None, offset: place.offset } } else { kept }, place);
        }
        // Addresses have 32 bits: extensions of the base do not matter.
        let mut base = vn;
        let mut offset = address.offset;
        let mut best = kept;
        for _ in 0..8 {
            let word = self.table.low_word(base);
            if word != base {
                base = word;
                if let Some(holder) = self.holder(state, base) {
                    best = Address { base: Some(holder), offset };
                }
                continue;
            }
            let (inner, more) = match self.table.def(base) {
                Def::Sum(inner, number) => (inner, Imm::Num(number)),
                Def::Binary(O::Add64 | O::Add32, inner, constant) => match self.table.constant(constant) {
                    Some(imm) => (inner, imm),
                    None => break,
                },
                _ => break,
            };
            let sum = match (offset, more) {
                (offset, Imm::Num(number)) => offset.plus(number),
                (Imm::Num(number), more) => more.plus(number),
                _ => None,
            };
            let Some(sum) = sum.filter(|sum| select::imm_fits(*sum, self.program.wide)) else { break };
            (base, offset) = (inner, sum);
            let enough = if size(offset) <= 1 { 8 } else { 3 };
            let free = size(offset) <= size(best.offset);
            if let Some(holder) = self.holder(state, base)
                && (free || context.only_bases(given, enough))
            {
                best = Address { base: Some(holder), offset };
            }
        }
        (best, place)
    }

    pub(super) fn terminator(&mut self, state: &State, terminator: Terminator, context: &Context<'_>) -> Terminator {
        match terminator {
            Terminator::Branch { op, a, b, then, otherwise } => {
                let (op, a, b, then, otherwise) = self.branch(state, op, a, b, then, otherwise, context);
                let (va, vb) = (self.value(state, a), self.value(state, b));
                match self.known(state, op, va, vb) {
                    Some(true) => Terminator::Jump(then),
                    Some(false) => Terminator::Jump(otherwise),
                    None => Terminator::Branch { op, a, b, then, otherwise },
                }
            }
            Terminator::CallIndirect { link, base, back } => match self.table.constant(state.vars[base.index()]) {
                Some(Imm::Code { block, part: Part::Full }) => Terminator::Call { link, target: block, back },
                _ => Terminator::CallIndirect {
                    link,
                    base: self.holder(state, state.vars[base.index()]).unwrap_or(base),
                    back,
                },
            },
            // The register of a return identifies it as one.
            Terminator::JumpIndirect { base } if base == Var::RA || base == Var::T0 => terminator,
            Terminator::JumpIndirect { base } => match self.table.constant(state.vars[base.index()]) {
                Some(Imm::Code { block, part: Part::Full }) => Terminator::Jump(block),
                _ => {
                    let holders = Vars::ALL.without(Vars::one(Var::RA)).without(Vars::one(Var::T0));
                    let same = |var: &Var| state.vars[var.index()] == state.vars[base.index()];
                    let holder = holders.iter().filter(same).min_by_key(|var| state.since[var.index()]);
                    Terminator::JumpIndirect { base: holder.unwrap_or(base) }
                }
            },
            other => other,
        }
    }

    /// Returns a branch with the same result that does not need the computed condition.
    #[allow(clippy::too_many_arguments, reason = "the parts of a branch")]
    fn branch(
        &mut self,
        state: &State,
        mut op: O,
        a: Val,
        b: Val,
        mut then: crate::ir::BlockId,
        mut otherwise: crate::ir::BlockId,
        context: &Context<'_>,
    ) -> (O, Val, Val, crate::ir::BlockId, crate::ir::BlockId) {
        let (then_given, otherwise_given, op_given) = (then, otherwise, op);
        let (mut va, mut vb) = (self.value(state, a), self.value(state, b));
        let (mut x, mut y) = (self.operand(state, va, a, context), self.operand(state, vb, b, context));
        if matches!(x, Val::Imm(_)) && matches!(y, Val::Var(_)) && matches!(op, O::BranchEq | O::BranchNotEq) {
            (x, y, va, vb) = (y, x, vb, va);
        }
        // Finds the comparison `a op b` behind a test for zero. Intermediate values need not be in registers.
        let (mut deep, mut p, mut q, mut turned) = (op, va, vb, false);
        for _ in 0..8 {
            if self.table.number(q) != Some(0) || !matches!(deep, O::BranchEq | O::BranchNotEq) {
                break;
            }
            let Def::Binary(inner, left, right) = self.table.def(p) else { break };
            let when_not_zero = match (inner, self.table.number(left), self.table.number(right)) {
                (O::SetLessThanUnsigned, Some(0), _) => (O::BranchNotEq, right, q),
                (O::SetLessThanUnsigned, _, Some(1)) => (O::BranchEq, left, q),
                (O::SetLessThanUnsigned, _, _) => (O::BranchLessUnsigned, left, right),
                (O::SetLessThanSigned, _, _) => (O::BranchLessSigned, left, right),
                (O::Xor, _, Some(1)) if self.table.facts(left).unsigned <= 1 => (O::BranchEq, left, q),
                (O::Xor | O::Sub64, _, _) => (O::BranchNotEq, left, right),
                _ => break,
            };
            turned ^= deep == O::BranchEq;
            (deep, p, q) = when_not_zero;
            let (Some(new_x), Some(new_y)) = (self.available(state, p), self.available(state, q)) else { continue };
            let wide = self.program.wide;
            let fits = |value: &Val| match value {
                Val::Var(_) => true,
                Val::Imm(imm) => select::imm_fits(*imm, wide),
            };
            if !fits(&new_x) || !fits(&new_y) || matches!((new_x, new_y), (Val::Imm(_), Val::Imm(_))) {
                continue;
            }
            (op, x, y) = (deep, new_x, new_y);
            if std::mem::take(&mut turned) {
                std::mem::swap(&mut then, &mut otherwise);
            }
        }
        let terminator = Terminator::Branch { op, a: x, b: y, then, otherwise };
        if matches!((x, y), (Val::Imm(_), Val::Imm(_))) || select::terminator_fits(&terminator, self.program.wide) {
            (op, x, y, then, otherwise)
        } else {
            (op_given, a, b, then_given, otherwise_given)
        }
    }
}
