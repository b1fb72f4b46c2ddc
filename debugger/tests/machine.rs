//! The time machine against a naive model: all states of a run in a list.
//!
//! Random programs run with a host that does random things and are recorded. The record is gone through forwards and
//! backwards, and each state compared with the one of the list; searches are compared with looking through the list.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_debugger::machine::{Conditions, Found, Hit, Live, Machine, ReplayError, Watch};
use pvm_debugger::record::{Event, Limits, Record, Recorder, Rules};
use pvm_test_support::{RandomProgram, Rng};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::gas::{CostModelKind, MemoryLatency, Metering};
use vm_core::interpreter::{Instance, MemoryTouch, Trace, TraceEvent};
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::program::{Program, ProgramConfig};

/// Everything that can be observed at a position: counter, registers, gas, heap, and a hash of data and stack.
type View = (Option<u32>, [u64; 13], i64, u32, u64);

fn memory(program: &Program, read: impl Fn(u32, &mut [u8])) -> u64 {
    let map = program.memory_map();
    let mut memory = Vec::new();
    for (start, end) in [(map.rw_base(), map.rw_end()), (map.stack_low(), map.stack_high())] {
        let begin = memory.len();
        memory.resize(begin + (end - start) as usize, 0);
        read(start, &mut memory[begin..]);
    }
    let mut hasher = DefaultHasher::new();
    memory.hash(&mut hasher);
    hasher.finish()
}

fn view(machine: &Machine) -> View {
    let memory = memory(machine.program(), |address, out| machine.read_memory(address, out).unwrap());
    (machine.pc(), machine.registers(), machine.gas(), machine.heap_size(), memory)
}

fn registers(instance: &Instance) -> [u64; 13] {
    Reg::ALL.map(|reg| instance.reg(reg))
}

/// All accesses and counters of a run, as tracing tells them.
#[derive(Default)]
struct Told {
    executed: Vec<(u32, Option<MemoryTouch>)>,
}

impl Trace for Told {
    fn executed(&mut self, event: &TraceEvent) {
        self.executed.push((event.pc, event.touched));
    }
}

/// Runs a random program with a random host, and records it.
fn record(seed: u64) -> Option<(Vec<u8>, Told, Instance)> {
    let rng = &mut Rng::new(seed ^ 0x71e << 40);
    let isa = rng.pick(&Isa::ALL);
    let bytes = RandomProgram::any(isa, rng).blob();
    let config = ProgramConfig {
        metering: rng.pick(&[Metering::Sync, Metering::Sync, Metering::Async]),
        cost_model: rng.pick(&[CostModelKind::Naive, CostModelKind::Pipeline(MemoryLatency::L2)]),
        ..ProgramConfig::default()
    };
    let program = Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), &config).ok()?);
    let mut instance = Instance::new(program.clone());
    let mut recorder = Recorder::new(Vec::new(), &Rules::from(&config), &bytes).unwrap();
    let mut told = Told::default();
    let start = |instance: &mut Instance, recorder: &mut Recorder<Vec<u8>>, rng: &mut Rng, entry: u32| {
        for reg in Reg::ALL {
            instance.set_reg(reg, rng.value());
        }
        instance.set_gas(i64::from(rng.below(400)));
        instance.set_next_pc(entry);
        recorder.start(entry, registers(instance), instance.gas()).unwrap();
    };
    start(&mut instance, &mut recorder, rng, 0);
    for _ in 0..8 {
        let outcome = instance.run_traced(&mut told);
        recorder.stop(outcome, instance.pc(), registers(&instance), instance.gas()).unwrap();
        for _ in 0..rng.below(4) {
            let (address, length) = (rng.address(), rng.below(20));
            let bytes = rng.bytes(length as usize);
            match rng.below(4) {
                0 if instance.write_memory(address, &bytes).is_ok() => recorder.write(address, &bytes).unwrap(),
                1 if instance.zero_memory(address, length).is_ok() => recorder.zero(address, length).unwrap(),
                2 if instance.sbrk(length).is_some() => recorder.grow(length).unwrap(),
                3 => {
                    let mut out = bytes;
                    if instance.read_memory(address, &mut out).is_ok() {
                        recorder.read(address, &out).unwrap();
                    }
                }
                _ => {}
            }
        }
        match outcome {
            Outcome::HostCall(_) if rng.chance(95) => {
                instance.set_reg(rng.pick(&Reg::ALL), rng.value());
                if rng.chance(30) {
                    instance.set_gas(i64::from(rng.below(500)));
                }
                recorder.resume(registers(&instance), instance.gas()).unwrap();
            }
            Outcome::OutOfGas if instance.next_pc().is_some() && rng.chance(60) => {
                instance.set_gas(i64::from(rng.below(300)));
                recorder.resume(registers(&instance), instance.gas()).unwrap();
            }
            _ if rng.chance(50) => {
                let entry = rng.below(program.code().len() + 2);
                start(&mut instance, &mut recorder, rng, entry);
            }
            _ => return Some((recorder.finish().unwrap(), told, instance)),
        }
    }
    let outcome = instance.run_traced(&mut told);
    recorder.stop(outcome, instance.pc(), registers(&instance), instance.gas()).unwrap();
    Some((recorder.finish().unwrap(), told, instance))
}

/// A machine for a record, with snapshots that are close together, and little memory for them.
fn machine(record: &Record, rng: &mut Rng) -> Machine {
    let mut machine = Machine::replay(record).unwrap();
    machine.set_snapshot_distance(rng.pick(&[1, 3, 16, 100]));
    machine.set_snapshot_memory(rng.pick(&[0, 300_000, 10_000_000]));
    machine
}

/// The states at all positions, from stepping forwards.
fn states(record: &Record) -> (Vec<View>, Outcome) {
    let mut machine = Machine::replay(record).unwrap();
    let mut states = vec![view(&machine)];
    loop {
        let before = machine.position();
        let outcome = machine.step().unwrap();
        if machine.position() > before {
            states.push(view(&machine));
        }
        assert_eq!(states.len() as u64, machine.position() + 1);
        if let Some(outcome) = outcome {
            return (states, outcome);
        }
    }
}

#[test]
fn a_random_walk_ends_in_the_same_state_as_going_there_at_once() {
    let (mut records, mut walked) = (0, 0);
    for seed in 0..700 {
        let Some((bytes, told, live)) = record(seed) else { continue };
        let record = Record::read(bytes.as_slice(), &Limits::default()).unwrap();
        let (states, outcome) = states(&record);
        records += 1;
        // The run is the one that was recorded.
        let last = states.last().unwrap();
        assert_eq!(last.1, registers(&live), "seed {seed}");
        assert_eq!(last.2, live.gas(), "seed {seed}");
        let end = states.len() - 1;
        let pcs: Vec<u32> = states.iter().take(end).map(|state| state.0.unwrap()).collect();
        let told: Vec<u32> = told.executed.iter().map(|(pc, _)| *pc).collect();
        let outcomes = outcomes_of(&record);
        let stops_on_the_way = &outcomes[..outcomes.len() - 1];
        if stops_on_the_way.iter().all(|outcome| matches!(outcome, Outcome::HostCall(_) | Outcome::Finished)) {
            // What ended the run may be a step and not told of, or the other way round.
            let common = pcs.len().min(told.len());
            assert!(pcs.len().abs_diff(told.len()) <= 1, "seed {seed}: {pcs:?} {told:?}");
            assert_eq!(pcs[..common], told[..common], "seed {seed}");
        }

        let rng = &mut Rng::new(!seed);
        let mut walker = machine(&record, rng);
        for _ in 0..60 {
            match rng.below(5) {
                0 | 1 => {
                    walker.step().unwrap();
                }
                2 | 3 => {
                    walker.reverse_step().unwrap();
                }
                _ => walker.seek(u64::from(rng.below(end as u32 + 3))).unwrap(),
            }
            let position = walker.position() as usize;
            assert_eq!(&view(&walker), &states[position], "seed {seed}, position {position}");
            walked += 1;
        }
        let end = walker.seek_end().unwrap();
        assert_eq!((end.position as usize, end.outcome), (states.len() - 1, outcome), "seed {seed}");
        assert_eq!(&view(&walker), last, "seed {seed}");
        walker.seek(0).unwrap();
        assert_eq!(view(&walker), states[0], "seed {seed}");
        assert!(!walker.reverse_step().unwrap());
    }
    assert!(records > 500 && walked > 30_000, "{records} {walked}");
}

fn outcomes_of(record: &Record) -> Vec<Outcome> {
    let stops = record.events.iter().filter_map(|event| match event {
        Event::Stop { reason, .. } => Some(reason.outcome()),
        _ => None,
    });
    stops.collect()
}

/// Model of a run: the state at each position, from single steps.
struct Model {
    pcs: Vec<Option<u32>>,
    gas: Vec<i64>,
    /// Accesses of the instruction at each position, and of the host after it.
    accesses: Vec<Vec<MemoryTouch>>,
    imports: Vec<Option<u32>>,
    /// Whether the last instruction was reached but not executed.
    ends_before_it: bool,
}

impl Model {
    fn new(record: &Record) -> Model {
        let mut model = Model { pcs: vec![], gas: vec![], accesses: vec![], imports: vec![], ends_before_it: false };
        let mut machine = Machine::replay(record).unwrap();
        let program = machine.program().clone();
        // The host's accesses by the number of the stop.
        let mut host = vec![Vec::new()];
        for event in &record.events {
            let touch = match event {
                Event::Stop { .. } => {
                    host.push(Vec::new());
                    continue;
                }
                Event::Read { address, length, .. } => Some((*address, *length, false)),
                Event::Write { address, data } => Some((*address, data.len() as u32, true)),
                Event::Zero { address, length } => Some((*address, *length, true)),
                _ => None,
            };
            host.last_mut().unwrap().extend(touch.map(|(address, length, write)| MemoryTouch {
                address,
                length,
                write,
            }));
        }
        let mut stops = 0;
        loop {
            let pc = machine.pc();
            let instruction = pc.and_then(|pc| program.code().decode(pc)).and_then(|decoded| decoded.instruction);
            let before = machine.registers();
            let access = instruction.and_then(|instruction| access(&instruction, &before));
            let is_call = instruction.is_some_and(|instruction| instruction.opcode == Opcode::Ecalli);
            model.pcs.push(pc);
            model.gas.push(machine.gas());
            model.imports.push(instruction.filter(|_| is_call).map(|instruction| instruction.imm as u32));
            let position = machine.position();
            let used = machine.inputs_used();
            let outcome = machine.step().unwrap();
            if machine.position() == position {
                model.accesses.push(vec![]);
                model.ends_before_it = true;
                break;
            }
            let mut accesses: Vec<MemoryTouch> = access.into_iter().collect();
            if machine.inputs_used() > used {
                stops += 1;
                // What the host did after the last stop is no part of the run.
                if outcome.is_none() {
                    accesses.extend_from_slice(&host[stops]);
                }
            }
            model.accesses.push(accesses);
            if outcome.is_some() {
                model.pcs.push(machine.pc());
                model.gas.push(machine.gas());
                model.accesses.push(vec![]);
                model.imports.push(None);
                break;
            }
        }
        model
    }

    fn end(&self) -> usize {
        self.pcs.len() - 1
    }

    /// Something that is noticed on arriving at a position.
    fn arrives(&self, position: usize, conditions: &Conditions) -> bool {
        (position < self.end() || self.ends_before_it)
            && (self.pcs[position].is_some_and(|pc| conditions.breakpoints.contains(&pc))
                || self.imports[position].is_some_and(|import| conditions.host_calls.contains(&import)))
    }

    /// Something that the instruction at a position, or the host after it, does.
    fn happens(&self, position: usize, conditions: &Conditions) -> bool {
        position < self.end()
            && (self.accesses[position].iter().any(|access| {
                conditions.watches.iter().any(|watch| {
                    let kind = if access.write { watch.stores } else { watch.loads };
                    let bytes = u64::from(watch.address)..u64::from(watch.address) + u64::from(watch.length);
                    kind && bytes.into_iter().any(|byte| {
                        byte >= access.address.into() && byte < u64::from(access.address) + u64::from(access.length)
                    })
                })
            }) || conditions
                .gas_below
                .is_some_and(|below| self.gas[position] >= below && self.gas[position + 1] < below))
    }

    fn forward(&self, from: usize, conditions: &Conditions) -> Option<usize> {
        (from..self.end())
            .find(|position| self.happens(*position, conditions) || self.arrives(*position + 1, conditions))
            .map(|position| position + 1)
    }

    fn backward(&self, from: usize, conditions: &Conditions) -> Option<usize> {
        (0..from).rev().find(|position| self.happens(*position, conditions) || self.arrives(*position, conditions))
    }
}

/// The access of an instruction, written anew.
fn access(instruction: &Instruction, registers: &[u64; 13]) -> Option<MemoryTouch> {
    let name = instruction.opcode.spec().mnemonic;
    let register = |reg: Reg| registers[reg as usize] as u32;
    if instruction.opcode == Opcode::Memset {
        return Some(MemoryTouch { address: register(Reg::A0), length: register(Reg::A2), write: true });
    }
    let write = name.starts_with("store_");
    if !write && !name.starts_with("load_") || name.starts_with("load_imm") {
        return None;
    }
    let bits: u32 = name.trim_start_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap();
    let base = match name {
        name if name.starts_with("store_imm_indirect") => register(instruction.r1),
        name if name.contains("indirect") => register(instruction.r2),
        _ => 0,
    };
    Some(MemoryTouch { address: base.wrapping_add(instruction.imm as u32), length: bits / 8, write })
}

fn random_conditions(rng: &mut Rng, model: &Model) -> Conditions {
    let mut conditions = Conditions::default();
    let somewhere = |rng: &mut Rng| rng.below(model.pcs.len() as u32) as usize;
    if rng.chance(50) {
        conditions.breakpoints.extend(model.pcs[somewhere(rng)]);
        conditions.breakpoints.insert(rng.below(200));
    }
    if rng.chance(30) {
        conditions.host_calls.insert(rng.below(6));
    }
    for _ in 0..rng.below(3) {
        let position = somewhere(rng);
        let address = match model.accesses[position].first() {
            Some(access) => access.address.saturating_add(rng.below(access.length.max(1))),
            None => rng.address(),
        };
        // The end of the address space is nobody's.
        let address = address.min(0xffff_0000);
        let (loads, stores) = rng.pick(&[(true, false), (false, true), (true, true)]);
        conditions.watches.insert(Watch { address, length: rng.pick(&[1, 4, 100]), loads, stores });
    }
    if rng.chance(30) {
        conditions.gas_below = Some(model.gas[somewhere(rng)] + i64::from(rng.below(2)));
    }
    conditions
}

#[test]
fn searches_find_what_looking_through_the_whole_run_finds() {
    let (mut forward, mut backward) = (0, 0);
    for seed in 0..500 {
        let Some((bytes, ..)) = record(seed) else { continue };
        let record = Record::read(bytes.as_slice(), &Limits::default()).unwrap();
        let model = Model::new(&record);
        let rng = &mut Rng::new(!seed);
        let mut walker = machine(&record, rng);
        for round in 0..12 {
            let conditions = random_conditions(rng, &model);
            walker.seek(u64::from(rng.below(model.end() as u32 + 1))).unwrap();
            let from = walker.position() as usize;
            let limit = rng.pick(&[u64::MAX, u64::MAX, 7]);
            let about = format!("seed {seed}, round {round}, from {from}, {conditions:?}");
            match rng.chance(50) {
                true => {
                    let mut found = Found::Limit;
                    while found == Found::Limit {
                        found = walker.run_forward(&conditions, limit).unwrap();
                    }
                    let expected = model.forward(from, &conditions);
                    assert_eq!(walker.position() as usize, expected.unwrap_or(model.end()), "{about}: {found:?}");
                    assert_eq!(matches!(found, Found::Hit(_)), expected.is_some(), "{about}: {found:?}");
                    forward += usize::from(expected.is_some());
                }
                false => {
                    let mut found = Found::Limit;
                    while found == Found::Limit {
                        found = walker.run_backward(&conditions, limit).unwrap();
                    }
                    let expected = model.backward(from, &conditions);
                    assert_eq!(walker.position() as usize, expected.unwrap_or(0), "{about}: {found:?}");
                    assert_eq!(matches!(found, Found::Hit(_)), expected.is_some(), "{about}: {found:?}");
                    backward += usize::from(expected.is_some());
                }
            }
        }
    }
    println!("{forward} {backward}");
    assert!(forward > 300 && backward > 300, "{forward} {backward}");
}

/// Counts A0 down to zero, and stores it each time.
fn countdown() -> Arc<Program> {
    let code = vec![
        Instruction::none(Opcode::Fallthrough),
        Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, -1),
        Instruction::ri(Opcode::StoreU64, Reg::A0, 0x2_0000),
        Instruction::rio(Opcode::BranchNotEqImm, Reg::A0, 0, 1),
        Instruction::i(Opcode::Ecalli, 0),
        Instruction::none(Opcode::Trap),
    ];
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    let bytes = builder.rw_data(8, &[]).stack_size(4096).import(b"log").instructions(code).build().unwrap();
    Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), &ProgramConfig::default()).unwrap())
}

#[test]
fn a_long_run_is_searched_backwards_within_its_memory() {
    let live = Live { entry: 0, arguments: vec![1_000_000], gas: i64::MAX, answers: [(0, 5)].into() };
    let mut machine = Machine::live(countdown(), live.clone()).unwrap();
    machine.set_snapshot_memory(1 << 20);
    let end = machine.seek_end().unwrap();
    assert_eq!((end.position, end.outcome), (1 + 3_000_000 + 1, Outcome::Trap));
    assert!(machine.snapshot_memory() <= 1 << 20);
    assert_eq!(machine.reg(Reg::A0), 5);
    let watch = Watch { address: 0x2_0000, length: 8, loads: false, stores: true };
    let conditions = Conditions { watches: [watch].into(), ..Conditions::default() };
    for back in 1..4 {
        let found = machine.run_backward(&conditions, u64::MAX).unwrap();
        let access = MemoryTouch { address: 0x2_0000, length: 8, write: true };
        assert_eq!(found, Found::Hit(Hit::Watch { access, watched: 0x2_0000 }));
        assert_eq!(machine.position(), 3_000_002 - 3 * back);
        assert_eq!(machine.reg(Reg::A0), back - 1);
    }
    // Nobody answers.
    let mut machine = Machine::live(countdown(), Live { answers: [].into(), ..live }).unwrap();
    let end = machine.seek_end().unwrap();
    assert_eq!((end.position, end.outcome), (3_000_002, Outcome::HostCall(0)), "the block was charged");
    assert_eq!(machine.step().unwrap(), Some(Outcome::HostCall(0)));
    let pc = machine.pc();
    machine.reverse_step().unwrap();
    machine.step().unwrap();
    assert_eq!(machine.pc(), pc);
}

#[test]
fn a_run_that_returned_to_its_host_is_gone_back_into() {
    let code = vec![
        Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, 1),
        Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, 1),
        Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
    ];
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    let bytes = builder.stack_size(4096).instructions(code).build().unwrap();
    let program = Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), &ProgramConfig::default()).unwrap());
    let mut machine = Machine::live(program, Live { gas: 100, ..Live::default() }).unwrap();
    let mut states = vec![view(&machine)];
    while machine.step().unwrap().is_none() {
        states.push(view(&machine));
    }
    states.push(view(&machine));
    let end = machine.seek_end().unwrap();
    assert_eq!((end.position, end.outcome), (3, Outcome::Finished));
    assert_eq!(machine.pc(), None);
    for position in (0..3).rev() {
        assert!(machine.reverse_step().unwrap());
        assert_eq!((machine.position(), machine.outcome()), (position, None));
        assert_eq!(view(&machine), states[position as usize]);
    }
    for position in [3, 2, 3, 1] {
        machine.seek(position).unwrap();
        assert_eq!(view(&machine), states[position as usize]);
    }
}

#[test]
fn a_run_that_does_not_follow_its_record_is_refused() {
    let (bytes, _, _) = (0..).find_map(|seed| record(seed).filter(|(_, told, _)| told.executed.len() > 10)).unwrap();
    let record = Record::read(bytes.as_slice(), &Limits::default()).unwrap();
    let stop = record.events.iter().position(|event| matches!(event, Event::Stop { .. })).unwrap();
    let mut other = record.clone();
    if let Event::Stop { gas, .. } = &mut other.events[stop] {
        *gas += 1;
    }
    let error = Machine::replay(&other).unwrap().seek_end().unwrap_err();
    assert!(matches!(error, ReplayError::Diverged { event, .. } if event == stop), "{error}");
    let empty = Record { events: vec![], ..record };
    assert!(matches!(Machine::replay(&empty), Err(ReplayError::Empty)));
}
