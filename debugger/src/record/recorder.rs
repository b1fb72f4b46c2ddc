//! Recording: what a host calls while it runs a program.

use super::{Event, RecordError, RecordWriter, Rules, StopReason};
use std::io::Write;
use vm_core::Outcome;
use vm_core::isa::Reg;

/// All registers.
type Registers = [u64; Reg::COUNT];

/// Records a run as it happens, on whatever backend.
///
/// The host calls [`Self::start`] before a call, [`Self::stop`] when the run stopped, and [`Self::resume`] before it goes
/// on. In between it tells of its accesses to guest memory. Accesses that fail are not recorded.
#[derive(Debug)]
pub struct Recorder<W: Write> {
    writer: RecordWriter<W>,
    registers: Registers,
}

impl<W: Write> Recorder<W> {
    /// Begins a record. Errors, here and below, as those of [`RecordWriter`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(out: W, rules: &Rules, blob: &[u8]) -> Result<Self, RecordError> {
        Ok(Recorder { writer: RecordWriter::new(out, rules, blob)?, registers: [0; Reg::COUNT] })
    }

    /// A call begins.
    ///
    /// # Errors
    /// If it cannot be written, or the program runs already.
    pub fn start(&mut self, pc: u32, registers: Registers, gas: i64) -> Result<(), RecordError> {
        self.writer.event(&Event::Start { pc, registers: Box::new(registers), gas })
    }

    /// The run stopped. A step is no event.
    ///
    /// # Errors
    /// If it cannot be written, or the outcome is a page fault, which records do not have.
    pub fn stop(
        &mut self,
        outcome: Outcome,
        pc: Option<u32>,
        registers: Registers,
        gas: i64,
    ) -> Result<(), RecordError> {
        self.registers = registers;
        match StopReason::of(outcome) {
            Some(reason) => self.writer.event(&Event::stop(reason, pc, gas, &registers)),
            None if outcome == Outcome::Step => Ok(()),
            None => Err(RecordError::Field { field: "reason to stop", offset: 0, value: 4 }),
        }
    }

    /// The run goes on, with these registers.
    ///
    /// # Errors
    /// If it cannot be written, or the program does not wait.
    pub fn resume(&mut self, registers: Registers, gas: i64) -> Result<(), RecordError> {
        let changed =
            Reg::ALL.into_iter().zip(registers).filter(|(reg, value)| self.registers[*reg as usize] != *value);
        self.writer.event(&Event::Resume { registers: changed.collect(), gas })
    }

    /// The host read these bytes.
    ///
    /// # Errors
    /// If it cannot be written. So for the other accesses.
    pub fn read(&mut self, address: u32, bytes: &[u8]) -> Result<(), RecordError> {
        self.writer.event(&Event::read(address, bytes))
    }

    /// The host wrote these bytes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), RecordError> {
        self.writer.event(&Event::Write { address, data: bytes.into() })
    }

    /// The host set memory to zero.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn zero(&mut self, address: u32, length: u32) -> Result<(), RecordError> {
        self.writer.event(&Event::Zero { address, length })
    }

    /// The host grew the heap.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn grow(&mut self, bytes: u32) -> Result<(), RecordError> {
        self.writer.event(&Event::Grow { bytes })
    }

    /// Ends the record, and returns what it was written to.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<W, RecordError> {
        self.writer.finish()
    }
}
