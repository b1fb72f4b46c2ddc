//! Tests that blocks consist of proved parts: the code of a longer block is that of its instructions in sequence. If it
//! is not, because the compiler has a peephole for some of them, the block is proved as a whole.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_prove::emit::{Emitter, Mode};
use pvm_prove::prover::Pool;
use pvm_prove::solver::{self, Answer};
use pvm_prove::{explain, pairs};
use std::collections::HashSet;
use vm_core::isa::{Instruction, Isa, Opcode};

const FEW: [Opcode; 4] = [Opcode::Add64, Opcode::SetLessThanUnsigned, Opcode::RotateRightImm32, Opcode::Xor];

/// Number of blocks for each instruction set.
const BLOCKS: u64 = 2000;

#[test]
fn code_of_blocks_is_that_of_their_instructions_or_proved() {
    if !solver::are_there() {
        return;
    }
    let (emitter, pool) = (Emitter::new().unwrap(), Pool::start().unwrap());
    for isa in Isa::ALL {
        let opcodes: Vec<Opcode> =
            Opcode::all().filter(|opcode| isa.number(*opcode).is_some() && !opcode.spec().ends_block).collect();
        let mut state = isa as u64 + 1;
        let mut next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            state >> 20
        };
        let mut blocks = Vec::new();
        for number in 0..BLOCKS {
            // Half of them have few opcodes, those that peepholes begin with.
            let some = if number.is_multiple_of(2) || !isa.is_64_bit() { opcodes.as_slice() } else { &FEW };
            let block: Vec<Instruction> =
                (0..2 + next() % 7).map(|_| pairs::instruction(some[next() as usize % some.len()], next())).collect();
            blocks.push(("block".to_owned(), block));
        }
        let (mut asked, mut proved, mut same) = (HashSet::new(), 0, 0);
        pairs::sequences(&emitter, Mode::plain(isa), &blocks, &mut |obligation| {
            let Some(origin) = obligation.origin else {
                same += 1;
                return;
            };
            proved += 1;
            if !asked.insert(obligation.query.text.clone()) {
                return;
            }
            for (kind, answer) in pool.both(obligation.query.clone()) {
                let text = match &answer {
                    Answer::Refuted(values) => {
                        explain::describe(origin, &explain::assignment(obligation.query, values))
                    }
                    _ => String::new(),
                };
                assert_eq!(answer, Answer::Proved, "{kind}: {:?}\n{text}", origin.rule.instructions);
            }
        })
        .unwrap();
        println!("{}: {same} blocks of their instructions' code, {proved} proved", isa.name());
        assert_eq!(same + proved, BLOCKS);
        // Otherwise this test has missed the peepholes.
        assert!(proved > 0 || !isa.is_64_bit(), "no block has a superinstruction");
    }
}
