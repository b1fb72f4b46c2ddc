//! Tracing: logs each instruction of an instance.
//!
//! Called by the raw level for modules that are loaded for tracing: their instances stop before each instruction. The
//! embedder observes the same outcomes as without a trace: stops that it did not request are hidden from it, and
//! nothing is changed at them.

use crate::error::Error;
use crate::raw::RawInstance;
use std::fmt::Write as _;
use vm_core::Outcome;
use vm_core::gas::Metering;
use vm_core::isa::Reg;

/// Log target of the trace.
const TARGET: &str = "pvm::trace";

/// Runs an instance with logging; the outcome is the same as without a trace.
pub(crate) fn run(instance: &mut RawInstance) -> Result<Outcome, Error> {
    let wants_steps = instance.module().program().config().single_step;
    loop {
        let result = match log::log_enabled!(target: TARGET, log::Level::Trace) {
            true => run_logged(instance),
            false => instance.run_backend(),
        };
        if wants_steps || !matches!(result, Ok(Outcome::Step)) {
            return result;
        }
    }
}

/// Runs to the next stop and logs the instruction.
fn run_logged(instance: &mut RawInstance) -> Result<Outcome, Error> {
    // The instance is before this instruction, because of a step or for lack of gas. After a host call the two differ,
    // and at the beginning of a call there is no program counter: then it stops before it executes anything.
    let current = instance.pc().filter(|pc| instance.next_pc() == Some(*pc));
    let before = Reg::ALL.map(|reg| instance.reg(reg));
    let result = instance.run_backend();
    let changed = Reg::ALL.into_iter().zip(before).filter(|(reg, old)| instance.reg(*reg) != *old);
    let changed: Vec<Reg> = changed.map(|(reg, _)| reg).collect();
    // Without gas nothing was executed, except for a part of a memset.
    let is_executed = !matches!(result, Ok(Outcome::OutOfGas)) || !changed.is_empty();
    if let Some(pc) = current.filter(|_| is_executed) {
        log::trace!(target: TARGET, "{}", line(instance, pc, &changed));
    }
    match &result {
        Ok(Outcome::Step) => {}
        Ok(Outcome::HostCall(number)) => match instance.module().program().import(*number) {
            Some(name) => log::trace!(target: TARGET, "host call {number}: {}", name.escape_ascii()),
            None => log::trace!(target: TARGET, "host call {number}, which is no import"),
        },
        Ok(outcome) => log::trace!(target: TARGET, "stopped: {outcome:?}"),
        Err(error) => log::trace!(target: TARGET, "lost: {error}"),
    }
    result
}

/// Formats an instruction and its effects.
fn line(instance: &RawInstance, pc: u32, changed: &[Reg]) -> String {
    let program = instance.module().program();
    let instruction = program.code().decode(pc).and_then(|decoded| decoded.instruction);
    let text = instruction.map_or("no instruction".to_owned(), |instruction| instruction.to_string());
    let mut line = format!("{pc:>7}  {text:<40}");
    // Writing to a string does not fail.
    for reg in changed {
        let _ = write!(line, " {}={:#x}", reg.name(), instance.reg(*reg));
    }
    if program.config().metering != Metering::Off {
        let _ = write!(line, " gas={}", instance.gas());
    }
    line
}
