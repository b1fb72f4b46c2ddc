//! Pairs of instructions. The rules of single instructions say what a block does only if its code is theirs, one after the
//! other. Here each pair of opcodes is compiled with some registers and immediates; where the code is not that of the two
//! instructions it is a superinstruction, and becomes a rule of its own. `tests/context.rs` takes longer blocks apart
//! into what is proved.

use crate::emit::{Case, EmitError, Emitter, Mode, Target};
use crate::guest::Immediates;
use crate::machine::Fields;
use crate::rule::Rule;
use crate::rules::{Obligation, Origin};
use crate::shape;
use crate::smt;
use crate::term::Terms;
use std::collections::HashMap;
use vm_core::isa::{Instruction, Opcode, Reg};

/// Choices of registers and immediates of each pair.
const CHOICES: u64 = 24;
/// Few registers, so that they meet: two that are like any other, and those that the compiler treats in its own way.
const REGISTERS: [Reg; 4] = [Reg::A0, Reg::S1, Reg::T1, Reg::T2];
const IMMEDIATES: [i32; 8] = [0, 1, -1, 8, 0xff, 0xffff, 300, i32::MIN];

/// An instruction with operands by a number.
pub fn instruction(opcode: Opcode, choice: u64) -> Instruction {
    let mixed = choice.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let register = |at: u32| REGISTERS[(mixed >> (8 * at)) as usize % REGISTERS.len()];
    let immediate = |at: u32| IMMEDIATES[(mixed >> (8 * at)) as usize % IMMEDIATES.len()];
    Instruction {
        opcode,
        r1: register(1),
        r2: register(2),
        r3: register(3),
        imm: immediate(4).into(),
        imm2: immediate(5),
        target: 0,
    }
}

/// States what is to be proved of `first` followed by any other opcode.
///
/// # Errors
/// As [`crate::rules::state`].
pub fn state(emitter: &Emitter, mode: Mode, first: Opcode, found: &mut dyn FnMut(Obligation)) -> Result<(), EmitError> {
    let mut cases: Vec<Case> = Vec::new();
    let mut alone: HashMap<Instruction, usize> = HashMap::new();
    let mut pairs: Vec<(usize, [usize; 2])> = Vec::new();
    let mut number = first as u64 * 1000;
    for second in Opcode::all().filter(|opcode| mode.isa.number(*opcode).is_some()) {
        for _ in 0..CHOICES {
            let pair = [instruction(first, number), instruction(second, number ^ 0x5555)];
            number += 1;
            let parts = pair.map(|instruction| {
                *alone.entry(instruction).or_insert_with(|| {
                    cases.push(Case::one(instruction, Target::Forward));
                    cases.len() - 1
                })
            });
            pairs.push((cases.len(), parts));
            cases.push(Case { instructions: pair.to_vec(), target: Target::Forward });
        }
    }
    let program = emitter.compile(mode, &cases)?;
    let code = |case: usize| shape::read(&program, case);
    let mut same = 0;
    for (case, parts) in pairs {
        let whole = code(case)?;
        let [a, b] = parts.map(code);
        let (a, b) = (a?, b?);
        // A terminator has no trap behind it.
        let ends = |case: usize| cases[case].instructions.last().is_some_and(|i| i.opcode.spec().ends_block);
        let rest = |at: &shape::Code, case: usize| -> Vec<Vec<u8>> {
            let from = if mode.metered { 2 } else { 0 };
            if ends(case) {
                at.anywhere.get(from..).unwrap_or_default().to_vec()
            } else {
                at.own(mode.metered).to_vec()
            }
        };
        if rest(&whole, case) == [a.own(mode.metered), &rest(&b, parts[1])].concat() {
            same += 1;
            continue;
        }
        let t = &Terms::new();
        let own = &cases[case];
        let immediates: Vec<Immediates> = own
            .instructions
            .iter()
            .map(|i| Immediates { imm: t.c64(i.imm as u64), imm2: t.constant(32, i.imm2 as u32 as u128) })
            .collect();
        let fields = Fields::default();
        let rule = Rule {
            program: &program,
            case,
            instructions: &own.instructions,
            target: own.target,
            immediates: &immediates,
            fields: &fields,
        };
        let claim = rule.claim(t).map_err(|stuck| EmitError(format!("{:?}: {stuck}", own.instructions)))?;
        let query = smt::query(t, &[], claim.term, true);
        let class = own.instructions.last().map_or("", |second| second.opcode.spec().mnemonic);
        let origin = Some(Origin { terms: t, rule: &rule, claim: &claim });
        found(Obligation { class: format!("{class}, as a superinstruction"), query: &query, origin });
    }
    // Counted as one class, which needs no solver.
    let t = &Terms::new();
    let query = smt::query(t, &[], t.bool(true), true);
    for _ in 0..same {
        found(Obligation { class: "code is that of the two".into(), query: &query, origin: None });
    }
    Ok(())
}
