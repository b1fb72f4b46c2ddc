//! Loading: turns the bytes passed by a runtime into a program that can run.
//!
//! In order: the cache, else (without tiers, see `tier`) the disk, else the compiler, else the interpreter; then memory
//! is reserved, and the result is put into the cache and, at its second use, on the disk. The blob is parsed once on
//! this way, where its module is made.

use crate::cache::{Key, Lookup};
use crate::call::{self, CallPurpose, Refusal, refuse};
use crate::module::Loaded;
use crate::throttle::throttled;
use crate::{LOG_TARGET, Shared};
use pvm_engine::{Backend, Error, Module, ProgramBlob};
use pvm_host_interface::{InstantiateError, ProgramRules, program_config};
use sp_crypto_hashing::keccak_256;
use std::sync::Arc;
use vm_core::blob::Blob;
use vm_core::program::{Program, ProgramConfig};

impl Shared {
    /// Returns the purpose of this thread's runtime call, which is about to run a contract; off-chain calls may have to
    /// wait.
    pub(crate) fn admit(&self) -> CallPurpose {
        match call::off_chain() {
            None => CallPurpose::OnChain,
            Some(call) => {
                call.admit(self);
                CallPurpose::OffChain
            }
        }
    }

    /// Returns the program of this code, from the cache or newly loaded.
    ///
    /// # Errors
    /// [`InstantiateError::HashMismatch`] and [`InstantiateError::NoProgram`].
    pub(crate) fn load(
        &self,
        code_hash: &[u8; 32],
        code: &[u8],
        rules: ProgramRules,
        purpose: CallPurpose,
    ) -> Result<Arc<Loaded>, InstantiateError> {
        let key = Key::new(code_hash, rules);
        match self.find(&key, code, purpose) {
            Lookup::Hit(loaded) => {
                self.metrics.cache_hits_total.inc();
                self.note_use(&key, &loaded, purpose);
                return Ok(loaded);
            }
            Lookup::HashMismatch => return Err(InstantiateError::HashMismatch),
            Lookup::Miss if keccak_256(code) != *code_hash => return Err(InstantiateError::HashMismatch),
            Lookup::Miss => {}
        }
        // Not under the cache's lock: if another thread loads the same program, one of the two is dropped.
        let loaded = self.prepare(&key, ProgramBlob::from_bytes(code), &program_config(rules))?;
        let loaded = Arc::new(self.with_memory(loaded, purpose));
        self.note_use(&key, &loaded, purpose);
        let mut cache = self.cache(purpose);
        let evicted = cache.insert(key, &loaded);
        self.metrics.cache_evictions_total.inc_by(evicted as u64);
        if purpose == CallPurpose::OnChain {
            self.metrics.cache_bytes.set(cache.bytes() as u64);
        }
        Ok(loaded)
    }

    /// Looks up a program: in the cache of blocks, which off-chain calls do not change, and for off-chain calls also in
    /// their own.
    fn find(&self, key: &Key, code: &[u8], purpose: CallPurpose) -> Lookup {
        match purpose {
            CallPurpose::OnChain => self.cache(purpose).get(key, code),
            CallPurpose::OffChain => match self.cache(CallPurpose::OnChain).peek(key, code) {
                // Blocks decide whether it is compiled.
                Lookup::Hit(loaded) if !loaded.is_settled() => self.cache(purpose).get(key, code),
                Lookup::Miss => self.cache(purpose).get(key, code),
                found => found,
            },
        }
    }

    /// Prepares a program for running: with machine code from the disk, or compiled, or for the interpreter.
    fn prepare(&self, key: &Key, blob: ProgramBlob, config: &ProgramConfig) -> Result<Loaded, InstantiateError> {
        let engine = self.engine();
        if engine.backend() != Backend::Jit {
            self.metrics.compiles_total.inc();
            return interpreted(*key, blob, config);
        }
        if self.tier_gas > 0 {
            let program = program(&blob, config)?;
            return Ok(Loaded::uncompiled(*key, blob, program));
        }
        if let Some(module) = self.disk.as_ref().and_then(|disk| disk.load(&engine, key, &blob, config)) {
            let loaded = Loaded::new_compiled(*key, blob, module);
            loaded.set_stored();
            return Ok(loaded);
        }
        self.metrics.compiles_total.inc();
        match Module::new(&engine, config, &blob) {
            Ok(module) if module.is_compiled() => Ok(Loaded::new_compiled(*key, blob, module)),
            Ok(module) => {
                self.metrics.compile_failures_total.inc();
                Ok(Loaded::interpreted(*key, blob, module.program().clone()))
            }
            Err(error @ (Error::Blob(_) | Error::Program(_))) => Err(no_program(&error)),
            Err(error) => {
                throttled!(log::Level::Warn, "A program is interpreted: {error}");
                self.metrics.compile_failures_total.inc();
                interpreted(*key, blob, config)
            }
        }
    }

    /// Reserves the program's memory. Without memory for machine code the program is interpreted; if there is none for
    /// that either, an off-chain call ends, and a block exceeds the limit.
    fn with_memory(&self, mut loaded: Loaded, purpose: CallPurpose) -> Loaded {
        if loaded.reserve(&self.budget, purpose) {
            return loaded;
        }
        self.metrics.memory_refused_total.inc();
        if loaded.give_up_compiled() && loaded.reserve(&self.budget, purpose) {
            return loaded;
        }
        match purpose {
            CallPurpose::OnChain => loaded.force(&self.budget, purpose),
            CallPurpose::OffChain => refuse(self, Refusal::Memory),
        }
        loaded
    }

    /// Stores a block's program on disk at its second use: a program that runs once is not worth a write.
    fn note_use(&self, key: &Key, loaded: &Arc<Loaded>, purpose: CallPurpose) {
        if let Some(disk) = &self.disk
            && purpose == CallPurpose::OnChain
            && !self.is_distrusted()
        {
            disk.used(key, loaded);
        }
    }
}

fn interpreted(key: Key, blob: ProgramBlob, config: &ProgramConfig) -> Result<Loaded, InstantiateError> {
    let program = program(&blob, config)?;
    Ok(Loaded::interpreted(key, blob, program))
}

fn program(blob: &ProgramBlob, config: &ProgramConfig) -> Result<Arc<Program>, InstantiateError> {
    let parsed = Blob::parse(blob.as_bytes()).map_err(|error| no_program(&error))?;
    Program::new(&parsed, config).map(Arc::new).map_err(|error| no_program(&error))
}

fn no_program(error: &dyn std::error::Error) -> InstantiateError {
    log::debug!(target: LOG_TARGET, "A program cannot be loaded: {error}");
    InstantiateError::NoProgram
}
