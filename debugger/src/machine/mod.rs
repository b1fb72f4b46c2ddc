//! The time machine: a run that can be gone through forwards and backwards.
//!
//! A position is the number of instructions executed before it. Position 0 is the start of the run, and the state at a
//! position is always the same, however it was reached: what the host did at a host call is done with the call. Going
//! back is going forward from a snapshot before the place. Snapshots are taken on the way, as far apart as the memory
//! that they may take demands.
//!
//! A run ends where it returns to its caller for the last time, traps, is out of gas or calls a host function that nobody
//! answers. An instruction that was not done counts as executed only if it may have changed something, as the first one of
//! a block does by charging for the block, or if the run went on all the same.

mod blocks;
mod inputs;
mod search;
mod snapshots;

pub use blocks::Visit;
pub use inputs::{Live, ReplayError};
pub use search::{Conditions, Found, Hit, Watch};

use crate::record::Record;
use inputs::{Inputs, Reaction};
use snapshots::{Saved, Snapshots};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::interpreter::{Instance, MemoryTouch, Stops};
use vm_core::isa::{Opcode, Reg};
use vm_core::memory::MemoryError;
use vm_core::program::Program;

/// Memory for snapshots, in bytes, if nothing else is said.
pub const SNAPSHOT_MEMORY: usize = 256 << 20;

/// Distance of an extra snapshot before the position that was sought, if the way there was long.
const NEAR: u64 = 1 << 14;

/// A run, at some position.
#[derive(Debug)]
pub struct Machine {
    instance: Instance,
    inputs: Inputs,
    /// Number of the inputs used.
    used: usize,
    position: u64,
    end: Option<End>,
    snapshots: Snapshots,
}

/// The end of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Its position.
    pub position: u64,
    /// The outcome of the run.
    pub outcome: Outcome,
    /// Whether the last instruction is counted although it was not executed: it is before this position then, not the
    /// next one.
    pub counted: bool,
}

/// Result of a part of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    /// All instructions were executed, or a stop that was set was reached.
    Step,
    /// The host did something at a stop: these are its accesses to memory.
    Host { outcome: Outcome, accesses: Vec<MemoryTouch>, gas_before: i64 },
    /// The run is over.
    End(Outcome),
}

impl Machine {
    /// A machine at the start of a recorded run.
    ///
    /// # Errors
    /// If the record's program cannot be run, or no call begins in it.
    pub fn replay(record: &Record) -> Result<Machine, ReplayError> {
        let program = Arc::new(record.program().map_err(ReplayError::Record)?);
        Machine::new(program, Inputs::Record(record.events.as_slice().into()))
    }

    /// A machine at the start of a run that needs no host, or one that answers always the same.
    ///
    /// # Errors
    /// If the program stops before every instruction, which is not the program's to do here.
    pub fn live(program: Arc<Program>, live: Live) -> Result<Machine, ReplayError> {
        Machine::new(program, Inputs::Live(live))
    }

    fn new(program: Arc<Program>, inputs: Inputs) -> Result<Machine, ReplayError> {
        if program.config().single_step {
            return Err(ReplayError::SingleStep);
        }
        let mut instance = Instance::new(program);
        let used = inputs.begin(&mut instance)?;
        let mut machine =
            Machine { instance, inputs, used, position: 0, end: None, snapshots: Snapshots::new(SNAPSHOT_MEMORY) };
        machine.take_snapshot();
        Ok(machine)
    }

    /// Sets how much memory snapshots may take, in bytes. The one at the start is always kept.
    pub fn set_snapshot_memory(&mut self, bytes: usize) {
        self.snapshots.set_memory(bytes);
    }

    /// Sets the distance of snapshots, in instructions, that is begun with.
    pub fn set_snapshot_distance(&mut self, instructions: u64) {
        self.snapshots.set_distance(instructions);
    }

    /// The memory that snapshots take, in bytes.
    pub fn snapshot_memory(&self) -> usize {
        self.snapshots.memory()
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        self.instance.program()
    }

    /// The number of instructions executed.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Number of the recorded events that happened before this place.
    pub fn inputs_used(&self) -> usize {
        self.used
    }

    /// The end, once it was reached.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// The outcome of the run, if this is its end.
    pub fn outcome(&self) -> Option<Outcome> {
        self.end.filter(|end| end.position == self.position).map(|end| end.outcome)
    }

    /// The code offset of the next instruction, or of the one at which the run ended; `None` if it returned to its host.
    pub fn pc(&self) -> Option<u32> {
        match self.outcome() {
            Some(_) => self.instance.pc().or(self.instance.next_pc()),
            None => self.instance.next_pc(),
        }
    }

    /// The value of a register.
    pub fn reg(&self, reg: Reg) -> u64 {
        self.instance.reg(reg)
    }

    /// All registers.
    pub fn registers(&self) -> [u64; Reg::COUNT] {
        Reg::ALL.map(|reg| self.instance.reg(reg))
    }

    /// Gas left.
    pub fn gas(&self) -> i64 {
        self.instance.gas()
    }

    /// Size of the heap in bytes.
    pub fn heap_size(&self) -> u32 {
        self.instance.heap_size()
    }

    /// Reads memory.
    ///
    /// # Errors
    /// If not all of the range can be read.
    pub fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), MemoryError> {
        self.instance.read_memory(address, out)
    }

    /// The access to memory that the next instruction makes.
    pub fn next_access(&self) -> Option<MemoryTouch> {
        self.instance.next_access().filter(|_| self.outcome().is_none())
    }

    /// Executes one instruction. Returns the outcome if the run is over instead, or with it.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn step(&mut self) -> Result<Option<Outcome>, ReplayError> {
        self.instance.set_stops(Stops::default());
        match self.part(1)? {
            Part::End(outcome) => Ok(Some(outcome)),
            _ => Ok(None),
        }
    }

    /// Goes back by one instruction; returns false at the start.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn reverse_step(&mut self) -> Result<bool, ReplayError> {
        match self.position.checked_sub(1) {
            Some(target) => self.seek(target).map(|()| true),
            None => Ok(false),
        }
    }

    /// Goes to a position, or to the end if that comes before.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn seek(&mut self, target: u64) -> Result<(), ReplayError> {
        self.instance.set_stops(Stops::default());
        let from = self.snapshots.before(target);
        if self.position > target || from.is_some_and(|(position, _)| position > self.position) {
            self.restore(target)?;
        }
        // A way that was long is not gone again for the next places before this one.
        let near = (target - self.position.min(target) > 4 * NEAR).then(|| target - NEAR);
        while self.position < target {
            let limit = match near {
                Some(near) if self.position < near => near,
                _ => target,
            };
            if let Part::End(_) = self.part(limit - self.position)? {
                break;
            }
            if near == Some(self.position) {
                self.snapshots.set_near(self.position, self.saved());
            }
        }
        Ok(())
    }

    /// Goes to the end.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn seek_end(&mut self) -> Result<End, ReplayError> {
        loop {
            match self.end {
                Some(end) => {
                    self.seek(end.position)?;
                    return Ok(end);
                }
                None => self.seek(self.position.saturating_add(1 << 40))?,
            }
        }
    }

    /// Runs for at most `limit` instructions, to the next place of a snapshot, or to the next stop.
    fn part(&mut self, limit: u64) -> Result<Part, ReplayError> {
        if let Some(outcome) = self.outcome() {
            return Ok(Part::End(outcome));
        }
        let limit = limit.min(self.snapshots.distance_from(self.position));
        let progress = self.instance.run_for(limit);
        self.position += progress.executed;
        let part = match progress.outcome {
            Outcome::Step => Part::Step,
            outcome => self.react(outcome)?,
        };
        self.take_snapshot();
        Ok(part)
    }

    /// Does what the host did at a stop, and counts the instruction that caused it.
    fn react(&mut self, outcome: Outcome) -> Result<Part, ReplayError> {
        let gas_before = self.instance.gas();
        let changes = self.may_have_changed(outcome);
        match self.inputs.react(&mut self.instance, outcome, &mut self.used)? {
            Reaction::GoesOn(accesses) => {
                self.position += u64::from(matches!(outcome, Outcome::Trap | Outcome::OutOfGas));
                Ok(Part::Host { outcome, accesses, gas_before })
            }
            Reaction::Ends => {
                match outcome {
                    // Not answered, so not done.
                    Outcome::HostCall(_) => self.position -= u64::from(!changes),
                    // The jump to the host was executed, and counted as such.
                    Outcome::Finished => {}
                    _ => self.position += u64::from(changes),
                }
                self.end = Some(End { position: self.position, outcome, counted: changes });
                Ok(Part::End(outcome))
            }
        }
    }

    /// True if an instruction that was not completed may have changed the state.
    fn may_have_changed(&self, outcome: Outcome) -> bool {
        let code = self.program().code();
        // A run that is over has no counter in some modes.
        let Some(pc) = self.instance.pc() else { return true };
        let instruction = code.decode(pc).and_then(|decoded| decoded.instruction);
        let does_parts = instruction.is_some_and(|instruction| {
            use Opcode::{LoadImmAndJump, LoadImmAndJumpIndirect, Memset};
            matches!(instruction.opcode, Memset | LoadImmAndJump | LoadImmAndJumpIndirect)
        });
        // The first instruction of a block charges for the block.
        does_parts || (outcome != Outcome::OutOfGas && code.is_jump_target(pc))
    }

    fn saved(&self) -> Saved {
        Saved { snapshot: self.instance.snapshot(), used: self.used }
    }

    fn take_snapshot(&mut self) {
        if self.snapshots.is_wanted(self.position) && self.outcome().is_none() {
            let saved = self.saved();
            self.snapshots.insert(self.position, saved);
        }
    }

    /// Goes to the last snapshot that is not after a position.
    fn restore(&mut self, target: u64) -> Result<(), ReplayError> {
        let Some((position, saved)) = self.snapshots.before(target) else { return Err(ReplayError::NoSnapshot) };
        self.instance.restore(&saved.snapshot).map_err(|_| ReplayError::NoSnapshot)?;
        (self.position, self.used) = (position, saved.used);
        Ok(())
    }
}
