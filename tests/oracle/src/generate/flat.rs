//! Random flat programs: sequences of valid instructions with mostly valid jump targets, and addresses mostly near
//! memory; and noise.

use super::Parts;
use pvm_test_support::{Rng, block_starts, is_based, pick_opcode, set_targets, with_operands};
use vm_core::isa::{Format, Instruction, Isa, Opcode, Reg, assemble};

/// Returns all instructions of an instruction set.
pub fn opcodes(isa: Isa) -> Vec<Opcode> {
    Opcode::all().filter(|opcode| isa.number(*opcode).is_some()).collect()
}

/// Returns an instruction with random operands; its target is 0.
pub fn instruction(opcode: Opcode, rng: &mut Rng) -> Instruction {
    let [r1, r2, r3] = [(); 3].map(|()| rng.pick(&Reg::ALL));
    let (imm, imm2) = (rng.immediate(), rng.immediate());
    with_operands(opcode, [r1, r2, r3], [imm, imm2], rng)
}

/// Generates a program of valid instructions.
pub fn program(isa: Isa, rng: &mut Rng) -> Parts {
    let count = 2 + rng.below(60);
    let mut opcodes = opcodes(isa);
    if rng.chance(80) {
        // Not all engines run it correctly: see `docs/spec/differences.md#differences-from-polkavms-own-interpreter`.
        opcodes.retain(|opcode| *opcode != Opcode::Memset);
    }
    let mut list: Vec<Instruction> = Vec::new();
    while list.len() < count as usize {
        let opcode = pick_opcode(&opcodes, rng);
        let instruction = instruction(opcode, rng);
        let base = if matches!(opcode.spec().format, Format::RegImmImm | Format::RegImm) {
            instruction.r1
        } else {
            instruction.r2
        };
        match opcode {
            Opcode::Memset => {
                list.push(Instruction::ri(Opcode::LoadImm, Reg::A0, rng.address() as i32));
                list.push(Instruction::ri(Opcode::LoadImm, Reg::A2, rng.below(300) as i32));
            }
            Opcode::Sbrk if rng.below(200) > 0 => {
                list.push(Instruction::ri(Opcode::LoadImm, base, rng.below(9000) as i32));
            }
            Opcode::JumpIndirect | Opcode::LoadImmAndJumpIndirect if rng.chance(80) => {
                list.push(Instruction::ri(Opcode::LoadImm, base, 2 * rng.below(8) as i32));
            }
            _ if is_based(opcode) && rng.chance(60) => {
                list.push(Instruction::ri(Opcode::LoadImm, base, rng.address() as i32));
            }
            _ => {}
        }
        list.push(instruction);
    }
    if rng.chance(90) || isa == Isa::JamV1 {
        list.push(Instruction::none(Opcode::Trap));
    }
    let starts = block_starts(&list);
    let length = list.len() as u32;
    set_targets(&mut list, &starts, rng);
    let table: Vec<usize> = (0..rng.below(6))
        .map(|_| if rng.chance(90) { rng.pick(&starts) } else { rng.below(length) } as usize)
        .collect();
    parts(isa, &list, &table, rng)
}

/// Makes the parts of a program from instructions; its jump table has the instructions with these indexes.
///
/// # Panics
/// If they cannot be encoded, which is a mistake of the generator.
#[expect(clippy::expect_used, reason = "a generator that makes nothing is broken")]
pub fn parts(isa: Isa, list: &[Instruction], table: &[usize], rng: &mut Rng) -> Parts {
    let assembly = assemble(isa, list).expect("valid instructions");
    let table = table.iter().map(|index| assembly.offsets[*index]).collect();
    Parts::new(isa, assembly, table, rng)
}

/// Generates random bytes as code, with a random bitmask.
pub fn noise(isa: Isa, rng: &mut Rng) -> Parts {
    let length = 1 + rng.below(120);
    let assembly = pvm_test_support::noise(length, rng);
    let jump_table = (0..rng.below(4)).map(|_| rng.below(length + 2)).collect();
    Parts::new(isa, assembly, jump_table, rng)
}
