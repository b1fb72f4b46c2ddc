//! Lockstep pair: the same program compiled and interpreted, with the same operations on both.
//!
//! Used for operations that the oracle's [`crate::EngineInstance`] does not have: resetting memory, keeping snapshots, losing
//! workers. The interpreter's result is the right one.

use crate::compare::Scenario;
use crate::engines::{program_config, regions};
use crate::hash;
use pvm_engine::{Backend, Config, Engine, Error, Module, ProgramBlob, RawInstance, RawSnapshot, Reg, Sandbox};
use std::fmt::Debug;

/// An engine of each backend.
pub struct Backends {
    compiler: Engine,
    interpreter: Engine,
}

impl Backends {
    /// Sets both up.
    ///
    /// # Errors
    /// If programs cannot be compiled on this machine.
    pub fn new() -> Result<Backends, Error> {
        let mut config = Config::new();
        config.set_sandbox(Sandbox::BestEffort);
        let compiler = Engine::new(config.set_backend(Backend::Jit))?;
        let interpreter = Engine::new(config.set_backend(Backend::Interpreter))?;
        Ok(Backends { compiler, interpreter })
    }

    /// Loads the scenario's program; `None` if both refuse it.
    ///
    /// # Errors
    /// If only one does.
    pub fn load(&self, scenario: &Scenario) -> Result<Option<PairModule>, Failure> {
        let load = |engine| {
            let blob = ProgramBlob::parse(&scenario.blob).map_err(|error| error.to_string())?;
            let config = program_config(&scenario.config)?;
            Module::new(engine, &config, &blob).map_err(|error| error.to_string())
        };
        match (load(&self.compiler), load(&self.interpreter)) {
            (Ok(compiled), Ok(interpreted)) => Ok(Some(PairModule { compiled, interpreted })),
            (Err(_), Err(_)) => Ok(None),
            (left, right) => Err(Failure::Differ(format!("loading: {:?} or {:?}", left.err(), right.err()))),
        }
    }
}

/// Failure of a pair of machines.
#[derive(Debug)]
pub enum Failure {
    /// The worker was lost.
    Lost(Error),
    /// The machines differ.
    Differ(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Lost(error) => write!(f, "{error}"),
            Failure::Differ(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}

/// A program that both engines have loaded.
#[derive(Clone)]
pub struct PairModule {
    compiled: Module,
    interpreted: Module,
}

impl PairModule {
    /// Makes a machine of each.
    ///
    /// # Errors
    /// If no worker is available.
    pub fn instantiate(&self) -> Result<Pair, Failure> {
        let compiled = self.compiled.instantiate_raw().map_err(Failure::Lost)?;
        let interpreted = self.interpreted.instantiate_raw().map_err(Failure::Lost)?;
        Ok(Pair { compiled, interpreted })
    }
}

/// Snapshots of both.
#[derive(Clone)]
pub struct PairSnapshot {
    compiled: RawSnapshot,
    interpreted: RawSnapshot,
}

/// Two machines.
pub struct Pair {
    compiled: RawInstance,
    interpreted: RawInstance,
}

/// Architectural state that must be equal at every stop; memory is compared separately.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchitecturalState {
    /// Program counter of the stop.
    pub pc: Option<u32>,
    /// Next program counter.
    pub next_pc: Option<u32>,
    /// All registers.
    pub registers: [u64; 13],
    /// Gas left.
    pub gas: i64,
    /// Size of the heap in bytes.
    pub heap_size: u32,
}

impl Pair {
    /// Performs an operation on both; the results must be equal. The compiled one comes first: if its worker is lost,
    /// the operation is not performed on the other.
    ///
    /// # Errors
    /// If the worker is lost, or the answers differ.
    pub fn both<T: PartialEq + Debug>(
        &mut self,
        what: &str,
        mut action: impl FnMut(&mut RawInstance) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let found = match action(&mut self.compiled) {
            Err(error @ Error::Sandbox(_)) => return Err(Failure::Lost(error)),
            other => other,
        };
        let expected = action(&mut self.interpreted);
        let (found, expected) = (found.map_err(|e| e.to_string()), expected.map_err(|e| e.to_string()));
        if found != expected {
            return Err(Failure::Differ(format!("{what}: compiled {found:x?}, interpreted {expected:x?}")));
        }
        expected.map_err(|error| Failure::Differ(format!("{what}: {error} on both")))
    }

    /// Compares everything but memory.
    ///
    /// # Errors
    /// If something differs.
    pub fn state(&mut self) -> Result<ArchitecturalState, Failure> {
        self.both("the state", |machine| {
            Ok(ArchitecturalState {
                pc: machine.pc(),
                next_pc: machine.next_pc(),
                registers: Reg::ALL.map(|reg| machine.reg(reg)),
                gas: machine.gas(),
                heap_size: machine.heap_size(),
            })
        })
    }

    /// Compares memory; returns its hash.
    ///
    /// # Errors
    /// If it differs.
    pub fn memory(&mut self) -> Result<u64, Failure> {
        self.both("memory", |machine| {
            let regions = regions(machine.module().program(), machine.heap_size());
            Ok(hash::memory(&regions, |address, part| machine.read_memory(address, part).is_ok()))
        })
    }

    /// Takes a snapshot of both.
    pub fn snapshot(&self) -> PairSnapshot {
        PairSnapshot { compiled: self.compiled.snapshot(), interpreted: self.interpreted.snapshot() }
    }

    /// Restores a snapshot; returns false if it is not of this program.
    ///
    /// # Errors
    /// If the worker is lost, or only one accepts it.
    pub fn restore(&mut self, snapshot: &PairSnapshot) -> Result<bool, Failure> {
        let was_restored = |result| match result {
            Ok(()) => Ok(true),
            Err(Error::Snapshot(_)) => Ok(false),
            Err(error) => Err(Failure::Lost(error)),
        };
        let found = was_restored(self.compiled.restore(&snapshot.compiled))?;
        let expected = was_restored(self.interpreted.restore(&snapshot.interpreted))?;
        if found != expected {
            return Err(Failure::Differ(format!("a snapshot is taken: compiled {found}, interpreted {expected}")));
        }
        Ok(expected)
    }
}
