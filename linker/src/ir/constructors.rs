//! Static constructors: makes every export call them before it runs for the first time.
//!
//! Each export gets an entry of its own that checks whether they have run. A variable records this, so they run before
//! the first call of any export in the same memory, and again in an instance with fresh memory.

use super::{Address, Block, BlockId, Imm, IrProgram, Op, Step, Terminator, Val, Var};
use vm_core::isa::{Opcode as O, Reg};

/// Registers that may hold arguments, or the return address (docs/linking.md#calling-conventions).
const KEPT: [Var; 10] = [
    Var::RA,
    Var::T0,
    Var::of(Reg::T1),
    Var::of(Reg::T2),
    Var::A0,
    Var::A1,
    Var::of(Reg::A2),
    Var::of(Reg::A3),
    Var::of(Reg::A4),
    Var::of(Reg::A5),
];

/// Makes the exports call the constructors of the program. `done` is the address of a variable of 4 bytes.
pub(super) fn call(program: &mut IrProgram, done: Imm) {
    let constructors = std::mem::take(&mut program.constructors);
    let code = EntryCode { wide: program.wide, done };
    // An entry may be exported under several names.
    let mut entries: Vec<(BlockId, BlockId)> = Vec::new();
    for index in 0..program.exports.len() {
        let function = program.exports[index].1;
        let known = entries.iter().find(|(known, _)| *known == function).map(|(_, entry)| *entry);
        let entry = known.unwrap_or_else(|| {
            let entry = code.entry(program, function, &constructors);
            entries.push((function, entry));
            entry
        });
        program.exports[index].1 = entry;
    }
}

struct EntryCode {
    wide: bool,
    done: Imm,
}

impl EntryCode {
    fn size(&self) -> i64 {
        if self.wide { 8 } else { 4 }
    }

    fn moved(&self, by: i64) -> Op {
        let op = if self.wide { O::Add64 } else { O::Add32 };
        Op::Binary { op, dst: Var::SP, a: Var::SP.into(), b: Imm::Num(by).into() }
    }

    fn save(&self, var: Var, slot: usize) -> Op {
        let op = if self.wide { O::StoreIndirectU64 } else { O::StoreIndirectU32 };
        Op::Store { op, value: var.into(), address: self.slot(slot) }
    }

    fn restore(&self, var: Var, slot: usize) -> Op {
        let op = if self.wide { O::LoadIndirectU64 } else { O::LoadIndirectI32 };
        Op::Load { op, dst: var, address: self.slot(slot) }
    }

    fn slot(&self, index: usize) -> Address {
        Address { base: Some(Var::SP), offset: Imm::Num(self.size() * index as i64) }
    }

    /// Makes the entry of an exported function.
    fn entry(&self, program: &mut IrProgram, function: BlockId, constructors: &[BlockId]) -> BlockId {
        let at = program.block(function).steps.first().map_or(program.block(function).at, |step| step.at);
        let block =
            |ops: Vec<Op>, terminator| Block::new(ops.into_iter().map(|op| Step { op, at }).collect(), terminator, at);
        let flag = Address { base: None, offset: self.done };
        // The psABI aligns the stack to 16 bytes, for the E extension to the size of two registers.
        let (small, large) = (2 * self.size(), KEPT.len() as i64 * self.size());

        let mut leave: Vec<Op> = KEPT.iter().enumerate().map(|(slot, var)| self.restore(*var, slot)).collect();
        leave.push(self.moved(large));
        let mut next = program.add(block(leave, Terminator::Jump(function)));
        for constructor in constructors.iter().rev() {
            next = program.add(block(Vec::new(), Terminator::Call { link: Var::RA, target: *constructor, back: next }));
        }
        let mut first = vec![self.restore(Var::T0, 0), self.moved(small - large)];
        first.extend(KEPT.iter().enumerate().map(|(slot, var)| self.save(*var, slot)));
        first.push(Op::Store { op: O::StoreIndirectU32, value: Val::Imm(Imm::Num(1)), address: flag });
        let run = program.add(block(first, Terminator::Jump(next)));
        let skip = program.add(block(vec![self.restore(Var::T0, 0), self.moved(small)], Terminator::Jump(function)));
        let look = vec![
            self.moved(-small),
            self.save(Var::T0, 0),
            Op::Load { op: O::LoadIndirectI32, dst: Var::T0, address: flag },
        ];
        let not_yet =
            Terminator::Branch { op: O::BranchEq, a: Var::T0.into(), b: Imm::ZERO.into(), then: run, otherwise: skip };
        program.add(block(look, not_yet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::program;

    #[test]
    fn an_export_runs_constructors_before_it_runs_for_the_first_time() {
        let mut program = program("b0:\njump [ra]\nb1:\njump [ra]\nb2:\njump [ra]");
        program.constructors = vec![BlockId(1), BlockId(2)];
        program.exports.push((b"again".to_vec(), BlockId(0), super::super::Vars::NONE));
        call(&mut program, Imm::Num(0x2_0000));
        assert_eq!(program.exports[0].1, program.exports[1].1);
        let Terminator::Branch { then, otherwise, .. } = program.block(program.exports[0].1).terminator else {
            panic!("{program}")
        };
        assert_eq!(program.block(otherwise).terminator, Terminator::Jump(BlockId(0)));
        let mut called = Vec::new();
        let mut at = then;
        while at != BlockId(0) {
            at = match program.block(at).terminator {
                Terminator::Call { target, back, .. } => {
                    called.push(target);
                    back
                }
                Terminator::Jump(target) => target,
                _ => panic!("{program}"),
            };
        }
        assert_eq!(called, [BlockId(1), BlockId(2)]);
    }
}
