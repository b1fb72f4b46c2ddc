//! Runs of a given number of instructions, at the interpreter's full speed.
//!
//! For debuggers that seek to a position in time. Each block counts all of its instructions when it is entered, at the
//! same place and time as it is charged; a block with more instructions than are left is not entered, which makes
//! counting free. The instructions of that last block are executed in single steps, with a translation of their own.

use super::stops::Stops;
use super::translate::Translation;
use super::{Instance, OpKind, Resume, Stop};
use crate::gas::BlockCost;
use crate::outcome::Outcome;
use alloc::boxed::Box;

/// Maximum number of instructions in one run: far more than any machine executes.
const MOST: u64 = i64::MAX as u64 / 2;

/// The result of [`Instance::run_for`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The outcome of the run.
    pub outcome: Outcome,
    /// Instructions executed. Includes host calls and the jump that returns to the host; excludes an instruction that
    /// trapped or ran out of gas.
    pub executed: u64,
}

impl Instance {
    /// As [`Instance::run`], but executes at most `limit` instructions: after those the outcome is [`Outcome::Step`],
    /// as at a stop of [`Instance::set_stops`]. Dividing a run into parts does not change its results.
    pub fn run_for(&mut self, limit: u64) -> Progress {
        let limit = limit.min(MOST) as i64;
        if self.code.steps() {
            return progress(self.single_steps(limit));
        }
        let ahead = i64::from(self.counted_ahead());
        if ahead > limit {
            return progress(self.steps_in_block(limit));
        }
        let mut fuel = limit - ahead;
        let outcome = self.run_with(&mut fuel, true);
        let executed = limit - fuel;
        let out_of_fuel = outcome == Outcome::Step && matches!(self.resume, Resume::Op { behind: false, .. });
        if !out_of_fuel || fuel == 0 {
            return progress((outcome, executed));
        }
        let (outcome, more) = self.steps_in_block(fuel);
        progress((outcome, executed + more))
    }

    /// Executes up to `limit` instructions in single steps.
    fn steps_in_block(&mut self, limit: i64) -> (Outcome, i64) {
        if limit == 0 {
            return (Outcome::Step, 0);
        }
        self.swap_translation();
        let result = self.single_steps(limit);
        self.swap_translation();
        result
    }

    /// Swaps the current translation with the one that stops before each instruction.
    fn swap_translation(&mut self) {
        self.resume = self.lasting_resume();
        let other = self.stepping.take().unwrap_or_else(|| {
            let every = Stops { every_instruction: true, ..Stops::default() };
            Box::new(Translation::with_stops(&self.program, every))
        });
        self.stepping = Some(Box::new(core::mem::replace(&mut self.code, *other)));
    }

    /// Executes up to `limit` instructions. Assumes that the translation stops before each one.
    fn single_steps(&mut self, limit: i64) -> (Outcome, i64) {
        let mut executed = 0;
        // A run that starts at a given offset, or after a host call, stops before its first instruction.
        let mut arriving = self.pc != self.next_pc;
        loop {
            if executed == limit && !arriving {
                return (Outcome::Step, executed);
            }
            let outcome = self.run();
            match outcome {
                Outcome::Step if arriving => {}
                Outcome::Step | Outcome::HostCall(_) | Outcome::Finished => executed += 1,
                _ => {}
            }
            arriving = false;
            if outcome != Outcome::Step || self.stops_here() {
                return (outcome, executed);
            }
        }
    }

    /// True if one of the embedder's stops is at the current position.
    fn stops_here(&self) -> bool {
        match &self.stepping {
            // The translation that is swapped out has the embedder's stops.
            Some(waiting) if !waiting.steps() => {
                self.next_pc.is_some_and(|pc| waiting.stops().stops_before(pc, self.next_access()))
            }
            // The embedder's stops are before every instruction.
            _ => true,
        }
    }

    /// Returns the number of instructions from `offset` to the end of its block.
    fn rest_of_block(&self, offset: u32) -> u32 {
        let mut count = BlockCost::free();
        count.feed_rest(&self.program.code(), offset);
        count.finish()
    }

    /// Number of instructions that the next run executes without entering a block: the rest of a block that was entered
    /// before, or into the middle of which the run begins.
    pub(super) fn counted_ahead(&self) -> u32 {
        match (self.lasting_resume(), self.next_pc) {
            (Resume::Entry, Some(offset)) => match self.program.code().block_start(offset) {
                Some(start) if start != offset => self.rest_of_block(offset),
                _ => 0,
            },
            (Resume::Untranslated { kind: OpKind::Charge, .. }, _) => 0,
            (Resume::Untranslated { .. } | Resume::Paid { .. }, Some(offset)) => self.rest_of_block(offset),
            _ => 0,
        }
    }

    /// Number of instructions of entered blocks that were not executed when the run stopped at op `index`.
    pub(super) fn counted_too_much(&self, stop: Stop, index: usize) -> i64 {
        let kind = |index: usize| self.code.ops().get(index).map(|op| op.kind);
        let rest = || i64::from(self.rest_of_block(self.code.offset(index)));
        match stop {
            Stop::Finished | Stop::Fuel => 0,
            Stop::OutOfGas if kind(index) == Some(OpKind::Charge) => 0,
            Stop::Step if self.code.stops_before_charge(index) => 0,
            Stop::HostCall => rest() - 1,
            _ => rest(),
        }
    }
}

fn progress((outcome, executed): (Outcome, i64)) -> Progress {
    Progress { outcome, executed: executed.unsigned_abs() }
}
