//! Running a program on a backend, and measuring what it takes.

use anyhow::{Context, Result, bail};
use pvm_engine::{Backend, Config, Engine, Module, Outcome, ProgramBlob, RawInstance, Reg};
use std::fs;
use vm_core::gas::{CostModelKind, MemoryLatency};
use vm_core::program::ProgramConfig;

/// Gas that no program uses up.
const PLENTY: i64 = 1 << 60;

/// The cost models, by the names that tables use.
pub const MODELS: [(&str, CostModelKind); 5] = [
    ("naive", CostModelKind::Naive),
    ("pipeline-L1", CostModelKind::Pipeline(MemoryLatency::L1)),
    ("pipeline-L2", CostModelKind::Pipeline(MemoryLatency::L2)),
    ("pipeline-L3", CostModelKind::Pipeline(MemoryLatency::L3)),
    ("calibrated", CostModelKind::CalibratedV1),
];

/// The backends, by the names that tables use.
pub const BACKENDS: [(&str, Backend); 2] = [("compiled", Backend::Jit), ("interpreted", Backend::Interpreter)];

/// A backend, set up once.
pub struct Runner {
    engine: Engine,
}

/// A program that can be run on it.
pub struct Loaded {
    instance: RawInstance,
}

impl Runner {
    /// Of this kind.
    ///
    /// # Errors
    /// If programs cannot be compiled here.
    pub fn new(backend: Backend) -> Result<Runner> {
        Ok(Runner { engine: Engine::new(Config::new().set_backend(backend))? })
    }

    /// Loads a program under a cost model and runs its export `initialize`, if it has one.
    ///
    /// # Errors
    /// If that fails.
    pub fn load(&self, blob: &[u8], cost_model: CostModelKind) -> Result<Loaded> {
        let config = ProgramConfig { cost_model, ..ProgramConfig::default() };
        let module = Module::new(&self.engine, &config, &ProgramBlob::parse(blob)?)?;
        let mut loaded = Loaded { instance: module.instantiate_raw()? };
        if loaded.instance.module().program().export(b"initialize").is_some() {
            loaded.call("initialize", 0)?;
        }
        Ok(loaded)
    }
}

impl Loaded {
    /// Calls an export with an argument; returns its result and the gas that it used.
    ///
    /// # Errors
    /// If there is no such export, or the program does not get to its end.
    pub fn call(&mut self, export: &str, argument: u64) -> Result<(u64, u64)> {
        let instance = &mut self.instance;
        let entry = instance.module().program().export(export.as_bytes()).context("no such export")?;
        instance.set_gas(PLENTY);
        instance.prepare_call(entry, &[argument]);
        loop {
            match instance.run()? {
                Outcome::Finished => return Ok((instance.reg(Reg::A0), (PLENTY - instance.gas()).unsigned_abs())),
                Outcome::HostCall(_) => {}
                outcome => bail!("{outcome:?} at {:?}", instance.pc()),
            }
        }
    }

    /// The least time in nanoseconds of several calls of `run`, and the gas of one. The first call does not count.
    ///
    /// It is the time that the processor spent in the process that runs the program, so that others on this machine
    /// hardly count. A worker that waits for the next call at first spins, for some microseconds.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn measure(&mut self, argument: u64, rounds: u32) -> Result<(f64, u64)> {
        let (_, gas) = self.call("run", argument)?;
        let clocks = match self.instance.module().machine_code_length() {
            Some(_) => descendants(std::process::id()),
            None => vec!["/proc/thread-self/schedstat".into()],
        };
        let mut least = u64::MAX;
        for _ in 0..rounds {
            let start = processor_time(&clocks);
            self.call("run", argument)?;
            least = least.min(processor_time(&clocks).saturating_sub(start));
        }
        Ok((least as f64, gas))
    }
}

/// The files that say for how long the processes ran that this one has started, and those that they have.
fn descendants(process: u32) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return found };
    for thread in threads.flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            found.push(format!("/proc/{child}/schedstat"));
            found.extend(descendants(child));
        }
    }
    found
}

/// Nanoseconds that the processes ran for whose files these are.
fn processor_time(clocks: &[String]) -> u64 {
    let time = |file: &String| fs::read_to_string(file).ok()?.split_whitespace().next()?.parse::<u64>().ok();
    clocks.iter().filter_map(time).sum()
}
