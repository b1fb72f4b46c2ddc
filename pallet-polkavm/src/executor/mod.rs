//! The interface between the pallet and the executor of programs.
//!
//! The call stack passes a stored program to an [`Executor`] and drives the resulting [`GuestInstance`]: run, serve a
//! host call, run again, until it ends. An implementation behind host functions crosses the boundary once per
//! [`GuestInstance::run`], which takes most accesses to memory with it. Results never depend on the implementation: same outcome, gas,
//! registers and memory at every stop.

mod host_functions;
mod interpreter;

pub use host_functions::HostFunctions;
pub use interpreter::InRuntimeInterpreter;
pub use pvm_host_interface::Stop;

use crate::{code::CostModel, host_api::HostFunction};
use alloc::{format, string::String};
use pvm_host_interface::ProgramRules;
use sp_core::H256;
use vm_core::Semantics;

/// Makes instances of programs.
pub trait Executor {
    /// An instance of a program.
    type Instance: GuestInstance;

    /// Bytes of the runtime's heap taken by the deepest call stack: its instances, their call data, the blobs as they
    /// are read, and transient storage. Used by the integrity test.
    const STACK_BYTES: u64;

    /// True if the node runs programs, and so may compile them.
    const NODE_RUNS_PROGRAMS: bool;

    /// Makes a fresh instance, ready to run.
    ///
    /// # Errors
    ///
    /// A sentence for the log if the program can't be loaded; never depends on the node.
    fn instantiate(source: Source<'_>) -> Result<Self::Instance, String>;
}

/// A stored program to instantiate.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The hash of the code. An implementation may cache compiled code under it.
    pub code_hash: H256,
    /// A program that passed the check at upload.
    pub code: &'a [u8],
    /// The code offset of the export to run.
    pub entry: u32,
    /// The gas cost model the program was stored with.
    pub cost_model: CostModel,
    /// The id of the semantics version that the program was stored with.
    pub semantics: u16,
    /// The host function behind each import.
    pub imports: &'a [HostFunction],
}

impl Source<'_> {
    /// The rules that the program runs under.
    ///
    /// # Errors
    ///
    /// A sentence if the id is unknown to this runtime. The runtime never stores unknown ids.
    pub fn rules(&self) -> Result<ProgramRules, String> {
        let semantics = Semantics::from_id(self.semantics)
            .ok_or_else(|| format!("no semantics of instructions has the number {}", self.semantics))?;
        Ok(ProgramRules { semantics, cost_model: self.cost_model.into() })
    }
}

/// A guest address range that is not accessible, or not writable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfBounds;

/// An instance of a program. Dropping it frees its resources.
pub trait GuestInstance {
    /// Sets A0 to `result`, if given, which returns the value of a host call, and runs until the next stop with this
    /// much gas.
    fn run(&mut self, gas: i64, result: Option<u64>) -> Stop;

    /// Frees memory that can be recomputed, as the instance waits for a nested call.
    fn release(&mut self) {}

    /// The code offset at which the instance stopped, if known.
    fn program_counter(&self) -> Option<u32>;

    /// Reads guest memory.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] if any byte is not readable.
    fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), OutOfBounds>;

    /// Writes guest memory: all of it or, on an error, none of it.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] if any byte is not writable.
    fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), OutOfBounds>;

    /// Fills guest memory with zeros.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] if any byte is not writable.
    fn zero_memory(&mut self, address: u32, len: u32) -> Result<(), OutOfBounds>;
}
