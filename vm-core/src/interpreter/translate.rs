//! Lazy translation of basic blocks into ops.
//!
//! Called by the instance when control reaches a block for the first time. Each block is translated once (until the
//! cache is full and dropped as a whole), and its cost is computed then. A long block is translated in chunks of
//! bounded size, so that memory stays near its budget and time is linear for any code.
//!
//! Layout: the ops of a block are contiguous and begin with its charge, also where gas is not metered. A block that can
//! fall through ends with a jump to its successor; if that jump is still the last op when it is first executed, the
//! successor replaces it.

use super::offset_index::OffsetIndex;
use super::op::{Op, OpKind, Slot, UNLINKED};
use super::stops::{Access, Stops};
use crate::gas::{BlockCost, Metering, branch_is_likely_taken};
use crate::isa::{CodeView, Decoded, Format, Instruction, Opcode};
use crate::program::Program;
use alloc::vec::Vec;

/// Maximum number of instructions translated at a time; longer blocks are translated in chunks.
const CHUNK: usize = 256;

/// Translated code of one instance.
#[derive(Clone, Debug)]
pub(super) struct Translation {
    ops: Vec<Op>,
    /// Code offset of the instruction that each op belongs to.
    offsets: Vec<u32>,
    blocks: OffsetIndex,
    budget: usize,
    stops: Stops,
    /// See [`Program::branch_refund`].
    branch_refund: u32,
}

impl Translation {
    pub fn new(program: &Program) -> Self {
        Translation {
            ops: Vec::new(),
            offsets: Vec::new(),
            blocks: OffsetIndex::new(program.code().len()),
            budget: program.config().translation_cache as usize,
            stops: Stops { every_instruction: program.config().single_step, ..Stops::default() },
            branch_refund: program.branch_refund(),
        }
    }

    /// As `new`, with additional stops; those of single-step mode are kept.
    pub fn with_stops(program: &Program, mut stops: Stops) -> Self {
        stops.every_instruction |= program.config().single_step;
        Translation { stops, ..Translation::new(program) }
    }

    /// All ops. Indexes stay valid until the next translation.
    #[inline(always)]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The code offset that op `index` belongs to.
    pub fn offset(&self, index: usize) -> u32 {
        self.offsets.get(index).copied().unwrap_or(0)
    }

    /// True if op `index` is a stop before the charge of its own block. A stop in the middle of a block may be followed
    /// by the charge of the next one, to which its instruction only falls through.
    pub fn stops_before_charge(&self, index: usize) -> bool {
        self.ops.get(index).is_some_and(|op| matches!(op.kind, OpKind::Step | OpKind::Watch))
            && self.ops.get(index + 1).is_some_and(|op| op.kind == OpKind::Charge)
            && self.offset(index) == self.offset(index + 1)
    }

    /// Index of the first op of the block at `offset`, if it is translated.
    #[inline(always)]
    pub fn block(&self, offset: u32) -> Option<usize> {
        self.blocks.get(offset).map(|index| index as usize)
    }

    /// Drops all ops and keeps their memory.
    pub fn clear(&mut self) {
        self.ops.clear();
        self.offsets.clear();
        self.blocks.clear();
    }

    /// Drops all ops and frees their memory.
    pub fn release(&mut self, program: &Program) {
        *self = Translation::with_stops(program, core::mem::take(&mut self.stops));
    }

    /// The stops that are translated.
    pub fn stops(&self) -> &Stops {
        &self.stops
    }

    /// True if there is a stop before each instruction.
    pub fn steps(&self) -> bool {
        self.stops.every_instruction
    }

    fn is_full(&self) -> bool {
        self.ops.len() * (size_of::<Op>() + size_of::<u32>()) + self.blocks.bytes() > self.budget
    }

    /// Appends an op, and combines it with the ops before it in its block into superinstructions.
    fn push_combined(&mut self, offset: u32, mut op: Op) {
        if let [.., _, last] = self.ops.as_slice() {
            let result = last.a;
            let c = Slot::from_number(op.imm);
            if op.kind.is_commutative() && op.b != result && c == result {
                (op.b, op.imm) = (c, op.b as u32);
            }
            let chained = op.b == result;
            self.combine(op.kind, chained);
        }
        self.push(offset, op);
    }

    /// Combines the next op with up to [`OpKind::MAX_OPS`] - 1 ops before it into superinstructions. `chained`: it
    /// takes the result of the previous op as its source `b`.
    fn combine(&mut self, next: OpKind, chained: bool) {
        for (index, first) in self.ops.iter_mut().rev().take(OpKind::MAX_OPS - 1).enumerate() {
            // Otherwise this superinstruction ends before the next op.
            if first.kind.ops() == index + 1
                && let Some(kind) = first.kind.joined_with(next, chained)
            {
                first.kind = kind;
            }
        }
    }

    fn push(&mut self, offset: u32, op: Op) {
        self.ops.push(op);
        self.offsets.push(offset);
    }

    /// Returns the index of the first op of the block at `offset`, and translates the block if necessary, which may
    /// drop everything else. Assumes that `offset` is a valid jump target.
    pub fn enter(&mut self, program: &Program, offset: u32) -> usize {
        if let Some(index) = self.block(offset) {
            return index;
        }
        if self.is_full() {
            self.clear();
        }
        self.translate_block(program, offset, false)
    }

    /// Resolves the jump of op `from`, whose target was not translated yet; returns the op to continue with. May drop
    /// everything else.
    pub fn link(&mut self, program: &Program, from: usize) -> Option<usize> {
        let op = *self.ops.get(from)?;
        let target = op.hi;
        let continues = op.kind == OpKind::SameBlock;
        if !continues && let Some(index) = self.block(target) {
            self.patch(from, index);
            return Some(index);
        }
        let full = self.is_full();
        // The last op: the translation of its target can replace it.
        let replaced = !full && matches!(op.kind, OpKind::NextBlock | OpKind::SameBlock) && from + 1 == self.ops.len();
        if full {
            self.clear();
        } else if replaced {
            self.ops.pop();
            self.offsets.pop();
        }
        let index = match continues {
            true => {
                let index = self.ops.len();
                // The whole block is already paid for and counted.
                let [mut cost, mut count] = [BlockCost::free(), BlockCost::free()];
                self.translate_chunk(program, target, true, &mut cost, &mut count);
                index
            }
            false => self.translate_block(program, target, replaced),
        };
        if !full && index != from {
            self.patch(from, index);
        }
        Some(index)
    }

    fn patch(&mut self, from: usize, index: usize) {
        if let Some(op) = self.ops.get_mut(from) {
            op.lo = index as u32;
        }
    }

    /// Translates the block at `offset`. `falls_in`: control reaches it from the last op so far.
    fn translate_block(&mut self, program: &Program, offset: u32, falls_in: bool) -> usize {
        let index = self.ops.len();
        self.blocks.insert(offset, index as u32);
        if !self.stops.is_empty()
            && let Some(stop) =
                self.stop_before(offset, program.code().fetch(offset).map(|(instruction, _)| instruction))
        {
            self.push(offset, Op::new(OpKind::Nop));
            self.push(offset, stop);
        }
        let charge = self.ops.len();
        if falls_in && self.stops.is_empty() {
            self.combine(OpKind::Charge, false);
        }
        self.push(offset, Op::new(OpKind::Charge));
        let metered = program.config().metering != Metering::Off;
        let mut cost = program.start_block_cost();
        let mut count = BlockCost::free();
        if let Some(rest) = self.translate_chunk(program, offset, false, &mut cost, &mut count) {
            count.feed_rest(&program.code(), rest);
            if metered {
                cost.feed_rest(&program.code(), rest);
            }
        }
        if let Some(op) = self.ops.get_mut(charge) {
            // Each instruction takes at least one byte, so no block has this many.
            op.lo = count.finish().min(1 << 29);
            op.imm = if metered { cost.finish() } else { 0 };
        }
        index
    }

    /// Returns the op that stops before an instruction, if a stop is set there.
    fn stop_before(&self, offset: u32, instruction: Option<Instruction>) -> Option<Op> {
        if self.stops.every_instruction || self.stops.offsets.contains(&offset) {
            return Some(Op::new(OpKind::Step));
        }
        if !self.stops.watches() {
            return None;
        }
        let access = Access::of(&instruction?).filter(|access| self.stops.watches_kind(access.write))?;
        Some(Op {
            b: access.base.map_or(Slot::Zero, Slot::of),
            imm: access.offset,
            lo: access.length.unwrap_or(0),
            hi: access.write.into(),
            ..Op::new(OpKind::Watch)
        })
    }

    /// Translates up to [`CHUNK`] instructions from `offset` on; returns the offset of the rest of the block, if there
    /// is one. `step`: the stop before the first instruction, if there is one, is still to be emitted. Adds to both the
    /// cost and the number of instructions.
    fn translate_chunk(
        &mut self,
        program: &Program,
        mut offset: u32,
        mut step: bool,
        cost: &mut BlockCost,
        count: &mut BlockCost,
    ) -> Option<u32> {
        let code = program.code();
        for _ in 0..CHUNK {
            let fetched = if offset < code.len() { code.fetch(offset) } else { None };
            if step
                && !self.stops.is_empty()
                && let Some(stop) = self.stop_before(offset, fetched.map(|(instruction, _)| instruction))
            {
                self.push(offset, stop);
            }
            step = true;
            if offset >= code.len() {
                cost.feed_end_of_code();
                count.feed_end_of_code();
                self.push(offset, Op::new(OpKind::Trap));
                return None;
            }
            let next = offset + fetched.map_or(1, |(_, length)| length);
            let decoded = Decoded { offset, next, instruction: fetched.map(|(instruction, _)| instruction) };
            cost.feed(&code, &decoded);
            count.feed(&code, &decoded);
            let Some(instruction) = decoded.instruction else {
                self.push(offset, Op::new(OpKind::Trap));
                return None;
            };
            self.lower(&code, &decoded, &instruction);
            if instruction.opcode.spec().ends_block {
                return None;
            }
            offset = next;
        }
        let index = self.ops.len() as u32;
        self.push(offset, Op { lo: UNLINKED | index, hi: offset, ..Op::new(OpKind::SameBlock) });
        Some(offset)
    }

    /// Returns the target operand of the jump that will be the next op.
    fn target(&self, offset: u32) -> u32 {
        self.blocks.get(offset).unwrap_or(UNLINKED | self.ops.len() as u32)
    }

    /// Appends the ops of one instruction, including the continuation to the next block if it can fall through.
    fn lower(&mut self, code: &CodeView<'_>, decoded: &Decoded, instruction: &Instruction) {
        let Decoded { offset, next, .. } = *decoded;
        let Instruction { opcode, r1, r2, r3, imm, imm2, target } = *instruction;
        let spec = opcode.spec();
        if code.traps_instead(decoded) {
            if opcode == Opcode::LoadImmAndJump {
                // The link register is written even then.
                self.push(offset, Op { a: Slot::of(r1), imm: imm as u32, ..Op::new(OpKind::LoadImm) });
            }
            self.push(offset, Op::new(OpKind::Trap));
            return;
        }

        let mut op = match OpKind::of(opcode, code.isa().is_64_bit()) {
            Some(kind) => Op { a: Slot::of(r1), b: Slot::of(r2), imm: imm as u32, ..Op::new(kind) },
            None => match opcode {
                Opcode::Ecalli => Op { imm: imm as u32, lo: next, ..Op::new(OpKind::HostCall) },
                Opcode::Fallthrough => {
                    self.push_next_block(offset, next);
                    return;
                }
                // A hint, which needs no op.
                _ => return,
            },
        };
        match spec.format {
            Format::None | Format::Imm | Format::RegReg | Format::RegRegImm => {}
            Format::ImmImm => (op.b, op.lo) = (Slot::Zero, imm2 as u32),
            Format::RegImmImm => (op.b, op.lo) = (Slot::of(r1), imm2 as u32),
            Format::RegImm => op.b = if opcode == Opcode::JumpIndirect { Slot::of(r1) } else { Slot::Zero },
            Format::RegRegReg => (op.a, op.b, op.imm) = (Slot::of(r3), Slot::of(r1), Slot::of(r2) as u32),
            Format::RegImm64 => (op.lo, op.hi) = (imm as u32, (imm >> 32) as u32),
            Format::RegRegImmImm => (op.imm, op.lo) = (imm2 as u32, imm as u32),
            Format::Offset | Format::RegImmOffset => (op.b, op.lo, op.hi) = (Slot::of(r1), self.target(target), target),
            Format::RegRegOffset => {
                (op.b, op.imm, op.lo, op.hi) = (Slot::of(r1), Slot::of(r2) as u32, self.target(target), target);
            }
        }
        match self.branch_refund != 0 && opcode.is_branch() {
            true => self.push_with_refund(code, offset, next, op),
            false => self.push_combined(offset, op),
        }
        if spec.ends_block && spec.can_fall_through {
            self.push_next_block(offset, next);
        }
    }

    /// Appends a branch that refunds gas when it goes the likely way. There are no stops between these ops.
    fn push_with_refund(&mut self, code: &CodeView<'_>, offset: u32, next: u32, op: Op) {
        let refund = |gas: u32| Op { imm: gas, ..Op::new(OpKind::Refund) };
        if branch_is_likely_taken(code, offset, next, op.hi) {
            self.push(offset, refund(self.branch_refund));
            // The refund moved the branch, and an unlinked target has the index of the branch.
            let op = Op { lo: self.target(op.hi), ..op };
            self.push(offset, op);
            self.push(offset, refund(self.branch_refund.wrapping_neg()));
        } else {
            self.push_combined(offset, op);
            self.push(offset, refund(self.branch_refund));
        }
    }

    fn push_next_block(&mut self, offset: u32, next: u32) {
        let target = self.target(next);
        self.push(offset, Op { lo: target, hi: next, ..Op::new(OpKind::NextBlock) });
    }
}
