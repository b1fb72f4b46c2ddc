//! The executor that requires nothing from the node: vm-core's interpreter, inside the runtime.
//!
//! It decodes the program again for every instance, which [`crate::metering::cost::Cost::LoadCode`] pays for.

use super::{Executor, GuestInstance, OutOfBounds, Source, Stop};
use crate::limits;
use alloc::{format, string::String, sync::Arc};
use pvm_host_interface::program_config;
use vm_core::{blob::Blob, interpreter, program::Program};

/// Runs programs with vm-core's interpreter.
pub struct InRuntimeInterpreter;

/// An instance of the interpreter.
pub struct InterpreterInstance(interpreter::Instance);

impl Executor for InRuntimeInterpreter {
    type Instance = InterpreterInstance;

    const NODE_RUNS_PROGRAMS: bool = false;

    const STACK_BYTES: u64 = limits::TRANSACTION_MEMORY_BYTES as u64;

    fn instantiate(source: Source<'_>) -> Result<Self::Instance, String> {
        let blob = Blob::parse(source.code).map_err(|error| format!("{error}"))?;
        let program = Program::new(&blob, &program_config(source.rules()?)).map_err(|error| format!("{error}"))?;
        let mut instance = interpreter::Instance::new(Arc::new(program));
        instance.prepare_call(source.entry, &[]);
        Ok(InterpreterInstance(instance))
    }
}

impl GuestInstance for InterpreterInstance {
    fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        Stop::of_run(&mut self.0, gas, result)
    }

    fn release(&mut self) {
        self.0.release_translation();
    }

    fn program_counter(&self) -> Option<u32> {
        self.0.pc()
    }

    fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), OutOfBounds> {
        self.0.read_memory(address, out).map_err(|_| OutOfBounds)
    }

    fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), OutOfBounds> {
        self.0.write_memory(address, data).map_err(|_| OutOfBounds)
    }

    fn zero_memory(&mut self, address: u32, len: u32) -> Result<(), OutOfBounds> {
        self.0.zero_memory(address, len).map_err(|_| OutOfBounds)
    }
}
