//! Snapshots of an instance: taking and restoring them.
//!
//! For debuggers that go back in time, and for recovery. A snapshot holds everything that determines how a run
//! continues: registers, gas, program counters, memory with its heap, and the exact position of the stop. Its size
//! grows with the pages that were touched; translated code is not part of it.

use super::{Instance, Registers, Resume};
use crate::memory::PagedMemory;
use crate::program::Program;
use alloc::sync::Arc;
use core::fmt;

/// State of an instance; see [`Instance::snapshot`].
#[derive(Clone, Debug)]
pub struct Snapshot {
    program: Arc<Program>,
    memory: PagedMemory,
    regs: Registers,
    gas: i64,
    pc: Option<u32>,
    next_pc: Option<u32>,
    resume: Resume,
}

impl Snapshot {
    /// The program that the state belongs to.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Approximate size in bytes.
    pub fn size(&self) -> usize {
        size_of::<Snapshot>() + self.memory.size()
    }
}

/// Error of restoring a snapshot. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The snapshot is of another program, or of the same one under another configuration.
    OtherProgram,
    /// The snapshot comes from an engine of another kind, and is inside a basic block or has no program counter
    /// ([`Instance::next_block`]).
    InsideBlock,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::OtherProgram => f.write_str("the snapshot is of another program or configuration"),
            SnapshotError::InsideBlock => f.write_str("the instance is not at the beginning of a basic block"),
        }
    }
}

impl core::error::Error for SnapshotError {}

impl Instance {
    /// Takes a snapshot of the whole state. Possible at every stop.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            program: self.program.clone(),
            memory: self.memory.clone(),
            regs: self.regs,
            gas: self.gas,
            pc: self.pc,
            next_pc: self.next_pc,
            resume: self.lasting_resume(),
        }
    }

    /// Restores a state. The snapshot may come from another instance, whose program may have been loaded separately.
    ///
    /// # Errors
    /// If the snapshot is not of this program under this configuration. Nothing changes then.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        if !Arc::ptr_eq(&self.program, &snapshot.program) && !self.program.same_as(&snapshot.program) {
            return Err(SnapshotError::OtherProgram);
        }
        self.memory.clone_from(&snapshot.memory);
        self.regs = snapshot.regs;
        self.gas = snapshot.gas;
        self.pc = snapshot.pc;
        self.next_pc = snapshot.next_pc;
        self.resume = snapshot.resume;
        Ok(())
    }
}
