//! Execution trace: the registers that each instruction wrote, and the memory that it accessed.
//!
//! For debuggers, and for finding where two engines diverge. A traced run stops before every instruction and inspects
//! the machine; the main loop does not know of it, so it costs nothing when it is not used. Gas, program counters and
//! outcomes are the same as without a trace.

use super::{Instance, Resume, Stops};
use crate::isa::{Instruction, Opcode, Reg};
use crate::outcome::Outcome;

/// Observer of a traced run.
pub trait Trace {
    /// Called after each instruction, in order, whether it succeeded or failed. A `memset` that runs out of gas is
    /// reported once for each part that was paid.
    fn executed(&mut self, event: &TraceEvent);
}

/// One instruction of a traced run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceEvent {
    /// Its code offset; the code length for the trap past the end of the code.
    pub pc: u32,
    /// The instruction; `None` for an invalid one, which traps.
    pub instruction: Option<Instruction>,
    /// The registers that it wrote, with their new values. A conditional move always counts as a write.
    pub written: [Option<(Reg, u64)>; 2],
    /// The memory range that it accessed, or failed to access.
    pub touched: Option<MemoryTouch>,
}

/// A range of guest memory that an instruction accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryTouch {
    /// Its first address.
    pub address: u32,
    /// Its length in bytes.
    pub length: u32,
    /// True for a write.
    pub write: bool,
}

impl Instance {
    /// As [`Instance::run`], and reports every instruction to `trace`. Stops of single-step mode are not reported.
    pub fn run_traced<T: Trace + ?Sized>(&mut self, trace: &mut T) -> Outcome {
        if self.code.steps() {
            return self.run_steps(trace);
        }
        let stops = self.code.stops().clone();
        self.set_stops(Stops { every_instruction: true, ..Stops::default() });
        let outcome = self.run_steps(trace);
        self.set_stops(stops);
        outcome
    }

    fn run_steps<T: Trace + ?Sized>(&mut self, trace: &mut T) -> Outcome {
        // A run that stopped before an instruction resumes without another stop there.
        let stopped_at = !matches!(self.resume, Resume::Unset | Resume::Entry) && self.pc == self.next_pc;
        let mut current = if stopped_at { self.pc } else { None };
        loop {
            let before = current.map(|pc| (pc, self.instruction_at(pc), [self.reg(Reg::A0), self.reg(Reg::A2)]));
            let touched = before.and_then(|(_, instruction, _)| {
                // The range of a `memset` is known only afterwards.
                self.access(&instruction.filter(|instruction| instruction.opcode != Opcode::Memset)?)
            });
            let outcome = self.run();
            if let Some((pc, instruction, memset)) = before {
                let mut event = TraceEvent { pc, instruction, written: [None; 2], touched };
                if self.observe(&mut event, memset, outcome) {
                    trace.executed(&event);
                }
            }
            if outcome != Outcome::Step {
                return outcome;
            }
            current = self.pc;
        }
    }

    fn instruction_at(&self, pc: u32) -> Option<Instruction> {
        self.program.code().decode(pc)?.instruction
    }

    /// Completes `event` with the state after it; returns true if anything was executed. `memset` is the destination
    /// and count that a `memset` had before.
    fn observe(&self, event: &mut TraceEvent, [to, count]: [u64; 2], outcome: Outcome) -> bool {
        let Some(instruction) = event.instruction else { return outcome != Outcome::OutOfGas };
        if instruction.opcode == Opcode::Memset {
            let length = (count as u32).wrapping_sub(self.reg(Reg::A2) as u32);
            if length > 0 {
                event.touched = Some(MemoryTouch { address: to as u32, length, write: true });
            }
            event.written = [Reg::A0, Reg::A2].map(|reg| Some((reg, self.reg(reg))));
            return outcome != Outcome::OutOfGas || length > 0;
        }
        let is_link = matches!(instruction.opcode, Opcode::LoadImmAndJump | Opcode::LoadImmAndJumpIndirect);
        if outcome != Outcome::Trap || is_link {
            event.written[0] = instruction.destination().map(|reg| (reg, self.reg(reg)));
        }
        outcome != Outcome::OutOfGas
    }
}
