//! State of a run: the registers, memory, gas and code that ops work on.
//!
//! Made by the instance for each run. Ops are written in terms of it; the dispatchers follow the flow that ops return.
//! Invariant: registers of a 32-bit program hold sign-extended values.

use super::arith::sx32;
use super::dispatch::Handler;
use super::op::{Op, Slot};
use super::translate::Translation;
use crate::blob::JumpTable;
use crate::isa::Reg;
use crate::memory::{MemoryMap, PagedMemory};

/// The registers, indexed by slots.
pub(super) type Registers = [u64; Slot::COUNT];

/// Control flow after an op.
#[derive(Clone, Copy)]
pub(super) enum Flow {
    /// The next op.
    Next,
    /// The block whose first op is at this index: it is charged as that op says, and execution continues after it.
    Enter(usize),
    /// The op at this index, in a later chunk of the same block.
    Chunk(usize),
    /// Repeats the op with this handler.
    SlowPath(Handler),
    /// The run stops.
    Stop(Stop),
}

/// Reason for which the dispatcher stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    Finished,
    Trap,
    OutOfGas,
    HostCall,
    Step,
    /// The block that the op begins has more instructions than the fuel allows. It was neither paid for nor entered.
    Fuel,
    /// The op's target is not translated.
    Unlinked,
    /// The op jumps to this code offset, which may be an invalid target or is not translated.
    Untranslated(u32),
    /// To be resumed at once at the given op: the threaded dispatcher unwinds its stack.
    Yield,
}

/// State of a run: registers, memory, gas and translated code.
pub(super) struct RunState<'a> {
    pub regs: Registers,
    pub memory: &'a mut PagedMemory,
    /// Never below zero if gas is metered; otherwise unused and unchanged.
    pub gas: i64,
    pub metered: bool,
    pub code: &'a Translation,
    pub ops: &'a [Op],
    pub table: JumpTable<'a>,
    /// Instructions of blocks that may still be entered before the dispatcher unwinds its stack; exceeded by up to one
    /// block.
    pub budget: i32,
    /// Instructions of blocks that may be entered beyond the budget. A block is entered as a whole, so this counts
    /// exactly those that were entered.
    pub fuel: i64,
    /// Reason for the stop, and index of the op that caused it.
    pub stop: (Stop, usize),
}

impl<'a> RunState<'a> {
    #[inline(always)]
    pub fn reg(&self, slot: Slot) -> u64 {
        self.regs[slot as usize]
    }

    /// Returns the register of the slot with this number, of which only the low bits are used.
    #[inline(always)]
    pub fn reg_number(&self, number: u32) -> u64 {
        self.regs[number as usize % Slot::COUNT]
    }

    #[inline(always)]
    pub fn set(&mut self, slot: Slot, value: u64) -> Flow {
        self.regs[slot as usize] = value;
        Flow::Next
    }

    /// Guest load; `None` if it faults, or with `FAST` if it misses the fast path.
    #[inline(always)]
    pub fn load<const FAST: bool, const N: usize>(&mut self, address: u32) -> Option<[u8; N]> {
        if FAST { self.memory.load_fast(address) } else { self.memory.load(address).ok() }
    }

    /// Guest store; false if it faults, or with `FAST` if it misses the fast path. Nothing is stored then.
    #[inline(always)]
    pub fn store<const FAST: bool, const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> bool {
        if FAST { self.memory.store_fast(address, bytes) } else { self.memory.store(address, bytes).is_ok() }
    }

    /// Pays for the block that `op` begins; returns false if there is not enough gas.
    #[inline(always)]
    pub fn pay(&mut self, op: &Op) -> bool {
        let left = self.gas - i64::from(op.imm);
        if left < 0 {
            return false;
        }
        self.gas = left;
        true
    }

    /// Charges for a block that was not entered by a jump: for the first op of a run, and after a stop.
    #[inline(never)]
    pub fn charge(&mut self, op: &Op) -> Flow {
        if self.fuel + i64::from(self.budget) < i64::from(op.lo) {
            return Flow::Stop(Stop::Fuel);
        }
        if !self.pay(op) {
            return Flow::Stop(Stop::OutOfGas);
        }
        self.budget = self.budget.saturating_sub(op.lo as i32);
        Flow::Next
    }

    /// Moves up to `most` of the fuel to the dispatcher's budget.
    pub fn take_budget(&mut self, most: i32) {
        self.budget = self.fuel.min(i64::from(most)) as i32;
        self.fuel -= i64::from(self.budget);
    }

    /// Moves the rest of the budget back to the fuel.
    pub fn return_budget(&mut self) {
        self.fuel += i64::from(core::mem::take(&mut self.budget));
    }

    /// Enters the block that begins with op `index` and exceeds the budget, of which `left` (a negative number) would
    /// remain. The dispatcher has to stop in any case: because the fuel is used up too, because gas is, or to unwind
    /// its stack.
    #[cold]
    #[inline(never)]
    pub fn enter_over_budget(&mut self, first: &Op, index: usize, left: i32) {
        self.stop = if self.fuel + i64::from(left) < 0 {
            (Stop::Fuel, index)
        } else if !self.pay(first) {
            (Stop::OutOfGas, index)
        } else {
            self.budget = left;
            (Stop::Yield, index + 1)
        };
    }

    /// True if the memory access that `op` announces touches watched memory.
    #[inline(never)]
    pub fn is_watched(&self, op: &Op) -> bool {
        let length = if op.lo == 0 { self.reg(Slot::of(Reg::A2)) as u32 } else { op.lo };
        let address = (self.reg(op.b) as u32).wrapping_add(op.imm);
        self.code.stops().touches(address, length, op.hi != 0)
    }

    /// A dynamic jump (`docs/spec/execution.md#dynamic-jumps`).
    #[inline(always)]
    pub fn jump(&mut self, address: u32) -> Flow {
        // Valid addresses are the even numbers from 2 on: rotated, the numbers from 1 on.
        if let Some(index) = address.rotate_right(1).checked_sub(1)
            && let Some(offset) = self.table.get(index)
        {
            return match self.code.block(offset) {
                Some(index) => Flow::Enter(index),
                None => Flow::Stop(Stop::Untranslated(offset)),
            };
        }
        Flow::Stop(if address == MemoryMap::RETURN_TO_HOST { Stop::Finished } else { Stop::Trap })
    }

    /// Guest memset (`docs/spec/execution.md#memset`).
    #[inline(never)]
    pub fn memset(&mut self) -> Flow {
        let (to, value, count) = (Reg::A0 as usize, Reg::A1 as usize, Reg::A2 as usize);
        let wanted = self.regs[count] as u32;
        let payable = match self.metered {
            true => u32::try_from(self.gas).unwrap_or(u32::MAX).min(wanted),
            false => wanted,
        };
        let done = self.memory.fill(self.regs[to] as u32, self.regs[value] as u8, payable);
        self.regs[to] = sx32((self.regs[to] as u32).wrapping_add(done));
        self.regs[count] = sx32(wanted - done);
        if self.metered {
            self.gas -= i64::from(done);
        }
        if done < payable {
            Flow::Stop(Stop::Trap)
        } else if done < wanted {
            Flow::Stop(Stop::OutOfGas)
        } else {
            Flow::Next
        }
    }
}
