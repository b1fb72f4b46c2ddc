//! A program that an engine has loaded.

use crate::engine::Engine;
use crate::error::Error;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::jit::{self, Compiled};
use std::sync::Arc;
use vm_core::blob::Blob;
use vm_core::gas::Metering;
use vm_core::program::{Program, ProgramConfig};

/// The bytes of a program, checked.
#[derive(Clone, Debug)]
pub struct ProgramBlob(Arc<[u8]>);

impl ProgramBlob {
    /// Checks the bytes and keeps a copy.
    ///
    /// # Errors
    /// If they are no program blob of an instruction set that is run here.
    pub fn parse(bytes: &[u8]) -> Result<ProgramBlob, Error> {
        Blob::parse(bytes)?;
        Ok(ProgramBlob(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A program made ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    engine: Engine,
    program: Arc<Program>,
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    compiled: Option<Arc<Compiled>>,
    #[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), allow(dead_code, reason = "for workers"))]
    id: u64,
}

impl Module {
    /// Loads a program with the default configuration, but without metering: it may run for ever, or, compiled, for as long
    /// as [`crate::Config::set_time_limit`] says. To meter, use [`Module::new`].
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_blob(engine: &Engine, blob: &ProgramBlob) -> Result<Module, Error> {
        let config = ProgramConfig { metering: Metering::Off, ..ProgramConfig::default() };
        Module::new(engine, &config, blob)
    }

    /// Loads a program; compiles it if that is what the engine does.
    ///
    /// # Errors
    /// If the program cannot be loaded, or, with [`crate::Backend::Jit`], not compiled.
    pub fn new(engine: &Engine, config: &ProgramConfig, blob: &ProgramBlob) -> Result<Module, Error> {
        let program = Arc::new(Program::new(&Blob::parse(&blob.0)?, config)?);
        Ok(Module {
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            compiled: compile(engine, &program)?,
            id: engine.next_module(),
            engine: engine.clone(),
            program,
        })
    }

    /// The engine that loaded it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The program: its exports, imports, code and memory map.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Whether it runs as machine code.
    pub fn is_compiled(&self) -> bool {
        self.machine_code_length().is_some()
    }

    /// Machine code with the jump table in front, as it lies in workers, to look at; `None` if the program is interpreted.
    pub fn machine_code(&self) -> Option<&[u8]> {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        return self.compiled.as_ref().map(|compiled| compiled.image());
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        None
    }

    /// Bytes of machine code and jump table; `None` if the program is interpreted.
    pub fn machine_code_length(&self) -> Option<usize> {
        self.machine_code().map(<[u8]>::len)
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn compiled(&self) -> Option<&Arc<Compiled>> {
        self.compiled.as_ref()
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn compile(engine: &Engine, program: &Program) -> Result<Option<Arc<Compiled>>, Error> {
    if engine.pool().is_none() {
        return Ok(None);
    }
    match jit::compile(program) {
        Ok(compiled) => Ok(Some(Arc::new(compiled))),
        Err(error) if engine.may_fall_back() => {
            log::warn!(target: "pvm::engine", "a program is interpreted, not compiled: {error}");
            Ok(None)
        }
        Err(error) => Err(Error::Compile(error.to_string())),
    }
}
