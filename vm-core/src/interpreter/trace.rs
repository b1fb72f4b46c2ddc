//! Execution trace: the registers and memory that each instruction wrote and accessed.
//!
//! For debuggers, and for finding where two engines diverge. A traced run stops before every instruction and inspects
//! the machine; the main loop knows nothing of it, so it costs nothing where it is not used. Gas, program counters and
//! outcomes are those of a run without it.

use super::{Instance, Resume};
use crate::isa::{Format, GasClass, Instruction, Opcode, Reg};
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
        self.release_translation();
        self.code.stop_before_each();
        let outcome = self.run_steps(trace);
        self.release_translation();
        outcome
    }

    fn run_steps<T: Trace + ?Sized>(&mut self, trace: &mut T) -> Outcome {
        // A run that stopped at an instruction, and not after it, goes on without another stop there.
        let stopped_at =
            matches!(self.resume, Resume::Op { .. } | Resume::Untranslated { .. }) && self.pc == self.next_pc;
        let mut current = if stopped_at { self.pc } else { None };
        loop {
            let before = current.map(|pc| (pc, self.instruction_at(pc), [self.reg(Reg::A0), self.reg(Reg::A2)]));
            let touched = before.and_then(|(_, instruction, _)| self.touch(&instruction?));
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
            event.written[0] = destination(&instruction).map(|reg| (reg, self.reg(reg)));
        }
        outcome != Outcome::OutOfGas
    }

    /// The memory that a load or store is about to access.
    fn touch(&self, instruction: &Instruction) -> Option<MemoryTouch> {
        let Instruction { opcode, r1, r2, imm, .. } = *instruction;
        // These classes are exactly the loads and stores by how their address is made.
        let (base, write) = match opcode.spec().gas_class {
            GasClass::Load => (0, false),
            GasClass::LoadIndirect => (self.reg(r2), false),
            GasClass::Store | GasClass::StoreImm => (0, true),
            GasClass::StoreIndirect => (self.reg(r2), true),
            GasClass::StoreImmIndirect => (self.reg(r1), true),
            _ => return None,
        };
        let digits = opcode.spec().mnemonic.rsplit(['u', 'i']).next()?;
        let length = digits.parse::<u32>().ok()? / 8;
        Some(MemoryTouch { address: (base as u32).wrapping_add(imm as u32), length, write })
    }
}

/// The register that an instruction other than `memset` writes.
fn destination(instruction: &Instruction) -> Option<Reg> {
    let spec = instruction.opcode.spec();
    match spec.format {
        Format::RegRegReg => Some(instruction.r3),
        Format::RegReg | Format::RegImm64 | Format::RegRegImmImm => Some(instruction.r1),
        Format::RegRegImm | Format::RegImm => match spec.gas_class {
            GasClass::Store | GasClass::StoreIndirect | GasClass::JumpIndirect => None,
            _ => Some(instruction.r1),
        },
        Format::RegImmOffset => (instruction.opcode == Opcode::LoadImmAndJump).then_some(instruction.r1),
        Format::None | Format::Imm | Format::Offset | Format::ImmImm | Format::RegImmImm | Format::RegRegOffset => None,
    }
}
