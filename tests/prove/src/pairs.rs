//! Pairs of instructions. The rules of single instructions only apply to a block if its code is theirs in sequence.
//! Here each pair of opcodes is compiled with some registers and immediates; if the code is not that of the two
//! instructions it is a peephole, and becomes a rule of its own. `tests/context.rs` splits longer blocks into proved
//! parts.

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

/// Number of choices of registers and immediates for each pair.
const CHOICES: u64 = 24;
/// Few registers, so that they coincide: two ordinary ones, and those that the compiler treats specially.
const REGISTERS: [Reg; 4] = [Reg::A0, Reg::S1, Reg::T1, Reg::T2];
const IMMEDIATES: [i32; 8] = [0, 1, -1, 8, 0xff, 0xffff, 300, i32::MIN];

/// Returns an instruction with operands selected by a number.
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

/// States the obligations for `first` followed by any other opcode.
///
/// # Errors
/// As [`crate::rules::state`].
pub fn state(emitter: &Emitter, mode: Mode, first: Opcode, found: &mut dyn FnMut(Obligation)) -> Result<(), EmitError> {
    let mut number = first as u64 * 1000;
    let mut pairs = Vec::new();
    for second in Opcode::all().filter(|opcode| mode.isa.number(*opcode).is_some()) {
        for _ in 0..CHOICES {
            let pair = vec![instruction(first, number), instruction(second, number ^ 0x5555)];
            number += 1;
            pairs.push((second.spec().mnemonic.to_owned(), pair));
        }
    }
    sequences(emitter, mode, &pairs, found)
}

/// States the obligations for sequences of instructions, each with the name of its class: none if their code is that of
/// the single instructions; else that the whole has the sequence's semantics.
/// # Errors
/// As [`crate::rules::state`].
pub fn sequences(
    emitter: &Emitter,
    mode: Mode,
    sequences: &[(String, Vec<Instruction>)],
    found: &mut dyn FnMut(Obligation),
) -> Result<(), EmitError> {
    let mut cases: Vec<Case> = Vec::new();
    let mut alone: HashMap<Instruction, usize> = HashMap::new();
    let mut wholes: Vec<(usize, Vec<usize>)> = Vec::new();
    for (_, instructions) in sequences {
        let parts = instructions.iter().map(|instruction| {
            *alone.entry(*instruction).or_insert_with(|| {
                cases.push(Case::one(*instruction, Target::Forward));
                cases.len() - 1
            })
        });
        let parts = parts.collect();
        wholes.push((cases.len(), parts));
        cases.push(Case { instructions: instructions.clone(), target: Target::Forward });
    }
    let program = emitter.compile(mode, &cases)?;
    // A terminator has no trap behind it.
    let code = |case: usize| -> Result<Vec<Vec<u8>>, EmitError> {
        let code = shape::read(&program, case)?;
        let ends = cases[case].instructions.last().is_some_and(|last| last.opcode.spec().ends_block);
        let charge = if mode.metered { 2 } else { 0 };
        Ok(if ends { code.anywhere.get(charge..).unwrap_or_default() } else { code.own(mode.metered) }.to_vec())
    };
    let mut same = 0;
    for ((class, _), (case, parts)) in sequences.iter().zip(wholes) {
        let parts: Result<Vec<_>, EmitError> = parts.into_iter().map(code).collect();
        if code(case)? == parts?.concat() {
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
        let origin = Some(Origin { terms: t, rule: &rule, claim: &claim });
        found(Obligation { class: format!("{class}, a superinstruction"), query: &query, origin });
    }
    // Counted as one class, which needs no solver.
    let t = &Terms::new();
    let query = smt::query(t, &[], t.bool(true), true);
    for _ in 0..same {
        found(Obligation { class: "code is that of the instructions".into(), query: &query, origin: None });
    }
    Ok(())
}
