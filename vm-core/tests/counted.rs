//! Runs of a given number of instructions, and stops for debuggers: both against single steps.
//!
//! Random programs run in slices of random length beside an instance that stops before every instruction. After each
//! slice everything that can be observed is compared. The seed is fixed.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_test_support::{RandomProgram, Rng, load, start};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use vm_core::Outcome;
use vm_core::blob::BlobBuilder;
use vm_core::gas::{CostModelKind, MemoryLatency, Metering};
use vm_core::interpreter::{Dispatch, Instance, Progress, Stops};
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::program::ProgramConfig;

type View = (Option<u32>, Option<u32>, i64, Vec<u64>, u32, u64);

/// Everything that can be observed, of memory a hash of the data and the stack.
fn view(instance: &Instance) -> View {
    let map = *instance.program().memory_map();
    let mut memory = Vec::new();
    for (start, end) in [(map.rw_base(), map.rw_end()), (map.stack_low(), map.stack_high())] {
        let begin = memory.len();
        memory.resize(begin + (end - start) as usize, 0);
        instance.read_memory(start, &mut memory[begin..]).unwrap();
    }
    let registers = Reg::ALL.map(|reg| instance.reg(reg)).to_vec();
    let mut hasher = DefaultHasher::new();
    memory.hash(&mut hasher);
    (instance.pc(), instance.next_pc(), instance.gas(), registers, instance.heap_size(), hasher.finish())
}

fn random_config(rng: &mut Rng) -> ProgramConfig {
    ProgramConfig {
        metering: rng.pick(&[Metering::Sync, Metering::Sync, Metering::Async, Metering::Off]),
        cost_model: rng.pick(&[CostModelKind::Naive, CostModelKind::Pipeline(MemoryLatency::L2)]),
        translation_cache: rng.pick(&[1 << 20, 300]),
        ..ProgramConfig::default()
    }
}

/// An embedder's action after a stop other than a step; depends on `seed` and the stop's number alone.
fn react(instance: &mut Instance, outcome: Outcome, seed: u64, stop: u64) {
    let rng = &mut Rng::new(seed << 8 ^ stop);
    match outcome {
        Outcome::HostCall(_) => instance.set_reg(rng.pick(&Reg::ALL), rng.value()),
        Outcome::OutOfGas if rng.chance(70) && instance.next_pc().is_some() => {
            instance.set_gas(i64::from(rng.below(300)));
        }
        _ => {
            instance.set_gas(i64::from(rng.below(300)));
            instance.set_next_pc(rng.below(instance.program().code().len() + 2));
        }
    }
}

fn random_stops(rng: &mut Rng, code_length: u32) -> Stops {
    let mut stops = Stops::default();
    if rng.chance(40) {
        return stops;
    }
    for _ in 0..rng.below(5) {
        stops.offsets.insert(rng.below(code_length + 1));
    }
    for range in [&mut stops.loads, &mut stops.stores] {
        if rng.chance(50) {
            let address = rng.address();
            range.push(address..address.saturating_add(rng.pick(&[1, 8, 300, 5000])));
        }
    }
    stops
}

/// True if the run should stop before the next instruction; a separate implementation, as the model.
fn is_stop(instance: &Instance, stops: &Stops) -> bool {
    let at_offset = instance.next_pc().is_some_and(|pc| stops.offsets.contains(&pc));
    at_offset
        || instance.next_access().is_some_and(|access| {
            let ranges = if access.write { &stops.stores } else { &stops.loads };
            let length = u64::from(access.length);
            ranges
                .iter()
                .flat_map(Clone::clone)
                .any(|byte| u64::from(byte).wrapping_sub(access.address.into()) < length)
        })
}

#[test]
fn a_run_in_slices_is_the_same_run_and_stops_where_it_has_to() {
    let (mut slices, mut hits, mut executed) = (0, 0, 0);
    for seed in 0..3_000 {
        let rng = &mut Rng::new(seed ^ 0xc07 << 32);
        let isa = rng.pick(&Isa::ALL);
        let bytes = RandomProgram::any(isa, rng).blob();
        let config = random_config(rng);
        let Some(mut counted) = load(&bytes, &config) else { continue };
        if rng.chance(30) {
            counted.set_dispatch(Dispatch::Looped);
        }
        let mut model = load(&bytes, &ProgramConfig { single_step: true, ..config.clone() }).unwrap();
        start(&mut counted, seed, |_| 1);
        start(&mut model, seed, |_| 1);
        let mut arriving = true;
        let mut stops = Stops::default();
        let (mut stop, mut budget) = (0, 600u64);
        while stop < 6 && budget > 0 {
            match rng.below(20) {
                0 => counted.release_translation(),
                1 => {
                    let snapshot = counted.snapshot();
                    counted = load(&bytes, &config).unwrap();
                    counted.restore(&snapshot).unwrap();
                    stops = Stops::default();
                }
                2..6 => {
                    stops = random_stops(rng, model.program().code().len());
                    counted.set_stops(stops.clone());
                }
                _ => {}
            }
            let limit = u64::from(rng.pick(&[1u32, 1, 2, 5, 40, 200])).min(budget);
            let Progress { outcome, executed: done } = counted.run_for(limit);
            assert!(done <= limit, "seed {seed}");
            budget -= limit;
            slices += 1;
            executed += done;
            // The model's first stop is where it arrives.
            let mut seen = Outcome::Step;
            if arriving {
                seen = model.run();
            }
            let arrived_at_stop = arriving && seen == Outcome::Step && is_stop(&model, &stops);
            arriving = false;
            let mut stopped_early = false;
            for count in 0..done {
                assert!(seen == Outcome::Step, "seed {seed}: {seen:?} after {count} of {done}");
                assert!(count == 0 || !is_stop(&model, &stops), "seed {seed}: no stop at {:?}", model.pc());
                seen = model.run();
            }
            if outcome == Outcome::Step {
                assert_eq!(seen, Outcome::Step, "seed {seed}: {done} of {limit}");
                stopped_early = done < limit;
                assert!(!stopped_early || is_stop(&model, &stops), "seed {seed}: a stop for nothing");
            } else if done == 0 && seen != Outcome::Step {
                // The model has this outcome already.
            } else if !matches!(outcome, Outcome::HostCall(_) | Outcome::Finished) {
                assert!(done == 0 || !is_stop(&model, &stops), "seed {seed}: no stop at {:?}", model.pc());
                seen = model.run();
            }
            assert!(!arrived_at_stop || done == 0 || limit == 0, "seed {seed}: no stop on arrival");
            hits += u64::from(stopped_early);
            assert_eq!(outcome, seen, "seed {seed}");
            assert_eq!(view(&counted), view(&model), "seed {seed}, {outcome:?} after {done} of {limit}");
            if outcome != Outcome::Step {
                react(&mut counted, outcome, seed, stop);
                react(&mut model, outcome, seed, stop);
                stop += 1;
                arriving = model.pc().is_none() || model.pc() != model.next_pc();
                arriving &= !matches!(outcome, Outcome::HostCall(_));
                // The model stops at the instruction after a host call, where the other one stands already.
                if matches!(outcome, Outcome::HostCall(_)) {
                    seen = model.run();
                    if seen != Outcome::Step {
                        break;
                    }
                }
                if outcome == Outcome::OutOfGas && !arriving {
                    break;
                }
            }
        }
    }
    println!("{slices} slices, {hits} hits, {executed} instructions");
    assert!(slices > 10_000 && hits > 100 && executed > 50_000, "{slices} {hits} {executed}");
}

/// A loop of `count` rounds, with a block of `length` instructions.
fn long_loop(length: usize, count: u32) -> Vec<u8> {
    let mut code =
        vec![Instruction::ri(Opcode::LoadImm, Reg::A0, count as i32), Instruction::none(Opcode::Fallthrough)];
    code.extend(vec![Instruction::rri(Opcode::AddImm64, Reg::A1, Reg::A1, 1); length - 2]);
    code.push(Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, -1));
    code.push(Instruction::rio(Opcode::BranchNotEqImm, Reg::A0, 0, 2));
    code.push(Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0));
    BlobBuilder::new(Isa::ReviveV1).instructions(code).build().unwrap()
}

#[test]
fn blocks_that_are_translated_in_chunks_are_counted_whole() {
    for length in [2, 100, 255, 256, 257, 700] {
        for metering in [Metering::Sync, Metering::Off] {
            let config = ProgramConfig { metering, ..ProgramConfig::default() };
            let mut instance = load(&long_loop(length, 50), &config).unwrap();
            instance.set_gas(i64::MAX);
            instance.prepare_call(0, &[]);
            let total = 2 + 50 * length as u64 + 1;
            let mut executed = 0;
            let mut limits = [1, 300, 7, 1024].into_iter().cycle();
            loop {
                let limit = limits.next().unwrap();
                let progress = instance.run_for(limit);
                executed += progress.executed;
                if progress.outcome != Outcome::Step {
                    assert_eq!(progress.outcome, Outcome::Finished);
                    break;
                }
                assert_eq!(progress.executed, limit);
                let rounds = executed.saturating_sub(2).min(50 * length as u64);
                let expected =
                    rounds / length as u64 * (length as u64 - 2) + (rounds % length as u64).min(length as u64 - 2);
                assert_eq!(instance.reg(Reg::A1), expected, "length {length}, after {executed}");
            }
            assert_eq!((executed, instance.reg(Reg::A1)), (total, 50 * (length as u64 - 2)));
        }
    }
}
