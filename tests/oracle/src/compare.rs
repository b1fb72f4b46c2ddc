//! Runs one program on several engines side by side and compares them at every stop.
//!
//! The embedder's actions between stops are drawn from the scenario's seed and from observations, so that all machines
//! are treated alike. The others are compared with the first engine.

use crate::interface::{Config, Engine, EngineInstance, Metering, Observation, Outcome, REGISTERS, Situation};
use pvm_test_support::Rng;
use std::fmt::Write as _;

/// A program, the parameters of its run, and the seed of random actions.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Seed of all the embedder's actions.
    pub seed: u64,
    /// The program.
    pub blob: Vec<u8>,
    /// Its configuration.
    pub config: Config,
    /// Length of its code, in bytes.
    pub code_length: u32,
    /// Its entry point.
    pub entry: u32,
    /// Gas at the start.
    pub gas: i64,
}

/// Counts of comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Programs that ran.
    pub programs: u64,
    /// Programs that all engines refused.
    pub refused: u64,
    /// Number of stops compared, each between two engines.
    pub stops: u64,
    /// Instructions executed by the engines that count them.
    pub instructions: u64,
    /// Programs that ran on an engine beside the first one, by the engine's index in the list.
    pub on: [u64; 8],
}

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: &Tally) {
        self.programs += other.programs;
        self.refused += other.refused;
        self.stops += other.stops;
        self.instructions += other.instructions;
        for (sum, more) in self.on.iter_mut().zip(other.on) {
            *sum += more;
        }
    }
}

/// A difference between two engines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference(String);

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Difference {}

/// A machine with its engine's index in the list.
struct Runner {
    place: usize,
    name: String,
    machine: Box<dyn EngineInstance>,
}

struct Runners<'a> {
    scenario: &'a Scenario,
    all: Vec<Runner>,
}

impl Runners<'_> {
    /// Performs an operation on all machines; the results must be equal.
    fn each<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        mut action: impl FnMut(&mut dyn EngineInstance) -> T,
    ) -> Result<T, Difference> {
        let expected = action(&mut *self.all[0].machine);
        for index in 1..self.all.len() {
            let found = action(&mut *self.all[index].machine);
            if found != expected {
                let text = format!("{expected:?} or {found:?}");
                return Err(self.difference(index, what, &text));
            }
        }
        Ok(expected)
    }

    fn difference(&self, index: usize, what: &str, text: &str) -> Difference {
        let Scenario { seed, config, .. } = self.scenario;
        let (first, other) = (&self.all[0].name, &self.all[index].name);
        Difference(format!("seed {seed}, {config:?}\n{what}: {first} and {other} differ:\n{text}"))
    }

    /// Excludes the machines with a known difference in this situation.
    fn leave_out(&mut self, situation: Situation) {
        let mut index = 0;
        self.all.retain(|runner| {
            index += 1;
            index == 1 || !runner.machine.differs_in(situation)
        });
    }

    /// Continues to the next stop and compares everything.
    fn run(&mut self, tally: &mut Tally) -> Result<Observation, Difference> {
        let mut observed: Vec<Observation> = Vec::with_capacity(self.all.len());
        for runner in &mut self.all {
            let outcome = runner.machine.run();
            observed.push(runner.machine.observe(outcome));
        }
        let mut late = Vec::new();
        for (index, other) in observed.iter().enumerate().skip(1) {
            let alike = if self.all[index].machine.notices_late() && ended_short(&observed[0]) {
                late.push(self.all[index].place);
                ended_short(other)
            } else {
                *other == observed[0]
            };
            if !alike {
                return Err(self.difference(index, "at a stop", &explain(&observed[0], other)));
            }
            tally.stops += 1;
        }
        self.all.retain(|runner| !late.contains(&runner.place));
        Ok(observed.swap_remove(0))
    }
}

/// True if an asynchronous run ended because it cannot pay.
fn ended_short(seen: &Observation) -> bool {
    seen.outcome == Outcome::OutOfGas && seen.pc.is_none() && seen.next_pc.is_none() && seen.gas <= 0
}

/// Lists the parts that differ, one per line.
fn explain(first: &Observation, other: &Observation) -> String {
    let mut text = format!("outcome {:?} or {:?}\n", first.outcome, other.outcome);
    let mut line = |name: &str, first: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| {
        let (first, other) = (format!("{first:x?}"), format!("{other:x?}"));
        if first != other {
            _ = writeln!(text, "{name} {first} or {other}");
        }
    };
    line("pc", &first.pc, &other.pc);
    line("next pc", &first.next_pc, &other.next_pc);
    line("gas", &first.gas, &other.gas);
    for (name, (first, other)) in REGISTERS.iter().zip(first.registers.iter().zip(other.registers)) {
        line(name, first, &other);
    }
    line("heap size", &first.heap_size, &other.heap_size);
    line("regions", &first.regions, &other.regions);
    line("memory hash", &first.memory, &other.memory);
    text
}

/// Runs a scenario on the engines with these indexes, and compares.
///
/// # Errors
/// The first difference.
pub fn compare(engines: &[Box<dyn Engine>], places: &[usize], scenario: &Scenario) -> Result<Tally, Difference> {
    let mut tally = Tally::default();
    let mut runners = Runners { scenario, all: Vec::new() };
    let mut refused: Vec<(usize, String)> = Vec::new();
    for place in places {
        let engine = &engines[*place];
        if engine.follows(&scenario.blob, &scenario.config).is_err() {
            continue;
        }
        match engine.load(&scenario.blob, &scenario.config) {
            Ok(machine) => runners.all.push(Runner { place: *place, name: engine.name(), machine }),
            Err(error) => refused.push((*place, error)),
        }
    }
    if let (Some((place, error)), Some(runner)) = (refused.first(), runners.all.first()) {
        let (refuses, accepts) = (engines[*place].name(), &runner.name);
        return Err(Difference(format!("seed {}: {refuses} refuses ({error}) what {accepts} accepts", scenario.seed)));
    }
    if runners.all.len() < 2 {
        tally.refused = u64::from(refused.len() > 1);
        return Ok(tally);
    }
    tally.programs = 1;
    for runner in &runners.all {
        tally.on[runner.place] = 1;
    }

    let rng = &mut Rng::new(scenario.seed ^ 0x5ce4_a210);
    // Costs of blocks at a few offsets, whether or not control reaches them.
    for index in 0..4 {
        let offset = if index == 0 { scenario.entry } else { rng.below(scenario.code_length + 3) };
        runners.each(&format!("cost of the block at {offset}"), |machine| machine.block_cost(offset))?;
    }
    for number in 0..13 {
        let value = rng.value();
        runners.each("a register", |machine| {
            machine.set_register(number, value);
            machine.register(number)
        })?;
    }
    for _ in 0..rng.below(3) {
        let (address, length) = (rng.address(), rng.below(300));
        let bytes = rng.bytes(length as usize);
        runners.each(&format!("writing {length} bytes at {address:#x}"), |machine| machine.write(address, &bytes))?;
    }
    let mut heap_room = true;
    enter(&mut runners, scenario.entry, scenario.gas)?;
    for _ in 0..if scenario.config.single_step { 60 } else { 8 } {
        let seen = runners.run(&mut tally)?;
        heap_room &= seen.heap_size < 1 << 20;
        if rng.chance(5) && heap_room {
            let end = runners.each("the end of the heap", |machine| machine.sbrk(0))?.unwrap_or(0);
            // Sometimes to the limit of the heap, plus or minus a byte.
            let size = match rng.below(10) {
                0 => (rng.pick(&[0xfffd_0000u32, 0xfffc_0000, 0xfffb_0000]) + rng.below(3)).wrapping_sub(end + 1),
                _ => rng.below(0x4000),
            };
            runners.each("sbrk", |machine| machine.sbrk(size))?;
        }
        if rng.chance(10) {
            probe(&mut runners, &seen, rng)?;
        }
        between(&mut runners, &seen, rng)?;
        // The heap has grown by gigabytes: some engines would fill them with zeros at every store from here on.
        if runners.all.len() < 2 || runners.all[0].machine.heap_size() > 1 << 24 {
            break;
        }
    }
    tally.instructions = runners.all.iter().filter_map(|runner| runner.machine.executed()).sum();
    Ok(tally)
}

fn enter(runners: &mut Runners<'_>, offset: u32, gas: i64) -> Result<(), Difference> {
    if offset == runners.scenario.code_length {
        runners.leave_out(Situation::EntryAtTheEnd);
    }
    if offset != runners.scenario.entry {
        runners.leave_out(Situation::EntryElsewhere);
    }
    runners.each("setting the next pc", |machine| {
        machine.set_gas(gas);
        machine.set_next_pc(offset);
        (machine.gas(), machine.pc(), machine.next_pc())
    })?;
    Ok(())
}

/// Checks at the boundaries of all regions whether memory is accessible.
fn probe(runners: &mut Runners<'_>, seen: &Observation, rng: &mut Rng) -> Result<(), Difference> {
    for (from, to) in &seen.regions {
        for border in [*from, *to] {
            let address = border.wrapping_sub(rng.below(4));
            let length = 1 + rng.below(4);
            runners.each(&format!("reading {length} bytes at {address:#x}"), |machine| {
                let mut bytes = vec![0; length as usize];
                machine.read(address, &mut bytes).then_some(bytes)
            })?;
            let bytes = rng.bytes(length as usize);
            runners
                .each(&format!("writing {length} bytes at {address:#x}"), |machine| machine.write(address, &bytes))?;
        }
    }
    Ok(())
}

/// Random actions of the embedder at a stop.
fn between(runners: &mut Runners<'_>, seen: &Observation, rng: &mut Rng) -> Result<(), Difference> {
    let scenario = runners.scenario;
    match seen.outcome {
        Outcome::HostCall(_) => {
            let (number, value) = (rng.below(13) as usize, rng.value());
            let (address, length) = (rng.address(), rng.below(20));
            let bytes = rng.bytes(length as usize);
            let gas = if rng.chance(10) { i64::from(rng.below(300)) - 20 } else { seen.gas };
            runners.each("a host call", |machine| {
                machine.set_register(number, value);
                machine.set_gas(gas);
                machine.write(address, &bytes)
            })?;
            if rng.chance(90) {
                return Ok(());
            }
        }
        Outcome::Step if rng.chance(95) => return Ok(()),
        Outcome::OutOfGas if scenario.config.metering == Metering::Sync && rng.chance(70) => {
            let gas = i64::from(rng.below(300));
            runners.each("more gas", |machine| machine.set_gas(gas))?;
            return Ok(());
        }
        Outcome::Finished | Outcome::Trap | Outcome::OutOfGas if rng.chance(5) => {
            if seen.next_pc.is_none() {
                runners.leave_out(Situation::NoNextPc);
            }
            return Ok(());
        }
        _ => {}
    }
    let offset = if rng.chance(50) { scenario.entry } else { rng.below(scenario.code_length + 2) };
    enter(runners, offset, i64::from(rng.below(400)))
}
