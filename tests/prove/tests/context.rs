//! Blocks are made of what is proved: the code of a longer block is that of its instructions, or of pairs of them, one
//! after the other. So the rules of instructions and pairs say what every block does.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_prove::emit::{Case, Emitter, Mode, Target};
use pvm_prove::{pairs, shape};
use vm_core::isa::{Instruction, Isa, Opcode};

/// Blocks of each instruction set.
const BLOCKS: u64 = 3000;

#[test]
fn code_of_blocks_is_that_of_their_instructions_and_pairs() {
    let emitter = Emitter::new().unwrap();
    for isa in Isa::ALL {
        let opcodes: Vec<Opcode> =
            Opcode::all().filter(|opcode| isa.number(*opcode).is_some() && !opcode.spec().ends_block).collect();
        let mut state = isa as u64 + 1;
        let mut next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            state >> 20
        };
        // Each block, then its instructions alone, then its pairs.
        let (mut cases, mut places) = (Vec::new(), Vec::new());
        for _ in 0..BLOCKS {
            let block: Vec<Instruction> = (0..2 + next() % 7)
                .map(|_| pairs::instruction(opcodes[next() as usize % opcodes.len()], next()))
                .collect();
            places.push((cases.len(), block.len()));
            let of = |part: &[Instruction]| Case { instructions: part.to_vec(), target: Target::Forward };
            cases.push(of(&block));
            cases.extend(block.iter().map(|instruction| of(&[*instruction])));
            cases.extend(block.windows(2).map(of));
        }
        let program = emitter.compile(Mode::plain(isa), &cases).unwrap();
        let code = |case: usize| shape::read(&program, case).unwrap().own(true).to_vec();
        let mut fused = 0;
        for (block, length) in places {
            let whole = code(block);
            let (mut at, mut instruction) = (0, 0);
            while instruction < length {
                let one = code(block + 1 + instruction);
                if whole[at..].starts_with(&one) {
                    (at, instruction) = (at + one.len(), instruction + 1);
                    continue;
                }
                let both = (instruction + 1 < length).then(|| code(block + 1 + length + instruction));
                let both = both.filter(|both| whole[at..].starts_with(both));
                let both = both.unwrap_or_else(|| {
                    panic!(
                        "instruction {instruction} of {:?} has code that depends on more than its neighbour",
                        cases[block].instructions
                    )
                });
                (at, instruction, fused) = (at + both.len(), instruction + 2, fused + 1);
            }
            assert_eq!(at, whole.len(), "{:?} has code behind its instructions'", cases[block].instructions);
        }
        println!("{}: {BLOCKS} blocks, {fused} superinstructions", isa.name());
    }
}
