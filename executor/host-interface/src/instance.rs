//! The runtime's side of an instance.

use crate::functions::polkavm;
use crate::wire::{self, StopBuffer};
use crate::{AccessError, InstantiateError, ProgramRules, Stop};

/// Handle of a program that the node runs. Dropping it frees the instance there.
///
/// Methods panic, which ends the runtime call, if the node returns an invalid result.
#[derive(Debug)]
pub struct RemoteInstance(u32);

impl RemoteInstance {
    /// Makes an instance that will run from code offset `entry`. `code_hash` is the Keccak-256 hash of `code`.
    ///
    /// # Errors
    /// If the hash does not match, the code is not a program, or there are already [`crate::INSTANCES`] instances.
    pub fn new(code_hash: &[u8; 32], code: &[u8], entry: u32, rules: ProgramRules) -> Result<Self, InstantiateError> {
        let (cost_model, semantics) = (u32::from(rules.cost_model.id()), u32::from(rules.semantics.id()));
        let answer = polkavm::instantiate(code_hash, code, entry, cost_model, semantics);
        understood(wire::to_instantiated(answer, cost_model, semantics)).map(RemoteInstance)
    }

    /// Sets A0 to `result`, if given, and runs until the next stop with this much gas.
    pub fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        let mut stop = StopBuffer::default();
        let answer = polkavm::run(self.0, gas, result.is_some(), result.unwrap_or(0), &mut stop);
        understood((answer == 0).then_some(()));
        understood(stop.decode())
    }

    /// The code offset at which the instance stopped, if known.
    pub fn program_counter(&self) -> Option<u32> {
        wire::to_counter(polkavm::program_counter(self.0))
    }

    /// Reads guest memory.
    ///
    /// # Errors
    /// If part of the range is not readable. The contents of `out` are then unspecified.
    pub fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        ensure_range(address, out.len())?;
        understood(wire::to_access(polkavm::read_memory(self.0, address, out)))
    }

    /// Writes guest memory: all of it or, on an error, none of it.
    ///
    /// # Errors
    /// If part of the range is not writable.
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError> {
        ensure_range(address, data.len())?;
        understood(wire::to_access(polkavm::write_memory(self.0, address, data)))
    }

    /// Writes zeros to guest memory.
    ///
    /// # Errors
    /// As [`Self::write_memory`].
    pub fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), AccessError> {
        ensure_range(address, length as usize)?;
        understood(wire::to_access(polkavm::zero_memory(self.0, address, length)))
    }
}

impl Drop for RemoteInstance {
    fn drop(&mut self) {
        polkavm::destroy(self.0);
    }
}

/// Refuses a range that exceeds the 32-bit address space before it reaches the node.
fn ensure_range(address: u32, length: usize) -> Result<(), AccessError> {
    match length as u64 <= (1 << 32) - u64::from(address) {
        true => Ok(()),
        false => Err(AccessError::OutOfBounds),
    }
}

fn understood<T>(answer: Option<T>) -> T {
    match answer {
        Some(answer) => answer,
        None => panic!("the node answers a PolkaVM host function as no node of this version does"),
    }
}
