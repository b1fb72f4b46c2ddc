//! A program that is loaded: compiled if that is what the engine does and the program allows it.

use crate::LOG_TARGET;
use crate::cache::Key;
use crate::disk::Disk;
use crate::metrics::Metrics;
use pvm_engine::{Backend, Engine, Error, Module, ProgramBlob};
use std::sync::Arc;
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
    /// Whether the machine code was on disk.
    pub is_from_disk: bool,
}

/// The bytes are no program that can be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoProgram;

impl Loaded {
    /// Loads a program, with machine code from the disk if it is there. One that cannot be compiled is interpreted.
    pub fn new(
        engine: &Engine,
        metrics: &Metrics,
        disk: Option<&Disk>,
        key: &Key,
        code: &[u8],
        config: &ProgramConfig,
    ) -> Result<Loaded, NoProgram> {
        if let Some(disk) = disk {
            let blob = ProgramBlob::parse(code).map_err(|error| refused(&error))?;
            if let Some(module) = disk.load(engine, key, &blob, config) {
                return Ok(Loaded {
                    code: code.into(),
                    program: module.program().clone(),
                    compiled: Some(module),
                    is_from_disk: true,
                });
            }
        }
        metrics.compiles_total.inc();
        let (program, compiled) = match engine.backend() {
            Backend::Jit => match compile(engine, code, config) {
                Ok(module) => (module.program().clone(), module.is_compiled().then_some(module)),
                Err(error @ (Error::Blob(_) | Error::Program(_))) => return Err(refused(&error)),
                Err(error) => {
                    log::warn!(target: LOG_TARGET, "A program is interpreted: {error}");
                    (interpreted(code, config)?, None)
                }
            },
            _ => (interpreted(code, config)?, None),
        };
        if engine.backend() == Backend::Jit && compiled.is_none() {
            metrics.compile_failures_total.inc();
        }
        Ok(Loaded { code: code.into(), program, compiled, is_from_disk: false })
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

fn interpreted(code: &[u8], config: &ProgramConfig) -> Result<Arc<Program>, NoProgram> {
    let blob = Blob::parse(code).map_err(|error| refused(&error))?;
    Program::new(&blob, config).map(Arc::new).map_err(|error| refused(&error))
}

fn refused(error: &dyn std::error::Error) -> NoProgram {
    log::debug!(target: LOG_TARGET, "A program cannot be loaded: {error}");
    NoProgram
}
