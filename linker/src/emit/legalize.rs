//! Legalization: moves constants that do not fit an immediate into temporaries.
//!
//! Immediates have 32 bits, and not every operation has a form with one. Expansions use the first two temporaries, so
//! the other two are used here.

use super::select;
use crate::ir::{Imm, IrProgram, Op, Step, Val, Var};

pub fn run(program: &mut IrProgram) {
    let wide = program.wide;
    for block in &mut program.blocks {
        let terminator_fits = select::terminator_fits(&block.terminator, wide);
        if terminator_fits && block.steps.iter().all(|step| select::fits(&step.op, wide)) {
            continue;
        }
        let mut out = Vec::with_capacity(block.steps.len() + 2);
        for step in block.steps.drain(..) {
            let mut op = step.op;
            let mut next = 2;
            // Moving one operand may suffice. The order in which operands are tried does not matter.
            while !select::fits(&op, wide) {
                let Some((dst, value)) = take_constant(op.values_mut(), &mut next, wide) else { break };
                out.push(Step { op: Op::Const { dst, value }, at: step.at });
            }
            out.push(Step { op, at: step.at });
        }
        let mut next = 2;
        while !select::terminator_fits(&block.terminator, wide) {
            let Some((dst, value)) = take_constant(block.terminator.values_mut(), &mut next, wide) else { break };
            out.push(Step { op: Op::Const { dst, value }, at: block.at });
        }
        block.steps = out;
    }
}

/// Replaces a constant operand by a temporary: one that is too large, or else the last one.
fn take_constant<'a>(values: impl Iterator<Item = &'a mut Val>, next: &mut u8, wide: bool) -> Option<(Var, Imm)> {
    let mut constants: Vec<&mut Val> = values.filter(|value| matches!(value, Val::Imm(_))).collect();
    let large = constants.iter().position(|value| matches!(value, Val::Imm(imm) if !select::imm_fits(*imm, wide)));
    let index = large.or(constants.len().checked_sub(1))?;
    let value = constants.swap_remove(index);
    let Val::Imm(imm) = *value else { return None };
    let temporary = Var::temporary(*next);
    *next += 1;
    *value = temporary.into();
    Some((temporary, imm))
}
