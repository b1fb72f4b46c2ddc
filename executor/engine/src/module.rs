//! Module: a program loaded by an engine.

use crate::engine::Engine;
use crate::error::{Error, StoredError};
#[cfg(jit_supported)]
use crate::jit::{self, CompileError, Compiled};
use std::sync::Arc;
use vm_core::blob::Blob;
use vm_core::gas::Metering;
use vm_core::program::{Program, ProgramConfig};

/// The bytes of a program. Modules are made of valid ones only.
#[derive(Clone, Debug)]
pub struct ProgramBlob(Arc<[u8]>);

impl ProgramBlob {
    /// Checks the bytes and keeps a copy.
    ///
    /// # Errors
    /// If they are not a program blob of a supported instruction set.
    pub fn parse(bytes: &[u8]) -> Result<ProgramBlob, Error> {
        Blob::parse(bytes)?;
        Ok(ProgramBlob(bytes.into()))
    }

    /// Keeps a copy of the bytes unchecked. [`Module::new`] and [`Module::from_stored`] parse them and refuse invalid
    /// ones: for an embedder that makes a module at once, so that the bytes are not parsed twice.
    pub fn from_bytes(bytes: &[u8]) -> ProgramBlob {
        ProgramBlob(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A program prepared for an engine. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    engine: Engine,
    /// The program without changes for tracing.
    program: Arc<Program>,
    /// The program that instances run: the same, or its single-step form if it is traced.
    running: Arc<Program>,
    is_traced: bool,
    #[cfg(jit_supported)]
    compiled: Option<Arc<Compiled>>,
    #[cfg_attr(not(jit_supported), allow(dead_code, reason = "for workers"))]
    id: u64,
}

impl Module {
    /// Loads a program with the default configuration, but without metering: only [`crate::Config::set_time_limit`]
    /// bounds a compiled run, and nothing bounds an interpreted one. For metering, use [`Module::new`].
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_blob(engine: &Engine, blob: &ProgramBlob) -> Result<Module, Error> {
        let config = ProgramConfig { metering: Metering::Off, ..ProgramConfig::default() };
        Module::new(engine, &config, blob)
    }

    /// Loads a program, and compiles it if the engine's backend is the compiler.
    ///
    /// # Errors
    /// If the program cannot be loaded, or, with [`crate::Backend::Jit`], not compiled.
    pub fn new(engine: &Engine, config: &ProgramConfig, blob: &ProgramBlob) -> Result<Module, Error> {
        let blob = Blob::parse(&blob.0)?;
        let program = Arc::new(Program::new(&blob, config)?);
        if engine.trace_execution() {
            let steps = ProgramConfig { single_step: true, ..config.clone() };
            match Module::load(engine, program.clone(), Arc::new(Program::new(&blob, &steps)?), true) {
                // Stops lengthen the code. A program that can run without them must not fail because of a log.
                Err(error @ (Error::Compile(_) | Error::Verify(_))) => {
                    log::warn!(target: "pvm::engine", "a program runs untraced: {error}");
                }
                result => return result,
            }
        }
        Module::load(engine, program.clone(), program, false)
    }

    /// Loads a program that is already parsed, for embedders that have interpreted it before. It is not traced.
    ///
    /// # Errors
    /// With [`crate::Backend::Jit`], if it cannot be compiled.
    pub fn from_program(engine: &Engine, program: Arc<Program>) -> Result<Module, Error> {
        Module::load(engine, program.clone(), program, false)
    }

    /// Loads a program with stored machine code ([`Module::machine_code_to_store`]) of the same program and
    /// configuration. The program itself is loaded and checked as usual.
    ///
    /// The stored code is trusted to belong to the program, and not compared with anything: keep it where nobody else can
    /// write, and protect it with a checksum. The host is safe for any bytes: all numbers in them are checked, the machine
    /// code is verified if the engine verifies code, and it runs in the sandbox.
    ///
    /// # Errors
    /// As [`Module::new`]; [`Error::Stored`] if the bytes do not fit this engine, program or configuration, or if the
    /// engine interprets or traces. In that case compile the program.
    pub fn from_stored(
        engine: &Engine,
        config: &ProgramConfig,
        blob: &ProgramBlob,
        bytes: &[u8],
    ) -> Result<Module, Error> {
        let program = Arc::new(Program::new(&Blob::parse(&blob.0)?, config)?);
        #[cfg(jit_supported)]
        if engine.pool().is_some() && !engine.trace_execution() {
            let load = if engine.verifies_code() { jit::stored::load } else { jit::stored::load_unverified };
            let compiled = load(&program, &blob.0, bytes).inspect_err(|error| {
                if let StoredError::Verify(error) = error {
                    log::error!(target: "pvm::engine", "stored machine code: {error}");
                }
            })?;
            return Ok(Module {
                compiled: Some(Arc::new(compiled)),
                id: engine.next_module(),
                engine: engine.clone(),
                program: program.clone(),
                running: program,
                is_traced: false,
            });
        }
        let _ = (engine, bytes, program);
        Err(StoredError::NotCompiling.into())
    }

    /// Serializes the machine code, so that the same version of the engine can load it with the same blob:
    /// [`Module::from_stored`]. `None` if the program is interpreted or traced.
    pub fn machine_code_to_store(&self, blob: &ProgramBlob) -> Option<Vec<u8>> {
        #[cfg(jit_supported)]
        if let Some(compiled) = self.compiled.as_ref().filter(|_| !self.is_traced) {
            return Some(jit::stored::store(&self.program, &blob.0, compiled));
        }
        let _ = blob;
        None
    }

    /// Moves a module to another engine with the same backend, without compiling it again: for the engine of a forked
    /// child ([`Engine::prepare_fork`]).
    ///
    /// # Errors
    /// If one of the two engines compiles or traces and the other one does not.
    pub fn for_engine(&self, engine: &Engine) -> Result<Module, Error> {
        if engine.backend() != self.engine.backend() || engine.trace_execution() != self.engine.trace_execution() {
            return Err(Error::OtherEngine);
        }
        Ok(Module { engine: engine.clone(), id: engine.next_module(), ..self.clone() })
    }

    fn load(engine: &Engine, program: Arc<Program>, running: Arc<Program>, is_traced: bool) -> Result<Module, Error> {
        Ok(Module {
            #[cfg(jit_supported)]
            compiled: compile(engine, &running)?,
            id: engine.next_module(),
            engine: engine.clone(),
            program,
            running,
            is_traced,
        })
    }

    /// The engine that the module belongs to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The program: its exports, imports, code and memory map.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The program that instances run.
    pub(crate) fn running(&self) -> &Arc<Program> {
        &self.running
    }

    /// Returns true if each instruction is logged.
    pub(crate) fn is_traced(&self) -> bool {
        self.is_traced
    }

    /// Returns true if it runs as machine code.
    pub fn is_compiled(&self) -> bool {
        self.machine_code_length().is_some()
    }

    /// The machine code, preceded by the jump table, as workers map it; `None` if the program is interpreted.
    pub fn machine_code(&self) -> Option<&[u8]> {
        #[cfg(jit_supported)]
        return self.compiled.as_ref().map(|compiled| compiled.image());
        #[cfg(not(jit_supported))]
        None
    }

    /// Length of machine code and jump table in bytes; `None` if the program is interpreted.
    pub fn machine_code_length(&self) -> Option<usize> {
        self.machine_code().map(<[u8]>::len)
    }

    #[cfg(jit_supported)]
    pub(crate) fn compiled(&self) -> Option<&Arc<Compiled>> {
        self.compiled.as_ref()
    }

    #[cfg(jit_supported)]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

#[cfg(jit_supported)]
fn compile(engine: &Engine, program: &Program) -> Result<Option<Arc<Compiled>>, Error> {
    if engine.pool().is_none() {
        return Ok(None);
    }
    let compile = if engine.verifies_code() { jit::compile } else { jit::compile_unverified };
    let error = match compile(program) {
        Ok(compiled) => return Ok(Some(Arc::new(compiled))),
        Err(error) => error,
    };
    match error {
        CompileError::Verify(error) => {
            log::error!(target: "pvm::engine", "{error}");
            if engine.may_fall_back() { Ok(None) } else { Err(Error::Verify(error)) }
        }
        error if engine.may_fall_back() => {
            log::warn!(target: "pvm::engine", "a program is interpreted, not compiled: {error}");
            Ok(None)
        }
        error => Err(Error::Compile(error.to_string())),
    }
}
