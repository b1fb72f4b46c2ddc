//! The interface between the pallet and the executor of programs.
//!
//! The call stack hands a stored program to an [`Executor`] and drives the [`GuestInstance`] it gets:
//! run, serve a host call, run again, until it stops for good. The interface is cut so that an
//! implementation behind host functions crosses the border once per [`GuestInstance::run`] and once per
//! access to memory. Results never depend on the implementation: same outcome, gas, registers and
//! memory at every stop.

mod host_functions;
mod interpreter;

pub use host_functions::HostFunctions;
pub use interpreter::InRuntimeInterpreter;
pub use pvm_host_interface::Stop;

use crate::code::CostModel;
use alloc::{format, string::String};
use pvm_host_interface::ProgramRules;
use sp_core::H256;
use vm_core::Semantics;

/// Makes instances of programs.
pub trait Executor {
    /// An instance of a program.
    type Instance: GuestInstance;

    /// Bytes of the runtime's heap that the instances of the deepest call stack take, with their call data, the
    /// blobs as they are read, and transient storage; what the integrity test counts.
    const STACK_BYTES: u64;

    /// Whether the node runs programs, and so may compile them.
    const NODE_RUNS_PROGRAMS: bool;

    /// Makes a fresh instance, ready to run.
    ///
    /// # Errors
    ///
    /// A sentence for the log where the program can't be loaded, which never depends on the node.
    fn instantiate(source: Source<'_>) -> Result<Self::Instance, String>;
}

/// A stored program to be instantiated.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The hash of the code. An implementation may keep what it compiled under it.
    pub code_hash: H256,
    /// A program that passed the check at upload.
    pub code: &'a [u8],
    /// The code offset of the export to run.
    pub entry: u32,
    /// The gas cost model the program was stored with.
    pub cost_model: CostModel,
    /// The id of the semantics version that the program was stored with.
    pub semantics: u16,
}

impl Source<'_> {
    /// The rules that the program runs under.
    ///
    /// # Errors
    ///
    /// A sentence where the number is one that this runtime does not know. It stores none that it does not know.
    pub fn rules(&self) -> Result<ProgramRules, String> {
        let semantics = Semantics::from_id(self.semantics)
            .ok_or_else(|| format!("no semantics of instructions has the number {}", self.semantics))?;
        Ok(ProgramRules { semantics, cost_model: self.cost_model.into() })
    }
}

/// A guest address range that isn't there, or may not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfBounds;

/// An instance of a program. Dropping it frees all it holds.
pub trait GuestInstance {
    /// Runs until the next stop with this much gas. `result` goes into A0 first: it is how the
    /// value of a host call is returned.
    fn run(&mut self, gas: i64, result: Option<u64>) -> Stop;

    /// Gives up memory that can be made again, as the instance waits for a nested call.
    fn release(&mut self) {}

    /// The code offset at which the instance stopped, where it is known.
    fn program_counter(&self) -> Option<u32>;

    /// Reads guest memory.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] where any byte can't be read.
    fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), OutOfBounds>;

    /// Writes guest memory: all of it or, on an error, nothing.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] where any byte can't be written.
    fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), OutOfBounds>;

    /// Fills guest memory with zeros.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] where any byte can't be written.
    fn zero_memory(&mut self, address: u32, len: u32) -> Result<(), OutOfBounds>;
}
