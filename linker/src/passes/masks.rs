//! Mask formation: a left shift followed by a right shift becomes an `and` with a constant.
//!
//! Compilers clear the upper bits of a register by two shifts if the mask is too large for an immediate of their
//! machine. `gvn` finds such a pair only if the value before the shifts is still in a register; here the first shift
//! has overwritten it, which is the usual case, so the mask replaces the first shift, and the second one is removed.

use crate::elf::Import;
use crate::ir::{Imm, IrProgram, Op, Step, Val, Var};
use vm_core::isa::Opcode as O;

/// Maximum number of steps that are searched for the second shift.
const LOOKAHEAD: usize = 16;

/// Shift amounts whose mask fits an immediate: a positive 32-bit number.
const SHIFTS: core::ops::Range<i64> = 33..64;

/// Replaces all pairs.
pub fn run(program: &mut IrProgram) -> bool {
    if !program.wide {
        return false;
    }
    let mut any = false;
    let imports = core::mem::take(&mut program.imports);
    for block in &mut program.blocks {
        let mut index = 0;
        while index < block.steps.len() {
            if let Some((second, mask)) = pair(&block.steps, index, &imports) {
                block.steps[index].op = mask;
                block.steps.remove(second);
                any = true;
            }
            index += 1;
        }
    }
    program.imports = imports;
    any
}

/// Returns the amount of a shift by a constant, its destination and its source.
fn shift(op: &Op, wanted: O) -> Option<(i64, Var, Var)> {
    match *op {
        Op::Binary { op, dst, a: Val::Var(src), b: Val::Imm(Imm::Num(by)) } if op == wanted => Some((by, dst, src)),
        _ => None,
    }
}

/// Returns the index of the right shift that belongs to the left shift at `index`, and the mask that replaces both:
/// nothing between them reads or writes the result of the first one, and the second one overwrites it.
fn pair(steps: &[Step], index: usize, imports: &[Import]) -> Option<(usize, Op)> {
    let (by, dst, src) = shift(&steps.get(index)?.op, O::ShiftLogicalLeft64)?;
    if !SHIFTS.contains(&by) {
        return None;
    }
    for (second, step) in steps.iter().enumerate().skip(index + 1).take(LOOKAHEAD) {
        if shift(&step.op, O::ShiftLogicalRight64) == Some((by, dst, dst)) {
            let mask = Val::Imm(Imm::Num((u64::MAX >> by) as i64));
            return Some((second, Op::Binary { op: O::And, dst, a: src.into(), b: mask }));
        }
        if step.op.reads(imports).or(step.op.writes(imports)).or(step.op.clobbers()).has(dst) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse::check;

    fn block(before: &str, after: &str) {
        check(run, &format!("b0:\n{before}\njump [ra]"), &format!("b0:\n{after}\njump [ra]"));
    }

    #[test]
    fn two_shifts_become_a_mask() {
        block(
            "a0 = shift_logical_left_64 a1, 41
             a2 = add_64 a2, a1
             a0 = shift_logical_right_64 a0, 41",
            "a0 = and a1, 0x7fffff
             a2 = add_64 a2, a1",
        );
        block(
            "a0 = shift_logical_left_64 a0, 63
             a0 = shift_logical_right_64 a0, 63",
            "a0 = and a0, 1",
        );
    }

    #[test]
    fn shifts_stay_whose_mask_is_too_long_or_whose_value_is_used() {
        for text in [
            // The mask has 32 bits: as an immediate it would be sign-extended.
            "a0 = shift_logical_left_64 a0, 32
             a0 = shift_logical_right_64 a0, 32",
            "a0 = shift_logical_left_64 a0, 41
             a0 = shift_logical_right_64 a0, 40",
            "a0 = shift_logical_left_64 a0, 41
             a0 = shift_arithmetic_right_64 a0, 41",
            "a0 = shift_logical_left_64 a0, 41
             a1 = shift_logical_right_64 a0, 41",
            "a0 = shift_logical_left_64 a0, 41
             a1 = add_64 a0, 1
             a0 = shift_logical_right_64 a0, 41",
            "a0 = shift_logical_left_64 a0, 41
             a0 = add_64 a1, 1
             a0 = shift_logical_right_64 a0, 41",
            "a0 = shift_logical_left_64 a0, 41
             host_call 0
             a0 = shift_logical_right_64 a0, 41",
        ] {
            block(text, text);
        }
    }
}
