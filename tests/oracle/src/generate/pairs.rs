//! Pairs of computing instructions: the second uses the full result of the first. A compiler may leave garbage in the
//! upper bits of a register, which only few instructions read.

use super::flat;
use crate::compare::Scenario;
use crate::interface::Config;
use pvm_test_support::Rng;
use vm_core::isa::{Format, Instruction, Isa, Opcode, Reg};

/// Returns the instructions that compute or load a register.
pub fn computing(isa: Isa) -> Vec<Opcode> {
    let computes = |opcode: &Opcode| match opcode.spec().format {
        Format::RegRegReg | Format::RegReg | Format::RegImm64 => *opcode != Opcode::Sbrk,
        Format::RegRegImm => !opcode.spec().mnemonic.starts_with("store"),
        Format::RegImm => opcode.spec().mnemonic.starts_with("load"),
        _ => false,
    };
    flat::opcodes(isa).into_iter().filter(computes).collect()
}

/// Returns a program with this pair, which stores the results.
pub fn pair(isa: Isa, first: Opcode, second: Opcode) -> Scenario {
    let seed = first as u64 * 1000 + second as u64;
    let rng = &mut Rng::new(seed);
    let data = 0x2_0100;
    let mut list = vec![Instruction::none(Opcode::Fallthrough)];
    // The same register three times, then one with others.
    for regs in [[Reg::A0, Reg::A0, Reg::A0], [Reg::A0, Reg::A1, Reg::A0], [Reg::A0, Reg::A0, Reg::A1]] {
        for opcode in [first, second] {
            let mut instruction = flat::instruction(opcode, rng);
            [instruction.r3, instruction.r1, instruction.r2] = regs;
            let mnemonic = opcode.spec().mnemonic;
            if mnemonic.starts_with("load_indirect") {
                list.push(Instruction::ri(Opcode::LoadImm, Reg::A2, data));
                (instruction.r2, instruction.imm) = (Reg::A2, i64::from(rng.below(9)) - 4);
            } else if mnemonic.starts_with("load_") && !mnemonic.starts_with("load_imm") {
                instruction.imm = i64::from(data);
            }
            list.push(instruction);
        }
        list.push(Instruction::i(Opcode::Ecalli, 0));
    }
    list.push(Instruction::none(Opcode::Trap));
    let mut parts = flat::parts(isa, &list, &[], rng);
    parts.sizes = [0, 0x1000, 0];
    // Negative, whatever its length.
    parts.data = vec![0; 0xf0];
    parts.data.extend(rng.bytes(64).iter().map(|byte| byte | 0x80));
    let code_length = parts.assembly.code.len() as u32;
    Scenario { seed, blob: parts.blob(), config: Config::default(), code_length, entry: 0, gas: 1000 }
}
