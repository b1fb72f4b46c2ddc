//! The bound on machine code that a chain charges by (`vm_core::limits::CodeInfo::machine_code`) holds for what the compiler
//! emits: for every instruction, with operands that take the most room, and for programs that consist of blocks.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_engine::{Config, Engine, Module, ProgramBlob};
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::isa::{Instruction, Isa, Opcode, Reg, TABLE};
use vm_core::limits;
use vm_core::program::ProgramConfig;

/// Bytes of machine code of a program, and the bound on them. `None` where this machine does not compile.
fn compiled(engine: &Engine, instructions: Vec<Instruction>, jump_table: u32) -> Option<(usize, usize)> {
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.instructions(instructions);
    for _ in 0..jump_table {
        builder.jump_table_entry(0);
    }
    let bytes = builder.build().unwrap();
    let bound = limits::check(&Blob::parse(&bytes).unwrap()).unwrap().machine_code;
    let module = Module::new(engine, &ProgramConfig::default(), &ProgramBlob::from_bytes(&bytes)).unwrap();
    module.machine_code_length().map(|length| (length, bound as usize))
}

/// Instructions of an opcode whose registers and immediates take the most room in different ways.
fn forms(opcode: Opcode) -> Vec<Instruction> {
    const IMM: i32 = i32::MIN + 0x1234;
    let registers = [
        (Reg::A0, Reg::A1, Reg::A2),
        (Reg::A0, Reg::A0, Reg::A0),
        (Reg::T0, Reg::S0, Reg::A5),
        (Reg::A2, Reg::S1, Reg::RA),
    ];
    let all = Reg::ALL.into_iter().flat_map(|a| Reg::ALL.into_iter().map(move |b| (a, b, Reg::A3)));
    registers
        .into_iter()
        .chain(all)
        .map(|(r1, r2, r3)| Instruction { opcode, r1, r2, r3, imm: IMM.into(), imm2: IMM, target: 0 })
        .collect()
}

#[test]
fn no_instruction_becomes_more_machine_code_than_is_charged_for() {
    let engine = Engine::new(&Config::new()).unwrap();
    let Some((fixed, _)) = compiled(&engine, vec![Instruction::none(Opcode::Trap)], 0) else { return };
    for spec in TABLE.iter().filter(|spec| spec.numbers[0].is_some()) {
        const COUNT: usize = 8;
        for form in forms(spec.opcode) {
            let mut list = vec![form; COUNT];
            list.push(Instruction::none(Opcode::Trap));
            let (length, bound) = compiled(&engine, list, 0).unwrap();
            assert!(
                length <= bound + fixed,
                "{form:?}: {length} bytes beyond the {fixed} of any program, the bound is {bound}"
            );
        }
    }
}

#[test]
fn blocks_and_jump_tables_are_in_the_bound() {
    let engine = Engine::new(&Config::new()).unwrap();
    let Some((fixed, _)) = compiled(&engine, vec![Instruction::none(Opcode::Trap)], 0) else { return };
    let traps = vec![Instruction::none(Opcode::Trap); 1000];
    for (list, entries) in [(traps.clone(), 0), (traps, 1000)] {
        let (length, bound) = compiled(&engine, list, entries).unwrap();
        assert!(length <= bound + fixed, "{length} bytes, the bound is {bound}");
        // Near enough to charge by.
        assert!(bound < 3 * length, "{length} bytes, the bound is {bound}");
    }
}
