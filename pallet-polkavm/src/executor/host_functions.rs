//! The executor that has the node run programs, through its host functions.
//!
//! For runtimes on nodes that have them; the functions are part of what such a node must offer. Same results as
//! [`super::InRuntimeInterpreter`], sooner.

use super::{Executor, GuestInstance, OutOfBounds, Source, Stop};
use crate::limits;
use alloc::{format, string::String};
use pvm_host_interface::RemoteInstance;

/// Has the node run programs.
pub struct HostFunctions;

impl Executor for HostFunctions {
    type Instance = RemoteInstance;

    const NODE_RUNS_PROGRAMS: bool = true;

    // Programs and guest memory are the node's. The blob is let go once it is handed over.
    const STACK_BYTES: u64 = ((limits::CALL_DEPTH + 1) * 2 * limits::CALLDATA_BYTES
        + 3 * limits::BLOB_BYTES
        + 2 * limits::TRANSIENT_STORAGE_BYTES) as u64;

    fn instantiate(source: Source<'_>) -> Result<Self::Instance, String> {
        RemoteInstance::new(&source.code_hash.0, source.code, source.entry, source.rules()?)
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

    fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), OutOfBounds> {
        Self::read_memory(self, address, out).map_err(|_| OutOfBounds)
    }

    fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), OutOfBounds> {
        Self::write_memory(self, address, data).map_err(|_| OutOfBounds)
    }

    fn zero_memory(&mut self, address: u32, len: u32) -> Result<(), OutOfBounds> {
        Self::zero_memory(self, address, len).map_err(|_| OutOfBounds)
    }
}
