//! The inputs of a run: what its host did, from a record or by simple rules.

use crate::record::{Event, RecordError, StopReason};
use std::collections::BTreeMap;
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::interpreter::{Instance, MemoryTouch, Stops};
use vm_core::isa::Reg;

/// A call without a record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    /// The code offset of the entry.
    pub entry: u32,
    /// Arguments, at most nine.
    pub arguments: Vec<u64>,
    /// The gas limit.
    pub gas: i64,
    /// Results of host calls in A0, by the number of the import. The run ends at any other.
    pub answers: BTreeMap<u32, u64>,
}

/// A run cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The record's program cannot be run.
    #[error(transparent)]
    Record(RecordError),
    /// No call begins in the record.
    #[error("no call begins in the record")]
    Empty,
    /// The program is configured to stop before every instruction.
    #[error("the program is in single-step mode")]
    SingleStep,
    /// The run does not follow its record: it was made by another version, or is not of this program.
    #[error("the run does not follow its record: event {event} is {expected}, but there was {actual}")]
    Diverged {
        /// The event's index, from 0.
        event: usize,
        /// The record's outcome.
        expected: String,
        /// The outcome of the run.
        actual: String,
    },
    /// There is no snapshot to begin with.
    #[error("there is no snapshot of the run's start")]
    NoSnapshot,
}

/// See the module.
#[derive(Clone, Debug)]
pub enum Inputs {
    Record(Arc<[Event]>),
    Live(Live),
}

/// The host's reaction to a stop.
pub enum Reaction {
    /// It has the run go on, after these accesses to memory.
    GoesOn(Vec<MemoryTouch>),
    /// Nothing more.
    Ends,
}

impl Inputs {
    /// Prepares the first call; returns the number of inputs used.
    pub fn begin(&self, instance: &mut Instance) -> Result<usize, ReplayError> {
        match self {
            Inputs::Record(events) => {
                let mut used = 0;
                match apply(events, instance, &mut used)? {
                    Reaction::GoesOn(_) => Ok(used),
                    Reaction::Ends => Err(ReplayError::Empty),
                }
            }
            Inputs::Live(live) => {
                instance.set_gas(live.gas);
                instance.prepare_call(live.entry, &live.arguments);
                arrive(instance, live.entry);
                Ok(0)
            }
        }
    }

    /// Does what the host did at a stop.
    pub fn react(&self, instance: &mut Instance, outcome: Outcome, used: &mut usize) -> Result<Reaction, ReplayError> {
        match (self, outcome) {
            (Inputs::Record(events), _) => {
                check_stop(events, instance, outcome, *used)?;
                *used += 1;
                apply(events, instance, used)
            }
            (Inputs::Live(live), Outcome::HostCall(import)) => match live.answers.get(&import) {
                Some(answer) => {
                    instance.set_reg(Reg::A0, *answer);
                    Ok(Reaction::GoesOn(Vec::new()))
                }
                None => Ok(Reaction::Ends),
            },
            (Inputs::Live(_), _) => Ok(Reaction::Ends),
        }
    }
}

/// Charges for the block in whose middle a call begins, as a stop there would: so what comes next does not depend on
/// whether there is one.
fn arrive(instance: &mut Instance, pc: u32) {
    if !instance.program().code().is_jump_target(pc) {
        instance.set_stops(Stops { offsets: [pc].into(), ..Stops::default() });
        if instance.run_for(1).outcome != Outcome::Step {
            // Nothing happened, and will not happen again.
            instance.set_next_pc(pc);
        }
    }
}

/// Compares a stop with the recorded one.
fn check_stop(events: &[Event], instance: &Instance, outcome: Outcome, index: usize) -> Result<(), ReplayError> {
    let registers = Reg::ALL.map(|reg| instance.reg(reg));
    let actual = StopReason::of(outcome).map(|reason| Event::stop(reason, instance.pc(), instance.gas(), &registers));
    match (events.get(index), actual) {
        (Some(expected), Some(actual)) if *expected == actual => Ok(()),
        (expected, actual) => Err(ReplayError::Diverged {
            event: index,
            expected: expected.map_or("the end".to_owned(), |event| format!("{event:?}")),
            actual: actual.map_or(format!("{outcome:?}"), |event| format!("{event:?}")),
        }),
    }
}

/// Does what the host did until the run goes on.
fn apply(events: &[Event], instance: &mut Instance, used: &mut usize) -> Result<Reaction, ReplayError> {
    let mut accesses = Vec::new();
    // What comes after the last stop changes nothing that the program sees.
    let goes_on = events[(*used).min(events.len())..]
        .iter()
        .position(|event| matches!(event, Event::Start { .. } | Event::Resume { .. }));
    let Some(count) = goes_on else { return Ok(Reaction::Ends) };
    for event in events.iter().skip(*used).take(count + 1) {
        let mut access = |address, length, write| accesses.push(MemoryTouch { address, length, write });
        let done = match event {
            Event::Start { pc, registers, gas } => {
                for (reg, value) in Reg::ALL.into_iter().zip(registers.iter()) {
                    instance.set_reg(reg, *value);
                }
                instance.set_gas(*gas);
                instance.set_next_pc(*pc);
                arrive(instance, *pc);
                Ok(())
            }
            Event::Resume { registers, gas } => {
                for (reg, value) in registers {
                    instance.set_reg(*reg, *value);
                }
                instance.set_gas(*gas);
                // A call whose first block could not be paid has not begun.
                if let (None, Some(pc)) = (instance.pc(), instance.next_pc()) {
                    arrive(instance, pc);
                }
                Ok(())
            }
            Event::Read { address, length, .. } => {
                access(*address, *length, false);
                read(instance, event)
            }
            Event::Write { address, data } => {
                // Addresses have 32 bits, and so have lengths.
                access(*address, data.len() as u32, true);
                instance.write_memory(*address, data).map_err(|error| error.to_string())
            }
            Event::Zero { address, length } => {
                access(*address, *length, true);
                instance.zero_memory(*address, *length).map_err(|error| error.to_string())
            }
            Event::Grow { bytes } => match instance.sbrk(*bytes) {
                Some(_) => Ok(()),
                None => Err("a heap that cannot grow so far".to_owned()),
            },
            Event::Stop { .. } => Err("a program that does not run".to_owned()),
        };
        done.map_err(|actual| ReplayError::Diverged { event: *used, expected: format!("{event:?}"), actual })?;
        *used += 1;
    }
    Ok(Reaction::GoesOn(accesses))
}

/// Compares what the host read, piece by piece, so that no record can ask for much memory.
fn read(instance: &Instance, event: &Event) -> Result<(), String> {
    let Event::Read { address, length, digest } = event else { return Ok(()) };
    let mut hasher = crc32fast::Hasher::new();
    let mut piece = [0; 4096];
    let mut done = 0;
    while done < *length {
        let count = (*length - done).min(piece.len() as u32);
        let at = address.checked_add(done).ok_or("an access past the end of memory".to_owned())?;
        let bytes = &mut piece[..count as usize];
        instance.read_memory(at, bytes).map_err(|error| error.to_string())?;
        hasher.update(bytes);
        done += count;
    }
    match hasher.finalize() {
        actual if actual == *digest => Ok(()),
        actual => Err(format!("other bytes, of the digest {actual}")),
    }
}
