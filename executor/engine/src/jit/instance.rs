//! Instance of a compiled module, run in a sandboxed worker.
//!
//! It has the interface of vm-core's interpreter, method for method, and is used through `raw`. It converts a worker's
//! exits into outcomes, does `sbrk` and `memset` for the guest, and keeps the state that is not in the worker: program
//! counters and the resume position. Values from the worker are untrusted: addresses are looked up, never used
//! directly.

use super::{Compiled, peephole};
use crate::error::Error;
use crate::sandbox::{Exit, GuestState, SandboxError, WorkerProcess};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::gas::Metering;
use vm_core::interpreter::{Instance as Interpreted, SnapshotError};
use vm_core::isa::{Decoded, GasClass, Instruction, Opcode, Reg};
use vm_core::memory::{MemoryError, MemoryMap};
use vm_core::program::Program;

/// Position from which the next run resumes.
#[derive(Clone, Copy, Debug)]
enum Resume {
    /// None until the embedder sets a program counter.
    Unset,
    /// The next program counter, as set by the embedder: the block there is charged.
    Entry,
    /// This offset in the image.
    Native(u32),
}

/// A program with registers, memory and gas.
pub(crate) struct JitInstance<W> {
    program: Arc<Program>,
    compiled: Arc<Compiled>,
    worker: W,
    state: GuestState,
    heap_size: u32,
    pc: Option<u32>,
    next_pc: Option<u32>,
    /// Native offset, already checked, at which guest code left for the host. The program counters that belong to it
    /// are looked up on demand, as few hosts need them.
    left_at: Option<u32>,
    resume: Resume,
}

/// The complete state of a [`JitInstance`].
#[derive(Clone)]
pub(crate) struct JitSnapshot {
    state: GuestState,
    heap_size: u32,
    pc: Option<u32>,
    next_pc: Option<u32>,
    resume: Resume,
    /// Pages of writable memory that differ from their initial contents: address and contents.
    pages: Vec<(u32, Box<[u8; PAGE]>)>,
}

const PAGE: usize = 0x1000;

impl<W: WorkerProcess> JitInstance<W> {
    /// Makes an instance in `worker`, which has loaded the image and whose memory has its initial contents.
    pub(crate) fn new(program: Arc<Program>, compiled: Arc<Compiled>, worker: W) -> Self {
        JitInstance {
            program,
            compiled,
            worker,
            state: GuestState::default(),
            heap_size: 0,
            pc: None,
            next_pc: None,
            left_at: None,
            resume: Resume::Unset,
        }
    }

    /// For this and the following methods see vm-core's interpreter.
    pub(crate) fn reg(&self, reg: Reg) -> u64 {
        self.state.regs[reg as usize]
    }

    pub(crate) fn set_reg(&mut self, reg: Reg, value: u64) {
        self.state.regs[reg as usize] = if self.program.isa().is_64_bit() { value } else { value & 0xffff_ffff };
    }

    pub(crate) fn gas(&self) -> i64 {
        self.state.gas
    }

    pub(crate) fn set_gas(&mut self, gas: i64) {
        self.state.gas = gas;
    }

    pub(crate) fn pc(&self) -> Option<u32> {
        match self.left_at {
            Some(native) => self.compiled.guest_at(&self.program, native),
            None => self.pc,
        }
    }

    pub(crate) fn next_pc(&self) -> Option<u32> {
        match self.left_at {
            Some(_) => Some(self.program.code().decode(self.pc()?)?.next),
            None => self.next_pc,
        }
    }

    pub(crate) fn set_next_pc(&mut self, offset: u32) {
        self.left_at = None;
        self.pc = None;
        self.next_pc = Some(offset);
        self.resume = Resume::Entry;
    }

    pub(crate) fn prepare_call(&mut self, entry: u32, args: &[u64]) {
        self.state.regs = Default::default();
        self.set_reg(Reg::SP, u64::from(self.program.memory_map().stack_high()));
        self.set_reg(Reg::RA, u64::from(MemoryMap::RETURN_TO_HOST));
        for (reg, value) in Reg::ARGS.into_iter().zip(args) {
            self.set_reg(reg, *value);
        }
        self.set_next_pc(entry);
    }

    /// Runs until the next event that the embedder has to handle.
    ///
    /// # Errors
    /// If the worker dies, hangs or violates the protocol. The instance is then unusable.
    pub(crate) fn run(&mut self) -> Result<Outcome, SandboxError> {
        let result = self.run_on();
        if result.is_err() {
            // After a protocol violation the worker is not used again.
            self.worker.kill();
        }
        result
    }

    fn run_on(&mut self) -> Result<Outcome, SandboxError> {
        let metered = self.metered();
        if metered && self.state.gas < 0 {
            return Ok(Outcome::OutOfGas);
        }
        self.left_at = None;
        self.state.native_pc = match self.begin(metered) {
            Ok(native) => native,
            Err(outcome) => return Ok(outcome),
        };
        let mut is_first = true;
        // The first branch may refund gas that was paid before this run.
        let refund = i64::from(self.program.branch_refund());
        loop {
            let gas = self.state.gas;
            let exit = match is_first {
                true => self.worker.run(&mut self.state)?,
                false => self.worker.go_on(&mut self.state)?,
            };
            is_first = false;
            match metered {
                true => check_gas(gas + refund, self.state.gas, exit)?,
                false => self.state.gas = gas,
            }
            if !self.program.isa().is_64_bit() {
                for reg in &mut self.state.regs {
                    *reg &= 0xffff_ffff;
                }
            }
            let behind = self.state.native_pc;
            match exit {
                Exit::HostCall(number) => {
                    let native = behind.wrapping_sub(1);
                    if !self.compiled.is_guest(native) || !self.compiled.is_host_call(behind, number) {
                        return Err(protocol_violation(exit, native));
                    }
                    self.left_at = Some(native);
                    self.resume = Resume::Native(behind);
                    return Ok(Outcome::HostCall(number));
                }
                Exit::Step => {
                    self.stop_at(behind.wrapping_sub(1), exit)?;
                    if !self.program.config().single_step {
                        return Err(protocol_violation(exit, behind));
                    }
                    self.next_pc = self.pc;
                    self.resume = Resume::Native(behind);
                    return Ok(Outcome::Step);
                }
                Exit::Trap => {
                    self.stop_at(behind.wrapping_sub(1), exit)?;
                    if self.decoded().is_some_and(|decoded| !self.can_trap(&decoded)) {
                        return Err(protocol_violation(exit, behind));
                    }
                    return Ok(self.trapped());
                }
                Exit::Fault(_) => {
                    self.stop_at(behind, exit)?;
                    self.instruction().filter(accesses_memory).ok_or_else(|| protocol_violation(exit, behind))?;
                    return Ok(self.trapped());
                }
                Exit::Jump(scratch) => {
                    self.pc = Some(self.compiled.jump_of_stub(behind).ok_or_else(|| protocol_violation(exit, behind))?);
                    if scratch.rotate_left(1).wrapping_add(2) != MemoryMap::RETURN_TO_HOST {
                        return Ok(self.trapped());
                    }
                    (self.pc, self.next_pc, self.resume) = (None, None, Resume::Unset);
                    return Ok(Outcome::Finished);
                }
                Exit::OutOfGas => {
                    let block = self.compiled.block_of_stub(behind).filter(|_| metered);
                    let block = block.ok_or_else(|| protocol_violation(exit, behind))?;
                    let outcome = self.out_of_gas(block);
                    // The gas before it was charged.
                    check_gas(gas + refund, self.state.gas.max(0), Exit::Trap)?;
                    return Ok(outcome);
                }
                Exit::Sbrk => {
                    let sbrk = self.at_instruction(Opcode::Sbrk, exit)?;
                    self.guest_sbrk(&sbrk)?;
                }
                Exit::Memset => {
                    self.at_instruction(Opcode::Memset, exit)?;
                    if let Some(outcome) = self.guest_memset(metered)? {
                        return Ok(outcome);
                    }
                }
            }
        }
    }

    fn metered(&self) -> bool {
        self.program.config().metering != Metering::Off
    }

    /// Returns the native offset at which to enter, and charges for an entry into the middle of a block.
    fn begin(&mut self, metered: bool) -> Result<u32, Outcome> {
        let offset = match (self.resume, self.next_pc) {
            (Resume::Native(native), _) => return Ok(native),
            (Resume::Entry, Some(offset)) => offset,
            _ => return Err(Outcome::Trap),
        };
        let program = &*self.program;
        let Some(start) = program.code().block_start(offset) else {
            self.pc = Some(offset);
            return Err(Outcome::Trap);
        };
        if start != offset && metered {
            let cost = i64::from(program.block_cost(start).unwrap_or(u32::MAX));
            if self.state.gas < cost {
                return Err(Outcome::OutOfGas);
            }
            self.state.gas -= cost;
        }
        let place = self.compiled.native_at(program, offset).ok_or(Outcome::Trap)?;
        // Inside a peephole: the rest of its instructions is executed here.
        let left = program.code().instructions_from(offset).take_while(|decoded| decoded.offset < place.guest);
        for instruction in left.filter_map(|decoded| decoded.instruction) {
            let is_done = peephole::execute(&mut self.state.regs, &instruction);
            debug_assert!(is_done, "{instruction:?} is in no peephole");
        }
        Ok(place.native)
    }

    /// Sets the program counter to the instruction whose machine code contains the byte at `native`.
    fn stop_at(&mut self, native: u32, exit: Exit) -> Result<(), SandboxError> {
        self.pc = Some(self.compiled.guest_at(&self.program, native).ok_or_else(|| protocol_violation(exit, native))?);
        Ok(())
    }

    /// Sets the program counter to the instruction that has just left, which must have this opcode.
    fn at_instruction(&mut self, opcode: Opcode, exit: Exit) -> Result<Instruction, SandboxError> {
        let native = self.state.native_pc.wrapping_sub(1);
        self.stop_at(native, exit)?;
        let found = self.instruction().filter(|instruction| instruction.opcode == opcode);
        found.ok_or_else(|| protocol_violation(exit, native))
    }

    fn decoded(&self) -> Option<Decoded> {
        self.program.code().decode(self.pc?)
    }

    fn instruction(&self) -> Option<Instruction> {
        self.decoded()?.instruction
    }

    /// Returns true if an instruction can trap other than by a memory access; past the end of the code everything can.
    fn can_trap(&self, decoded: &Decoded) -> bool {
        let is_trap = decoded.instruction.is_none_or(|instruction| instruction.opcode == Opcode::Trap);
        is_trap || self.program.code().traps_instead(decoded)
    }

    fn trapped(&mut self) -> Outcome {
        (self.next_pc, self.resume) = (None, Resume::Unset);
        Outcome::Trap
    }

    /// Handles a block that could not be paid, though its cost was subtracted.
    fn out_of_gas(&mut self, block: u32) -> Outcome {
        if self.program.config().metering == Metering::Async {
            (self.pc, self.next_pc, self.resume) = (None, None, Resume::Unset);
            return Outcome::OutOfGas;
        }
        self.state.gas += i64::from(self.program.block_cost(block).unwrap_or(0));
        (self.pc, self.next_pc) = (Some(block), Some(block));
        self.resume = match self.compiled.charge_of(&self.program, block) {
            Some(native) => Resume::Native(native),
            None => Resume::Unset,
        };
        Outcome::OutOfGas
    }

    fn guest_sbrk(&mut self, instruction: &Instruction) -> Result<(), SandboxError> {
        let size = self.reg(instruction.r2) as u32;
        let end = self.sbrk(size)?.unwrap_or(0);
        // Sign-extended, as every 32-bit result is; 32-bit registers hold the low half.
        self.set_reg(instruction.r1, end as i32 as u64);
        Ok(())
    }

    /// Executes a `memset` (`docs/spec/execution.md#memset`); returns the outcome unless guest code continues.
    fn guest_memset(&mut self, metered: bool) -> Result<Option<Outcome>, SandboxError> {
        let wanted = self.reg(Reg::A2) as u32;
        let payable = match metered {
            true => u32::try_from(self.state.gas).unwrap_or(u32::MAX).min(wanted),
            false => wanted,
        };
        let address = self.reg(Reg::A0) as u32;
        let room = self.program.memory_map().guest_writable(address, self.heap_size);
        let done = payable.min(room);
        self.worker.fill(address, self.reg(Reg::A1) as u8, done);
        self.set_reg(Reg::A0, address.wrapping_add(done) as i32 as u64);
        self.set_reg(Reg::A2, (wanted - done) as i32 as u64);
        if metered {
            self.state.gas -= i64::from(done);
        }
        if done < payable {
            Ok(Some(self.trapped()))
        } else if done < wanted {
            if self.program.config().metering == Metering::Async {
                (self.pc, self.next_pc, self.resume) = (None, None, Resume::Unset);
            } else {
                self.next_pc = self.pc;
                // Resumes at the call. Stored machine code may have put it anywhere.
                let call = self.state.native_pc.checked_sub(super::CALL_LENGTH);
                self.resume =
                    Resume::Native(call.ok_or_else(|| protocol_violation(Exit::Memset, self.state.native_pc))?);
            }
            Ok(Some(Outcome::OutOfGas))
        } else {
            Ok(None)
        }
    }

    pub(crate) fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), MemoryError> {
        let length = out.len() as u64;
        if !out.is_empty() {
            if !self.program.memory_map().is_readable(address, length, self.heap_size) {
                return Err(MemoryError { address, length, write: false });
            }
            self.worker.read(address, out);
        }
        Ok(())
    }

    fn check_write(&self, address: u32, length: u64) -> Result<(), MemoryError> {
        match self.program.memory_map().is_host_writable(address, length, self.heap_size) {
            true => Ok(()),
            false => Err(MemoryError { address, length, write: true }),
        }
    }

    pub(crate) fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), MemoryError> {
        if !data.is_empty() {
            self.check_write(address, data.len() as u64)?;
            self.worker.write(address, data);
        }
        Ok(())
    }

    pub(crate) fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), MemoryError> {
        if length > 0 {
            self.check_write(address, u64::from(length))?;
            self.worker.fill(address, 0, length);
        }
        Ok(())
    }

    /// Grows the heap; returns its new end, or `None` without any change if it cannot grow that far.
    pub(crate) fn sbrk(&mut self, bytes: u32) -> Result<Option<u32>, SandboxError> {
        let map = *self.program.memory_map();
        let Some(size) = self.heap_size.checked_add(bytes).filter(|size| *size <= map.max_heap_size()) else {
            return Ok(None);
        };
        let (old, new) = (map.rw_end_with_heap(self.heap_size), map.rw_end_with_heap(size));
        if new > old {
            self.worker.grow_heap(old, new)?;
        }
        self.heap_size = size;
        Ok(Some(map.heap_base() + size))
    }

    pub(crate) fn heap_size(&self) -> u32 {
        self.heap_size
    }

    pub(crate) fn reset_memory(&mut self) -> Result<(), SandboxError> {
        self.worker.reset()?;
        self.heap_size = 0;
        Ok(())
    }

    /// Returns the regions that the guest or the embedder can write.
    fn writable(&self) -> [(u32, u32); 3] {
        let map = self.program.memory_map();
        [
            (map.rw_base(), map.rw_end_with_heap(self.heap_size)),
            (map.stack_low(), map.stack_high()),
            (map.aux_base(), map.aux_end()),
        ]
    }

    /// Takes a snapshot of the complete state. Reads all writable memory that exists.
    pub(crate) fn snapshot(&self) -> JitSnapshot {
        let image = self.program.memory_image();
        let mut pages = Vec::new();
        let mut visit = |address: u32, page: &[u8; PAGE]| {
            let mut initial = [0; PAGE];
            image.copy_initial(address, &mut initial);
            if *page != initial {
                pages.push((address, Box::new(*page)));
            }
        };
        let map = self.program.memory_map();
        // All pages with initial data are compared: one may have become zero, and so not exist any more.
        let data_end = (map.rw_base() + image.rw_data().len() as u32).next_multiple_of(PAGE as u32).min(map.rw_end());
        let mut page = [0; PAGE];
        for address in (map.rw_base()..data_end).step_by(PAGE) {
            self.worker.read(address, &mut page);
            visit(address, &page);
        }
        for (start, end) in self.writable() {
            let start = if start == map.rw_base() { data_end } else { start };
            self.worker.pages(start, end, &mut visit);
        }
        JitSnapshot {
            state: self.state.clone(),
            heap_size: self.heap_size,
            pc: self.pc(),
            next_pc: self.next_pc(),
            resume: self.resume,
            pages,
        }
    }

    /// Takes over the state of an instance of this program on the interpreter that is about to enter a basic block.
    /// Assumes a worker whose memory has its initial contents.
    ///
    /// # Errors
    /// If the interpreter is not at the start of a basic block, or the worker is lost.
    pub(crate) fn take_over(&mut self, from: &Interpreted) -> Result<(), Error> {
        let inside = Error::Snapshot(SnapshotError::InsideBlock);
        let next = from.next_block().ok_or(inside)?;
        self.sbrk(from.heap_size())?;
        let image = self.program.memory_image().clone();
        let mut initial = [0; PAGE];
        from.visit_pages(|address, page| {
            image.copy_initial(address, &mut initial);
            if *page != initial {
                self.worker.write(address, page);
            }
            initial.fill(0);
        });
        self.state = GuestState::default();
        for reg in Reg::ALL {
            self.set_reg(reg, from.reg(reg));
        }
        self.set_gas(from.gas());
        self.set_next_pc(next);
        Ok(())
    }

    /// Restores a state of this program.
    pub(crate) fn restore(&mut self, snapshot: &JitSnapshot) -> Result<(), SandboxError> {
        self.reset_memory()?;
        self.sbrk(snapshot.heap_size)?;
        for (address, page) in &snapshot.pages {
            self.worker.write(*address, &**page);
        }
        self.state = snapshot.state.clone();
        (self.pc, self.next_pc, self.resume) = (snapshot.pc, snapshot.next_pc, snapshot.resume);
        self.left_at = None;
        Ok(())
    }
}

/// Checks the gas after a run: at most `before`, which includes a possible refund; negative only when the run is out of
/// gas, by less than the maximum cost of a block.
fn check_gas(before: i64, after: i64, exit: Exit) -> Result<(), SandboxError> {
    let possible = match exit {
        Exit::OutOfGas => -i64::from(i32::MAX)..=-1,
        _ => 0..=before,
    };
    match possible.contains(&after) {
        true => Ok(()),
        false => Err(SandboxError::ProtocolViolation { what: "gas", value: after as u64 }),
    }
}

/// Returns true if an instruction reads or writes memory.
fn accesses_memory(instruction: &Instruction) -> bool {
    use GasClass::{Load, LoadIndirect, Store, StoreImm, StoreImmIndirect, StoreIndirect};
    let class = instruction.opcode.spec().gas_class;
    matches!(class, Load | LoadIndirect | Store | StoreIndirect | StoreImm | StoreImmIndirect)
}

fn protocol_violation(exit: Exit, native: u32) -> SandboxError {
    SandboxError::ProtocolViolation { what: exit.name(), value: u64::from(native) }
}

#[cfg(test)]
#[path = "hostile_worker_tests.rs"]
mod hostile_worker_tests;
