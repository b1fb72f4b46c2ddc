//! The record of a run: its program, and everything that its host did to it.
//!
//! A record holds inputs only, and digests of what came back, so that a replay that goes another way is noticed. The
//! format is specified in `docs/spec/record.md`.

mod encoding;
mod error;
mod reader;
mod recorder;
mod writer;

pub use error::RecordError;
pub use reader::Limits;
pub use recorder::Recorder;
pub use writer::RecordWriter;

use encoding::registers_digest;
use vm_core::Outcome;
use vm_core::Semantics;
use vm_core::blob::Blob;
use vm_core::gas::{CostModelKind, Metering};
use vm_core::isa::Reg;
use vm_core::program::{Program, ProgramConfig};

/// First bytes of a record.
pub const MAGIC: [u8; 8] = *b"\x89PVMREC\n";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u16 = 1;
/// The most bytes of a chunk's payload.
pub const CHUNK_LIMIT: u32 = 1 << 20;

/// A record in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The rules that the program ran under.
    pub rules: Rules,
    /// The program.
    pub blob: Vec<u8>,
    /// The events, in order.
    pub events: Vec<Event>,
}

/// The rules that a recorded program ran under: what of a program's configuration its guest can observe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Guest page size in bytes.
    pub page_size: u32,
    /// Size of the auxiliary memory in bytes.
    pub aux_size: u32,
    /// Semantics version.
    pub semantics: Semantics,
    /// Cost model.
    pub cost_model: CostModelKind,
    /// Metering mode.
    pub metering: Metering,
}

impl From<&ProgramConfig> for Rules {
    fn from(config: &ProgramConfig) -> Self {
        let ProgramConfig { page_size, aux_size, semantics, cost_model, metering, .. } = *config;
        Rules { page_size, aux_size, semantics, cost_model, metering }
    }
}

impl Rules {
    /// A configuration with these rules.
    pub fn config(&self) -> ProgramConfig {
        let Rules { page_size, aux_size, semantics, cost_model, metering } = *self;
        ProgramConfig { page_size, aux_size, semantics, cost_model, metering, ..ProgramConfig::default() }
    }
}

/// Something that happened to a recorded instance.
///
/// A program stands still at first and after each [`Event::Stop`], and only then its host can do something to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A call began.
    Start {
        /// The code offset of its entry.
        pc: u32,
        /// All registers.
        registers: Box<[u64; Reg::COUNT]>,
        /// The gas limit.
        gas: i64,
    },
    /// The run stopped.
    Stop {
        /// The reason.
        reason: StopReason,
        /// The program counter, where the outcome has one.
        pc: Option<u32>,
        /// Gas left.
        gas: i64,
        /// Digest of all registers.
        digest: u32,
    },
    /// The run went on, after a host call or with more gas.
    Resume {
        /// The registers that the host changed.
        registers: Box<[(Reg, u64)]>,
        /// Gas left.
        gas: i64,
    },
    /// The host read memory.
    Read {
        /// The first address.
        address: u32,
        /// Bytes.
        length: u32,
        /// Their digest.
        digest: u32,
    },
    /// The host wrote memory.
    Write {
        /// The first address.
        address: u32,
        /// The bytes written.
        data: Box<[u8]>,
    },
    /// The host set memory to zero.
    Zero {
        /// The first address.
        address: u32,
        /// Bytes.
        length: u32,
    },
    /// The host grew the heap.
    Grow {
        /// By so many bytes.
        bytes: u32,
    },
}

/// Reason for the end of a recorded run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// It returned to its caller.
    Finished,
    /// It trapped.
    Trap,
    /// It ran out of gas.
    OutOfGas,
    /// It called the import with this number.
    HostCall(u32),
}

impl StopReason {
    /// The reason for an outcome that can be recorded: neither a step nor a page fault.
    pub fn of(outcome: Outcome) -> Option<StopReason> {
        Some(match outcome {
            Outcome::Finished => StopReason::Finished,
            Outcome::Trap => StopReason::Trap,
            Outcome::OutOfGas => StopReason::OutOfGas,
            Outcome::HostCall(import) => StopReason::HostCall(import),
            Outcome::PageFault { .. } | Outcome::Step => return None,
        })
    }

    /// The outcome.
    pub fn outcome(self) -> Outcome {
        match self {
            StopReason::Finished => Outcome::Finished,
            StopReason::Trap => Outcome::Trap,
            StopReason::OutOfGas => Outcome::OutOfGas,
            StopReason::HostCall(import) => Outcome::HostCall(import),
        }
    }
}

impl Event {
    /// The stop of a run with these registers.
    pub fn stop(reason: StopReason, pc: Option<u32>, gas: i64, registers: &[u64; Reg::COUNT]) -> Event {
        Event::Stop { reason, pc, gas, digest: registers_digest(registers) }
    }

    /// A read of these bytes.
    pub fn read(address: u32, bytes: &[u8]) -> Event {
        // An access is one range of guest memory, whose addresses have 32 bits.
        Event::Read { address, length: bytes.len() as u32, digest: crc32fast::hash(bytes) }
    }
}

impl Record {
    /// The recorded program, ready to run.
    ///
    /// # Errors
    /// If the record's blob is none, or cannot be run under the record's rules.
    pub fn program(&self) -> Result<Program, RecordError> {
        let blob = Blob::parse(&self.blob).map_err(RecordError::Blob)?;
        Program::new(&blob, &self.rules.config()).map_err(RecordError::Program)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// If that fails, or the events are in no order that can be.
    pub fn write(&self, out: impl std::io::Write) -> Result<(), RecordError> {
        let mut writer = RecordWriter::new(out, &self.rules, &self.blob)?;
        for event in &self.events {
            writer.event(event)?;
        }
        writer.finish().map(|_| ())
    }
}

/// Which events can come next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Order {
    /// No call began, or the last one is over.
    #[default]
    Idle,
    /// The program runs.
    Running,
    /// It stands at a host call, or ran out of gas, and can go on.
    Waiting,
}

impl Order {
    /// The order after an event; `None` if it cannot come now.
    fn after(self, event: &Event) -> Option<Order> {
        match (self, event) {
            (Order::Idle | Order::Waiting, Event::Start { .. }) | (Order::Waiting, Event::Resume { .. }) => {
                Some(Order::Running)
            }
            (Order::Running, Event::Stop { reason, .. }) => Some(match reason {
                StopReason::Finished | StopReason::Trap => Order::Idle,
                StopReason::OutOfGas | StopReason::HostCall(_) => Order::Waiting,
            }),
            (
                Order::Idle | Order::Waiting,
                Event::Read { .. } | Event::Write { .. } | Event::Zero { .. } | Event::Grow { .. },
            ) => Some(self),
            _ => None,
        }
    }
}
