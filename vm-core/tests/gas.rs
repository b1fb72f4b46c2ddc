//! The pipeline cost model against that of the `polkavm` crate, block by block, and the rules of asynchronous metering.
//!
//! For the model, programs are made to fill the simulated processor: long blocks of few different instructions on few registers. Random
//! programs of other shapes have their blocks compared in the crate `pvm-oracle`. The seed is fixed.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use polkavm::{
    BackendKind, CacheModel, Config, CostModelKind as PeerModel, Engine, Module, ModuleConfig, ProgramBlob,
    ProgramCounter,
};
use pvm_test_support::{RandomProgram, Rng, block_starts};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::gas::{CostModelKind, MemoryLatency, Metering, ProgramFacts, block_cost};
use vm_core::interpreter::Instance;
use vm_core::isa::{Format, Instruction, Isa, Opcode, Reg};
use vm_core::program::{Program, ProgramConfig};

const LATENCIES: [MemoryLatency; 3] = [MemoryLatency::L1, MemoryLatency::L2, MemoryLatency::L3];

fn engine() -> Engine {
    let mut config = Config::new();
    config.set_backend(Some(BackendKind::Interpreter));
    Engine::new(&config).unwrap()
}

/// Compares the cost at every code offset, and at some after the end; returns the number of blocks.
fn compare(engine: &Engine, bytes: &[u8], latency: MemoryLatency, name: &str) -> u64 {
    let mut config = ModuleConfig::new();
    config.set_cost_model(Some(PeerModel::Full(CacheModel { memory_access_cost: latency.cycles() as i8 })));
    let peer_blob = ProgramBlob::parse(bytes.into()).unwrap();
    let peer = Module::from_blob(engine, &config, peer_blob).unwrap();
    let blob = Blob::parse(bytes).unwrap();
    let code = blob.code_view();
    let mut blocks = 0;
    for offset in 0..code.len() + 2 {
        let ours = block_cost(CostModelKind::Pipeline(latency), ProgramFacts::default(), &code, offset);
        let theirs = peer.calculate_gas_cost_for(ProgramCounter(offset)).map(|cost| cost as u32);
        assert_eq!(ours, theirs, "{name}: the block at {offset} with loads of {} cycles", latency.cycles());
        blocks += u64::from(ours.is_some());
    }
    blocks
}

fn instruction(opcode: Opcode, regs: &[Reg], rng: &mut Rng) -> Instruction {
    let [r1, r2, r3] = [(); 3].map(|()| rng.pick(regs));
    let imm = rng.next_u64() as i32 >> rng.below(32);
    match opcode.spec().format {
        Format::None => Instruction::none(opcode),
        Format::Imm => Instruction::i(opcode, imm),
        Format::Offset => Instruction::o(opcode, 0),
        Format::ImmImm => Instruction::ii(opcode, imm, imm),
        Format::RegImm => Instruction::ri(opcode, r1, imm),
        Format::RegImmImm => Instruction::rii(opcode, r1, imm, imm),
        Format::RegImmOffset => Instruction::rio(opcode, r1, imm, 0),
        Format::RegReg => Instruction::rr(opcode, r1, r2),
        Format::RegRegImm => Instruction::rri(opcode, r1, r2, imm),
        Format::RegRegOffset => Instruction::rro(opcode, r1, r2, 0),
        Format::RegRegReg => Instruction::rrr(opcode, r3, r1, r2),
        Format::RegRegImmImm => Instruction::rrii(opcode, r1, r2, imm, imm),
        Format::RegImm64 => Instruction::rx(opcode, r1, i64::from(imm)),
    }
}

/// A program of long blocks of at most eight different instructions.
fn monotonous(isa: Isa, rng: &mut Rng) -> Vec<u8> {
    let (enders, plain): (Vec<Opcode>, Vec<Opcode>) =
        Opcode::all().filter(|opcode| isa.number(*opcode).is_some()).partition(|opcode| opcode.spec().ends_block);
    let pool: Vec<Opcode> = (0..1 + rng.below(8)).map(|_| rng.pick(&plain)).collect();
    let regs: Vec<Reg> = (0..1 + rng.below(13)).map(|_| rng.pick(&Reg::ALL)).collect();
    let count = 1 + rng.below(250);
    let block_length = rng.pick(&[3, 10, 40, 200]);
    let mut list: Vec<Instruction> = (0..count)
        .map(|_| match rng.below(block_length) {
            0 => instruction(rng.pick(&enders), &regs, rng),
            1 if rng.chance(20) => instruction(Opcode::MoveReg, &regs, rng),
            _ => instruction(rng.pick(&pool), &regs, rng),
        })
        .collect();
    list.push(Instruction::none(Opcode::Trap));
    let starts = block_starts(&list);
    for instruction in &mut list {
        instruction.target = rng.pick(&starts);
    }
    BlobBuilder::new(isa).instructions(list).build().unwrap()
}

#[test]
fn long_blocks_cost_what_the_peer_says() {
    let engine = engine();
    let mut blocks = 0;
    for seed in 0..6_000 {
        let rng = &mut Rng::new(seed);
        let isa = rng.pick(&Isa::ALL);
        let latency = match rng.below(5) {
            0 => MemoryLatency::new(1 + rng.below(127) as u8).unwrap(),
            _ => rng.pick(&LATENCIES),
        };
        let bytes = monotonous(isa, rng);
        blocks += compare(&engine, &bytes, latency, &format!("seed {seed}"));
    }
    println!("compared {blocks} blocks");
    assert!(blocks > 60_000, "{blocks}");
}

#[test]
fn every_instruction_costs_what_the_peer_says_alone_and_in_a_row() {
    let engine = engine();
    let mut compared = 0;
    for isa in Isa::ALL {
        for opcode in Opcode::all().filter(|opcode| isa.number(*opcode).is_some()) {
            for regs in [&[Reg::A0][..], &[Reg::A0, Reg::A1], &Reg::ALL] {
                for count in [1u32, 2, 5, 40] {
                    let rng = &mut Rng::new(u64::from(count));
                    let mut list: Vec<_> = (0..count).map(|_| instruction(opcode, regs, rng)).collect();
                    list.push(Instruction::none(Opcode::Trap));
                    let bytes = BlobBuilder::new(isa).instructions(list).build().unwrap();
                    let name = format!("{count} x {} of {}", opcode.spec().mnemonic, isa.name());
                    compared += compare(&engine, &bytes, MemoryLatency::L2, &name).min(1);
                }
            }
        }
    }
    assert!(compared > 12 * 350, "{compared}");
}

#[test]
fn every_pair_of_instructions_costs_what_the_peer_says() {
    let engine = engine();
    for isa in Isa::ALL {
        let opcodes: Vec<Opcode> = Opcode::all().filter(|opcode| isa.number(*opcode).is_some()).collect();
        for regs in [&[Reg::A0][..], &[Reg::A0, Reg::A1, Reg::A5]] {
            let rng = &mut Rng::new(u64::from(isa.version()));
            let mut list = Vec::new();
            for first in opcodes.iter().filter(|opcode| !opcode.spec().ends_block) {
                for second in &opcodes {
                    list.push(instruction(*first, regs, rng));
                    list.push(instruction(*second, regs, rng));
                    list.push(Instruction::none(Opcode::Trap));
                }
            }
            let pairs = list.len() as u64 / 3;
            let bytes = BlobBuilder::new(isa).instructions(list).build().unwrap();
            // The last is later than the simulator's calendar says at first.
            for latency in [MemoryLatency::L1, MemoryLatency::L3, MemoryLatency::new(127).unwrap()] {
                let blocks = compare(&engine, &bytes, latency, &format!("pairs of {} with {regs:?}", isa.name()));
                assert!(blocks >= pairs, "{blocks}");
            }
        }
    }
}

/// An instruction set, and a generator for the rest.
fn drawn(seed: u64) -> (Isa, Rng) {
    let mut rng = Rng::new(seed);
    (rng.pick(&[Isa::ReviveV1, Isa::Latest32]), rng)
}

#[test]
fn branches_are_foreseen_by_the_bytes_at_their_ends_alone() {
    let engine = engine();
    for seed in 0..3_000 {
        // Damage makes branches into the middle of instructions, behind the end, and onto bytes that are no opcodes.
        let (isa, rng) = &mut drawn(seed ^ 0x6a5 << 40);
        let branch = rng.pick(&[Opcode::BranchEq, Opcode::BranchEqImm]);
        let mut list = vec![instruction(branch, &Reg::ALL, rng)];
        for _ in 0..1 + rng.below(3) {
            list.push(Instruction::ri(Opcode::LoadImm, Reg::A0, rng.below(4) as i32));
            list.push(Instruction::none(rng.pick(&[Opcode::Trap, Opcode::Fallthrough])));
        }
        list[0].target = rng.below(list.len() as u32);
        let assembly = vm_core::isa::assemble(*isa, &list).unwrap();
        let mut code = assembly.code;
        // The low byte of the branch offset is the last of the instruction.
        let last = assembly.offsets[1] as usize - 1;
        code[last] = rng.below(12) as u8;
        let bytes = BlobBuilder::new(*isa).raw_code(code, assembly.bitmask).build().unwrap();
        compare(&engine, &bytes, MemoryLatency::L2, &format!("seed {seed}"));
    }
}

#[test]
fn blocks_of_ordinary_programs_cost_what_the_peer_says() {
    let engine = engine();
    for seed in 0..3_000 {
        let (isa, rng) = &mut drawn(seed ^ 0xb10c << 32);
        let bytes = RandomProgram::valid(*isa, rng).blob();
        compare(&engine, &bytes, rng.pick(&LATENCIES), &format!("seed {seed}"));
    }
    // The example contracts, where they were built.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../out/contracts");
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "polkavm") {
            let bytes = std::fs::read(&path).unwrap();
            for latency in LATENCIES {
                let blocks = compare(&engine, &bytes, latency, &path.display().to_string());
                println!("{}: {blocks} blocks", path.display());
            }
        }
    }
}

#[test]
fn a_block_as_long_as_the_code_is_priced_in_linear_time() {
    // A million divisions that all wait for each other; quadratic work would take hours.
    let count = 1 << 20;
    let mut list = vec![Instruction::rrr(Opcode::DivSigned64, Reg::A0, Reg::A0, Reg::A1); count];
    list.push(Instruction::none(Opcode::Trap));
    let assembly = vm_core::isa::assemble(Isa::JamV1, &list).unwrap();
    let code = vm_core::isa::CodeView::new(Isa::JamV1, &assembly.code, &assembly.bitmask);
    let cost = block_cost(CostModelKind::Pipeline(MemoryLatency::L3), ProgramFacts::default(), &code, 0);
    assert_eq!(cost, Some(60 * count as u32));
}

/// A machine with asynchronous metering for 32-bit code with 16 bytes of data.
fn asynchronous(list: Vec<Instruction>) -> Instance {
    let bytes = BlobBuilder::new(Isa::Latest32).rw_data(16, &[]).instructions(list).build().unwrap();
    let config = ProgramConfig { metering: Metering::Async, ..ProgramConfig::default() };
    Instance::new(Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), &config).unwrap()))
}

#[test]
fn an_asynchronous_run_that_cannot_pay_is_over_with_negative_gas() {
    let mut instance = asynchronous(vec![
        Instruction::ri(Opcode::LoadImm, Reg::A0, 1),
        Instruction::none(Opcode::Fallthrough),
        Instruction::ri(Opcode::LoadImm, Reg::A1, 1),
        Instruction::ri(Opcode::LoadImm, Reg::A2, 1),
        Instruction::none(Opcode::Trap),
    ]);
    instance.set_gas(4);
    instance.set_next_pc(0);
    assert_eq!(instance.run(), Outcome::OutOfGas);
    assert_eq!((instance.gas(), instance.pc(), instance.next_pc()), (-1, None, None));
    assert_eq!(instance.run(), Outcome::OutOfGas, "there is still none");
    instance.set_gas(100);
    assert_eq!(instance.run(), Outcome::Trap, "it cannot be resumed");
    assert_eq!((instance.gas(), instance.pc(), instance.next_pc()), (100, None, None));

    instance.set_gas(5);
    instance.set_next_pc(0);
    assert_eq!(instance.run(), Outcome::Trap, "exactly enough is enough");
    assert_eq!(instance.gas(), 0);
}

#[test]
fn an_asynchronous_memset_uses_up_what_there_is() {
    let mut instance = asynchronous(vec![Instruction::none(Opcode::Memset), Instruction::none(Opcode::Trap)]);
    for (reg, value) in [(Reg::A0, 0x2_0000), (Reg::A1, 9), (Reg::A2, 8)] {
        instance.set_reg(reg, value);
    }
    instance.set_gas(2 + 7);
    instance.set_next_pc(0);
    assert_eq!(instance.run(), Outcome::OutOfGas);
    assert_eq!((instance.gas(), instance.pc(), instance.next_pc()), (0, None, None));
}

#[test]
fn an_asynchronous_entry_into_a_block_that_cannot_be_paid_keeps_its_place() {
    let mut instance =
        asynchronous(vec![Instruction::ri(Opcode::LoadImm, Reg::A0, 0), Instruction::none(Opcode::Trap)]);
    let second = instance.program().code().instructions().nth(1).unwrap().offset;
    instance.set_gas(1);
    instance.set_next_pc(second);
    assert_eq!(instance.run(), Outcome::OutOfGas);
    assert_eq!((instance.gas(), instance.next_pc()), (1, Some(second)));
    instance.set_gas(2);
    assert_eq!(instance.run(), Outcome::Trap);
    assert_eq!((instance.gas(), instance.pc()), (0, Some(second)));
}
