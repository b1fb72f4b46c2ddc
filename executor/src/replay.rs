//! Replay log: all inputs of an instance since its start, so that the interpreter can take over or check it.
//!
//! Programs are deterministic, so the log holds inputs only, neither memory nor registers. A rolling digest covers
//! everything that the host observed (outcomes, registers, bytes read, accesses refused); a replay compares it.

use crate::budget::Reservation;
use crate::call::CallPurpose;
use crate::{Shared, instance::BackendInstance};
use pvm_host_interface::{AccessError, Stop};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Instant;
use vm_core::Outcome;
use vm_core::interpreter::Instance;
use vm_core::isa::Reg;

/// Registers A0 to A5.
const ARGS: [Reg; 6] = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4, Reg::A5];

/// Bytes by which a log's reservation grows.
const STEP: usize = 4096;

/// Gas slice of the interpreter under a deadline: some milliseconds.
const SLICE: i64 = 1 << 20;

/// An input of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A function was called.
    Call { entry: u32 },
    /// A run; `seen` is the digest after it.
    Run { gas: i64, result: Option<u64>, seen: u64 },
    /// Its memory was read.
    Read { address: u32, length: u32 },
    /// A write to memory, done or refused.
    Write { address: u32, data: Box<[u8]> },
    /// Zeroing of memory, done or refused.
    Zero { address: u32, length: u32 },
    /// Its program counter was read.
    Counter,
}

impl Event {
    fn bytes(&self) -> usize {
        size_of::<Event>() + if let Event::Write { data, .. } = self { data.len() } else { 0 }
    }
}

/// A stop of an instance, with all registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stopped {
    pub outcome: Outcome,
    pub gas: i64,
    pub regs: [u64; Reg::ALL.len()],
}

impl Stopped {
    /// The part that is returned to the runtime.
    pub fn stop(&self) -> Stop {
        Stop { outcome: self.outcome, gas: self.gas, args: ARGS.map(|reg| self.regs[reg as usize]) }
    }
}

/// A rolling digest of everything that the host observed of an instance. Its key is random and stays in this process,
/// so that a hostile worker cannot search for collisions.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    key: RandomState,
    digest: u64,
}

impl Seen {
    fn add(&mut self, what: impl Hash) {
        self.digest = self.key.hash_one((self.digest, what));
    }

    fn stopped(&mut self, stopped: &Stopped) {
        // A match, so that new kinds of outcomes are not overlooked.
        let (kind, detail) = match stopped.outcome {
            Outcome::Finished => (0, 0),
            Outcome::Trap => (1, 0),
            Outcome::OutOfGas => (2, 0),
            Outcome::Step => (3, 0),
            Outcome::HostCall(number) => (4, u64::from(number)),
            Outcome::PageFault { address, write_protected } => {
                (5, u64::from(address) << 1 | u64::from(write_protected))
            }
        };
        self.add((kind, detail, stopped.gas, stopped.regs));
    }

    fn read(&mut self, result: Result<&[u8], AccessError>) {
        self.add(result.ok());
    }

    fn accessed(&mut self, result: Result<(), AccessError>) {
        self.add(result.is_ok());
    }

    fn counter(&mut self, counter: Option<u32>) {
        self.add(counter);
    }
}

/// The inputs of an instance, in order.
pub(crate) struct Log {
    events: Vec<Event>,
    seen: Seen,
    bytes: usize,
    limit: usize,
    /// The reserved memory; `None` once none was available, or the log exceeded its limit.
    memory: Option<Reservation>,
}

/// A difference between the interpreter and compiled code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Differs {
    /// A difference in a run of the instance, or in a read before it.
    Run {
        /// Number of the run, from 0.
        run: usize,
        /// The interpreter's stop.
        stopped: Stopped,
    },
    /// A read after the last run.
    Access {
        /// Number of runs before it.
        runs: usize,
    },
}

impl std::fmt::Display for Differs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Differs::Run { run, stopped } => {
                write!(
                    f,
                    "run {run}, or a read before it, differs from the interpreter, which stopped with {stopped:?}"
                )
            }
            Differs::Access { runs } => {
                write!(f, "a read after run {} differs from the interpreter", runs - 1)
            }
        }
    }
}

/// The reason for which a replay ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReplayError {
    /// The interpreter's behaviour differs.
    Differs(Differs),
    /// The deadline passed.
    Late,
}

/// Error: the deadline passed while a program ran. The instance cannot be used any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Late;

impl Log {
    /// Makes the log of a fresh instance, bounded by the limit of each log and by the node's budget.
    pub fn new(shared: &Shared, purpose: CallPurpose) -> Log {
        Log {
            events: Vec::new(),
            seen: Seen::default(),
            bytes: 0,
            limit: shared.log_bytes,
            memory: shared.budget.reserve(purpose, 0),
        }
    }

    /// Logs a call.
    pub fn call(&mut self, entry: u32) {
        self.push(Event::Call { entry });
    }

    /// Logs a run and its stop.
    pub fn run(&mut self, gas: i64, result: Option<u64>, stopped: &Stopped) {
        self.seen.stopped(stopped);
        self.push(Event::Run { gas, result, seen: self.seen.digest });
    }

    /// Logs a read.
    pub fn read(&mut self, address: u32, length: usize, result: Result<&[u8], AccessError>) {
        self.seen.read(result);
        // The address space has 32 bits; longer ranges were refused before.
        self.push(Event::Read { address, length: length as u32 });
    }

    /// Logs a write.
    pub fn write(&mut self, address: u32, data: &[u8], result: Result<(), AccessError>) {
        self.seen.accessed(result);
        self.push(Event::Write { address, data: data.into() });
    }

    /// Logs a write of zeros.
    pub fn zero(&mut self, address: u32, length: u32, result: Result<(), AccessError>) {
        self.seen.accessed(result);
        self.push(Event::Zero { address, length });
    }

    /// Logs a query of the program counter, and its result.
    pub fn counter(&mut self, counter: Option<u32>) {
        self.seen.counter(counter);
        self.push(Event::Counter);
    }

    fn push(&mut self, event: Event) {
        self.bytes += event.bytes();
        if let Some(memory) = &mut self.memory {
            let missing = self.bytes.saturating_sub(memory.bytes());
            if self.bytes > self.limit || (missing > 0 && !memory.grow(missing.next_multiple_of(STEP))) {
                self.memory = None;
            }
        }
        self.events.push(event);
    }

    /// True if there is memory for the log. Otherwise the log is still complete, but has to be replayed and dropped.
    pub fn has_room(&self) -> bool {
        self.memory.is_some()
    }

    /// Number of bytes reserved.
    pub fn bytes(&self) -> usize {
        self.memory.as_ref().map_or(0, Reservation::bytes)
    }

    /// True if the instance ever ran.
    pub fn has_run(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Run { .. }))
    }

    /// Moves the contents out.
    pub fn take(&mut self) -> Log {
        Log {
            events: std::mem::take(&mut self.events),
            seen: std::mem::take(&mut self.seen),
            bytes: std::mem::take(&mut self.bytes),
            limit: self.limit,
            memory: self.memory.take(),
        }
    }

    /// The inputs.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Replays the log on a fresh instance of the interpreter.
    ///
    /// # Errors
    /// At the first stop at which the digests differ, or at the end.
    #[allow(clippy::result_large_err, reason = "an error ends a run, and is looked at once")]
    pub fn replay(&self, instance: &mut Instance, deadline: Option<Instant>) -> Result<(), ReplayError> {
        let mut seen = Seen { key: self.seen.key.clone(), digest: 0 };
        let mut runs = 0;
        let mut buffer = Vec::new();
        for event in &self.events {
            match event {
                Event::Call { entry } => instance.prepare_call(*entry, &[]),
                Event::Run { gas, result, seen: expected } => {
                    let stopped =
                        run_interpreted(instance, *gas, *result, deadline).map_err(|Late| ReplayError::Late)?;
                    seen.stopped(&stopped);
                    if seen.digest != *expected {
                        return Err(ReplayError::Differs(Differs::Run { run: runs, stopped }));
                    }
                    runs += 1;
                }
                Event::Read { address, length } => {
                    buffer.resize(*length as usize, 0);
                    let result = instance.read_memory(*address, &mut buffer);
                    seen.read(result.map(|()| &*buffer).map_err(|_| AccessError::OutOfBounds));
                }
                Event::Write { address, data } => {
                    seen.accessed(instance.write_memory(*address, data).map_err(|_| AccessError::OutOfBounds));
                }
                Event::Zero { address, length } => {
                    seen.accessed(instance.zero_memory(*address, *length).map_err(|_| AccessError::OutOfBounds));
                }
                Event::Counter => seen.counter(instance.pc()),
            }
        }
        match seen.digest == self.seen.digest {
            true => Ok(()),
            false => Err(ReplayError::Differs(Differs::Access { runs })),
        }
    }

    /// Repeats the events of another instance on this one, which logs them.
    ///
    /// # Errors
    /// If its worker was lost.
    pub fn repeat(events: &[Event], instance: &mut BackendInstance) -> Result<(), pvm_engine::Error> {
        for event in events {
            match event {
                Event::Call { entry } => instance.prepare_call(*entry),
                Event::Run { gas, result, .. } => drop(instance.run(*gas, *result, None)?),
                Event::Read { address, length } => {
                    let mut buffer = vec![0; *length as usize];
                    let _ = instance.read_memory(*address, &mut buffer);
                }
                Event::Write { address, data } => drop(instance.write_memory(*address, data)),
                Event::Zero { address, length } => drop(instance.zero_memory(*address, *length)),
                Event::Counter => drop(instance.program_counter()),
            }
        }
        Ok(())
    }
}

/// Runs the interpreter until the next stop.
///
/// With a deadline, gas is supplied in slices: as metering is synchronous, resuming after out of gas is equivalent to
/// having had more gas from the start.
///
/// # Errors
/// If the deadline passed.
pub(crate) fn run_interpreted(
    instance: &mut Instance,
    gas: i64,
    result: Option<u64>,
    deadline: Option<Instant>,
) -> Result<Stopped, Late> {
    if let Some(result) = result {
        instance.set_reg(Reg::A0, result);
    }
    let (mut left, mut slice) = (gas, if deadline.is_some() { SLICE } else { i64::MAX });
    let outcome = loop {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Late);
        }
        let given = left.min(slice);
        instance.set_gas(given);
        let outcome = instance.run();
        let is_all = given == left;
        let unused = instance.gas();
        left -= given - unused;
        if outcome != Outcome::OutOfGas || is_all {
            break outcome;
        }
        // The next block costs more than a slice.
        slice = if unused == given { slice.saturating_mul(2) } else { SLICE };
    };
    instance.set_gas(left);
    Ok(Stopped { outcome, gas: left, regs: Reg::ALL.map(|reg| instance.reg(reg)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm_host_interface::{ProgramRules, program_config};
    use std::sync::Arc;
    use std::time::Duration;
    use vm_core::blob::Blob;
    use vm_core::gas::CostModelKind;
    use vm_core::program::Program;
    use vm_core::text::assemble;

    fn instance(text: &str) -> Instance {
        let program = Program::new(
            &Blob::parse(&assemble(text).unwrap()).unwrap(),
            &program_config(ProgramRules::version_1(CostModelKind::Naive)),
        );
        let mut instance = Instance::new(Arc::new(program.unwrap()));
        instance.prepare_call(0, &[]);
        instance
    }

    const LOOP: &str = ".isa ReviveV1\nstart: add_imm_64 a0, a0, 1\njump start\n";

    #[test]
    fn gas_in_slices_comes_to_the_same_as_all_at_once() {
        let far = Some(Instant::now() + Duration::from_secs(1000));
        for gas in [-1, 0, 1, 2, 3, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE, 3 * SLICE + 1] {
            let (mut once, mut sliced) = (instance(LOOP), instance(LOOP));
            let expected = run_interpreted(&mut once, gas, Some(7), None).unwrap();
            assert_eq!(run_interpreted(&mut sliced, gas, Some(7), far), Ok(expected), "gas {gas}");
            assert_eq!((sliced.pc(), sliced.gas()), (once.pc(), once.gas()));
            // And they continue in the same way.
            assert_eq!(run_interpreted(&mut sliced, 11, None, far), run_interpreted(&mut once, 11, None, None));
        }
    }

    #[test]
    fn an_endless_program_ends_at_the_deadline() {
        let soon = Some(Instant::now() + Duration::from_millis(5));
        assert_eq!(run_interpreted(&mut instance(LOOP), i64::MAX, None, soon), Err(Late));
    }
}
