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
use anyhow::{Context, Result};

/// Gas or fuel that no program exhausts.
pub const PLENTY: i64 = 1 << 60;

/// Bytes that the host function `exchange` reads.
pub const EXCHANGED: usize = 128;

/// Answer of the host function `exchange` to what it has read: the sum of the words.
pub fn exchanged(input: &[u8; EXCHANGED]) -> [u8; 8] {
    let words = input.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(0, u64::wrapping_add).to_le_bytes()
}

/// Executes `exchange` on the memory of a wasm module.
///
/// # Errors
/// If a pointer is out of bounds.
pub fn exchange_in(memory: &mut [u8], input: u32, output: u32) -> Result<()> {
    let read =
        memory.get(input as usize..).and_then(|rest| rest.first_chunk()).context("the input is out of bounds")?;
    let result = exchanged(read);
    let place = memory.get_mut(output as usize..).and_then(|rest| rest.first_chunk_mut());
    *place.context("the output is out of bounds")? = result;
    Ok(())
}

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
