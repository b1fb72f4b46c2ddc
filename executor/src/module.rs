//! A loaded program: what the caches hold and instances are made of. Made by `loader`.

use crate::budget::{Budget, Reservation};
use crate::call::CallPurpose;
use pvm_engine::{Module, ProgramBlob};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use vm_core::program::Program;

/// Bytes that a module takes beside its code and machine code.
const OVERHEAD: usize = 4096;

/// A loaded program, compiled if the engine compiles and the program allows it.
pub(crate) struct Loaded {
    /// The blob, to compare and to store.
    pub blob: ProgramBlob,
    /// The program, for the interpreter.
    pub program: Arc<Program>,
    /// The compiled module; `None` if the program is interpreted.
    pub compiled: Option<Module>,
    /// True if the machine code is on disk, or on its way there.
    is_stored: AtomicBool,
    /// Its share of the node's memory.
    memory: Option<Reservation>,
}

impl Loaded {
    /// A program with its machine code. It holds no reservation of memory yet.
    pub fn compiled(blob: ProgramBlob, module: Module) -> Loaded {
        let program = module.program().clone();
        Loaded { compiled: Some(module), ..Loaded::interpreted(blob, program) }
    }

    /// A program for the interpreter. It holds no reservation of memory yet.
    pub fn interpreted(blob: ProgramBlob, program: Arc<Program>) -> Loaded {
        Loaded { blob, program, compiled: None, is_stored: AtomicBool::new(false), memory: None }
    }

    /// Reserves memory for the program; true if there was enough.
    pub fn reserve(&mut self, budget: &Arc<Budget>, purpose: CallPurpose) -> bool {
        self.memory = budget.reserve(purpose, self.bytes());
        self.memory.is_some()
    }

    /// Reserves memory for the program, even beyond the limit.
    pub fn force(&mut self, budget: &Arc<Budget>, purpose: CallPurpose) {
        self.memory = Some(budget.force(purpose, self.bytes()));
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
        let machine_code = self.compiled.as_ref().and_then(Module::machine_code_length).unwrap_or(0);
        OVERHEAD + 2 * self.blob.as_bytes().len() + 2 * machine_code
    }
}
