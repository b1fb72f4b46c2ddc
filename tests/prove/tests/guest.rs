//! Compares the guest's semantics over terms with the reference model: every opcode of every instruction set, random
//! operands.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_prove::guest::{self, Flow, Immediates};
use pvm_prove::term::{Term, Terms};
use pvm_reference::{Config, Interpreter, Metering, Model, Outcome};
use pvm_test_support::Rng;
use vm_core::blob::BlobBuilder;
use vm_core::isa::{Format, Instruction, Isa, Opcode, Reg, assemble};

/// Number of random operands for each opcode.
const ROUNDS: u64 = 150;
/// Read-write data: a page at the start of the second region.
const DATA: u32 = 0x2_0000;

/// Runs one instruction on both.
fn compare(isa: Isa, opcode: Opcode, rng: &mut Rng) {
    let format = opcode.spec().format;
    let [r1, r2, r3] = [(); 3].map(|()| rng.pick(&Reg::ALL));
    let wide_immediate = rng.value() as i64;
    let imm = if format == Format::RegImm64 { wide_immediate } else { i64::from(wide_immediate as i32) };
    let imm2 = rng.value() as i32;
    let mut instruction = Instruction { opcode, r1, r2, r3, imm, imm2, target: 0 };
    let mut registers = [0; Reg::COUNT].map(|_: u64| rng.value());
    if rng.next_u64().is_multiple_of(4) {
        registers[rng.pick(&[r1, r2]) as usize] = registers[r1 as usize];
    }
    let is_access = guest::load(opcode).is_some() || guest::store(opcode).is_some();
    if is_access && !rng.next_u64().is_multiple_of(8) {
        // In the page, or past its end.
        let address = DATA + (rng.next_u64() % 0x1004) as u32;
        match format {
            Format::RegImm | Format::ImmImm => instruction.imm = i64::from(address as i32),
            Format::RegRegImm => registers[r2 as usize] = address.wrapping_sub(imm as u32).into(),
            _ => registers[r1 as usize] = address.wrapping_sub(imm as u32).into(),
        }
    }
    if matches!(opcode, Opcode::JumpIndirect | Opcode::LoadImmAndJumpIndirect) {
        let (base, offset) = if opcode == Opcode::JumpIndirect { (r1, imm as u32) } else { (r2, imm2 as u32) };
        let address = rng.pick(&[0_u32, 1, 2, 3, 4, 5, 6, 8, 0xffff_0000]);
        registers[base as usize] = address.wrapping_sub(offset).into();
    }
    if !isa.is_64_bit() {
        registers = registers.map(|register| register & 0xffff_ffff);
    }
    // The target, and behind it an instruction in the middle of a block, which is no target.
    let trap = Instruction::none(Opcode::Trap);
    if format.has_target() {
        instruction.target = 2;
    }
    let assembly = assemble(isa, &[instruction, trap, trap]).unwrap();
    let offsets = assembly.offsets.clone();
    let mut builder = BlobBuilder::new(isa);
    builder.import(b"host").rw_data(0x1000, &(0..0x1000_u32).map(|at| (at * 7 + 3) as u8).collect::<Vec<_>>());
    builder.raw_code(assembly.code, assembly.bitmask);
    // Only starts of blocks.
    let entries: Vec<u32> = if opcode.spec().ends_block { vec![offsets[1], offsets[2]] } else { vec![0, offsets[2]] };
    for entry in &entries {
        builder.jump_table_entry(*entry);
    }
    let config =
        Config { page_size: 0x1000, aux_size: 0, model: Model::Naive, metering: Metering::Off, single_step: false };
    let mut machine = Interpreter::new(&builder.build().unwrap(), config).unwrap();
    for (number, value) in registers.iter().enumerate() {
        machine.set_register(number, *value);
    }
    machine.set_next_pc(0);
    let before = machine.clone();
    let outcome = machine.run();

    let t = Terms::new();
    let width = if isa.is_64_bit() { 64 } else { 32 };
    let terms = registers.map(|register| t.constant(width, register.into()));
    let immediates =
        Immediates { imm: t.c64(instruction.imm as u64), imm2: t.constant(32, u128::from(instruction.imm2 as u32)) };
    let number = |term: Term| t.value(term).unwrap() as u64;
    // The value of a load is read once its address is known.
    let probe = guest::step(&t, width, &instruction, immediates, &terms, |bits| t.constant(bits, 0));
    let access = probe.access.map(|access| (number(access.address) as u32, access.width / 8));
    let found = access.and_then(|(address, bytes)| before.read(address, bytes));
    let value = found.iter().flatten().rev().fold(0, |value: u128, byte| value << 8 | u128::from(*byte));
    let effect = guest::step(&t, width, &instruction, immediates, &terms, |bits| t.constant(bits, value));
    let context = format!("{isa:?} {instruction:?} {registers:x?}");

    let [here, next, there] = [0, offsets[1], offsets[2]].map(Some);
    let mut changed = true;
    let (expected, pc) = match effect.flow {
        _ if access.is_some_and(|(address, bytes)| {
            // Everything readable here is writable.
            before.read(address, bytes).is_none()
        }) =>
        {
            changed = false;
            (Outcome::Trap, here)
        }
        Flow::Next => (Outcome::Trap, next),
        Flow::Branch(condition) => (Outcome::Trap, if number(condition) == 1 { there } else { next }),
        Flow::Dynamic(address) => match number(address) {
            0xffff_0000 => (Outcome::Finished, None),
            2 => (Outcome::Trap, if entries[0] == 0 { here } else { next }),
            4 => (Outcome::Trap, there),
            _ => (Outcome::Trap, here),
        },
        Flow::Trap => (Outcome::Trap, here),
        Flow::HostCall(call) => (Outcome::HostCall(number(call) as u32), here),
        // What the host then does is not compared.
        Flow::Sbrk | Flow::Memset => return,
    };
    assert_eq!((outcome, machine.pc()), (expected, pc), "{context}");
    for reg in Reg::ALL {
        let after = if changed { number(effect.registers[reg as usize]) } else { registers[reg as usize] };
        assert_eq!(machine.register(reg as usize), after, "{reg:?} of {context}");
    }
    if let (true, Some((address, bytes)), Some(stored)) = (changed, access, effect.access.and_then(|a| a.stored)) {
        let read = machine.read(address, bytes).unwrap();
        assert_eq!(read, number(stored).to_le_bytes()[..bytes as usize], "{context}");
    }
}

#[test]
fn every_opcode_means_what_the_reference_model_does() {
    let mut rng = Rng::new(7);
    for isa in Isa::ALL {
        for opcode in Opcode::all().filter(|opcode| isa.number(*opcode).is_some()) {
            for _ in 0..ROUNDS {
                compare(isa, opcode, &mut rng);
            }
        }
    }
}
