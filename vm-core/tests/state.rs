//! Tests of snapshots and traced runs: both must not affect the program.
//!
//! Random programs run beside themselves: plainly, traced, in single steps, and again from snapshots. The seed is
//! fixed.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_test_support::{RandomProgram, Rng, load, start};
use vm_core::Outcome;
use vm_core::blob::BlobBuilder;
use vm_core::gas::{CostModelKind, MemoryLatency, Metering};
use vm_core::interpreter::{Instance, MemoryTouch, SnapshotError, Trace, TraceEvent};
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::program::ProgramConfig;

fn registers(instance: &Instance) -> [u64; 13] {
    Reg::ALL.map(|reg| instance.reg(reg))
}

/// All memory that the program can have changed, at most 32 KiB of heap, as ranges.
fn memory(instance: &Instance) -> Vec<(u32, Vec<u8>)> {
    let map = *instance.program().memory_map();
    let heap_end = map.rw_end_with_heap(instance.heap_size()).min(map.rw_end() + 0x8000);
    [(map.rw_base(), heap_end), (map.stack_low(), map.stack_high())]
        .into_iter()
        .map(|(start, end)| {
            let mut bytes = vec![0; (end - start) as usize];
            instance.read_memory(start, &mut bytes).unwrap();
            (start, bytes)
        })
        .collect()
}

type View = (Outcome, Option<u32>, Option<u32>, i64, [u64; 13], u32, Vec<(u32, Vec<u8>)>);

/// All observable state.
fn view(outcome: Outcome, instance: &Instance) -> View {
    (
        outcome,
        instance.pc(),
        instance.next_pc(),
        instance.gas(),
        registers(instance),
        instance.heap_size(),
        memory(instance),
    )
}

fn random_blob(rng: &mut Rng) -> Vec<u8> {
    let isa = rng.pick(&Isa::ALL);
    RandomProgram::any(isa, rng).blob()
}

fn random_config(rng: &mut Rng) -> ProgramConfig {
    ProgramConfig {
        metering: rng.pick(&[Metering::Sync, Metering::Sync, Metering::Async, Metering::Sync]),
        cost_model: rng.pick(&[
            CostModelKind::Naive,
            CostModelKind::Pipeline(MemoryLatency::L2),
            CostModelKind::CalibratedV1,
        ]),
        translation_cache: rng.pick(&[1 << 20, 300]),
        ..ProgramConfig::default()
    }
}

/// About what an instruction costs.
fn unit(instance: &Instance) -> i64 {
    if instance.program().config().cost_model == CostModelKind::CalibratedV1 { 60 } else { 1 }
}

/// An embedder's action after a stop; depends on `seed` and the stop's number alone.
fn react(instance: &mut Instance, outcome: Outcome, seed: u64, stop: u64) {
    let rng = &mut Rng::new(seed << 8 ^ stop);
    match outcome {
        Outcome::HostCall(_) => instance.set_reg(rng.pick(&Reg::ALL), rng.value()),
        Outcome::Step => {}
        Outcome::OutOfGas if rng.chance(70) && instance.next_pc().is_some() => {
            instance.set_gas(i64::from(rng.below(300)) * unit(instance));
        }
        _ => {
            instance.set_gas(i64::from(rng.below(300)) * unit(instance));
            instance.set_next_pc(rng.below(instance.program().code().len() + 2));
        }
    }
}

#[derive(Default)]
struct Recorder {
    events: Vec<TraceEvent>,
}

impl Trace for Recorder {
    fn executed(&mut self, event: &TraceEvent) {
        self.events.push(*event);
    }
}

#[test]
fn a_traced_run_is_the_same_run_and_the_trace_accounts_for_every_change() {
    let (mut events, mut writes) = (0, 0);
    for seed in 0..4_000 {
        let rng = &mut Rng::new(seed ^ 0x7ace << 32);
        let bytes = random_blob(rng);
        let config = random_config(rng);
        let Some(mut plain) = load(&bytes, &config) else { continue };
        let mut traced = load(&bytes, &config).unwrap();
        let mut stepping = load(&bytes, &ProgramConfig { single_step: true, ..config }).unwrap();
        for instance in [&mut plain, &mut traced, &mut stepping] {
            start(instance, seed, unit);
        }
        let code = plain.program().code();
        let has_memset =
            code.instructions().any(|decoded| decoded.instruction.is_some_and(|i| i.opcode == Opcode::Memset));
        for stop in 0..6 {
            let before = (registers(&traced), memory(&traced));
            let mut recorder = Recorder::default();
            let outcome = plain.run();
            // Tracing can be switched on and off at every stop.
            match rng.chance(80) {
                true => {
                    let seen = traced.run_traced(&mut recorder);
                    assert_eq!(view(outcome, &plain), view(seen, &traced), "seed {seed}, stop {stop}");
                    check_trace(&before, &traced, &recorder.events, seed);
                }
                false => {
                    let seen = traced.run();
                    assert_eq!(view(outcome, &plain), view(seen, &traced), "seed {seed}, stop {stop}");
                }
            }
            events += recorder.events.len();
            writes += recorder.events.iter().filter(|event| event.touched.is_some_and(|touch| touch.write)).count();

            // The instructions are those that single steps stop at.
            let resumed_at = (stepping.pc() == stepping.next_pc()).then(|| stepping.pc()).flatten();
            let mut pcs: Vec<u32> = resumed_at.into_iter().collect();
            let mut seen = stepping.run();
            while seen == Outcome::Step {
                pcs.push(stepping.pc().unwrap());
                seen = stepping.run();
            }
            assert_eq!(view(outcome, &plain), view(seen, &stepping), "seed {seed}, stop {stop}");
            if !recorder.events.is_empty() && outcome != Outcome::OutOfGas && !has_memset {
                let traced: Vec<u32> = recorder.events.iter().map(|event| event.pc).collect();
                assert!(pcs.ends_with(&traced) && pcs.len() <= traced.len() + 1, "seed {seed}: {pcs:?} {traced:?}");
            }
            for instance in [&mut plain, &mut traced, &mut stepping] {
                react(instance, outcome, seed, stop);
            }
        }
    }
    println!("{events} instructions traced, {writes} of them wrote memory");
    assert!(events > 60_000 && writes > 2_000, "{events} {writes}");
}

/// Every register and byte that changed was written by some event, and registers were left as the last event says.
fn check_trace(before: &([u64; 13], Vec<(u32, Vec<u8>)>), instance: &Instance, events: &[TraceEvent], seed: u64) {
    let mut expected = before.0;
    for (reg, value) in events.iter().flat_map(|event| event.written.into_iter().flatten()) {
        expected[reg as usize] = value;
    }
    assert_eq!(expected, registers(instance), "seed {seed}");
    let writes: Vec<MemoryTouch> =
        events.iter().filter_map(|event| event.touched).filter(|touch| touch.write).collect();
    for ((start, old), (_, new)) in before.1.iter().zip(memory(instance)) {
        for (index, (old, new)) in old.iter().zip(&new).enumerate().filter(|(_, (old, new))| old != new) {
            let address = start + index as u32;
            let told = writes.iter().any(|touch| address.wrapping_sub(touch.address) < touch.length);
            assert!(told, "seed {seed}: the byte at {address:#x} became {new} from {old}");
        }
    }
}

#[test]
fn a_trace_shows_instructions_with_what_they_wrote_and_touched() {
    let bytes = BlobBuilder::new(Isa::Latest32)
        .rw_data(0x1000, &[0x85])
        .instructions(vec![
            Instruction::ri(Opcode::LoadI8, Reg::A3, 0x2_0000),
            Instruction::rii(Opcode::StoreImmIndirectU16, Reg::S0, 0x10, -1),
            Instruction::none(Opcode::Unlikely),
            Instruction::none(Opcode::Memset),
            Instruction::rii(Opcode::StoreImmIndirectU32, Reg::S0, 0x1000, 0),
        ])
        .build()
        .unwrap();
    let mut instance = load(&bytes, &ProgramConfig::default()).unwrap();
    for (reg, value) in [(Reg::S0, 0x2_0000), (Reg::A0, 0x2_0100), (Reg::A1, 7), (Reg::A2, 5)] {
        instance.set_reg(reg, value);
    }
    instance.set_gas(6 + 3);
    instance.set_next_pc(0);
    let mut recorder = Recorder::default();
    assert_eq!(instance.run_traced(&mut recorder), Outcome::OutOfGas, "three of the five bytes are paid");
    instance.set_gas(100);
    assert_eq!(instance.run_traced(&mut recorder), Outcome::Trap);
    assert_eq!(instance.gas(), 98);
    let seen: Vec<_> = recorder
        .events
        .iter()
        .map(|event| (event.instruction.unwrap().opcode.spec().mnemonic, event.written, event.touched))
        .collect();
    let touch = |address, length, write| Some(MemoryTouch { address, length, write });
    let memset = |to, count| [Some((Reg::A0, to)), Some((Reg::A2, count))];
    assert_eq!(
        seen,
        [
            ("load_i8", [Some((Reg::A3, 0xffff_ff85)), None], touch(0x2_0000, 1, false)),
            ("store_imm_indirect_u16", [None; 2], touch(0x2_0010, 2, true)),
            ("unlikely", [None; 2], None),
            ("memset", memset(0x2_0103, 2), touch(0x2_0100, 3, true)),
            ("memset", memset(0x2_0105, 0), touch(0x2_0103, 2, true)),
            ("store_imm_indirect_u32", [None; 2], touch(0x2_1000, 4, true)),
        ]
    );
}

#[test]
fn a_restored_machine_runs_as_the_first_time() {
    let mut stops = 0;
    for seed in 0..4_000 {
        let rng = &mut Rng::new(seed ^ 0x54a9 << 32);
        let bytes = random_blob(rng);
        let config = ProgramConfig { single_step: rng.chance(30), ..random_config(rng) };
        let Some(mut first) = load(&bytes, &config) else { continue };
        start(&mut first, seed, unit);
        let taken_at = rng.below(4);
        for stop in 0..u64::from(taken_at) {
            let outcome = first.run();
            react(&mut first, outcome, seed, stop);
        }
        if rng.chance(50) {
            // In the middle of things, before the embedder reacts.
            let _ = first.run();
        }
        let snapshot = first.snapshot();
        let mut record = |instance: &mut Instance| -> Vec<View> {
            let taken = view(Outcome::Step, instance);
            let mut views = vec![taken];
            for stop in 100..106 {
                let outcome = instance.run();
                views.push(view(outcome, instance));
                react(instance, outcome, seed, stop);
                stops += 1;
            }
            views
        };
        let expected = record(&mut first);

        first.restore(&snapshot).unwrap();
        assert!(record(&mut first) == expected, "seed {seed}: the same machine");
        first.reset_memory();
        first.restore(&snapshot).unwrap();
        assert!(record(&mut first) == expected, "seed {seed}: the same snapshot once more");
        let other_cache = ProgramConfig { translation_cache: 1000, ..config };
        let mut second = load(&bytes, &other_cache).unwrap();
        second.restore(&snapshot).unwrap();
        assert!(record(&mut second) == expected, "seed {seed}: a program that was loaded again");
    }
    assert!(stops > 60_000, "{stops}");
}

#[test]
fn a_snapshot_of_another_program_is_refused_and_changes_nothing() {
    let blob = |value| {
        let code = vec![Instruction::ri(Opcode::LoadImm, Reg::A0, value), Instruction::none(Opcode::Trap)];
        BlobBuilder::new(Isa::ReviveV1).rw_data(16, &[]).instructions(code).build().unwrap()
    };
    let config = ProgramConfig::default();
    let mut instance = load(&blob(1), &config).unwrap();
    start(&mut instance, 1, unit);
    let before = view(Outcome::Step, &instance);
    let others = [
        load(&blob(2), &config).unwrap(),
        load(&blob(1), &ProgramConfig { single_step: true, ..config.clone() }).unwrap(),
        load(&blob(1), &ProgramConfig { page_size: 0x4000, ..config.clone() }).unwrap(),
        load(&blob(1), &ProgramConfig { metering: Metering::Async, ..config.clone() }).unwrap(),
        load(&blob(1), &ProgramConfig { cost_model: CostModelKind::Pipeline(MemoryLatency::L1), ..config }).unwrap(),
    ];
    for other in others {
        assert_eq!(instance.restore(&other.snapshot()), Err(SnapshotError::OtherProgram));
        assert!(view(Outcome::Step, &instance) == before);
    }
}
