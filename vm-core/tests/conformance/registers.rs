//! Cases for instructions that only change or compare registers, from `vectors/registers.txt`.
//!
//! Each line runs with all operands in registers of their own, and with the destination being one or both of the
//! sources.

use crate::case::{Case, Step};
use vm_core::Outcome;
use vm_core::blob::BlobBuilder;
use vm_core::isa::{Format, Instruction, Isa, Opcode, Reg};
use vm_core::program::ProgramConfig;

const VECTORS: &str = include_str!("../vectors/registers.txt");

struct Vector {
    width: u32,
    opcode: Opcode,
    operands: Vec<u64>,
    result: u64,
}

fn parse(line: &str) -> Vector {
    let (left, result) = line.split_once(" = ").unwrap();
    let mut words = left.split(' ');
    let width = words.next().unwrap().parse().unwrap();
    let mnemonic = words.next().unwrap();
    let number = |word: &str| u64::from_str_radix(word, 16).unwrap();
    Vector {
        width,
        opcode: Opcode::all().find(|opcode| opcode.spec().mnemonic == mnemonic).unwrap(),
        operands: words.map(number).collect(),
        result: number(result),
    }
}

/// Previous content of the destination register in the vectors.
const OLD: u64 = 0xdd;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let vector = parse(line);
        for isa in Isa::ALL {
            let width = if isa.is_64_bit() { 64 } else { 32 };
            if width == vector.width && isa.number(vector.opcode).is_some() {
                expand(&mut cases, isa, line, &vector);
            }
        }
    }
    cases
}

/// Makes the cases of one line.
fn expand(cases: &mut Vec<Case>, isa: Isa, line: &str, vector: &Vector) {
    use Reg::{A0, A1, A2};
    let Vector { opcode, operands, result, .. } = vector;
    let (opcode, result) = (*opcode, *result);
    let first = operands[0];
    let second = operands.get(1).copied().unwrap_or(0);
    let imm = *operands.last().unwrap() as i32;
    match opcode.spec().format {
        Format::RegRegReg => {
            let mut push = |s1: Reg, s2: Reg, d: Reg, held: u64| {
                // A conditional move that does not happen leaves what the destination held.
                let result = if result == OLD && opcode.spec().mnemonic.starts_with("cmov") { held } else { result };
                let setup = [(d, held), (s1, first), (s2, second)];
                cases.push(compute(isa, line, Instruction::rrr(opcode, d, s1, s2), &setup, d, result));
            };
            push(A0, A1, A2, OLD);
            push(A0, A1, A0, first);
            push(A0, A1, A1, second);
            if first == second {
                push(A0, A0, A2, OLD);
                push(A0, A0, A0, first);
            }
        }
        Format::RegRegImm => {
            let mut push = |s: Reg, d: Reg, held: u64| {
                let result = if result == OLD && opcode.spec().mnemonic.starts_with("cmov") { held } else { result };
                let setup = [(d, held), (s, first)];
                cases.push(compute(isa, line, Instruction::rri(opcode, d, s, imm), &setup, d, result));
            };
            push(A0, A2, OLD);
            push(A0, A0, first);
        }
        Format::RegReg => {
            for d in [A2, A0] {
                let setup = [(A2, OLD), (A0, first)];
                cases.push(compute(isa, line, Instruction::rr(opcode, d, A0), &setup, d, result));
            }
        }
        Format::RegImm => {
            cases.push(compute(isa, line, Instruction::ri(opcode, A2, imm), &[(A2, OLD)], A2, result));
        }
        Format::RegImm64 => {
            let instruction = Instruction::rx(opcode, A2, first as i64);
            cases.push(compute(isa, line, instruction, &[(A2, OLD)], A2, result));
        }
        Format::RegRegOffset => {
            let setup = [(A0, first), (A1, second)];
            cases.push(branch(isa, line, Instruction::rro(opcode, A0, A1, 2), &setup, result == 1));
            if first == second {
                cases.push(branch(isa, line, Instruction::rro(opcode, A0, A0, 2), &setup, result == 1));
            }
        }
        Format::RegImmOffset => {
            let setup = [(A0, first)];
            cases.push(branch(isa, line, Instruction::rio(opcode, A0, imm, 2), &setup, result == 1));
        }
        other => panic!("{line}: a vector for format {other:?}"),
    }
}

/// Registers get different contents, so that a wrong one shows, then those that count.
fn setup(setup: &[(Reg, u64)]) -> Vec<Step> {
    let mut script: Vec<Step> = Reg::ALL.iter().map(|reg| Step::Set(*reg, 0x7001 + 0x11 * *reg as u64)).collect();
    script.extend(setup.iter().map(|(reg, value)| Step::Set(*reg, *value)));
    script.extend([Step::Gas(10), Step::Enter(0)]);
    script
}

fn case(isa: Isa, name: &str, instructions: Vec<Instruction>, script: Vec<Step>) -> Case {
    Case {
        name: name.to_string(),
        isa,
        covers: vec![instructions[0].opcode.spec().mnemonic],
        blob: BlobBuilder::new(isa).instructions(instructions).build().unwrap(),
        config: ProgramConfig::default(),
        script,
    }
}

/// The instruction, then a trap; both are one block.
fn compute(isa: Isa, line: &str, instruction: Instruction, values: &[(Reg, u64)], d: Reg, result: u64) -> Case {
    let length = vm_core::isa::assemble(isa, &[instruction]).unwrap().offsets[1];
    let mut script = setup(values);
    script.extend([Step::Run(Outcome::Trap, Some(length), None, 8), Step::Only(d, result)]);
    case(isa, line, vec![instruction, Instruction::none(Opcode::Trap)], script)
}

/// The branch, a trap where it is not taken, a trap where it is.
fn branch(isa: Isa, line: &str, instruction: Instruction, values: &[(Reg, u64)], taken: bool) -> Case {
    let code = vec![instruction, Instruction::none(Opcode::Trap), Instruction::none(Opcode::Trap)];
    let offsets = vm_core::isa::assemble(isa, &code).unwrap().offsets;
    let mut script = setup(values);
    script.extend([Step::Run(Outcome::Trap, Some(offsets[1 + usize::from(taken)]), None, 8), Step::Unchanged]);
    case(isa, line, code, script)
}
