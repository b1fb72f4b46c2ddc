//! Compares peepholes in the sandbox with vm-core's interpreter: with all ways in which registers can coincide, with
//! entries at each instruction, and with stops right behind them.

use super::*;
use crate::jit::{JitInstance, compile};
use crate::sandbox::{Pool, Settings};
use pvm_test_support::Rng;
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::interpreter::Instance;
use vm_core::isa::{Isa, Opcode::*};
use vm_core::program::{Program, ProgramConfig};

/// Few registers, so that they often coincide.
const REGS: [Reg; 5] = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4];

/// Blocks of a program.
const BLOCKS: u32 = 4_000;

fn instruction(opcode: Opcode, rng: &mut Rng) -> Instruction {
    let [r1, r2, r3] = [(); 3].map(|()| rng.pick(&REGS));
    let imm = i64::from(rng.below(70));
    Instruction { opcode, r1, r2, r3, imm, imm2: 0, target: 0 }
}

/// Random instructions behind a peephole: they read, overwrite or keep its results, around one that stops.
fn suffix(rng: &mut Rng) -> Vec<Instruction> {
    const PLAIN: [Opcode; 7] = [Add64, MoveReg, LoadImm, CmovIfZero, CmovIfNotZeroImm, RotateRightImm32, Xor];
    let plain =
        |rng: &mut Rng| -> Vec<Instruction> { (0..rng.below(4)).map(|_| instruction(rng.pick(&PLAIN), rng)).collect() };
    let mut suffix = plain(rng);
    suffix.push(match rng.below(3) {
        0 => Instruction::i(Ecalli, 7),
        // There is no memory at such addresses.
        1 => Instruction::ri(LoadU64, rng.pick(&REGS), 0x100),
        _ => Instruction::ri(StoreU64, rng.pick(&REGS), 0x100),
    });
    suffix.extend(plain(rng));
    suffix.push(Instruction::none(Trap));
    suffix
}

/// Compares a program of blocks that begin with `shape` of a few registers, with random register contents, from each of
/// its instructions on; returns how often peephole `number` was the one that applied.
fn compare(number: usize, shape: impl Fn([Reg; 5], &mut Rng) -> Vec<Instruction>) -> usize {
    let rng = &mut Rng::new(number as u64);
    let mut instructions = Vec::new();
    for _ in 0..BLOCKS {
        let regs = [(); 5].map(|()| rng.pick(&REGS));
        let mut block = shape(regs, rng);
        if rng.chance(30) {
            // Replaces one register.
            let index = rng.below(block.len() as u32) as usize;
            let reg = rng.pick(&REGS);
            let changed = block.get_mut(index).unwrap();
            match rng.below(3) {
                0 => changed.r1 = reg,
                1 => changed.r2 = reg,
                _ => changed.r3 = reg,
            }
        }
        instructions.extend(block);
        instructions.extend(suffix(rng));
    }
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.import(b"host").instructions(instructions);
    let blob = builder.build().unwrap();
    let program = Arc::new(Program::new(&Blob::parse(&blob).unwrap(), &ProgramConfig::default()).unwrap());
    let compiled = Arc::new(compile(&program).unwrap());

    let mut applied = 0;
    let mut asm = Assembler::new(1 << 20);
    let mut walked = program.code().encoded_instructions_from(0);
    while let Some(encoded) = walked.next() {
        let mut rest = walked.clone();
        let Some(second) = rest.next() else { break };
        let fitting = PEEPHOLES.iter().enumerate().filter(|(_, peephole)| {
            peephole.first.contains(&encoded.opcode()) && peephole.second.contains(&second.opcode())
        });
        let mut emitted = fitting
            .filter_map(|(index, peephole)| Some((index, (peephole.emit)(&mut asm, &encoded, &second, rest.clone())?)));
        let found = emitted.next();
        assert_eq!(found.map(|found| found.1), emit(&mut Assembler::new(0x1000), &encoded, &walked));
        applied += usize::from(found.is_some_and(|found| found.0 == number));
    }

    let pool = Pool::new(Settings { sandbox: crate::Sandbox::BestEffort, ..Settings::default() }).unwrap();
    let worker = pool.take(&crate::jit::image(&program, &compiled, 1)).unwrap();
    let mut ours = Instance::new(program.clone());
    let mut jit = JitInstance::new(program.clone(), compiled, worker);
    for decoded in program.code().instructions() {
        ours.set_gas(100);
        jit.set_gas(100);
        for reg in Reg::ALL {
            let value = rng.value();
            ours.set_reg(reg, value);
            jit.set_reg(reg, value);
        }
        ours.set_next_pc(decoded.offset);
        jit.set_next_pc(decoded.offset);
        loop {
            let outcome = ours.run();
            assert_eq!(Ok(outcome), jit.run(), "from {}", decoded.offset);
            assert_eq!((ours.pc(), ours.next_pc(), ours.gas()), (jit.pc(), jit.next_pc(), jit.gas()));
            for reg in Reg::ALL {
                assert_eq!(ours.reg(reg), jit.reg(reg), "{reg:?} from {} at {:?}", decoded.offset, ours.pc());
            }
            if !matches!(outcome, Outcome::HostCall(_)) {
                break;
            }
        }
    }
    applied
}

#[test]
fn a_product_with_either_half_first() {
    for (number, [first, second]) in
        [[Mul64, MulUpperUnsignedUnsigned], [MulUpperUnsignedUnsigned, Mul64]].into_iter().enumerate()
    {
        let shape = |[b, c, d1, d2, _]: [Reg; 5], rng: &mut Rng| {
            let (b2, c2) = rng.pick(&[(b, c), (c, b)]);
            vec![Instruction::rrr(first, d1, b, c), Instruction::rrr(second, d2, b2, c2)]
        };
        assert!(compare(number, shape) > 500);
    }
}

/// A sum and its carry.
fn sum([b, c, sum, carry]: [Reg; 4], rng: &mut Rng) -> Vec<Instruction> {
    let sum = rng.pick(&[sum, b, c]);
    let addend = rng.pick(&[b, c]);
    vec![Instruction::rrr(Add64, sum, b, c), Instruction::rrr(SetLessThanUnsigned, carry, sum, addend)]
}

#[test]
fn a_sum_of_128_bits() {
    let shape = |[b, c, d, carry, high]: [Reg; 5], rng: &mut Rng| {
        let mut block = sum([b, c, d, carry], rng);
        let (p, q) = (rng.pick(&REGS), rng.pick(&[high, b, d]));
        let (left, right) = rng.pick(&[(high, carry), (carry, high)]);
        block.push(Instruction::rrr(Add64, high, p, q));
        block.push(Instruction::rrr(Add64, high, left, right));
        block
    };
    assert!(compare(2, shape) > 200);
}

#[test]
fn a_sum_whose_carry_is_added() {
    let shape = |[b, c, d, carry, p]: [Reg; 5], rng: &mut Rng| {
        let mut block = sum([b, c, d, carry], rng);
        let high = rng.pick(&[p, carry, d, b]);
        let (left, right) = rng.pick(&[(p, carry), (carry, p)]);
        block.push(Instruction::rrr(Add64, high, left, right));
        block
    };
    assert!(compare(3, shape) > 500);
}

#[test]
fn a_sum_and_its_carry() {
    assert!(compare(4, |[b, c, d, carry, _], rng| sum([b, c, d, carry], rng)) > 500);
}

#[test]
fn words_that_are_combined() {
    let shape = |[b, c, p, q, d]: [Reg; 5], rng: &mut Rng| {
        let d = rng.pick(&[d, p, q]);
        let (left, right) = rng.pick(&[(p, q), (q, p)]);
        let mut word = |d, b| Instruction::rri(rng.pick(&EXTENDED), d, b, rng.below(40) as i32);
        let mut block = vec![word(p, b), word(q, c)];
        block.push(Instruction::rrr(rng.pick(&[Xor, Or]), d, left, right));
        block
    };
    assert!(compare(5, shape) > 500);
}

#[test]
fn opcodes_of_the_table_can_be_executed_by_the_host() {
    let mut regs = [3; Reg::COUNT];
    for opcode in PEEPHOLES.iter().flat_map(|peephole| peephole.second).chain(&[Add64, Xor, Or]) {
        assert!(execute(&mut regs, &Instruction { opcode: *opcode, ..Instruction::none(Trap) }), "{opcode:?}");
    }
    assert!(!execute(&mut regs, &Instruction::none(Trap)));
}
