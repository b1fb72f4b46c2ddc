//! Execution trace: the registers and memory that each instruction wrote and accessed.
//!
//! For debuggers, and for finding where two engines diverge. A traced run stops before every instruction and inspects
//! the machine; the main loop knows nothing of it, so it costs nothing where it is not used. Gas, program counters and
//! outcomes are those of a run without it.

use super::{Instance, Resume, Stops};
use crate::isa::{Instruction, Opcode, Reg};
use crate::outcome::Outcome;

/// Observer of a traced run.
pub trait Trace {
    /// An instruction was executed, or failed. Called for each in order, after its effects. A `memset` that runs out
    /// of gas on its way shows once for each part that was paid.
    fn executed(&mut self, event: &TraceEvent);
}

/// One instruction of a traced run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceEvent {
    /// Its code offset; the code length for the trap past the end of the code.
    pub pc: u32,
    /// The instruction; `None` for an invalid one, which is a trap.
    pub instruction: Option<Instruction>,
    /// The registers that it wrote, with their new values. A conditional move always counts as writing.
    pub written: [Option<(Reg, u64)>; 2],
    /// The memory that it read or wrote, or failed to.
    pub touched: Option<MemoryTouch>,
}

/// A range of guest memory that an instruction accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryTouch {
    /// Its first address.
    pub address: u32,
    /// Its length in bytes.
    pub length: u32,
    /// True if it was written.
    pub write: bool,
}

impl Instance {
    /// Runs as [`Instance::run`] does, and tells `trace` of every instruction. Stops of single-step mode do not show.
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
        // A run that stopped at an instruction, and not after it, goes on without another stop there.
        let stopped_at = !matches!(self.resume, Resume::Unset | Resume::Entry) && self.pc == self.next_pc;
        let mut current = if stopped_at { self.pc } else { None };
        loop {
            let before = current.map(|pc| (pc, self.instruction_at(pc), [self.reg(Reg::A0), self.reg(Reg::A2)]));
            let touched = before.and_then(|(_, instruction, _)| {
                // What a memset stores is known afterwards.
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

    /// Completes `event` with the state after it; returns whether anything was executed. `memset` is what the
    /// destination and count of a `memset` were before.
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
