//! Engines: ours and the peers, behind one trait.

mod compiled;
mod ours;
mod polkavm;
mod wasmi;

pub use compiled::Compiled;
pub use ours::Ours;
pub use polkavm::Polkavm;
pub use wasmi::Wasmi;

use crate::programs::BenchProgram;
use anyhow::Result;

/// Gas or fuel that no program exhausts.
pub const PLENTY: i64 = 1 << 60;

/// A virtual machine, set up once as an embedder would.
pub trait Engine {
    /// Its name, for tables.
    fn name(&self) -> &'static str;

    /// True if the program was built for this engine.
    fn takes(&self, _: &BenchProgram) -> bool {
        true
    }

    /// Reads the program as it was built for this engine.
    ///
    /// # Errors
    /// If the file cannot be read.
    fn read(&self, program: &BenchProgram) -> Result<Vec<u8>>;

    /// Loads the program: parses, validates or compiles it.
    ///
    /// # Errors
    /// If the engine refuses them.
    fn load(&self, bytes: &[u8]) -> Result<Box<dyn Module>>;
}

/// A loaded program.
pub trait Module {
    /// Bytes of machine code; nothing if it is interpreted.
    fn code_length(&self) -> Option<usize> {
        None
    }

    /// Instantiates the program.
    ///
    /// # Errors
    /// If the engine cannot.
    fn instantiate(&self) -> Result<Box<dyn EngineInstance>>;
}

/// An instance with its own memory.
pub trait EngineInstance {
    /// Calls an export that has no arguments; returns its result, or any number if it has none. Gas is set to [`PLENTY`].
    ///
    /// # Errors
    /// If there is no such export or the program does not return.
    fn call(&mut self, export: &str) -> Result<u64>;

    /// Gas that the last call used.
    fn gas_used(&self) -> u64;
}
