//! The verifier: reads compiled code before it goes to a worker, and accepts only what the compiler's rules can have made.
//!
//! Called for every compiled program and for stored code. Assumes nothing of either, and shares no code with compiler and
//! assembler: it has its own decoder, `forms` and `decode`, for the forms that the rules use. One pass, linear, without an
//! allocation for each instruction. A refusal names offset, bytes and rule ([`CodeRule`]).
//!
//! Promises of accepted code, whatever the guest's registers and memory hold:
//! - it is decoded without a gap from the first byte to the last, and control reaches no byte that was not decoded as the
//!   start of an instruction;
//! - memory is accessed below 4 GiB, or on the stack of guest code by balanced pushes and pops; the control page only by
//!   the routines, the jump table only by the checked sequence of a dynamic jump;
//! - control leaves a block to the start of another one, or through a routine; with gas, each block begins with its
//!   charge, which is more than its branch can give back, so that no run goes on without paying;
//! - stack pointer and gas register are written by nothing else; there is no system call and no privileged instruction.
//!
//! `docs/proof.md` says what that leaves to the proofs of the rules.

mod control;
mod decode;
mod forms;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod planted;
mod routines;
#[cfg(test)]
mod tests;

use super::pc_map::{Compiled, PcMapEntry};
use crate::error::{CodeRule, VerifyError};
use core::cell::Cell;
use pvm_zygote::protocol::{self, CODE_BASE, CODE_SIZE, NATIVE_GAS};
use routines::{ROUTINES, offset_of_exit};
use vm_core::gas::Metering;
use vm_core::program::Program;

/// Number of the stack pointer.
const RSP: u8 = 4;

/// Returns whether instructions may name a register as an operand: those of the guest and the scratch register.
const fn is_operand(reg: u8) -> bool {
    reg != RSP && reg != NATIVE_GAS
}

/// Bytes of a call.
const CALL: usize = 5;

type Result<T> = core::result::Result<T, VerifyError>;

/// Up to so many words of memory are kept for the next program.
const KEPT: usize = 1 << 17;

thread_local! {
    static KEPT_MAP: Cell<Vec<u64>> = const { Cell::new(Vec::new()) };
}

/// Checks the code of a compiled program.
pub(super) fn verify(program: &Program, compiled: &Compiled) -> Result<()> {
    let words = compiled.image.len() / 64 + 1;
    let mut map = KEPT_MAP.take();
    map.clear();
    map.resize(2 * words, 0);
    let (starts, targets) = map.split_at_mut(words);
    let metered = program.config().metering != Metering::Off;
    let verifier = Verifier {
        image: &compiled.image,
        routines: 0,
        end: compiled.block_stubs as usize,
        jump_stubs: compiled.jump_stubs as usize,
        entries: program.jump_table().len(),
        metered,
        steps: program.config().single_step,
        refund: program.branch_refund(),
        starts,
        targets,
        charges: 0,
        jumps: 0,
        cost: 0,
        has_ended: true,
        reads_every_entry: false,
    };
    let result = verifier.run(compiled, program.code().len());
    if map.capacity() <= KEPT {
        KEPT_MAP.set(map);
    }
    result
}

struct Verifier<'a> {
    image: &'a [u8],
    /// Offset of the routines, which come first.
    routines: usize,
    /// Offset of the byte behind the program.
    end: usize,
    jump_stubs: usize,
    /// Entries of the jump table.
    entries: u32,
    metered: bool,
    steps: bool,
    /// Maximum refund of a branch.
    refund: u32,
    /// Bit map: the offsets at which blocks start.
    starts: &'a mut [u64],
    /// Bit map: the offsets that direct jumps lead to.
    targets: &'a mut [u64],
    /// Charges so far.
    charges: usize,
    /// Dynamic jumps so far.
    jumps: usize,
    /// Cost of the current block.
    cost: u32,
    /// True if control does not continue after the last instruction.
    has_ended: bool,
    /// True if a dynamic jump treats every entry of the jump table as code.
    reads_every_entry: bool,
}

impl Verifier<'_> {
    fn run(mut self, compiled: &Compiled, code_length: u32) -> Result<()> {
        let code = self.layout(compiled)?;
        self.program(code, compiled, code_length)?;
        self.stubs(self.end, self.charges, protocol::EXIT_OUT_OF_GAS)?;
        self.stubs(self.jump_stubs, self.jumps, protocol::EXIT_JUMP)?;
        self.direct_targets()?;
        self.jump_table()
    }

    #[cold]
    fn refuse<T>(&self, at: usize, rule: CodeRule) -> Result<T> {
        let end = self.image.len().min(at.saturating_add(VerifyError::BYTES));
        Err(VerifyError::new(rule, at as u32, self.image.get(at..end).unwrap_or_default()))
    }

    /// The eight bytes at an offset; zeros behind the end.
    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        match self.image.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => self.last_word(at),
        }
    }

    #[cold]
    fn last_word(&self, at: usize) -> u64 {
        let rest = self.image.get(at..).unwrap_or_default();
        rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    /// The 32 bits at an offset.
    #[inline(always)]
    fn i32(&self, at: usize) -> i32 {
        self.word(at) as u32 as i32
    }

    /// Checks where the parts of the image lie, and the routines; returns where the program begins.
    fn layout(&mut self, compiled: &Compiled) -> Result<usize> {
        let room = self.entries.checked_next_power_of_two().unwrap_or(u32::MAX) as usize;
        self.routines = (8 * room).next_multiple_of(64);
        let code = self.routines + ROUTINES.len();
        let length = self.image.len();
        let block_stubs = if self.metered { CALL * compiled.blocks.len() } else { 0 };
        let is_in_order = code <= self.end
            && self.end.checked_add(block_stubs) == Some(self.jump_stubs)
            && self.jump_stubs.checked_add(CALL * compiled.jumps.len()) == Some(length)
            && length as u64 <= CODE_SIZE
            && compiled.enter as usize == self.routines;
        if !is_in_order {
            return self.refuse(0, CodeRule::Layout);
        }
        if self.image.get(self.routines..code) != Some(&ROUTINES) {
            return self.refuse(self.routines, CodeRule::Routines);
        }
        Ok(code)
    }

    /// Checks the program, from one entry of the pc map to the next.
    fn program(&mut self, code: usize, compiled: &Compiled, code_length: u32) -> Result<()> {
        // A loop that is aligned may come first.
        let mut at = self.padding(code)?;
        let mut blocks = compiled.blocks.iter();
        let mut block = blocks.next();
        let Some((last, entries)) = compiled.pc_map.split_last() else { return self.refuse(at, CodeRule::PcMap) };
        for PcMapEntry { guest, native } in entries {
            at = self.instructions(at, *native as usize)?;
            if block == Some(guest) {
                block = blocks.next();
                at = self.start_block(at)?;
            } else if self.has_ended {
                return self.refuse(at, CodeRule::BlockStart);
            }
        }
        at = self.instructions(at, last.native as usize)?;
        // The trap behind the code.
        if self.steps && self.calls(at, protocol::EXIT_STEP) {
            at += CALL;
        }
        if !self.calls(at, protocol::EXIT_TRAP) {
            return self.refuse(at, CodeRule::BlockStart);
        }
        let is_complete = last.guest == code_length && block.is_none() && at + CALL == self.end;
        if is_complete { Ok(()) } else { self.refuse(at, CodeRule::PcMap) }
    }

    /// Checks instructions up to an offset, at which one has to start.
    #[inline(always)]
    fn instructions(&mut self, mut at: usize, until: usize) -> Result<usize> {
        while at < until {
            let length = self.regular(at);
            if length != 0 {
                at += length;
                continue;
            }
            at = self.irregular_or_control(at)?;
            if self.has_ended {
                if at != until {
                    at = self.padding(at)?;
                }
                break;
            }
        }
        if at == until { Ok(at) } else { self.refuse(at, self.rule_of_gap()) }
    }

    /// The rule if no instruction starts where one has to: behind the end of a block, or in the middle of one.
    #[cold]
    fn rule_of_gap(&self) -> CodeRule {
        if self.has_ended { CodeRule::BlockStart } else { CodeRule::PcMap }
    }

    /// Checks what a block begins with; returns the offset behind it.
    #[inline(always)]
    fn start_block(&mut self, mut at: usize) -> Result<usize> {
        set(self.starts, at);
        self.has_ended = false;
        if self.steps {
            if !self.calls(at, protocol::EXIT_STEP) {
                return self.refuse(at, CodeRule::Charge);
            }
            at += CALL;
        }
        if !self.metered {
            return Ok(at);
        }
        // sub r15, imm32; jl to the stub
        let (sub, jump) = (self.word(at), self.word(at + 7));
        let cost = (sub >> 24) as u32;
        let stub = (self.end + CALL * self.charges).wrapping_sub(at + 13) as u32;
        let is_charge = sub & 0xff_ffff == 0xef_8149 && jump & 0xffff_ffff_ffff == 0x8c0f | u64::from(stub) << 16;
        if !is_charge || cost == 0 || cost > i32::MAX as u32 {
            return self.refuse(at, CodeRule::Charge);
        }
        self.charges += 1;
        self.cost = cost;
        Ok(at + 13)
    }

    /// Returns whether the routine of this exit is called at an offset.
    #[inline(always)]
    fn calls(&self, at: usize, exit: u32) -> bool {
        let routine = self.routines + offset_of_exit(exit) as usize;
        let way = routine.wrapping_sub(at + CALL) as u32;
        self.word(at) & 0xff_ffff_ffff == 0xe8 | u64::from(way) << 8
    }

    /// Checks a row of stubs.
    fn stubs(&self, from: usize, count: usize, exit: u32) -> Result<()> {
        let routine = self.routines + offset_of_exit(exit) as usize;
        let mut way = routine.wrapping_sub(from + CALL) as u32;
        for (index, stub) in self.image.get(from..).unwrap_or_default().chunks(CALL).take(count).enumerate() {
            let [a, b, c, d] = way.to_le_bytes();
            if *stub != [0xe8, a, b, c, d] {
                return self.refuse(from + CALL * index, CodeRule::Stub);
            }
            way = way.wrapping_sub(CALL as u32);
        }
        Ok(())
    }

    /// Checks that each direct jump leads to the start of a block.
    fn direct_targets(&self) -> Result<()> {
        for (index, (targets, starts)) in self.targets.iter().zip(self.starts.iter()).enumerate() {
            let wrong = targets & !starts;
            if wrong != 0 {
                return self.refuse(64 * index + wrong.trailing_zeros() as usize, CodeRule::Target);
            }
        }
        Ok(())
    }

    /// Checks the jump table: each entry is zero or the start of a block, and what is behind the last one is zero.
    fn jump_table(&self) -> Result<()> {
        let table = self.image.get(..self.routines).unwrap_or_default();
        for (index, entry) in table.chunks_exact(8).enumerate() {
            let entry = entry.first_chunk().map_or(0, |entry| u64::from_le_bytes(*entry));
            let is_permitted = if index >= self.entries as usize {
                entry == 0
            } else if entry == 0 {
                !self.reads_every_entry
            } else {
                let native = entry.wrapping_sub(CODE_BASE);
                native < self.end as u64 && is_set(self.starts, native as usize)
            };
            if !is_permitted {
                return self.refuse(8 * index, CodeRule::JumpTable);
            }
        }
        Ok(())
    }
}

#[inline(always)]
fn set(map: &mut [u64], at: usize) {
    if let Some(word) = map.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

fn is_set(map: &[u64], at: usize) -> bool {
    map.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}
