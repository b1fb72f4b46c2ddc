//! A loaded program: the entry of the caches, from which instances are made. Made by `loader`, compiled by it or by
//! `tier`.

use crate::budget::{Budget, Reservation};
use crate::cache::Key;
use crate::call::CallPurpose;
use crate::lock;
use crate::tier::TierGas;
use pvm_engine::{Module, ProgramBlob};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use vm_core::program::Program;

/// Approximate size in bytes of a module beside its code and machine code.
const OVERHEAD: usize = 4096;

/// A loaded program: compiled if the engine compiles, the program can be compiled, and it is worth it.
pub(crate) struct Loaded {
    /// The key in caches and on disk.
    pub key: Key,
    /// The blob, for comparing and storing.
    pub blob: ProgramBlob,
    /// The program, for the interpreter.
    pub program: Arc<Program>,
    /// The compiled module: unset until the program is compiled; `None` if it is always interpreted.
    compiled: OnceLock<Option<Module>>,
    /// True if compilation was requested.
    is_requested: AtomicBool,
    /// Number of instances that begin compiled from now on.
    heat: AtomicU32,
    /// True if the machine code is on disk, or on its way there.
    is_stored: AtomicBool,
    /// Its share of the node's memory.
    memory: Mutex<Option<Reservation>>,
}

impl Loaded {
    /// Makes a program with its machine code, on which all instances begin. It has no memory reservation yet.
    pub fn new_compiled(key: Key, blob: ProgramBlob, module: Module) -> Loaded {
        let program = module.program().clone();
        Loaded { compiled: Some(module).into(), heat: u32::MAX.into(), ..Loaded::uncompiled(key, blob, program) }
    }

    /// Makes a program for the interpreter. It has no memory reservation yet.
    pub fn interpreted(key: Key, blob: ProgramBlob, program: Arc<Program>) -> Loaded {
        Loaded { compiled: None.into(), ..Loaded::uncompiled(key, blob, program) }
    }

    /// Makes a program that is not compiled yet. It has no memory reservation yet.
    pub fn uncompiled(key: Key, blob: ProgramBlob, program: Arc<Program>) -> Loaded {
        Loaded {
            key,
            blob,
            program,
            compiled: OnceLock::new(),
            is_requested: AtomicBool::new(false),
            heat: AtomicU32::new(0),
            is_stored: AtomicBool::new(false),
            memory: Mutex::new(None),
        }
    }

    /// The relation of its gas to time, for tiers.
    pub fn tier_gas(&self) -> TierGas {
        TierGas::new(self.program.config().cost_model)
    }

    /// The compiled module, if there is one.
    pub fn compiled(&self) -> Option<&Module> {
        self.compiled.get()?.as_ref()
    }

    /// True if compilation has succeeded or was ruled out.
    pub fn is_settled(&self) -> bool {
        self.compiled.get().is_some()
    }

    /// True if compilation was ruled out: the program is interpreted.
    pub fn is_refused(&self) -> bool {
        matches!(self.compiled.get(), Some(None))
    }

    /// Sets the compiled module, or rules it out, unless that was done before.
    pub fn settle(&self, module: Option<Module>) {
        let _ = self.compiled.set(module);
    }

    /// Drops the machine code: the program is interpreted.
    pub fn give_up_compiled(&mut self) -> bool {
        let was_compiled = self.compiled().is_some();
        self.compiled = None.into();
        was_compiled
    }

    /// Requests compilation; returns true for the first request.
    pub fn request(&self) -> bool {
        !self.is_requested.swap(true, Relaxed)
    }

    /// True if instances begin compiled.
    pub fn is_hot(&self) -> bool {
        self.heat.load(Relaxed) > 0 && self.is_settled()
    }

    /// Sets the number of instances that begin compiled, unless all do.
    pub fn set_heat(&self, heat: u32) {
        let _ = self.heat.fetch_update(Relaxed, Relaxed, |old| (old != u32::MAX).then_some(heat));
    }

    /// Reduces the number of instances that begin compiled by one, unless all do.
    pub fn cool(&self) {
        let _ = self.heat.fetch_update(Relaxed, Relaxed, |old| (old != u32::MAX && old > 0).then(|| old - 1));
    }

    /// Reserves memory for the program; returns false if there is not enough.
    pub fn reserve(&mut self, budget: &Arc<Budget>, purpose: CallPurpose) -> bool {
        let memory = budget.reserve(purpose, self.bytes());
        let is_there = memory.is_some();
        self.memory = Mutex::new(memory);
        is_there
    }

    /// Reserves memory for the program, even beyond the limit.
    pub fn force(&mut self, budget: &Arc<Budget>, purpose: CallPurpose) {
        self.memory = Mutex::new(Some(budget.force(purpose, self.bytes())));
    }

    /// Reserves more memory; returns false if there is not enough.
    pub fn reserve_more(&self, bytes: usize) -> bool {
        lock(&self.memory).as_mut().is_some_and(|memory| memory.grow(bytes))
    }

    /// True if the machine code is on disk, or on its way there.
    pub fn is_stored(&self) -> bool {
        self.is_stored.load(Relaxed)
    }

    /// Records that the machine code is on disk, or on its way there.
    pub fn set_stored(&self) {
        self.is_stored.store(true, Relaxed);
    }

    /// Approximate memory of the program: the blob, its parsed form, machine code and tables.
    pub fn bytes(&self) -> usize {
        OVERHEAD + 2 * self.blob.as_bytes().len() + self.compiled().map_or(0, Loaded::machine_code_bytes)
    }

    /// Approximate size in bytes of machine code and its tables.
    pub fn machine_code_bytes(module: &Module) -> usize {
        2 * module.machine_code_length().unwrap_or(0)
    }
}
