//! Random sequences of embedder operations: programs are loaded, instantiated, run, reset, dropped in any state, their
//! snapshots taken and restored, and processes are killed without the engine's knowledge. The compiler has to behave
//! like the interpreter.
//!
//! After a kill a compiled machine may be lost, with a typed error, but only then; its program continues in another one.

use crate::generate::scenario;
use crate::pair::{Backends, Failure, Pair, PairModule, PairSnapshot};
use pvm_engine::{Error, Outcome, Reg, SandboxError};
use pvm_test_support::Rng;
use std::process::Command;

/// Maximum numbers of objects that live at the same time.
const MODULES: usize = 3;
const PAIRS: usize = 4;
const SNAPSHOTS: usize = 4;

/// Larger heaps take long to hash.
const HEAP: u32 = 1 << 20;

/// Counts of operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Operations.
    pub operations: u64,
    /// Programs that were loaded.
    pub loaded: u64,
    /// Machines that were made, of each kind.
    pub instantiated: u64,
    /// Runs.
    pub runs: u64,
    /// Snapshots that were restored, and those that were refused because they belong to another program.
    pub restored: u64,
    /// See `restored`.
    pub refused: u64,
    /// Workers or zygotes that were killed.
    pub killed: u64,
    /// Machines lost because of that.
    pub lost: u64,
}

struct Slot {
    module: PairModule,
    /// Entry point of its program, and length of its code.
    entry: u32,
    code_length: u32,
    seed: u64,
}

struct Live {
    pair: Pair,
    slot: (u32, u32),
    module: PairModule,
}

struct World<'a> {
    backends: &'a Backends,
    rng: Rng,
    slots: Vec<Slot>,
    live: Vec<Live>,
    snapshots: Vec<PairSnapshot>,
    /// True if some process was killed.
    has_killed: bool,
    tally: &'a mut Tally,
}

/// Runs a random sequence of operations from this seed. With `kills`, random descendant processes are killed, so no
/// other code of this process may have any.
///
/// # Errors
/// The first difference.
pub fn compare(backends: &Backends, seed: u64, operations: u32, kills: bool, tally: &mut Tally) -> Result<(), Failure> {
    let rng = Rng::new(seed ^ 0x5e9_0e4c);
    let (slots, live, snapshots) = (Vec::new(), Vec::new(), Vec::new());
    let mut world = World { backends, rng, slots, live, snapshots, has_killed: false, tally };
    for number in 0..operations {
        let at = |failure: Failure| Failure::Differ(format!("sequence {seed}, operation {number}: {failure}"));
        world.step(kills).map_err(at)?;
        world.tally.operations += 1;
    }
    Ok(())
}

impl World<'_> {
    fn step(&mut self, kills: bool) -> Result<(), Failure> {
        if self.slots.len() < 2 {
            return self.load();
        }
        if self.live.is_empty() {
            return self.instantiate();
        }
        match self.rng.below(100) {
            0..4 => self.load(),
            4..14 => self.instantiate(),
            14..17 => {
                let index = self.rng.below(self.live.len() as u32) as usize;
                self.live.swap_remove(index);
                Ok(())
            }
            17..18 if kills && self.rng.chance(40) => {
                self.kill();
                Ok(())
            }
            _ => self.touch(),
        }
    }

    /// Loads a program, usually a new one, in place of another, whose machines live on.
    fn load(&mut self) -> Result<(), Failure> {
        let seed = match self.slots.last() {
            Some(slot) if self.rng.chance(30) => slot.seed,
            _ => self.rng.next_u64(),
        };
        let mut scenario = scenario(seed);
        scenario.config.single_step &= self.rng.chance(30);
        let Some(module) = self.backends.load(&scenario)? else { return Ok(()) };
        self.tally.loaded += 1;
        if self.slots.len() == MODULES {
            let index = self.rng.below(MODULES as u32) as usize;
            self.slots.remove(index);
        }
        self.slots.push(Slot { module, entry: scenario.entry, code_length: scenario.code_length, seed });
        Ok(())
    }

    fn instantiate(&mut self) -> Result<(), Failure> {
        let index = self.rng.below(self.slots.len() as u32) as usize;
        let Some(Slot { module, entry, code_length, .. }) = self.slots.get(index) else { return Ok(()) };
        let (module, slot) = (module.clone(), (*entry, *code_length));
        if self.live.len() == PAIRS {
            let index = self.rng.below(PAIRS as u32) as usize;
            self.live.swap_remove(index);
        }
        let mut pair = module.instantiate()?;
        self.tally.instantiated += 1;
        pair.state()?;
        pair.memory()?;
        self.live.push(Live { pair, slot, module });
        Ok(())
    }

    /// Kills a worker or the zygote.
    fn kill(&mut self) {
        let below = |parents: &[u32]| -> Vec<u32> { parents.iter().flat_map(|parent| children(*parent)).collect() };
        let zygotes = below(&below(&[std::process::id()]));
        let workers = below(&zygotes);
        let victims = if self.rng.chance(20) { &zygotes } else { &workers };
        if victims.is_empty() {
            return;
        }
        let victim = self.rng.pick(victims);
        let mut ending = children(victim);
        ending.push(victim);
        if !Command::new("kill").args(["-9", &victim.to_string()]).status().is_ok_and(|status| status.success()) {
            return;
        }
        self.has_killed = true;
        self.tally.killed += 1;
        // It ends asynchronously, and workers after their zygote: this must not affect the next sequence.
        while ending.iter().any(|id| parent_of(*id).is_some()) {
            std::thread::yield_now();
        }
    }

    /// Performs an operation on a machine.
    fn touch(&mut self) -> Result<(), Failure> {
        let index = self.rng.below(self.live.len() as u32) as usize;
        match self.operation(index) {
            Err(Failure::Lost(Error::Sandbox(SandboxError::Died))) if self.has_killed => {
                // The next one starts from scratch, and the lost one is dropped.
                let Some(live) = self.live.get_mut(index) else { return Ok(()) };
                let lost = std::mem::replace(&mut live.pair, live.module.instantiate()?);
                drop(lost);
                self.tally.lost += 1;
                live.pair.state()?;
                live.pair.memory()?;
                Ok(())
            }
            other => other,
        }
    }

    fn operation(&mut self, index: usize) -> Result<(), Failure> {
        let World { rng, live, snapshots, tally, .. } = self;
        let Some(Live { pair, slot: (entry, code_length), .. }) = live.get_mut(index) else { return Ok(()) };
        match rng.below(20) {
            0..3 => {
                let offset = if rng.chance(60) { *entry } else { rng.below(*code_length + 2) };
                let values = Reg::ALL.map(|_| rng.value());
                pair.both("an entry", |machine| {
                    machine.set_next_pc(offset);
                    for (reg, value) in Reg::ALL.into_iter().zip(values) {
                        machine.set_reg(reg, value);
                    }
                    Ok(())
                })?;
            }
            3 => {
                let args = [rng.value(), rng.value()];
                pair.both("a call", |machine| {
                    machine.prepare_call(*entry, &args);
                    Ok(())
                })?;
            }
            4 => {
                let gas = i64::from(rng.below(300)) - 10;
                pair.both("gas", |machine| {
                    machine.set_gas(gas);
                    Ok(())
                })?;
            }
            5 => {
                let (address, length) = (rng.address(), rng.pick(&[0, 1, 9, 300, 0x3000]));
                let bytes = rng.bytes(length);
                pair.both("a write", |machine| Ok(machine.write_memory(address, &bytes).is_ok()))?;
            }
            6 => {
                let (address, length) = (rng.address(), rng.pick(&[0, 1, 9, 300, 0x3000]));
                pair.both("zeros", |machine| Ok(machine.zero_memory(address, length).is_ok()))?;
            }
            7 => {
                let (address, length) = (rng.address(), rng.pick(&[0, 1, 9, 300, 0x3000]));
                pair.both("a read", |machine| {
                    let mut bytes = vec![0; length as usize];
                    Ok(machine.read_memory(address, &mut bytes).is_ok().then_some(bytes))
                })?;
            }
            8 => {
                let size = rng.pick(&[0, 1, 0xfff, 0x1000, 0x8000, u32::MAX]);
                pair.both("sbrk", |machine| machine.sbrk(size))?;
            }
            9 => pair.both("a reset", |machine| machine.reset_memory())?,
            10 => {
                if snapshots.len() == SNAPSHOTS {
                    snapshots.remove(0);
                }
                snapshots.push(pair.snapshot());
            }
            11..13 if !snapshots.is_empty() => {
                let snapshot = &snapshots[rng.below(snapshots.len() as u32) as usize];
                match pair.restore(snapshot)? {
                    true => tally.restored += 1,
                    false => tally.refused += 1,
                }
            }
            _ => {
                let gas = i64::from(rng.below(400));
                let refill = rng.chance(50);
                let outcome = pair.both("a run", |machine| {
                    if refill {
                        machine.set_gas(gas);
                    }
                    machine.run()
                })?;
                tally.runs += 1;
                if matches!(outcome, Outcome::HostCall(_)) && rng.chance(70) {
                    let value = rng.value();
                    pair.both("a host call", |machine| {
                        machine.set_reg(Reg::A0, value);
                        Ok(())
                    })?;
                }
            }
        }
        let state = pair.state()?;
        pair.memory()?;
        if state.heap_size > HEAP {
            // As if it had been dropped and made again.
            live.swap_remove(index);
        }
        Ok(())
    }
}

/// Returns the children of a process that have not ended.
fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

/// Returns the parent of a process that has not ended.
fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name in parentheses: state, parent.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    let has_ended = matches!(words.next()?, "Z" | "X");
    words.next()?.parse().ok().filter(|_| !has_ended)
}
