//! Differential test: random programs on our interpreter and on that of the `polkavm` crate.
//!
//! Everything that can be observed is compared at every stop: outcome, program counters, registers, gas, and memory.
//! The seed is fixed, so every run compares the same programs; a failure names the seed of its program.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{RandomProgram, Rng};
use polkavm::{
    BackendKind, CacheModel, Config, CostModel, CostModelKind, Engine, GasMeteringKind, InterruptKind, Module,
    ModuleConfig, ProgramBlob, ProgramCounter, RawInstance,
};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::gas::{MemoryLatency, Metering};
use vm_core::interpreter::{Dispatch, Instance};
use vm_core::isa::{CodeView, Instruction, Isa, Opcode, Reg};
use vm_core::program::{Program, ProgramConfig};

/// How many programs are compared.
const PROGRAMS: u64 = 60_000;

const PEER_REGS: [polkavm::Reg; 13] = polkavm::Reg::ALL;

fn engine() -> Engine {
    let mut config = Config::new();
    config.set_backend(Some(BackendKind::Interpreter));
    Engine::new(&config).unwrap()
}

fn peer_config(config: &ProgramConfig) -> ModuleConfig {
    let mut peer = ModuleConfig::new();
    peer.set_gas_metering(Some(match config.metering {
        Metering::Async => GasMeteringKind::Async,
        _ => GasMeteringKind::Sync,
    }));
    peer.set_cost_model(Some(match config.cost_model {
        vm_core::gas::CostModelKind::Pipeline(latency) => {
            CostModelKind::Full(CacheModel { memory_access_cost: latency.cycles() as i8 })
        }
        _ => CostModelKind::from(CostModel::naive_ref()),
    }));
    peer.set_page_size(config.page_size);
    peer.set_aux_data_size(config.aux_size);
    peer.set_step_tracing(config.single_step);
    peer
}

/// The peer's scanner shows an extra, empty invalid instruction where, near the end of the code, an instruction at an
/// offset of 7 modulo 8 is followed by exactly 24 bytes without a start (spec: isa.md 2.5). Such programs are left out.
fn peer_scans_wrongly(code: &CodeView<'_>) -> bool {
    let length = code.len();
    (7..length).step_by(8).any(|start| {
        start + 64 > length
            && code.bit(start)
            && (start + 1..start + 25).all(|offset| !code.bit(offset))
            && code.bit(start + 25)
    })
}

/// The peer forgets to sign-extend the address register when a `memset` ends in the upper half of the address space (its
/// own debug assertion says so). Programs with one are left out here; see [`memset_in_low_memory_behaves_the_same`].
fn has_memset(code: &CodeView<'_>) -> bool {
    code.instructions().any(|decoded| decoded.instruction.is_some_and(|i| i.opcode == Opcode::Memset))
}

struct Pair {
    ours: Instance,
    theirs: RawInstance,
    seed: u64,
}

impl Pair {
    fn set_gas(&mut self, gas: i64) {
        self.ours.set_gas(gas);
        self.theirs.set_gas(gas);
    }

    fn set_reg(&mut self, reg: Reg, value: u64) {
        self.ours.set_reg(reg, value);
        self.theirs.set_reg(PEER_REGS[reg as usize], value);
    }

    fn enter(&mut self, offset: u32) {
        self.ours.set_next_pc(offset);
        self.theirs.set_next_program_counter(ProgramCounter(offset));
    }

    fn write(&mut self, address: u32, data: &[u8]) {
        let ours = self.ours.write_memory(address, data).is_ok();
        let theirs = self.theirs.write_memory(address, data).is_ok();
        assert_eq!(ours, theirs, "seed {}: writing {} bytes at {address:#x}", self.seed, data.len());
    }

    fn sbrk(&mut self, size: u32) {
        assert_eq!(self.ours.sbrk(size), self.theirs.sbrk(size).unwrap(), "seed {}: sbrk {size:#x}", self.seed);
    }

    /// Runs both to the next stop and compares.
    fn run(&mut self) -> Outcome {
        let outcome = self.ours.run();
        let expected = match self.theirs.run().unwrap() {
            InterruptKind::Finished => Outcome::Finished,
            InterruptKind::Trap => Outcome::Trap,
            InterruptKind::Ecalli(number) => Outcome::HostCall(number),
            InterruptKind::NotEnoughGas => Outcome::OutOfGas,
            InterruptKind::Step => Outcome::Step,
            InterruptKind::Segfault(fault) => {
                Outcome::PageFault { address: fault.page_address, write_protected: fault.is_write_protected }
            }
        };
        let seed = self.seed;
        assert_eq!(outcome, expected, "seed {seed}");
        assert_eq!(self.ours.pc(), self.theirs.program_counter().map(|pc| pc.0), "seed {seed}: pc after {outcome:?}");
        let next_pc = self.theirs.next_program_counter().map(|pc| pc.0);
        assert_eq!(self.ours.next_pc(), next_pc, "seed {seed}: next pc after {outcome:?}");
        assert_eq!(self.ours.gas(), self.theirs.gas(), "seed {seed}: gas after {outcome:?}");
        for reg in Reg::ALL {
            let theirs = self.theirs.reg(PEER_REGS[reg as usize]);
            assert_eq!(self.ours.reg(reg), theirs, "seed {seed}: {reg:?} after {outcome:?}");
        }
        outcome
    }

    fn compare_memory(&mut self) {
        let map = *self.ours.program().memory_map();
        let heap_end = map.rw_end_with_heap(self.ours.heap_size()).min(map.rw_end() + 0x8000);
        for (start, end) in [
            (0x1_0000, map.ro_end()),
            (map.rw_base(), heap_end),
            (map.stack_low(), map.stack_high()),
            (map.aux_base(), map.aux_end()),
        ] {
            let (mut ours, mut theirs) = ([0; 0x1000], [0; 0x1000]);
            for page in (start..end).step_by(0x1000) {
                self.ours.read_memory(page, &mut ours).unwrap();
                self.theirs.read_memory_into(page, theirs.as_mut_slice()).unwrap();
                assert!(ours == theirs, "seed {}: memory at {page:#x}", self.seed);
            }
        }
    }
}

/// Compares one program; returns how many gas it used, or `None` if both refused it.
fn compare(engine: &Engine, seed: u64) -> Option<i64> {
    let rng = &mut Rng::new(seed);
    let isa = rng.pick(&[Isa::ReviveV1, Isa::ReviveV1, Isa::Latest32, Isa::JamV1]);
    let program = RandomProgram::any(isa, rng);
    let bytes = program.blob();
    let blob = Blob::parse(&bytes).unwrap();
    let code_length = blob.code().len() as u32;
    if peer_scans_wrongly(&blob.code_view()) || has_memset(&blob.code_view()) {
        return None;
    }

    let config = ProgramConfig {
        page_size: rng.pick(&[0x1000, 0x1000, 0x1000, 0x1000, 0x4000, 0x1_0000]),
        aux_size: rng.pick(&[0, 0, 0, 5000]),
        single_step: rng.chance(10),
        cost_model: match rng.below(3) {
            0 => vm_core::gas::CostModelKind::Pipeline(rng.pick(&[
                MemoryLatency::L1,
                MemoryLatency::L2,
                MemoryLatency::L3,
            ])),
            _ => vm_core::gas::CostModelKind::Naive,
        },
        metering: if rng.chance(15) { Metering::Async } else { Metering::Sync },
        translation_cache: rng.pick(&[1 << 20, 1 << 20, 0, 300]),
    };
    let peer_config = peer_config(&config);
    let peer_blob = ProgramBlob::parse(bytes.as_slice().into()).unwrap();
    let ours = Program::new(&blob, &config);
    let theirs = Module::from_blob(engine, &peer_config, peer_blob);
    assert_eq!(ours.is_ok(), theirs.is_ok(), "seed {seed}: {:?} {:?}", ours.err(), theirs.err());
    let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return None };
    for offset in (0..code_length + 3).step_by(1 + rng.below(7) as usize) {
        let theirs = theirs.calculate_gas_cost_for(ProgramCounter(offset)).map(|cost| cost as u32);
        assert_eq!(ours.block_cost(offset), theirs, "seed {seed}: cost of the block at {offset}");
    }
    let mut pair = Pair { ours: Instance::new(Arc::new(ours)), theirs: theirs.instantiate().unwrap(), seed };

    pair.ours.set_dispatch(rng.pick(&[Dispatch::Threaded, Dispatch::Looped]));
    let mut used = 0;
    for reg in Reg::ALL {
        pair.set_reg(reg, rng.value());
    }
    for _ in 0..rng.below(3) {
        let address = rng.address();
        let length = rng.below(300) as usize;
        pair.write(address, &rng.bytes(length));
    }
    let mut gas = i64::from(rng.below(400));
    pair.set_gas(gas);
    pair.enter(0);
    for _ in 0..if config.single_step { 60 } else { 8 } {
        let outcome = pair.run();
        used += gas - pair.ours.gas();
        if rng.chance(5) {
            pair.ours.release_translation();
        }
        if rng.chance(3) {
            pair.sbrk(rng.below(0x4000));
        }
        match outcome {
            Outcome::HostCall(_) => {
                let reg = rng.pick(&Reg::ALL);
                pair.set_reg(reg, rng.value());
            }
            // Not resumable; the peer has no answer to a run without a program counter.
            Outcome::OutOfGas if config.metering == Metering::Async => {
                pair.set_gas(i64::from(rng.below(300)));
                pair.enter(0);
            }
            Outcome::OutOfGas if rng.chance(60) => pair.set_gas(i64::from(rng.below(300))),
            Outcome::Step if rng.chance(95) => {}
            _ if rng.chance(50) => pair.enter(0),
            _ => {
                // At the very end of the code the peer's answer depends on what it happens to have translated (it charges
                // and runs the virtual trap there if it has seen it); ours is always that of spec isa.md 2.10.
                let offset = rng.below(code_length + 2);
                pair.enter(offset + u32::from(offset == code_length));
            }
        }
        gas = pair.ours.gas();
    }
    pair.compare_memory();
    Some(used)
}

#[test]
fn random_programs_behave_as_on_the_peers_interpreter() {
    let engine = engine();
    let (mut programs, mut gas) = (0u64, 0);
    for seed in 0..PROGRAMS {
        if let Some(used) = compare(&engine, seed) {
            programs += 1;
            gas += used;
        }
    }
    println!("compared {programs} programs, {gas} gas");
    // The generator must not degenerate into programs that both refuse or that stop at once.
    assert!(programs > PROGRAMS * 8 / 10, "{programs}");
    assert!(gas > 50 * PROGRAMS as i64, "{gas}");
}

#[test]
fn memset_in_low_memory_behaves_the_same() {
    let engine = engine();
    for seed in 0..3_000 {
        let rng = &mut Rng::new(seed);
        let (to, count) = (0x2_0000 + rng.below(0x2100) as i32 - 40, rng.pick(&[0, 1, 7, 100, 0x1000, 0x2200]));
        let mut builder = BlobBuilder::new(Isa::Latest32);
        builder.rw_data(0x2000, &[1, 2, 3]).instructions(vec![
            Instruction::ri(Opcode::LoadImm, Reg::A0, to),
            Instruction::ri(Opcode::LoadImm, Reg::A1, rng.next() as i32),
            Instruction::ri(Opcode::LoadImm, Reg::A2, count),
            Instruction::none(Opcode::Memset),
            Instruction::none(Opcode::Trap),
        ]);
        let bytes = builder.build().unwrap();
        let config = ProgramConfig::default();
        let ours = Program::new(&Blob::parse(&bytes).unwrap(), &config).unwrap();
        let theirs = ProgramBlob::parse(bytes.as_slice().into()).unwrap();
        let theirs = Module::from_blob(&engine, &peer_config(&config), theirs).unwrap();
        let mut pair = Pair { ours: Instance::new(Arc::new(ours)), theirs: theirs.instantiate().unwrap(), seed };
        pair.enter(0);
        pair.set_gas(i64::from(rng.below(0x1800)));
        for _ in 0..3 {
            if pair.run() != Outcome::OutOfGas {
                break;
            }
            pair.set_gas(i64::from(rng.below(0x1800)));
        }
        pair.compare_memory();
    }
}

#[test]
fn damaged_blobs_are_refused_exactly_when_the_peer_refuses_them() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..40_000 {
        let rng = &mut Rng::new(seed ^ 0x5eed << 32);
        let isa = rng.pick(&Isa::ALL);
        let mut bytes = RandomProgram::any(isa, rng).blob();
        for _ in 0..1 + rng.below(3) {
            let at = 4 + rng.below(bytes.len() as u32 - 4) as usize;
            match rng.below(3) {
                0 => bytes[at] = rng.next() as u8,
                1 => bytes[at] ^= 1 << rng.below(8),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        // Most damage is to lengths; keep the outer one right, or nothing else is looked at.
        if rng.chance(90) && bytes.len() > 13 {
            let length = bytes.len() as u64;
            bytes[5..13].copy_from_slice(&length.to_le_bytes());
        }
        let ours = Blob::parse(&bytes);
        // The peer runs a fourth instruction set, which we refuse by name.
        if bytes.get(4) == Some(&2) {
            assert!(ours.is_err());
            continue;
        }
        let theirs = ProgramBlob::parse(bytes.as_slice().into());
        assert_eq!(ours.is_ok(), theirs.is_ok(), "seed {seed}: {:?} {:?}", ours.err(), theirs.err());
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            accepted += 1;
            let our_exports: Vec<_> = ours.exports().map(|export| (export.code_offset, export.symbol)).collect();
            let their_exports: Vec<_> = theirs
                .exports()
                .map(|export| (export.program_counter().0, export.symbol().as_bytes().to_vec()))
                .collect();
            assert_eq!(our_exports, their_exports.iter().map(|(at, s)| (*at, s.as_slice())).collect::<Vec<_>>());
            let our_imports: Vec<_> = ours.imports().map(|name| name.map(<[u8]>::to_vec)).collect();
            let their_imports: Vec<_> =
                theirs.imports().into_iter().map(|name| name.map(|name| name.as_bytes().to_vec())).collect();
            assert_eq!(our_imports, their_imports, "seed {seed}");
        } else {
            refused += 1;
        }
    }
    println!("{accepted} blobs accepted by both, {refused} refused by both");
    assert!(accepted > 4_000 && refused > 4_000, "{accepted} {refused}");
}
