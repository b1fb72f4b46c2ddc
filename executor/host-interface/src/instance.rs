//! The runtime's side of an instance.

use crate::functions::polkavm;
use crate::memory::{self, MemoryStop, Reads, Write, Writes};
use crate::{AccessError, InstantiateError, ProgramRules, Stop, wire};
use alloc::boxed::Box;
use vm_core::Outcome;

/// Handle of a program that the node runs. Dropping it frees the instance there.
///
/// Methods panic, which ends the runtime call, if the node returns an invalid result.
#[derive(Debug)]
pub struct RemoteInstance {
    number: u32,
    /// The ranges that the imports read.
    reads: Reads,
    /// The latest stop, and the memory that crossed with it.
    stopped: Box<(Stop, MemoryStop)>,
    /// Whether guest memory is as it was then, but for `writes`.
    is_fresh: bool,
    /// Writes that the node does not know of yet. All of them are to writable memory.
    writes: Writes,
}

/// A longer write is made at once: copying it twice takes longer than another call of the node.
const DEFERRED_BYTES: usize = 1024;

impl RemoteInstance {
    /// Makes an instance that will run from code offset `entry`. `code_hash` is the Keccak-256 hash of `code`; `reads`
    /// has the ranges of memory that the host functions behind its imports read: others can be read as well, but cost
    /// a call of the node.
    ///
    /// # Errors
    /// If the hash does not match, the code is not a program, or there are already [`crate::INSTANCES`] instances.
    pub fn new(
        code_hash: &[u8; 32],
        code: &[u8],
        entry: u32,
        rules: ProgramRules,
        reads: Reads,
    ) -> Result<Self, InstantiateError> {
        let (cost_model, semantics) = (u32::from(rules.cost_model.id()), u32::from(rules.semantics.id()));
        let answer = polkavm::instantiate(code_hash, code, entry, cost_model, semantics);
        let number = understood(wire::to_instantiated(answer, cost_model, semantics))?;
        let stopped = Box::new((NOT_RUN, MemoryStop::default()));
        Ok(RemoteInstance { number, reads, stopped, is_fresh: false, writes: Writes::default() })
    }

    /// Sets A0 to `result`, if given, and runs until the next stop with this much gas.
    pub fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        let (writes, reads) = (self.writes.as_bytes(), self.reads.as_bytes());
        let (stop, memory) = &mut *self.stopped;
        let answer = polkavm::run(self.number, gas, result.is_some(), result.unwrap_or(0), writes, reads, memory);
        understood((answer == 0).then_some(()));
        *stop = understood(memory.stop());
        self.writes.clear();
        self.is_fresh = true;
        *stop
    }

    /// The code offset at which the instance stopped, if known.
    pub fn program_counter(&self) -> Option<u32> {
        wire::to_counter(polkavm::program_counter(self.number))
    }

    /// Reads guest memory.
    ///
    /// # Errors
    /// If part of the range is not readable. The contents of `out` are then unspecified.
    pub fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        ensure_range(address, out.len())?;
        if self.writes.overlap(address, out.len()) {
            self.make_writes();
        }
        let (stop, memory) = &*self.stopped;
        if self.is_fresh
            && let Some(contents) = memory.contents(self.reads.as_bytes(), stop, address, out.len())
        {
            out.copy_from_slice(contents);
            return Ok(());
        }
        understood(wire::to_access(polkavm::read_memory(self.number, address, out)))
    }

    /// Writes guest memory: all of it or, on an error, none of it.
    ///
    /// # Errors
    /// If part of the range is not writable.
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError> {
        ensure_range(address, data.len())?;
        if data.len() <= DEFERRED_BYTES && self.defers(Write::Bytes(address, data)) {
            return Ok(());
        }
        self.make_writes();
        understood(wire::to_access(polkavm::write_memory(self.number, address, data)))
    }

    /// Writes zeros to guest memory.
    ///
    /// # Errors
    /// As [`Self::write_memory`].
    pub fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), AccessError> {
        ensure_range(address, length as usize)?;
        if self.defers(Write::Zeros(address, length)) {
            return Ok(());
        }
        self.make_writes();
        understood(wire::to_access(polkavm::zero_memory(self.number, address, length)))
    }

    /// Leaves a write to the next run, if its result is known to be success.
    fn defers(&mut self, write: Write<'_>) -> bool {
        let (address, length) = write.range();
        let end = u64::from(address) + u64::from(length);
        let lies_in = |(low, high): (u32, u32)| low <= address && end <= u64::from(high);
        length > 0 && self.stopped.1.writable().into_iter().any(lies_in) && self.writes.push(write)
    }

    /// Makes the deferred writes, before an access that depends on them or is a write itself.
    fn make_writes(&mut self) {
        self.is_fresh = false;
        for write in memory::writes(self.writes.as_bytes()) {
            let answer = match understood(write) {
                Write::Bytes(address, data) => polkavm::write_memory(self.number, address, data),
                Write::Zeros(address, length) => polkavm::zero_memory(self.number, address, length),
            };
            understood((answer == 0).then_some(()));
        }
        self.writes.clear();
    }
}

/// Stands for the stop of an instance that has not run yet. No memory is known to be writable then.
const NOT_RUN: Stop = Stop { outcome: Outcome::Trap, gas: 0, args: [0; 6] };

impl Drop for RemoteInstance {
    fn drop(&mut self) {
        polkavm::destroy(self.number);
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
