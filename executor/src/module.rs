//! A program that is loaded: compiled if that is what the engine does and the program allows it.

use crate::budget::Reservation;
use crate::cache::Key;
use crate::call::CallKind;
use crate::throttle::throttled;
use crate::{LOG_TARGET, Shared};
use pvm_engine::{Backend, Engine, Error, Module, ProgramBlob};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use vm_core::blob::Blob;
use vm_core::program::{Program, ProgramConfig};

/// What a module takes beside its code and machine code.
const OVERHEAD: usize = 4096;

/// A loaded program.
pub(crate) struct Loaded {
    /// The blob, to compare.
    pub code: Box<[u8]>,
    /// The program, for the interpreter.
    pub program: Arc<Program>,
    /// The same one compiled; not if it is interpreted.
    pub compiled: Option<Module>,
    /// Whether the machine code is on disk, or on its way there.
    is_stored: AtomicBool,
    /// Its share of the node's memory.
    _memory: Option<Reservation>,
}

/// Why there is no program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoadError {
    /// The bytes are none that can be loaded.
    NoProgram,
    /// There is no memory for it. Only off-chain calls meet this.
    NoMemory,
}

impl Loaded {
    /// Loads a program, with machine code from the disk if it is there. One that cannot be compiled, or for whose machine code
    /// there is no memory, is interpreted.
    pub fn new(
        shared: &Shared,
        kind: CallKind,
        key: &Key,
        code: &[u8],
        config: &ProgramConfig,
    ) -> Result<Loaded, LoadError> {
        let (engine, metrics) = (shared.engine(), &shared.metrics);
        let mut loaded = match Loaded::from_disk(shared, &engine, key, code, config)? {
            Some(loaded) => loaded,
            None => {
                metrics.compiles_total.inc();
                let (program, compiled) = match engine.backend() {
                    Backend::Jit => match compile(&engine, code, config) {
                        Ok(module) => (module.program().clone(), module.is_compiled().then_some(module)),
                        Err(error @ (Error::Blob(_) | Error::Program(_))) => return Err(refused(&error)),
                        Err(error) => {
                            throttled!(log::Level::Warn, "A program is interpreted: {error}");
                            (interpreted(code, config)?, None)
                        }
                    },
                    _ => (interpreted(code, config)?, None),
                };
                if engine.backend() == Backend::Jit && compiled.is_none() {
                    metrics.compile_failures_total.inc();
                }
                Loaded::from_parts(code, program, compiled)
            }
        };
        loaded._memory = shared.budget.reserve(kind, loaded.bytes());
        if loaded._memory.is_none() {
            metrics.memory_refused_total.inc();
            if loaded.compiled.take().is_some() {
                // Without the module, which holds the machine code.
                loaded.program = interpreted(code, config)?;
                loaded._memory = shared.budget.reserve(kind, loaded.bytes());
            }
        }
        match kind {
            _ if loaded._memory.is_some() => {}
            // A block runs what it runs.
            CallKind::OnChain => loaded._memory = Some(shared.budget.force(kind, loaded.bytes())),
            CallKind::OffChain => return Err(LoadError::NoMemory),
        }
        Ok(loaded)
    }

    fn from_disk(
        shared: &Shared,
        engine: &Engine,
        key: &Key,
        code: &[u8],
        config: &ProgramConfig,
    ) -> Result<Option<Loaded>, LoadError> {
        let Some(disk) = shared.disk.as_ref().filter(|_| engine.backend() == Backend::Jit) else { return Ok(None) };
        let blob = ProgramBlob::parse(code).map_err(|error| refused(&error))?;
        let Some(module) = disk.load(engine, key, &blob, config) else { return Ok(None) };
        let loaded = Loaded::from_parts(code, module.program().clone(), Some(module));
        loaded.is_stored.store(true, Relaxed);
        Ok(Some(loaded))
    }

    /// A compiled program that counts for nobody.
    pub fn of_module(code: &[u8], module: Module) -> Loaded {
        Loaded::from_parts(code, module.program().clone(), Some(module))
    }

    fn from_parts(code: &[u8], program: Arc<Program>, compiled: Option<Module>) -> Loaded {
        Loaded { code: code.into(), program, compiled, is_stored: AtomicBool::new(false), _memory: None }
    }

    /// Whether the machine code is on disk, or on its way there.
    pub fn is_stored(&self) -> bool {
        self.is_stored.load(Relaxed)
    }

    /// Says that the machine code is on its way to the disk.
    pub fn set_stored(&self) {
        self.is_stored.store(true, Relaxed);
    }

    /// Memory that it takes, about: the blob, the program made of it, machine code and the tables for it.
    pub fn bytes(&self) -> usize {
        let machine_code = self.compiled.as_ref().and_then(Module::machine_code_length).unwrap_or(0);
        OVERHEAD + 2 * self.code.len() + 2 * machine_code
    }
}

fn compile(engine: &Engine, code: &[u8], config: &ProgramConfig) -> Result<Module, Error> {
    Module::new(engine, config, &ProgramBlob::parse(code)?)
}

fn interpreted(code: &[u8], config: &ProgramConfig) -> Result<Arc<Program>, LoadError> {
    let blob = Blob::parse(code).map_err(|error| refused(&error))?;
    Program::new(&blob, config).map(Arc::new).map_err(|error| refused(&error))
}

fn refused(error: &dyn std::error::Error) -> LoadError {
    log::debug!(target: LOG_TARGET, "A program cannot be loaded: {error}");
    LoadError::NoProgram
}
