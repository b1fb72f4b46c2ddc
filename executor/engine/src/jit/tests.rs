//! Compares compiled programs in the sandbox with vm-core's interpreter: everything that can be observed, at every
//! stop.

use super::*;
use crate::sandbox::{Pool, Settings};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::gas::{CostModelKind, MemoryLatency};
use vm_core::interpreter::Instance;
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::program::ProgramConfig;

use pvm_test_support::{RandomProgram, Rng};

fn pool() -> Arc<Pool> {
    Pool::new(Settings { sandbox: crate::Sandbox::BestEffort, ..Settings::default() }).unwrap()
}

fn program(bytes: &[u8], config: &ProgramConfig) -> Option<Arc<Program>> {
    Program::new(&Blob::parse(bytes).unwrap(), config).ok().map(Arc::new)
}

/// Runs one random program on both; returns the gas that it used, or `None` if it is refused.
fn compare(pool: &Arc<Pool>, seed: u64) -> Option<i64> {
    let rng = &mut Rng::new(seed);
    let isa = rng.pick(&[Isa::ReviveV1, Isa::ReviveV1, Isa::Latest32, Isa::JamV1]);
    let bytes = RandomProgram::any(isa, rng).blob();
    let config = ProgramConfig {
        page_size: rng.pick(&[0x1000, 0x1000, 0x4000, 0x1_0000]),
        aux_size: rng.pick(&[0, 0, 0, 5000]),
        single_step: rng.chance(10),
        cost_model: rng.pick(&[
            CostModelKind::Naive,
            CostModelKind::Pipeline(MemoryLatency::L2),
            CostModelKind::CalibratedV1,
        ]),
        metering: rng.pick(&[Metering::Sync, Metering::Sync, Metering::Sync, Metering::Async]),
        ..ProgramConfig::default()
    };
    let program = program(&bytes, &config)?;
    let code_length = program.code().len();
    let compiled = Arc::new(compile(&program).unwrap());
    let worker = pool.take(&image(&program, &compiled, seed)).unwrap();
    let mut ours = Instance::new(program.clone());
    let mut jit = JitInstance::new(program.clone(), compiled, worker);

    for reg in Reg::ALL {
        let value = rng.value();
        ours.set_reg(reg, value);
        jit.set_reg(reg, value);
    }
    for _ in 0..rng.below(3) {
        let (address, length) = (rng.address(), rng.below(300) as usize);
        let data = rng.bytes(length);
        assert_eq!(ours.write_memory(address, &data), jit.write_memory(address, &data), "seed {seed}");
    }
    // Approximate cost of an instruction.
    let unit = if config.cost_model == CostModelKind::CalibratedV1 { 60 } else { 1 };
    let (mut gas, mut used) = (i64::from(rng.below(400)) * unit, 0);
    ours.set_gas(gas);
    jit.set_gas(gas);
    let mut entry = Some(0);
    for _ in 0..if config.single_step { 60 } else { 8 } {
        if let Some(entry) = entry.take() {
            ours.set_next_pc(entry);
            jit.set_next_pc(entry);
        }
        let outcome = ours.run();
        assert_eq!(Ok(outcome), jit.run(), "seed {seed} at {:?} and {:?}", ours.pc(), jit.pc());
        let pcs = [(ours.pc(), ours.next_pc()), (jit.pc(), jit.next_pc())];
        assert_eq!(pcs[0], pcs[1], "seed {seed} after {outcome:?}");
        assert_eq!(ours.gas(), jit.gas(), "seed {seed} after {outcome:?}");
        for reg in Reg::ALL {
            assert_eq!(ours.reg(reg), jit.reg(reg), "seed {seed}: {reg:?} after {outcome:?} at {:?}", ours.pc());
        }
        used += gas - ours.gas();
        if rng.chance(3) {
            let bytes = rng.below(0x4000);
            assert_eq!(Ok(ours.sbrk(bytes)), jit.sbrk(bytes), "seed {seed}");
        }
        if rng.chance(2) {
            let snapshot = jit.snapshot();
            jit.restore(&snapshot).unwrap();
        }
        let is_over = outcome == Outcome::OutOfGas && config.metering == Metering::Async;
        match outcome {
            Outcome::HostCall(_) => {
                let (reg, value) = (rng.pick(&Reg::ALL), rng.value());
                ours.set_reg(reg, value);
                jit.set_reg(reg, value);
            }
            Outcome::OutOfGas if is_over || rng.chance(60) => {
                let gas = i64::from(rng.below(300)) * unit;
                ours.set_gas(gas);
                jit.set_gas(gas);
                entry = is_over.then_some(0);
            }
            Outcome::Step if rng.chance(95) => {}
            _ => entry = Some(if rng.chance(50) { 0 } else { rng.below(code_length + 2) }),
        }
        gas = ours.gas();
    }
    let map = *program.memory_map();
    let heap_end = map.rw_end_with_heap(ours.heap_size()).min(map.rw_end() + 0x8000);
    for (start, end) in [
        (0x1_0000, map.ro_end()),
        (map.rw_base(), heap_end),
        (map.stack_low(), map.stack_high()),
        (map.aux_base(), map.aux_end()),
    ] {
        let (mut left, mut right) = ([0; 0x1000], [0; 0x1000]);
        for page in (start..end).step_by(0x1000) {
            ours.read_memory(page, &mut left).unwrap();
            jit.read_memory(page, &mut right).unwrap();
            assert!(left == right, "seed {seed}: memory at {page:#x}");
        }
    }
    Some(used)
}

#[test]
fn random_programs_do_the_same_compiled_and_interpreted() {
    const PROGRAMS: u64 = 5_000;
    let pool = pool();
    let results: Vec<i64> = (0..PROGRAMS).filter_map(|seed| compare(&pool, seed)).collect();
    println!("compared {} programs, {} gas", results.len(), results.iter().sum::<i64>());
    assert!(results.len() as u64 > PROGRAMS * 8 / 10);
    assert!(results.iter().sum::<i64>() > 50 * PROGRAMS as i64);
}

#[test]
fn every_opcode_is_lowered() {
    for isa in Isa::ALL {
        for opcode in Opcode::all().filter(|opcode| isa.number(*opcode).is_some()) {
            let mut builder = BlobBuilder::new(isa);
            builder.instructions(vec![Instruction::none(Opcode::Trap), Instruction::none(opcode)]);
            builder.instructions(vec![
                Instruction { opcode, ..Instruction::none(Opcode::Trap) },
                Instruction::none(Opcode::Trap),
            ]);
            let program = program(&builder.build().unwrap(), &ProgramConfig::default()).unwrap();
            // An opcode that is forgotten fails a debug assertion.
            compile(&program).unwrap();
        }
    }
}

/// Returns an instruction with random operands, whose targets are all invalid.
fn instruction(opcode: Opcode, rng: &mut Rng) -> Instruction {
    let [r1, r2, r3] = [(); 3].map(|()| rng.pick(&Reg::ALL));
    let [imm, imm2] = [(); 2].map(|()| rng.value() as i32 >> rng.below(32));
    Instruction { opcode, r1, r2, r3, imm: imm.into(), imm2, target: 0 }
}

#[test]
fn every_instruction_of_a_long_block_is_found_by_each_byte_of_its_machine_code() {
    for (isa, config) in Isa::ALL.into_iter().zip([
        ProgramConfig::default(),
        ProgramConfig { metering: Metering::Off, ..ProgramConfig::default() },
        ProgramConfig { single_step: true, ..ProgramConfig::default() },
    ]) {
        // One block with every opcode that ends none, several times, and blocks of one or two instructions behind it.
        let rng = &mut Rng::new(7);
        let plain: Vec<Opcode> =
            Opcode::all().filter(|opcode| isa.number(*opcode).is_some() && !opcode.spec().ends_block).collect();
        let mut instructions: Vec<Instruction> =
            (0..5 * plain.len()).map(|_| instruction(rng.pick(&plain), rng)).collect();
        for _ in 0..50 {
            instructions.push(instruction(rng.pick(&plain), rng));
            instructions.push(Instruction::none(rng.pick(&[Opcode::Fallthrough, Opcode::Trap])));
            instructions.push(Instruction::none(Opcode::Fallthrough));
        }
        instructions.push(Instruction::none(Opcode::Trap));
        let mut builder = BlobBuilder::new(isa);
        builder.instructions(instructions);
        let program = program(&builder.build().unwrap(), &config).unwrap();
        let compiled = compile(&program).unwrap();
        let mut starts: Vec<(u32, u32)> = program
            .code()
            .instructions()
            .map(|decoded| (compiled.native_at(&program, decoded.offset).unwrap().native, decoded.offset))
            .collect();
        starts.push((compiled.native_at(&program, program.code().len()).unwrap().native, program.code().len()));
        assert!(starts.len() as u32 > 10 * pc_map::PC_MAP_INTERVAL && starts.is_sorted());
        starts.push((compiled.block_stubs, 0));
        for next in starts.windows(2) {
            let [(start, offset), (end, _)] = [next[0], next[1]];
            for native in start..end {
                assert_eq!(compiled.guest_at(&program, native), Some(offset), "{isa:?} {native}");
            }
        }
    }
}

/// Returns a program that counts in a loop of one block, or of two, behind at least this many bytes of machine code; an
/// inner loop runs `inner` times.
fn loops(filler: u32, two_blocks: bool, inner: i32) -> Vec<u8> {
    let mut list = vec![Instruction::ri(Opcode::LoadImm, Reg::A1, 3)];
    list.extend((0..filler).map(|_| Instruction::rr(Opcode::SignExtend8, Reg::A3, Reg::A3)));
    list.push(Instruction::none(Opcode::Fallthrough));
    let outer = list.len() as u32;
    list.push(Instruction::ri(Opcode::LoadImm, Reg::A0, inner));
    list.push(Instruction::none(Opcode::Fallthrough));
    let start = list.len() as u32;
    list.push(Instruction::rri(Opcode::AddImm64, Reg::A2, Reg::A2, 1));
    if two_blocks {
        list.push(Instruction::rio(Opcode::BranchEqImm, Reg::A2, 5, start + 3));
        list.push(Instruction::none(Opcode::Fallthrough));
    }
    list.push(Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, -1));
    list.push(Instruction::rio(Opcode::BranchNotEqImm, Reg::A0, 0, start));
    // An outer loop that is too long for a cache line.
    list.push(Instruction::rri(Opcode::AddImm64, Reg::A1, Reg::A1, -1));
    list.push(Instruction::rio(Opcode::BranchNotEqImm, Reg::A1, 0, outer));
    list.push(Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0));
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.instructions(list);
    builder.build().unwrap()
}

#[test]
fn small_loops_lie_in_one_cache_line_wherever_they_begin_and_run_as_they_should() {
    let pool = pool();
    let mut id = 0;
    for (filler, two_blocks) in (0..70).flat_map(|filler| [(filler, false), (filler, true)]) {
        for metering in [Metering::Sync, Metering::Off] {
            let config = ProgramConfig { metering, ..ProgramConfig::default() };
            let program = program(&loops(filler, two_blocks, 7), &config).unwrap();
            let code = program.code();
            let compiled = Arc::new(compile(&program).unwrap());
            let mut found = 0;
            for decoded in code.instructions() {
                let Some(branch) = decoded.instruction.filter(|instruction| instruction.target < decoded.offset) else {
                    continue;
                };
                if branch.opcode != Opcode::BranchNotEqImm || branch.r1 != Reg::A0 {
                    continue;
                }
                let first = compiled.native_at(&program, branch.target).unwrap().native;
                let next = compiled.native_at(&program, decoded.next).unwrap().native;
                let last = (first..next).rfind(|native| compiled.guest_at(&program, *native) == Some(decoded.offset));
                assert_eq!(first / LINE, last.unwrap() / LINE, "{filler} {two_blocks} {metering:?}");
                found += 1;
            }
            assert_eq!(found, 1);
            let mut ours = Instance::new(program.clone());
            id += 1;
            let worker = pool.take(&image(&program, &compiled, id)).unwrap();
            let mut jit = JitInstance::new(program.clone(), compiled.clone(), worker);
            // To the end, out of gas at each place, and from each instruction on: not without gas, as that may take for ever.
            let entries = code.instructions().map(|decoded| (decoded.offset, 1000));
            let entries = entries.take(if metering == Metering::Off { 1 } else { usize::MAX });
            for (entry, gas) in (0..40).map(|gas| (0, gas)).chain(entries) {
                ours.prepare_call(entry, &[1, 2, 3]);
                jit.prepare_call(entry, &[1, 2, 3]);
                ours.set_gas(gas);
                jit.set_gas(gas);
                assert_eq!(Ok(ours.run()), jit.run(), "{filler} {two_blocks} {metering:?} from {entry} with {gas}");
                assert_eq!((ours.pc(), ours.next_pc(), ours.gas()), (jit.pc(), jit.next_pc(), jit.gas()));
                for reg in Reg::ALL {
                    assert_eq!(ours.reg(reg), jit.reg(reg));
                }
            }
        }
    }
}

#[test]
fn the_output_is_bounded_by_the_input() {
    // The longest sequences of all, and the shortest blocks.
    let divisions = vec![Instruction::rrr(Opcode::DivSigned64, Reg::T1, Reg::T1, Reg::T2); 10_000];
    let blocks = vec![Instruction::none(Opcode::Fallthrough); 10_000];
    for (instructions, most) in [(divisions, 30), (blocks, 20)] {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        builder.instructions(instructions);
        let program = program(&builder.build().unwrap(), &ProgramConfig::default()).unwrap();
        let compiled = compile(&program).unwrap();
        let ratio = compiled.image().len() / program.code().len() as usize;
        assert!(ratio <= most, "{ratio} bytes for one");
    }
}

#[test]
fn no_index_leads_out_of_the_jump_table_even_if_its_check_is_mispredicted() {
    for entries in 0..=9u32 {
        for has_bad_entry in [false, true] {
            let mut builder = BlobBuilder::new(Isa::ReviveV1);
            builder.instructions(vec![
                Instruction::none(Opcode::Fallthrough),
                Instruction::ri(Opcode::LoadImm, Reg::A2, 0),
                // In the middle of a block, which is no jump target.
                Instruction::ri(Opcode::JumpIndirect, Reg::A0, 0),
                Instruction::ri(Opcode::JumpIndirect, Reg::A1, 4),
            ]);
            for entry in 0..entries {
                builder.jump_table_entry(if has_bad_entry && entry > 0 { 2 } else { 0 });
            }
            let program = program(&builder.build().unwrap(), &ProgramConfig::default()).unwrap();
            let compiled = compile(&program).unwrap();
            assert_eq!(program.jump_table().len(), entries);
            // Entries up to a power of two: none but the program's leads anywhere, and code begins behind them.
            let room = entries.next_power_of_two();
            let table = &compiled.image()[..8 * room as usize];
            for (index, entry) in (0..room).zip(table.chunks_exact(8)) {
                let leads_somewhere = entry.iter().any(|byte| *byte != 0);
                assert_eq!(leads_somewhere, index < entries && !(has_bad_entry && index > 0), "{index} of {entries}");
            }
            assert!(compiled.enter() >= 8 * room);
            // Each jump masks its index right before it uses it.
            let mut asm = Assembler::new(100);
            asm.push(forms::and_ri(RegSize::R32, regs::SCRATCH, room as i32 - 1));
            let index = regs::SCRATCH.index().unwrap();
            let at = CODE_BASE.wrapping_sub(STACK_TOP) as i32;
            let entry = pvm_assembler::Mem::base_index(pvm_assembler::Reg::Rsp, index, pvm_assembler::Scale::X8, at);
            match has_bad_entry && entries > 1 {
                true => asm.push(forms::mov_rm(RegSize::R64, regs::SCRATCH, entry)),
                false => asm.push(forms::jmp_m(entry)),
            }
            let masked = asm.finish().unwrap();
            let count = compiled.image().windows(masked.len()).filter(|code| *code == masked).count();
            assert_eq!(count, 2, "{entries} entries");
        }
    }
}

#[test]
fn native_addresses_that_are_no_ones_are_not_looked_up() {
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder
        .instructions(vec![Instruction::none(Opcode::Fallthrough), Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0)]);
    let program = program(&builder.build().unwrap(), &ProgramConfig::default()).unwrap();
    let compiled = compile(&program).unwrap();
    assert_eq!(compiled.guest_at(&program, 0), None);
    assert_eq!(compiled.guest_at(&program, u32::MAX), None);
    for behind in 0..compiled.image().len() as u32 + 20 {
        let is_stub = |first: u32, count: u32| (1..=count).any(|number| behind == first + number * CALL_LENGTH);
        assert_eq!(compiled.block_of_stub(behind).is_some(), is_stub(compiled.block_stubs, 2), "{behind}");
        assert_eq!(compiled.jump_of_stub(behind).is_some(), is_stub(compiled.jump_stubs, 1), "{behind}");
    }
}
