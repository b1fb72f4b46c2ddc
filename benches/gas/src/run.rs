//! Running a program on a backend, and measuring its time and gas.

use anyhow::{Context, Result, bail};
use pvm_engine::{Backend, Config, Engine, Module, Outcome, ProgramBlob, RawInstance, Reg};
use std::fs;
use std::thread;
use std::time::Duration;
use vm_core::gas::{CostModelKind, MemoryLatency};
use vm_core::program::ProgramConfig;
use vm_core::text::assemble;

/// Gas that no program uses up.
const PLENTY: i64 = 1 << 60;

/// A worker goes to sleep after it has waited for so long.
const SETTLED: Duration = Duration::from_micros(300);

/// The cost models, by their names in tables.
pub const MODELS: [(&str, CostModelKind); 5] = [
    ("naive", CostModelKind::Naive),
    ("pipeline-L1", CostModelKind::Pipeline(MemoryLatency::L1)),
    ("pipeline-L2", CostModelKind::Pipeline(MemoryLatency::L2)),
    ("pipeline-L3", CostModelKind::Pipeline(MemoryLatency::L3)),
    ("calibrated", CostModelKind::CalibratedV1),
];

/// The backends, by their names in tables.
pub const BACKENDS: [(&str, Backend); 2] = [("compiled", Backend::Jit), ("interpreted", Backend::Interpreter)];

/// A backend, set up once.
pub struct Runner {
    engine: Engine,
    /// Time of calling a program that does nothing, in nanoseconds.
    overhead: f64,
}

/// A program that is loaded and ready to run.
pub struct Loaded {
    instance: RawInstance,
    overhead: f64,
}

impl Runner {
    /// Creates a runner for this kind of backend.
    ///
    /// # Errors
    /// If programs cannot be compiled here.
    pub fn new(backend: Backend) -> Result<Runner> {
        let mut runner = Runner { engine: Engine::new(Config::new().set_backend(backend))?, overhead: 0.0 };
        let nothing = assemble(".isa ReviveV1\n.export \"run\" run\nrun:\n jump_indirect ra, 0\n")?;
        runner.overhead = runner.load(&nothing, CostModelKind::Naive)?.measure(0, 40)?.0;
        Ok(runner)
    }

    /// Loads a program under a cost model and runs its export `initialize`, if it has one.
    ///
    /// # Errors
    /// If it cannot be loaded, or `initialize` fails.
    pub fn load(&self, blob: &[u8], cost_model: CostModelKind) -> Result<Loaded> {
        let config = ProgramConfig { cost_model, ..ProgramConfig::default() };
        let module = Module::new(&self.engine, &config, &ProgramBlob::parse(blob)?)?;
        let mut loaded = Loaded { instance: module.instantiate_raw()?, overhead: self.overhead };
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
    /// If there is no such export, or the program does not return.
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

    /// Calls `run` several times; returns the lower quartile of the times in nanoseconds, and the gas of one call. The
    /// first call does not count.
    ///
    /// The time is the processor time of the process that runs the program, so that the machine's load hardly matters;
    /// the minimum would be a call that the kernel had not accounted wholly. The overhead of a call is subtracted:
    /// passing control, and the time that the worker spins afterwards.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn measure(&mut self, argument: u64, rounds: u32) -> Result<(f64, u64)> {
        let (_, gas) = self.call("run", argument)?;
        let clocks = match self.instance.module().machine_code_length() {
            Some(_) => descendants(std::process::id()),
            None => vec!["/proc/thread-self/schedstat".into()],
        };
        let mut times = Vec::new();
        for _ in 0..rounds {
            let start = processor_time(&clocks);
            self.call("run", argument)?;
            // Until the worker has stopped spinning, the kernel does not account its running time.
            thread::sleep(SETTLED);
            times.push(processor_time(&clocks).saturating_sub(start));
        }
        times.sort_unstable();
        let quartile = times.get(times.len() / 4).copied().unwrap_or(0);
        Ok(((quartile as f64 - self.overhead).max(1.0), gas))
    }
}

/// Paths of the scheduler statistics of all descendants of a process.
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

/// Total processor time in these statistics, in nanoseconds.
fn processor_time(clocks: &[String]) -> u64 {
    let time = |file: &String| fs::read_to_string(file).ok()?.split_whitespace().next()?.parse::<u64>().ok();
    clocks.iter().filter_map(time).sum()
}
