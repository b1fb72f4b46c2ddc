//! Explanations of failed proofs: the guest's instruction, the machine code, the counterexample, and the results of
//! both models.

use crate::emit::Emitter;
use crate::eval::{Assignment, eval};
use crate::machine::RSP;
use crate::paths::{End, Path};
use crate::rules::{self, Job, Mutation, Origin};
use crate::smt::Query;
use crate::term::Terms;
use iced_x86::FastFormatter;
use pvm_zygote::protocol::{Control, NATIVE_GAS, NATIVE_REGS};
use std::fmt::Write;
use vm_core::isa::Reg;

/// Describes the counterexample to a query of a job.
pub fn counterexample(emitter: &Emitter, job: &Job, mutation: Mutation, query: &Query, values: &[u128]) -> String {
    let mut text = String::new();
    let stated = rules::state(emitter, job, mutation, &mut |obligation| {
        // The first obligation with this query: others only differ in the names of registers.
        if let (true, Some(origin)) = (text.is_empty() && obligation.query.text == query.text, obligation.origin) {
            text = describe(origin, &assignment(obligation.query, values));
        }
    });
    match (stated, text.is_empty()) {
        (Err(error), _) => format!("    {error}\n"),
        (Ok(()), true) => "    it is about no instruction\n".into(),
        (Ok(()), false) => text,
    }
}

/// The values of a query's variables.
pub fn assignment(query: &Query, values: &[u128]) -> Assignment {
    query.variables.iter().copied().zip(values.iter().copied()).collect()
}

/// Returns the path that a counterexample takes.
pub fn path<'a>(terms: &Terms, paths: &'a [Path], assignment: &Assignment) -> Option<&'a Path> {
    paths.iter().find(|path| path.conditions.iter().all(|condition| eval(terms, *condition, assignment) == 1))
}

/// Describes a counterexample in full.
pub fn describe(origin: Origin, assignment: &Assignment) -> String {
    let Origin { terms: t, rule, claim } = origin;
    let mut text = String::new();
    let value = |term| eval(t, term, assignment);
    for (instruction, immediates) in rule.instructions.iter().zip(rule.immediates) {
        let _ = writeln!(
            text,
            "    guest: {} r1={:?} r2={:?} r3={:?} imm={:#x} imm2={:#x}   ({})",
            instruction.opcode.spec().mnemonic,
            instruction.r1,
            instruction.r2,
            instruction.r3,
            value(immediates.imm) as u64,
            value(immediates.imm2),
            instruction.opcode.spec().semantics,
        );
    }
    let _ = writeln!(text, "    gas {:#x}, block costs {}", value(claim.gas), rule.program.costs[rule.case]);
    for reg in Reg::ALL {
        let (before, after) = (claim.registers[reg as usize], claim.meaning.registers[reg as usize]);
        let _ = writeln!(text, "    {reg:?} = {:#x}, guest makes {:#x}", value(before), value(after));
    }
    for (access, _) in &claim.meaning.accesses {
        let stored = access.stored.map(|stored| format!(" of {:#x}", value(stored))).unwrap_or_default();
        let what = if access.stored.is_some() { "stores" } else { "loads" };
        let _ = writeln!(text, "    guest {what} {} bits{stored} at {:#x}", access.width, value(access.address));
    }
    let _ = writeln!(text, "    guest goes on: {:?}", claim.meaning.flow);
    let Some(path) = path(t, &claim.paths, assignment) else { return text };
    let mut formatter = FastFormatter::new();
    for ip in &path.trace {
        if let Ok(instruction) = rule.program.image().decode(*ip) {
            let mut line = String::new();
            formatter.format(&instruction, &mut line);
            let symbolic = if rule.fields.immediates.contains_key(ip) || rule.fields.displacements.contains_key(ip) {
                "   (its immediate is the guest's)"
            } else {
                ""
            };
            let _ = writeln!(text, "    machine: {ip:#x} {line}{symbolic}");
        }
    }
    for event in &path.events {
        let stored = event.stored.map(|stored| format!(" of {:#x}", value(stored))).unwrap_or_default();
        let what = if event.stored.is_some() { "stores" } else { "loads" };
        let _ = writeln!(text, "    machine {what} {} bits{stored} at {:#x}", event.width, value(event.address));
    }
    for reg in Reg::ALL {
        let machine = register_after(path, reg);
        let guest = claim.meaning.registers[reg as usize];
        if value(machine) != value(guest) {
            let _ = writeln!(text, "    {reg:?}: machine makes {:#x}, guest {:#x}", value(machine), value(guest));
        }
    }
    let end = match path.end {
        End::Left => "leaves guest code".to_owned(),
        End::Block(block) => format!("goes to the block at {block:#x}"),
        End::Indirect(target) => format!("jumps to {:#x}", value(target)),
    };
    let _ = writeln!(
        text,
        "    machine {end}, gas {:#x}, rsp {:#x}; faults: {}",
        value(path.state.registers[NATIVE_GAS as usize]),
        value(path.state.registers[RSP]),
        path.faults.iter().any(|fault| value(*fault) == 1)
    );
    text
}

/// A guest's register at a path's end: in the control page if the path left guest code.
pub fn register_after(path: &Path, reg: Reg) -> crate::term::Term {
    let offset = core::mem::offset_of!(Control, regs) + 8 * reg as usize;
    let native = path.state.registers[NATIVE_REGS[reg as usize] as usize];
    path.written.get(&(offset as u64)).copied().unwrap_or(native)
}
