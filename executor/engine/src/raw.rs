//! Raw level: one instance, run from outcome to outcome. All other levels build on it.
//!
//! This is the common interface of the backends: vm-core's interpreter defines the behaviour of each method, and the
//! compiled backend agrees with it.

use crate::error::Error;
#[cfg(jit_supported)]
use crate::jit::{self, JitInstance, JitSnapshot};
use crate::module::Module;
#[cfg(jit_supported)]
use crate::sandbox::Pooled;
use crate::trace;
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::gas::Metering;
use vm_core::interpreter::{Instance, Snapshot, SnapshotError};
use vm_core::isa::Reg;
use vm_core::memory::MemoryError;
use vm_core::program::Program;

/// A program with registers, memory and gas.
///
/// A new instance has all registers, the gas and the memory beyond the initial data at zero, and no program counter.
/// Methods without further description behave as those of [`vm_core::interpreter::Instance`] with the same names.
pub struct RawInstance {
    module: Module,
    backend: BackendInstance,
    /// The entry of a call by name that ran out of gas, as long as the instance is where that call stopped.
    interrupted: Option<u32>,
}

/// The complete state of a [`RawInstance`].
#[derive(Clone)]
pub struct RawSnapshot {
    program: Arc<Program>,
    state: BackendSnapshot,
    interrupted: Option<u32>,
}

#[derive(Clone)]
enum BackendSnapshot {
    Interpreter(Box<Snapshot>),
    #[cfg(jit_supported)]
    Jit(Box<JitSnapshot>),
}

enum BackendInstance {
    Interpreter(Box<Instance>),
    #[cfg(jit_supported)]
    Jit(Box<JitInstance<Pooled>>),
}

/// Calls the same method of either backend.
macro_rules! on_backend {
    ($self:ident, $instance:ident => $call:expr) => {
        match &$self.backend {
            BackendInstance::Interpreter($instance) => $call,
            #[cfg(jit_supported)]
            BackendInstance::Jit($instance) => $call,
        }
    };
    (mut $self:ident, $instance:ident => $call:expr) => {
        match &mut $self.backend {
            BackendInstance::Interpreter($instance) => $call,
            #[cfg(jit_supported)]
            BackendInstance::Jit($instance) => $call,
        }
    };
}

impl Module {
    /// Makes an instance that runs the program; if it is compiled, in a worker of the engine's pool. With
    /// [`crate::Backend::Auto`] it is interpreted if no worker is available, which is logged.
    ///
    /// # Errors
    /// With [`crate::Backend::Jit`], if no worker is available.
    pub fn instantiate_raw(&self) -> Result<RawInstance, Error> {
        let engine = self.engine();
        if !engine.may_fall_back() {
            return self.instantiate_compiled();
        }
        if !engine.is_in_trouble() {
            match self.instantiate_compiled() {
                Ok(instance) => {
                    engine.end_trouble();
                    return Ok(instance);
                }
                Err(error) => engine.fall_back(&error),
            }
        }
        Ok(self.interpreted())
    }

    /// Instantiates the compiled program without falling back to the interpreter: for embedders that fall back themselves.
    ///
    /// # Errors
    /// If the program is compiled and no worker is available.
    pub fn instantiate_compiled(&self) -> Result<RawInstance, Error> {
        #[cfg(jit_supported)]
        if let (Some(compiled), Some(pool)) = (self.compiled(), self.engine().pool()) {
            let worker = pool.take(&jit::image(self.program(), compiled, self.id()))?;
            let instance = JitInstance::new(self.running().clone(), compiled.clone(), worker);
            let backend = BackendInstance::Jit(Box::new(instance));
            return Ok(RawInstance { module: self.clone(), backend, interrupted: None });
        }
        Ok(self.interpreted())
    }

    /// Makes an instance that continues from the state of an interpreter instance of the same program: with its
    /// registers, memory and gas. The only observable difference is that [`RawInstance::pc`] is unknown until it runs.
    /// For embedders that start on the interpreter and compile programs that run for long.
    ///
    /// # Errors
    /// [`Error::Snapshot`] if `from` is of another program, or, with compiled code, not at the beginning of a basic
    /// block ([`Instance::next_block`]); another error if the program is compiled and no worker is available. `from`
    /// can still be run then.
    pub fn instantiate_from(&self, from: &Instance) -> Result<RawInstance, Error> {
        if !Arc::ptr_eq(self.running(), from.program()) && !self.running().same_as(from.program()) {
            return Err(Error::Snapshot(SnapshotError::OtherProgram));
        }
        let mut made = self.instantiate_compiled()?;
        match &mut made.backend {
            BackendInstance::Interpreter(instance) => **instance = from.clone(),
            #[cfg(jit_supported)]
            BackendInstance::Jit(instance) => instance.take_over(from)?,
        }
        Ok(made)
    }

    fn interpreted(&self) -> RawInstance {
        let backend = BackendInstance::Interpreter(Box::new(Instance::new(self.running().clone())));
        RawInstance { module: self.clone(), backend, interrupted: None }
    }
}

impl RawInstance {
    /// Returns true if it runs as machine code; otherwise it is interpreted.
    pub fn is_compiled(&self) -> bool {
        !matches!(self.backend, BackendInstance::Interpreter(_))
    }

    /// The module of this instance.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The value of a register, zero-extended for a 32-bit program.
    pub fn reg(&self, reg: Reg) -> u64 {
        on_backend!(self, backend => backend.reg(reg))
    }

    /// Sets a register. A 32-bit program uses only the low 32 bits.
    pub fn set_reg(&mut self, reg: Reg, value: u64) {
        on_backend!(mut self, backend => backend.set_reg(reg, value));
    }

    /// Gas left.
    pub fn gas(&self) -> i64 {
        on_backend!(self, backend => backend.gas())
    }

    /// Sets the gas left.
    pub fn set_gas(&mut self, gas: i64) {
        on_backend!(mut self, backend => backend.set_gas(gas));
    }

    /// The code offset of the instruction that caused the last outcome.
    pub fn pc(&self) -> Option<u32> {
        on_backend!(self, backend => backend.pc())
    }

    /// The code offset at which the next run begins.
    pub fn next_pc(&self) -> Option<u32> {
        on_backend!(self, backend => backend.next_pc())
    }

    /// Sets the code offset at which the next run begins.
    pub fn set_next_pc(&mut self, offset: u32) {
        self.interrupted = None;
        on_backend!(mut self, backend => backend.set_next_pc(offset));
    }

    /// Prepares a call of the function at code offset `entry`.
    pub fn prepare_call(&mut self, entry: u32, args: &[u64]) {
        self.interrupted = None;
        on_backend!(mut self, backend => backend.prepare_call(entry, args));
    }

    /// Runs until the next event that the embedder has to handle.
    ///
    /// # Errors
    /// If the worker was lost. The instance is then unusable; the program can run in another instance.
    pub fn run(&mut self) -> Result<Outcome, Error> {
        self.interrupted = None;
        if self.module.is_traced() { trace::run(self) } else { self.run_backend() }
    }

    /// Runs until the backend stops, which a traced one does at every instruction.
    pub(crate) fn run_backend(&mut self) -> Result<Outcome, Error> {
        match &mut self.backend {
            BackendInstance::Interpreter(instance) => Ok(instance.run()),
            #[cfg(jit_supported)]
            BackendInstance::Jit(instance) => Ok(instance.run()?),
        }
    }

    /// The entry of the call by name that ran out of gas at the current position.
    pub(crate) fn interrupted(&self) -> Option<u32> {
        self.interrupted
    }

    /// Records that the call of the function at `entry` ran out of gas here, if it can be resumed.
    pub(crate) fn set_interrupted(&mut self, entry: u32) {
        let can_go_on = self.module.program().config().metering == Metering::Sync && self.next_pc().is_some();
        self.interrupted = can_go_on.then_some(entry);
    }

    /// Reads guest memory.
    ///
    /// # Errors
    /// If the range is not inside one readable region. Nothing is read then.
    pub fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), MemoryError> {
        on_backend!(self, backend => backend.read_memory(address, out))
    }

    /// Writes guest memory.
    ///
    /// # Errors
    /// If the range is not inside one writable region. Nothing is written then.
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), MemoryError> {
        on_backend!(mut self, backend => backend.write_memory(address, data))
    }

    /// Writes zeros to guest memory.
    ///
    /// # Errors
    /// As [`Self::write_memory`].
    pub fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), MemoryError> {
        on_backend!(mut self, backend => backend.zero_memory(address, length))
    }

    /// Grows the heap; returns its new end, or `None` without any change if it cannot grow that far.
    ///
    /// # Errors
    /// If the worker was lost.
    pub fn sbrk(&mut self, bytes: u32) -> Result<Option<u32>, Error> {
        match &mut self.backend {
            BackendInstance::Interpreter(instance) => Ok(instance.sbrk(bytes)),
            #[cfg(jit_supported)]
            BackendInstance::Jit(instance) => Ok(instance.sbrk(bytes)?),
        }
    }

    /// Current size of the heap in bytes.
    pub fn heap_size(&self) -> u32 {
        on_backend!(self, backend => backend.heap_size())
    }

    /// Resets memory to the program's initial contents.
    ///
    /// # Errors
    /// If the worker was lost.
    pub fn reset_memory(&mut self) -> Result<(), Error> {
        match &mut self.backend {
            BackendInstance::Interpreter(instance) => instance.reset_memory(),
            #[cfg(jit_supported)]
            BackendInstance::Jit(instance) => instance.reset_memory()?,
        }
        Ok(())
    }

    /// Takes a snapshot of the complete state. Possible whenever the instance is not running.
    pub fn snapshot(&self) -> RawSnapshot {
        RawSnapshot {
            program: self.module.running().clone(),
            interrupted: self.interrupted,
            state: match &self.backend {
                BackendInstance::Interpreter(instance) => BackendSnapshot::Interpreter(Box::new(instance.snapshot())),
                #[cfg(jit_supported)]
                BackendInstance::Jit(instance) => BackendSnapshot::Jit(Box::new(instance.snapshot())),
            },
        }
    }

    /// Restores a state of the same program on the same backend.
    ///
    /// # Errors
    /// If the snapshot is of another program or backend, or if only one of the two is traced: nothing changes then. If
    /// the worker was lost.
    pub fn restore(&mut self, snapshot: &RawSnapshot) -> Result<(), Error> {
        let other = Error::Snapshot(SnapshotError::OtherProgram);
        let program = self.module.running();
        if !Arc::ptr_eq(program, &snapshot.program) && !program.same_as(&snapshot.program) {
            return Err(other);
        }
        match (&mut self.backend, &snapshot.state) {
            (BackendInstance::Interpreter(instance), BackendSnapshot::Interpreter(state)) => {
                instance.restore(state).map_err(Error::Snapshot)?;
            }
            #[cfg(jit_supported)]
            (BackendInstance::Jit(instance), BackendSnapshot::Jit(state)) => instance.restore(state)?,
            #[cfg(jit_supported)]
            _ => return Err(other),
        }
        self.interrupted = snapshot.interrupted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Engine, Instance, InstancePre, Linker};

    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}

    #[test]
    fn instances_move_between_threads_and_engines_are_shared() {
        is_send::<RawInstance>();
        is_send::<RawSnapshot>();
        is_shared::<Engine>();
        is_shared::<Module>();
        is_shared::<Config>();
        // Whatever the type of the state that host functions are given.
        is_shared::<Linker<*const ()>>();
        is_shared::<InstancePre<*const ()>>();
        is_shared::<Instance<*const ()>>();
    }
}
