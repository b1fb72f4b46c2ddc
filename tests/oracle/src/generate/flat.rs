//! Random flat programs: sequences of valid instructions with mostly valid jump targets, and addresses mostly near
//! memory; and noise.

use super::Parts;
use pvm_test_support::Rng;
use vm_core::isa::{Assembly, Format, Instruction, Isa, Opcode, Reg, assemble};

/// Returns all instructions of an instruction set.
pub fn opcodes(isa: Isa) -> Vec<Opcode> {
    Opcode::all().filter(|opcode| isa.number(*opcode).is_some()).collect()
}

/// Returns an instruction with random operands; its target is 0.
pub fn instruction(opcode: Opcode, rng: &mut Rng) -> Instruction {
    let [r1, r2, r3] = [(); 3].map(|()| rng.pick(&Reg::ALL));
    let (imm, imm2) = (rng.immediate(), rng.immediate());
    let small = if is_based(opcode) && rng.chance(80) { imm >> 24 } else { imm };
    match opcode.spec().format {
        Format::None => Instruction::none(opcode),
        Format::Imm => Instruction::i(opcode, imm),
        Format::Offset => Instruction::o(opcode, 0),
        Format::ImmImm => Instruction::ii(opcode, imm, imm2),
        Format::RegImm if opcode == Opcode::JumpIndirect => Instruction::ri(opcode, r1, imm >> 28 & !1),
        Format::RegImm => Instruction::ri(opcode, r1, imm),
        Format::RegImmImm => Instruction::rii(opcode, r1, small, imm2),
        Format::RegImmOffset => Instruction::rio(opcode, r1, imm, 0),
        Format::RegReg => Instruction::rr(opcode, r1, r2),
        Format::RegRegImm => Instruction::rri(opcode, r1, r2, small),
        Format::RegRegOffset => Instruction::rro(opcode, r1, r2, 0),
        Format::RegRegReg => Instruction::rrr(opcode, r3, r1, r2),
        Format::RegRegImmImm => Instruction::rrii(opcode, r1, r2, imm, imm2 >> 28 & !1),
        Format::RegImm64 => Instruction::rx(opcode, r1, rng.value() as i64),
    }
}

/// True if the instruction accesses memory at a base register plus an immediate.
fn is_based(opcode: Opcode) -> bool {
    let mnemonic = opcode.spec().mnemonic;
    mnemonic.contains("indirect") && (mnemonic.starts_with("load_i") || mnemonic.starts_with("st"))
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
        let mut opcode = rng.pick(&opcodes);
        // Traps and host calls end most runs; make them rare.
        if matches!(opcode, Opcode::Trap | Opcode::Ecalli) && rng.chance(70) {
            opcode = Opcode::Fallthrough;
        }
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
    let starts: Vec<u32> = (0..list.len() as u32)
        .filter(|index| *index == 0 || list[*index as usize - 1].opcode.spec().ends_block)
        .collect();
    let length = list.len() as u32;
    for instruction in &mut list {
        instruction.target = if rng.chance(95) { rng.pick(&starts) } else { rng.below(length) };
    }
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
    let density = rng.pick(&[3, 30, 60, 100]);
    let mut bitmask = vec![0; length.div_ceil(8) as usize];
    for bit in 0..length {
        if rng.chance(density) {
            bitmask[bit as usize / 8] |= 1 << (bit % 8);
        }
    }
    let code = rng.bytes(length as usize);
    let jump_table = (0..rng.below(4)).map(|_| rng.below(length + 2)).collect();
    Parts::new(isa, Assembly { code, bitmask, offsets: Vec::new() }, jump_table, rng)
}
