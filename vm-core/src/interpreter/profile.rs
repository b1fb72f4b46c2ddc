//! Profile of dispatched ops: counts pairs of ops that are dispatched in sequence.
//!
//! Used to select superinstructions: the most frequent pairs that are not combined yet are the candidates. For tools;
//! see `scripts/profile-superinstructions`.

use super::op::{OpKind, Slot};
use super::trace::{Trace, TraceEvent};
use super::translate::Translation;
use crate::program::Program;
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

/// Counts how often each instruction of a program is executed; see [`super::Instance::run_traced`].
#[derive(Clone, Debug, Default)]
pub struct DispatchProfile {
    /// Counts by code offset.
    executed: BTreeMap<u32, u64>,
}

/// Dispatch counts, the result of a [`DispatchProfile`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dispatches {
    /// Ops executed; each part of a superinstruction counts as one.
    pub ops: u64,
    /// Handlers called to execute them.
    pub dispatches: u64,
    /// Counts of pairs of ops that are dispatched in sequence in a block, by their names, which `To` joins if the
    /// second takes the result of the first as its source `b`.
    pub pairs: BTreeMap<String, u64>,
    /// The blocks that were entered.
    pub blocks: Vec<ProfiledBlock>,
}

/// A block that was entered, and its count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfiledBlock {
    /// Number of times that it was entered.
    pub count: u64,
    /// Names of its ops without superinstructions, and true for those that take the result of the op before as their
    /// source `b`.
    pub ops: Vec<(String, bool)>,
}

/// Names of all superinstructions.
pub fn superinstructions() -> impl Iterator<Item = String> {
    OpKind::ALL.iter().filter(|kind| kind.ops() > 1).map(|kind| format!("{kind:?}"))
}

impl Trace for DispatchProfile {
    fn executed(&mut self, event: &TraceEvent) {
        *self.executed.entry(event.pc).or_default() += 1;
    }
}

impl DispatchProfile {
    /// Sums up the dispatches of `program`, to which all traced runs must belong. Blocks of more than 256 instructions
    /// are cut off there.
    pub fn dispatches(&self, program: &Program) -> Dispatches {
        let mut all = Dispatches::default();
        for (offset, count) in &self.executed {
            if program.code().is_jump_target(*offset) {
                all.add_block(program, *offset, *count);
            }
        }
        all
    }
}

impl Dispatches {
    fn add_block(&mut self, program: &Program, offset: u32, count: u64) {
        // Only this block is translated, so that all ops are its own.
        let mut code = Translation::new(program);
        let mut index = code.enter(program, offset);
        // The charge is executed by the jump that enters the block.
        let ops = code.ops().iter().skip(index + 1).zip(code.ops().iter().skip(index));
        let ops = ops.map(|(op, before)| (format!("{:?}", op.kind.first()), op.b == before.a));
        self.blocks.push(ProfiledBlock { count, ops: ops.collect() });
        let mut before: Option<(OpKind, Slot)> = None;
        while let Some(op) = code.ops().get(index) {
            let length = op.kind.ops();
            self.ops += count * length as u64;
            self.dispatches += count;
            if let Some((kind, result)) = before {
                let joint = if op.b == result { "To" } else { "" };
                *self.pairs.entry(format!("{kind:?}{joint}{:?}", op.kind)).or_default() += count;
            }
            index += length;
            before = code.ops().get(index - 1).map(|last| (op.kind, last.a));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{Blob, BlobBuilder};
    use crate::interpreter::Instance;
    use crate::isa::{Instruction, Isa, Opcode, Reg};
    use crate::program::ProgramConfig;
    use alloc::{sync::Arc, vec};

    #[test]
    fn pairs_are_counted_by_how_often_their_block_is_entered() {
        let code = vec![
            Instruction::none(Opcode::Fallthrough),
            Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, -1),
            Instruction::rrr(Opcode::DivSigned64, Reg::A1, Reg::A1, Reg::A2),
            Instruction::rri(Opcode::OrImm, Reg::A1, Reg::A1, 1),
            Instruction::rio(Opcode::BranchNotEqImm, Reg::A0, 0, 1),
            Instruction::none(Opcode::Trap),
        ];
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        let blob = builder.instructions(code).build().unwrap();
        let program = Arc::new(Program::new(&Blob::parse(&blob).unwrap(), &ProgramConfig::default()).unwrap());
        let mut instance = Instance::new(program.clone());
        instance.set_gas(1000);
        instance.prepare_call(0, &[7]);
        let mut profile = DispatchProfile::default();
        _ = instance.run_traced(&mut profile);
        let all = profile.dispatches(&program);
        assert_eq!(all.pairs.get("DivSigned64ToOrImm"), Some(&7));
        assert_eq!(all.pairs.get("AddImm64DivSigned64"), Some(&7));
        let block = all.blocks.iter().find(|block| block.count == 7).unwrap();
        let ops: Vec<(&str, bool)> = block.ops.iter().map(|(name, chained)| (name.as_str(), *chained)).collect();
        let expected = [("AddImm64", false), ("DivSigned64", false), ("OrImm", true), ("BranchNotEqImm", false)];
        assert_eq!(ops[..4], expected);
        assert!(all.dispatches <= all.ops && all.ops > 7 * 4);
    }
}
