//! The portable interpreter.
//!
//! It defines the behaviour of programs; other backends must agree with it in everything that can be observed. Basic
//! blocks are translated into ops of a fixed size when control first reaches them, so a short call of a large program
//! stays cheap; a dispatcher executes the ops.
//!
//! Memory of an instance, for a program of `n` bytes of code: loading copies the code once into the [`Program`], which
//! all instances share. A new instance takes about 5 KiB for the page directory and cache, and `n / 16` bytes for the
//! index of blocks. Each instruction that is reached takes 20 bytes, each block 20 to 40 more, and each stretch of 64
//! bytes of code in which a block begins 256; once the total reaches [`ProgramConfig::translation_cache`], all of it is
//! dropped and translation starts again. Guest memory takes at most four times the pages that are touched, and two
//! pages of tables for each. Translation time is linear in the code that is reached.
//!
//! [`ProgramConfig::translation_cache`]: crate::program::ProgramConfig::translation_cache

mod arith;
mod counted;
mod dispatch;
mod execute;
mod offset_index;
mod op;
mod op_table;
mod profile;
mod run_state;
mod snapshot;
mod stops;
mod trace;
mod translate;

pub use counted::Progress;
pub use dispatch::Dispatch;
pub use profile::{DispatchProfile, Dispatches, ProfiledBlock, superinstructions};
pub use snapshot::{Snapshot, SnapshotError};
pub use stops::Stops;
pub use trace::{MemoryTouch, Trace, TraceEvent};

use crate::gas::Metering;
use crate::isa::{Isa, Reg};
use crate::memory::{MemoryError, MemoryMap, PagedMemory};
use crate::outcome::Outcome;
use crate::program::Program;
use alloc::{boxed::Box, sync::Arc};
use arith::sx32;
use op::{Op, OpKind, Slot};
use run_state::{Registers, RunState, Stop};
use translate::Translation;

/// Position from which the next run resumes.
#[derive(Clone, Copy, Debug)]
enum Resume {
    /// None until the embedder sets a program counter.
    Unset,
    /// The next program counter, as set by the embedder: the block there is charged.
    Entry,
    /// The op that stopped the run, or (`behind`) the one after it, in the middle of a block that is paid for.
    Op { index: usize, behind: bool },
    /// As `Op`, after its translation was dropped: the first op of this kind that belongs to the instruction at this
    /// offset.
    Untranslated { offset: u32, kind: OpKind, behind: bool },
    /// The instruction at this offset, in the middle of a block that is paid for.
    Paid { offset: u32 },
}

/// An instance: a program with registers, memory and gas.
///
/// A new instance has all registers, the gas and the memory beyond the initial data at zero, and no program counter.
#[derive(Clone, Debug)]
pub struct Instance {
    program: Arc<Program>,
    code: Translation,
    /// Translation with a stop before each instruction, made on demand; see `counted`. While it is in use, the
    /// translation that it replaces.
    stepping: Option<Box<Translation>>,
    memory: PagedMemory,
    regs: Registers,
    gas: i64,
    pc: Option<u32>,
    next_pc: Option<u32>,
    resume: Resume,
    dispatch: Dispatch,
}

impl Instance {
    /// Makes an instance of `program`.
    pub fn new(program: Arc<Program>) -> Self {
        Instance {
            code: Translation::new(&program),
            stepping: None,
            memory: PagedMemory::new(program.memory_image().clone()),
            regs: [0; Slot::COUNT],
            gas: 0,
            pc: None,
            next_pc: None,
            resume: Resume::Unset,
            dispatch: Dispatch::default(),
            program,
        }
    }

    /// Overrides the default dispatch technique. Tests run both.
    pub fn set_dispatch(&mut self, dispatch: Dispatch) {
        self.dispatch = dispatch;
    }

    /// The program that the instance runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The value of a register, zero-extended for a 32-bit program.
    pub fn reg(&self, reg: Reg) -> u64 {
        let value = self.regs[reg as usize];
        if self.program.isa().is_64_bit() { value } else { value & 0xffff_ffff }
    }

    /// Sets a register. A 32-bit program uses only the low 32 bits.
    pub fn set_reg(&mut self, reg: Reg, value: u64) {
        self.regs[reg as usize] = if self.program.isa().is_64_bit() { value } else { sx32(value as u32) };
    }

    /// Gas left.
    pub fn gas(&self) -> i64 {
        self.gas
    }

    /// Sets the gas left. Host functions may do so at any time.
    pub fn set_gas(&mut self, gas: i64) {
        self.gas = gas;
    }

    /// The code offset of the instruction that caused the last outcome; see [`Outcome`].
    pub fn pc(&self) -> Option<u32> {
        self.pc
    }

    /// The code offset at which the next run begins.
    pub fn next_pc(&self) -> Option<u32> {
        self.next_pc
    }

    /// Sets the code offset at which the next run begins, which may be any number. The whole basic block that contains
    /// it is then charged, even if the offset is the current one (`docs/spec/execution.md#outcomes`).
    pub fn set_next_pc(&mut self, offset: u32) {
        self.pc = None;
        self.next_pc = Some(offset);
        self.resume = Resume::Entry;
    }

    /// Prepares a call of the function at code offset `entry` (`docs/spec/execution.md#a-call`): all registers are zero
    /// except the stack pointer, the return address and the arguments. At most nine arguments can be passed; more are
    /// ignored.
    pub fn prepare_call(&mut self, entry: u32, args: &[u64]) {
        self.regs = [0; Slot::COUNT];
        self.set_reg(Reg::SP, u64::from(self.program.memory_map().stack_high()));
        self.set_reg(Reg::RA, u64::from(MemoryMap::RETURN_TO_HOST));
        for (reg, value) in Reg::ARGS.into_iter().zip(args) {
            self.set_reg(reg, *value);
        }
        self.set_next_pc(entry);
    }

    /// Runs until the next event that the embedder has to handle. Another call resumes the run. After
    /// [`Outcome::Finished`] and [`Outcome::Trap`], and with [`Metering::Async`] after [`Outcome::OutOfGas`], a next
    /// program counter has to be set first; otherwise the outcome is [`Outcome::Trap`] and nothing changes.
    pub fn run(&mut self) -> Outcome {
        let mut enough = i64::MAX;
        self.run_with(&mut enough, false)
    }

    /// As [`Self::run`], but also stops when `fuel` does not suffice for the instructions of the next block. `fuel`
    /// decreases by the instructions of the blocks that were entered. With `exact`, instructions that were not executed
    /// are given back; this assumes that [`Self::counted_ahead`] was subtracted already.
    fn run_with(&mut self, fuel: &mut i64, exact: bool) -> Outcome {
        let metered = self.program.config().metering != Metering::Off;
        let begun = if metered && self.gas < 0 { Err(Outcome::OutOfGas) } else { self.begin(metered) };
        let mut index = match begun {
            Ok(index) => index,
            Err(outcome) => {
                if exact {
                    *fuel += i64::from(self.counted_ahead());
                }
                return outcome;
            }
        };
        let program = &*self.program;
        loop {
            let (stop, at) = {
                let mut machine = RunState {
                    regs: self.regs,
                    memory: &mut self.memory,
                    gas: if metered { self.gas } else { 0 },
                    metered,
                    code: &self.code,
                    ops: self.code.ops(),
                    table: program.jump_table(),
                    budget: 0,
                    fuel: *fuel,
                    stop: (Stop::Trap, index),
                };
                let stop = self.dispatch.run(&mut machine, index);
                *fuel = machine.fuel;
                self.regs = machine.regs;
                if metered {
                    self.gas = machine.gas;
                }
                stop
            };
            index = match stop {
                Stop::Unlinked => match self.code.link(program, at) {
                    Some(index) => index,
                    None => return self.stop(Stop::Trap, at),
                },
                Stop::Untranslated(target) if program.code().is_jump_target(target) => self.code.enter(program, target),
                _ => {
                    if exact {
                        *fuel += self.counted_too_much(stop, at);
                    }
                    return self.stop(stop, at);
                }
            };
        }
    }

    /// Returns the op at which to begin, and pays for an entry into the middle of a block.
    fn begin(&mut self, metered: bool) -> Result<usize, Outcome> {
        let program = &*self.program;
        let offset = match (self.resume, self.next_pc) {
            (Resume::Op { index, behind }, _) => return Ok(index + usize::from(behind)),
            (Resume::Untranslated { offset, kind, behind }, _) => {
                let at = self.find(offset, Some(kind)).ok_or(Outcome::Trap)?;
                return Ok(at + usize::from(behind));
            }
            (Resume::Paid { offset }, _) => {
                let at = self.find(offset, None).ok_or(Outcome::Trap)?;
                // The run stopped there already. An instruction without an op of its own has no stop there either.
                let stops = self.code.ops().get(at).is_some_and(|op| matches!(op.kind, OpKind::Step | OpKind::Watch));
                return Ok(at + usize::from(stops && self.code.offset(at) == offset));
            }
            (Resume::Entry, Some(offset)) => offset,
            _ => return Err(Outcome::Trap),
        };
        let Some(start) = program.code().block_start(offset) else {
            self.pc = Some(offset);
            return Err(Outcome::Trap);
        };
        if start == offset {
            return Ok(self.code.enter(program, offset));
        }
        let cost = i64::from(program.block_cost(start).unwrap_or(u32::MAX));
        if metered && self.gas < cost {
            return Err(Outcome::OutOfGas);
        }
        let index = self.locate(start, offset, None).ok_or(Outcome::Trap)?;
        if metered {
            self.gas -= cost;
        }
        Ok(index)
    }

    /// As [`Self::locate`], in the block that `offset` belongs to.
    fn find(&mut self, offset: u32, kind: Option<OpKind>) -> Option<usize> {
        let code = self.program.code();
        let start = if offset < code.len() { code.block_start(offset) } else { code.last_block_start() };
        self.locate(start?, offset, kind)
    }

    /// Returns the first op (of kind `kind`, if given) that belongs to the instruction at `offset` in the block that
    /// starts at `start`; if the instruction has none, the first one after it.
    fn locate(&mut self, start: u32, offset: u32, kind: Option<OpKind>) -> Option<usize> {
        let program = &*self.program;
        let mut index = self.code.enter(program, start);
        loop {
            let op = self.code.ops().get(index)?;
            if op.kind == OpKind::SameBlock {
                index = match op.lo & op::UNLINKED {
                    0 => op.lo as usize,
                    _ => self.code.link(program, index)?,
                };
            } else if self.code.offset(index) >= offset && kind.is_none_or(|kind| kind == op.kind) {
                return Some(index);
            } else {
                index += 1;
            }
        }
    }

    /// Records the reason and position of a stop.
    fn stop(&mut self, stop: Stop, index: usize) -> Outcome {
        let outcome = match stop {
            Stop::Finished => {
                (self.pc, self.next_pc, self.resume) = (None, None, Resume::Unset);
                return Outcome::Finished;
            }
            Stop::OutOfGas if self.program.config().metering == Metering::Async => {
                // The block stays unpaid. A `memset`, which pays too, has used up the gas that was left.
                if let Some(op) = self.code.ops().get(index).filter(|op| op.kind == OpKind::Charge) {
                    self.gas -= i64::from(op.imm);
                }
                (self.pc, self.next_pc, self.resume) = (None, None, Resume::Unset);
                return Outcome::OutOfGas;
            }
            Stop::OutOfGas => Outcome::OutOfGas,
            Stop::HostCall => Outcome::HostCall(0),
            Stop::Step | Stop::Fuel => Outcome::Step,
            Stop::Trap | Stop::Unlinked | Stop::Untranslated(_) | Stop::Yield => Outcome::Trap,
        };
        let offset = self.code.offset(index);
        self.pc = Some(offset);
        match outcome {
            Outcome::HostCall(_) => {
                let op = self.code.ops().get(index);
                self.next_pc = op.map(|op| op.lo);
                self.resume = Resume::Op { index, behind: true };
                Outcome::HostCall(op.map_or(0, |op| op.imm))
            }
            Outcome::OutOfGas | Outcome::Step => {
                self.next_pc = Some(offset);
                self.resume = Resume::Op { index, behind: stop == Stop::Step };
                outcome
            }
            _ => {
                self.next_pc = None;
                self.resume = Resume::Unset;
                outcome
            }
        }
    }

    /// The code offset at which the next run begins, if it begins with the charge of a basic block.
    ///
    /// At such an offset the instance is described in full by the offset, registers, gas and memory, so that another
    /// instance, perhaps of another engine, can continue from there ([`Self::set_next_pc`]). This holds before the
    /// first run, and after [`Outcome::OutOfGas`] with [`Metering::Sync`], except when a `memset` ran out.
    pub fn next_block(&self) -> Option<u32> {
        match self.lasting_resume() {
            Resume::Entry => self.next_pc,
            Resume::Untranslated { offset, kind: OpKind::Charge, behind: false } => Some(offset),
            _ => None,
        }
    }

    /// Calls `visit` with the address and contents of each writable page of 4 KiB that the guest or the embedder
    /// touched; it may be called for other pages as well. All pages that are not visited hold the program's initial
    /// data.
    pub fn visit_pages(&self, visit: impl FnMut(u32, &[u8; 4096])) {
        self.memory.visit_pages(visit);
    }

    /// Frees the memory of translated code; code is translated again as needed. Worth calling before a nested call.
    pub fn release_translation(&mut self) {
        self.resume = self.lasting_resume();
        self.code.release(&self.program);
        self.stepping = None;
    }

    /// Position from which the next run resumes, in a form that does not depend on the translation.
    fn lasting_resume(&self) -> Resume {
        match self.resume {
            Resume::Op { index, behind } => {
                let offset = self.code.offset(index);
                match self.code.ops().get(index) {
                    Some(_) if self.code.stops_before_charge(index) => {
                        Resume::Untranslated { offset, kind: OpKind::Charge, behind: false }
                    }
                    Some(Op { kind: OpKind::Step | OpKind::Watch, .. }) => Resume::Paid { offset },
                    Some(op) => Resume::Untranslated { offset, kind: op.kind, behind },
                    None => Resume::Unset,
                }
            }
            resume => resume,
        }
    }

    /// Reads guest memory.
    ///
    /// # Errors
    /// If the range is not inside one readable region. Nothing is read then. An empty range is always valid.
    pub fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), MemoryError> {
        self.memory.read(address, out)
    }

    /// Writes guest memory.
    ///
    /// # Errors
    /// If the range is not inside one writable region. Nothing is written then. An empty range is always valid.
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), MemoryError> {
        self.memory.write(address, data)
    }

    /// Writes zeros to guest memory.
    ///
    /// # Errors
    /// As [`Self::write_memory`].
    pub fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), MemoryError> {
        self.memory.zero(address, length)
    }

    /// Grows the heap; returns its new end, or `None` without any change if it cannot grow that far
    /// (`docs/spec/memory.md#heap`).
    pub fn sbrk(&mut self, bytes: u32) -> Option<u32> {
        self.memory.sbrk(bytes)
    }

    /// Current size of the heap in bytes.
    pub fn heap_size(&self) -> u32 {
        self.memory.heap_size()
    }

    /// Resets memory to the program's initial contents.
    pub fn reset_memory(&mut self) {
        self.memory.reset();
    }

    /// Number of pages of 4 KiB allocated for guest data: at most four times the pages touched.
    pub fn touched_pages(&self) -> usize {
        self.memory.touched_pages()
    }

    /// The instruction set of the program.
    pub fn isa(&self) -> Isa {
        self.program.isa()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{Blob, BlobBuilder};
    use crate::isa::{Instruction, Opcode};
    use crate::program::ProgramConfig;
    use alloc::{vec, vec::Vec};

    fn instance(isa: Isa, code: Vec<Instruction>, config: &ProgramConfig) -> Instance {
        let mut builder = BlobBuilder::new(isa);
        let bytes = builder.stack_size(0x1000).rw_data(4, &[5]).instructions(code).build().unwrap();
        Instance::new(Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), config).unwrap()))
    }

    #[test]
    fn a_call_begins_with_the_registers_of_the_abi() {
        for isa in Isa::ALL {
            let mut instance = instance(isa, vec![Instruction::none(Opcode::Trap)], &ProgramConfig::default());
            instance.set_reg(Reg::S0, 99);
            instance.prepare_call(0, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
            let regs: Vec<u64> = Reg::ALL.iter().map(|reg| instance.reg(*reg)).collect();
            assert_eq!(regs, [0xffff_0000, 0xfffe_0000, 7, 8, 9, 0, 0, 1, 2, 3, 4, 5, 6]);
            assert_eq!((instance.pc(), instance.next_pc()), (None, Some(0)));
        }
    }

    #[test]
    fn a_new_instance_traps_until_it_is_told_where_to_begin() {
        let mut instance = instance(Isa::ReviveV1, vec![Instruction::none(Opcode::Trap)], &ProgramConfig::default());
        assert_eq!(instance.run(), Outcome::Trap);
        assert_eq!((instance.pc(), instance.next_pc(), instance.gas()), (None, None, 0));
    }

    #[test]
    fn memory_persists_between_calls_until_it_is_reset() {
        let code = vec![
            Instruction::ri(Opcode::LoadU8, Reg::A0, 0x2_0000),
            Instruction::ii(Opcode::StoreImmU8, 0x2_0000, 77),
            Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
        ];
        let mut instance = instance(Isa::ReviveV1, code, &ProgramConfig::default());
        instance.set_gas(100);
        for expected in [5, 77] {
            instance.prepare_call(0, &[]);
            assert_eq!(instance.run(), Outcome::Finished);
            assert_eq!(instance.reg(Reg::A0), expected);
        }
        instance.reset_memory();
        instance.prepare_call(0, &[]);
        assert_eq!(instance.run(), Outcome::Finished);
        assert_eq!(instance.reg(Reg::A0), 5);
    }

    #[test]
    fn the_translation_cache_stays_near_its_budget() {
        // Straight-line blocks that all run once, many times the budget.
        let mut code = vec![Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, 1); 20_000];
        for (index, instruction) in code.iter_mut().enumerate() {
            if index % 2 == 1 {
                *instruction = Instruction::none(Opcode::Fallthrough);
            }
        }
        code.push(Instruction::none(Opcode::Trap));
        let config = ProgramConfig { translation_cache: 10_000, ..ProgramConfig::default() };
        let mut instance = instance(Isa::ReviveV1, code, &config);
        instance.set_gas(20_001);
        instance.prepare_call(0, &[]);
        assert_eq!(instance.run(), Outcome::Trap);
        assert_eq!((instance.gas(), instance.reg(Reg::A0)), (0, 10_000));
        assert!(instance.code.ops().len() * 20 < 11_000, "{}", instance.code.ops().len());
    }

    #[test]
    fn a_run_goes_on_after_its_translation_is_released() {
        let code = vec![
            Instruction::i(Opcode::Ecalli, 1),
            Instruction::i(Opcode::Ecalli, 2),
            Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, 1),
            Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
        ];
        let mut instance = instance(Isa::ReviveV1, code, &ProgramConfig::default());
        instance.set_gas(4);
        instance.prepare_call(0, &[41]);
        for number in [1, 2] {
            assert_eq!(instance.run(), Outcome::HostCall(number));
            instance.release_translation();
            assert_eq!(instance.code.ops().len(), 0);
            instance.release_translation();
        }
        assert_eq!(instance.run(), Outcome::Finished);
        assert_eq!((instance.reg(Reg::A0), instance.gas()), (42, 0));
    }
}
