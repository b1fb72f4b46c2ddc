//! Tests that constant folding and immediate selection of the linker agree with the interpreter.

#![allow(clippy::unwrap_used, reason = "tests")]

use pvm_linker::{
    emit::select::{left, right},
    ir::{binary, condition, narrow, unary},
};
use std::sync::Arc;
use vm_core::{
    Outcome,
    blob::{Blob, BlobBuilder},
    interpreter::Instance,
    isa::{Format, Instruction, Isa, Opcode, Reg},
    program::{Program, ProgramConfig},
};

/// Boundary values of the operations.
const VALUES: [i64; 24] = [
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    33,
    63,
    64,
    127,
    128,
    255,
    0x7fff,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX,
    i64::MIN,
    -1,
    -2,
    -0x8000_0000,
];

/// Runs `instruction`, or a branch over the next instruction, with a0 = a and a1 = b; returns a2.
fn run(isa: Isa, instruction: Instruction, a: i64, b: i64) -> i64 {
    let load = |reg, value: i64| match isa.is_64_bit() {
        true => Instruction::rx(Opcode::LoadImm64, reg, value),
        false => Instruction::ri(Opcode::LoadImm, reg, value as i32),
    };
    let mut code = vec![load(Reg::A0, a), load(Reg::A1, b), load(Reg::A2, 1), instruction];
    if instruction.format().has_target() {
        // If it is not taken, a2 is 0.
        code.extend([load(Reg::A2, 0), Instruction::none(Opcode::Fallthrough)]);
        code[3].target = code.len() as u32;
    }
    code.push(Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0));
    let mut builder = BlobBuilder::new(isa);
    builder.export(b"main", 0).instructions(code);
    let bytes = builder.build().unwrap();
    let program = Program::new(&Blob::parse(&bytes).unwrap(), &ProgramConfig::default()).unwrap();
    let mut instance = Instance::new(Arc::new(program));
    instance.set_gas(1000);
    instance.prepare_call(0, &[]);
    assert_eq!(instance.run(), Outcome::Finished);
    narrow(instance.reg(Reg::A2) as i64, isa.is_64_bit())
}

fn of_format(isa: Isa, format: Format) -> impl Iterator<Item = Opcode> {
    Opcode::all().filter(move |opcode| isa.number(*opcode).is_some() && opcode.spec().format == format)
}

#[test]
fn operations_on_two_registers() {
    for isa in [Isa::ReviveV1, Isa::Latest32] {
        let mut count = 0;
        for opcode in of_format(isa, Format::RegRegReg) {
            if matches!(opcode, Opcode::CmovIfZero | Opcode::CmovIfNotZero) {
                continue;
            }
            count += 1;
            for (a, b) in VALUES.iter().flat_map(|a| VALUES.iter().map(move |b| (*a, *b))) {
                let ours = binary(opcode, a, b, isa.is_64_bit());
                let vm = run(isa, Instruction::rrr(opcode, Reg::A2, Reg::A0, Reg::A1), a, b);
                assert_eq!(ours, Some(vm), "{isa:?} {opcode:?} {a:#x} {b:#x}");
            }
        }
        assert!(count > 25, "{count} operations");
    }
}

#[test]
fn operations_on_one_register() {
    for isa in [Isa::ReviveV1, Isa::Latest32] {
        for opcode in of_format(isa, Format::RegReg) {
            if matches!(opcode, Opcode::MoveReg | Opcode::Sbrk) {
                continue;
            }
            for a in VALUES {
                let vm = run(isa, Instruction::rr(opcode, Reg::A2, Reg::A0), a, 0);
                assert_eq!(unary(opcode, a, isa.is_64_bit()), Some(vm), "{isa:?} {opcode:?} {a:#x}");
            }
        }
    }
}

#[test]
fn branches() {
    for isa in [Isa::ReviveV1, Isa::Latest32] {
        for opcode in of_format(isa, Format::RegRegOffset) {
            for (a, b) in VALUES.iter().flat_map(|a| VALUES.iter().map(move |b| (*a, *b))) {
                let vm = run(isa, Instruction::rro(opcode, Reg::A0, Reg::A1, 0), a, b) != 0;
                assert_eq!(condition(opcode, a, b, isa.is_64_bit()), Some(vm), "{isa:?} {opcode:?} {a:#x} {b:#x}");
            }
        }
    }
}

#[test]
fn forms_with_a_constant_compute_what_the_operation_does() {
    let mut forms = 0;
    for isa in [Isa::ReviveV1, Isa::Latest32] {
        let wide = isa.is_64_bit();
        for opcode in of_format(isa, Format::RegRegReg) {
            for (a, imm) in VALUES.iter().flat_map(|a| VALUES.iter().map(move |b| (*a, *b))) {
                let form = |(op, imm)| Instruction::rri(op, Reg::A2, Reg::A0, imm);
                if let Some(found) = right(opcode, imm, wide) {
                    forms += 1;
                    let expected = binary(opcode, a, imm, wide).unwrap();
                    assert_eq!(run(isa, form(found), a, 0), expected, "{isa:?} {opcode:?} {a:#x}, constant {imm:#x}");
                }
                if let Some(found) = left(opcode, imm, wide) {
                    forms += 1;
                    let expected = binary(opcode, imm, a, wide).unwrap();
                    assert_eq!(run(isa, form(found), a, 0), expected, "{isa:?} {opcode:?} constant {imm:#x}, {a:#x}");
                }
            }
        }
    }
    assert!(forms > 10_000, "{forms} forms");
}
