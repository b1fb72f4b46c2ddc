//! Dense programs: long blocks of few different instructions on few registers, which fill the pipeline model's
//! processor.

use super::{Parts, flat};
use pvm_test_support::{Rng, block_starts};
use vm_core::isa::{Instruction, Isa, Opcode, Reg};

/// Generates a dense program.
pub fn program(isa: Isa, rng: &mut Rng) -> Parts {
    let (enders, plain): (Vec<Opcode>, Vec<Opcode>) = flat::opcodes(isa)
        .into_iter()
        .filter(|opcode| *opcode != Opcode::Memset && *opcode != Opcode::Sbrk)
        .partition(|opcode| opcode.spec().ends_block);
    let pool: Vec<Opcode> = (0..1 + rng.below(8)).map(|_| rng.pick(&plain)).collect();
    let regs: Vec<Reg> = (0..1 + rng.below(13)).map(|_| rng.pick(&Reg::ALL)).collect();
    let block_length = rng.pick(&[3, 10, 40, 200]);
    let mut list: Vec<Instruction> = (0..1 + rng.below(120))
        .map(|_| {
            let opcode = match rng.below(block_length) {
                0 => rng.pick(&enders),
                1 if rng.chance(20) => Opcode::MoveReg,
                _ => rng.pick(&pool),
            };
            let [r1, r2, r3] = [(); 3].map(|()| rng.pick(&regs));
            Instruction { r1, r2, r3, ..flat::instruction(opcode, rng) }
        })
        .collect();
    list.push(Instruction::none(Opcode::Trap));
    let starts = block_starts(&list);
    for instruction in &mut list {
        instruction.target = rng.pick(&starts);
    }
    flat::parts(isa, &list, &[], rng)
}
