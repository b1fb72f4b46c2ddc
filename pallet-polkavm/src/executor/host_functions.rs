//! The executor whose programs are run by the node, through its host functions.
//!
//! For runtimes on nodes that have these host functions; such a runtime's blocks can only be executed by nodes that
//! have them. Same results as [`super::InRuntimeInterpreter`], but faster.

use super::{Executor, GuestInstance, OutOfBounds, Source, Stop};
use crate::limits;
use alloc::{format, string::String};
use pvm_host_interface::{RemoteInstance, memory::Reads};

/// Runs programs in the node.
pub struct HostFunctions;

impl Executor for HostFunctions {
    type Instance = RemoteInstance;

    const NODE_RUNS_PROGRAMS: bool = true;

    // Programs and guest memory are in the node. The blob is freed once it is passed on.
    const STACK_BYTES: u64 = ((limits::CALL_DEPTH + 1) * 2 * limits::CALLDATA_BYTES
        + 3 * limits::BLOB_BYTES
        + 2 * limits::TRANSIENT_STORAGE_BYTES) as u64;

    fn instantiate(source: Source<'_>) -> Result<Self::Instance, String> {
        let reads = Reads::new(source.imports.iter().map(|function| function.reads()));
        RemoteInstance::new(&source.code_hash.0, source.code, source.entry, source.rules()?, reads)
            .map_err(|error| format!("{error}"))
    }
}

impl GuestInstance for RemoteInstance {
    fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        Self::run(self, gas, result)
    }

    fn program_counter(&self) -> Option<u32> {
        Self::program_counter(self)
    }

    fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), OutOfBounds> {
        Self::read_memory(self, address, out).map_err(|_| OutOfBounds)
    }

    fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), OutOfBounds> {
        Self::write_memory(self, address, data).map_err(|_| OutOfBounds)
    }

    fn zero_memory(&mut self, address: u32, len: u32) -> Result<(), OutOfBounds> {
        Self::zero_memory(self, address, len).map_err(|_| OutOfBounds)
    }
}
