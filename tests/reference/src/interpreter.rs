//! Interpreter loop: charges blocks, and stops with the specified state:
//! `docs/spec/execution.md#execution` and `docs/spec/gas.md#gas`.
//!
//! The embedder sets registers, gas and the next pc, runs to the next stop, inspects the state, and resumes.

use crate::blob::{Blob, Refused};
use crate::code::{DecodedCode, Instruction};
use crate::execute::Next;
use crate::gas::Model;
use crate::memory::Memory;

/// Metering mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metering {
    /// No metering.
    Off,
    /// Checked on entering each block; a shortage can be resumed.
    Sync,
    /// A shortage ends the run.
    Async,
}

/// Configuration of a run.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Page size in bytes.
    pub page_size: u32,
    /// Size of the aux region in bytes.
    pub aux_size: u32,
    /// The cost model.
    pub model: Model,
    /// The metering mode.
    pub metering: Metering,
    /// Stop before every instruction.
    pub single_step: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config { page_size: 0x1000, aux_size: 0, model: Model::Naive, metering: Metering::Sync, single_step: false }
    }
}

/// Outcome of a run: `docs/spec/execution.md#outcomes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The program returned.
    Finished,
    /// Guest fault.
    Trap,
    /// A block, or a byte of a `memset`, cannot be paid for.
    OutOfGas,
    /// Call of the host function of this number.
    HostCall(u32),
    /// Single-step mode: before an instruction.
    Step,
}

/// Position at which a run resumes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ResumePoint {
    /// None.
    None,
    /// The offset that the embedder set.
    Entry(u32),
    /// The start of a block that is not charged yet.
    Block(u32),
    /// The start of a block that is not charged yet, after the step for its first instruction.
    SteppedBlock(u32),
    /// An instruction whose block is charged.
    Paid(u32),
    /// An instruction whose block is charged, after its step.
    Stepped(u32),
}

/// A program with its registers, memory and gas.
#[derive(Clone, Debug)]
pub struct Interpreter {
    pub(crate) code: DecodedCode,
    pub(crate) jump_table: Vec<u32>,
    pub(crate) memory: Memory,
    /// Registers; the upper halves are zero in a 32-bit program.
    pub(crate) registers: [u64; 13],
    pub(crate) gas: i64,
    pub(crate) config: Config,
    pc: Option<u32>,
    next_pc: Option<u32>,
    place: ResumePoint,
    executed: u64,
}

impl Interpreter {
    /// Loads a program. Registers and gas are zero, and there is no pc.
    ///
    /// # Errors
    /// If the program is refused.
    pub fn new(bytes: &[u8], config: Config) -> Result<Interpreter, Refused> {
        let blob = Blob::parse(bytes)?;
        Ok(Interpreter {
            code: DecodedCode::new(&blob)?,
            memory: Memory::new(&blob, config.page_size, config.aux_size)?,
            jump_table: blob.jump_table,
            registers: [0; 13],
            gas: 0,
            config,
            pc: None,
            next_pc: None,
            place: ResumePoint::None,
            executed: 0,
        })
    }

    /// Sets the next pc: "Setting the next pc, even to the same value".
    pub fn set_next_pc(&mut self, offset: u32) {
        (self.pc, self.next_pc, self.place) = (None, Some(offset), ResumePoint::Entry(offset));
    }

    /// Continues to the next stop.
    pub fn run(&mut self) -> Outcome {
        if self.metered() && self.gas < 0 {
            return Outcome::OutOfGas;
        }
        let mut place = match self.place {
            ResumePoint::None => return Outcome::Trap,
            ResumePoint::Entry(offset) => {
                let Some(start) = self.code.block_start(offset) else {
                    self.pc = Some(offset);
                    return Outcome::Trap;
                };
                if start == offset {
                    ResumePoint::Block(offset)
                } else {
                    let cost = i64::from(self.cost(start));
                    if self.metered() {
                        if self.gas < cost {
                            return Outcome::OutOfGas;
                        }
                        self.gas -= cost;
                    }
                    ResumePoint::Paid(offset)
                }
            }
            place => place,
        };
        loop {
            place = match place {
                ResumePoint::Block(offset) if self.config.single_step => {
                    return self.stop(Outcome::Step, Some(offset), Some(offset), ResumePoint::SteppedBlock(offset));
                }
                ResumePoint::Block(offset) | ResumePoint::SteppedBlock(offset) => {
                    let cost = i64::from(self.cost(offset));
                    if self.metered() && self.gas < cost {
                        return self.out_of_gas(offset, place, cost);
                    }
                    if self.metered() {
                        self.gas -= cost;
                    }
                    ResumePoint::Stepped(offset)
                }
                ResumePoint::Paid(offset) if self.config.single_step => {
                    return self.stop(Outcome::Step, Some(offset), Some(offset), ResumePoint::Stepped(offset));
                }
                ResumePoint::Paid(offset) | ResumePoint::Stepped(offset) => {
                    let Some(instruction) = self.code.at(offset) else { return Outcome::Trap };
                    self.executed += 1;
                    match self.execute(&instruction) {
                        Next::Behind if instruction.ends_block() => ResumePoint::Block(instruction.next),
                        Next::Behind => ResumePoint::Paid(instruction.next),
                        Next::Goto(target) => ResumePoint::Block(target),
                        Next::Stop(Outcome::OutOfGas) => {
                            return self.out_of_gas(offset, ResumePoint::Stepped(offset), 0);
                        }
                        Next::Stop(outcome) => return self.stop_at(outcome, &instruction),
                    }
                }
                ResumePoint::None | ResumePoint::Entry(_) => return Outcome::Trap,
            };
        }
    }

    fn stop_at(&mut self, outcome: Outcome, instruction: &Instruction) -> Outcome {
        let next = instruction.next;
        match outcome {
            Outcome::Finished => self.stop(outcome, None, None, ResumePoint::None),
            Outcome::HostCall(_) => self.stop(outcome, Some(instruction.offset), Some(next), ResumePoint::Paid(next)),
            _ => self.stop(outcome, Some(instruction.offset), None, ResumePoint::None),
        }
    }

    fn out_of_gas(&mut self, offset: u32, place: ResumePoint, owed: i64) -> Outcome {
        if self.config.metering == Metering::Async {
            self.gas -= owed;
            return self.stop(Outcome::OutOfGas, None, None, ResumePoint::None);
        }
        self.stop(Outcome::OutOfGas, Some(offset), Some(offset), place)
    }

    fn stop(&mut self, outcome: Outcome, pc: Option<u32>, next_pc: Option<u32>, place: ResumePoint) -> Outcome {
        (self.pc, self.next_pc, self.place) = (pc, next_pc, place);
        outcome
    }

    pub(crate) fn metered(&self) -> bool {
        self.config.metering != Metering::Off
    }

    /// The program counter of the last stop, if it has one.
    pub fn pc(&self) -> Option<u32> {
        self.pc
    }

    /// Next program counter, if there is one.
    pub fn next_pc(&self) -> Option<u32> {
        self.next_pc
    }

    /// A register, 0 to 12; of a 32-bit program the upper half is zero.
    pub fn register(&self, number: usize) -> u64 {
        self.registers[number]
    }

    /// Sets a register; a 32-bit program only uses the low half.
    pub fn set_register(&mut self, number: usize, value: u64) {
        self.registers[number] = if self.code.isa.wide() { value } else { value & 0xffff_ffff };
    }

    /// Gas left.
    pub fn gas(&self) -> i64 {
        self.gas
    }

    /// Sets the gas left.
    pub fn set_gas(&mut self, gas: i64) {
        self.gas = gas;
    }

    /// Number of instructions executed since the program was loaded.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Cost of a block: the paragraph above `docs/spec/gas.md#metering-modes`.
    pub fn block_cost(&mut self, offset: u32) -> Option<u32> {
        if offset >= self.code.len() {
            let end = self.code.len();
            return Some(self.cost(end));
        }
        self.code.is_target(offset).then(|| self.cost(offset))
    }

    fn cost(&mut self, start: u32) -> u32 {
        self.code.cost(self.config.model, self.memory.addressable(), start)
    }

    /// Reads memory: `None` if the range is not readable.
    pub fn read(&self, address: u32, length: u32) -> Option<Vec<u8>> {
        self.memory.read(address, length)
    }

    /// Writes memory as the embedder; false, and no change, if the range is not writable.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        bytes.is_empty() || self.memory.write_as_embedder(address, bytes)
    }

    /// Grows the heap as the embedder.
    pub fn sbrk(&mut self, size: u32) -> Option<u32> {
        self.memory.sbrk(size)
    }

    /// The memory, for inspection.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}
