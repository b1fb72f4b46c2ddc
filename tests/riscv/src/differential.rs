//! Differential test of the linker: compares the linked program on the VM's interpreter with the ELF file on the RISC-V
//! emulator.
//!
//! Used by the linker's test `random` and its fuzz target `programs`.
#![allow(clippy::expect_used, reason = "test support: a blob that cannot be loaded has failed the test")]

use crate::{Emulator, Feature, GeneratedProgram, Outcome, Random};
use pvm_linker::{Options, link};
use std::sync::Arc;
use vm_core::{
    Outcome as VmOutcome,
    blob::Blob,
    interpreter::Instance,
    isa::Reg,
    program::{Program as VmProgram, ProgramConfig},
};

/// Expected result for programs with a [`Feature`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The linked program behaves as on the emulator.
    Right,
    /// It does, or the linker refuses it with a message that contains one of these texts.
    MayBeRefused(&'static [&'static str]),
}

/// Every feature with its expected result.
pub const STANDING: [(Feature, Standing); 20] = [
    (Feature::WeakUndefined, Standing::Right),
    (Feature::Common, Standing::Right),
    (Feature::Ifunc, Standing::MayBeRefused(&["is an IFUNC"])),
    (Feature::Constructors, Standing::Right),
    (Feature::OldConstructors, Standing::Right),
    (Feature::Sections, Standing::Right),
    (Feature::Symbols, Standing::Right),
    (Feature::Differences, Standing::MayBeRefused(&["does not fit into"])),
    (Feature::Uleb128, Standing::Right),
    (Feature::RelativeData, Standing::MayBeRefused(&["R_RISCV_GOT32_PCREL"])),
    (Feature::RelativeFunctions, Standing::Right),
    (Feature::LabelPointers, Standing::Right),
    (Feature::LabelDifferences, Standing::Right),
    (Feature::QuietDifferences, Standing::MayBeRefused(&["a distance in bytes, which the assembler has put in"])),
    (Feature::Ebreak, Standing::Right),
    (Feature::LinkRegisters, Standing::Right),
    (Feature::StackSwitch, Standing::Right),
    (Feature::Setjmp, Standing::Right),
    (Feature::FallThrough, Standing::Right),
    (Feature::Records, Standing::Right),
];

/// Number of calls of each export.
const CALLS: u64 = 3;

/// Maximum number of instructions per call; far more than any needs.
const STEPS: u64 = 2_000_000;

/// Host function of the test: a hash of its name and arguments.
fn host(name: &[u8], arguments: [u64; 6], wide: bool) -> u64 {
    let mut hash = u64::from(name[name.len() - 1]);
    for argument in arguments {
        // A 32-bit program has the low half.
        let argument = if wide { argument } else { argument & 0xffff_ffff };
        hash = (hash ^ argument).wrapping_mul(0x0100_0000_01b3).rotate_left(9);
    }
    hash
}

/// Observable behaviour of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The outcome.
    pub outcome: Outcome,
    /// Host calls: name and arguments, in order.
    pub asked: Vec<(Vec<u8>, [u64; 6])>,
}

/// Calls an export on the emulator.
pub fn by_riscv(machine: &mut Emulator, export: &[u8], arguments: &[u64]) -> Seen {
    let wide = machine.wide;
    let mut asked = Vec::new();
    let cut = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let mut outcome = machine.call(export, arguments, STEPS, |name, arguments| {
        asked.push((name.to_vec(), arguments.map(cut)));
        Some(host(name, arguments, wide))
    });
    if let Outcome::Finished { a0, a1 } = &mut outcome {
        (*a0, *a1) = (cut(*a0), cut(*a1));
    }
    Seen { outcome, asked }
}

/// Calls an export on the VM's interpreter.
fn by_vm(instance: &mut Instance, export: &[u8], arguments: &[u64], wide: bool) -> Seen {
    let mut asked = Vec::new();
    let cut = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let entry = instance.program().export(export).expect("an export");
    instance.set_gas(STEPS as i64);
    instance.prepare_call(entry, arguments);
    let outcome = loop {
        match instance.run() {
            VmOutcome::Finished => {
                break Outcome::Finished { a0: cut(instance.reg(Reg::A0)), a1: cut(instance.reg(Reg::A1)) };
            }
            VmOutcome::HostCall(number) => {
                let name = instance.program().import(number).expect("an import").to_vec();
                let arguments: [u64; 6] = std::array::from_fn(|index| cut(instance.reg(Reg::ARGS[index])));
                instance.set_reg(Reg::A0, host(&name, arguments, wide));
                for reg in [Reg::T0, Reg::T1, Reg::T2, Reg::A1, Reg::A2, Reg::A3, Reg::A4, Reg::A5] {
                    instance.set_reg(reg, 0xbeef_0000 + reg as u64);
                }
                asked.push((name, arguments));
            }
            VmOutcome::Trap => break Outcome::Trap,
            _ => break Outcome::Endless,
        }
    };
    Seen { outcome, asked }
}

fn instance(blob: &[u8]) -> Instance {
    let blob = Blob::parse(blob).expect("a blob");
    Instance::new(Arc::new(VmProgram::new(&blob, &ProgramConfig::default()).expect("a program")))
}

/// Result of a comparison.
pub enum Compared {
    /// Both behave the same.
    Same,
    /// The linker refuses the program, with this message.
    Refused(String),
    /// They differ, as this text describes.
    Different(String),
}

/// Links a program and compares all its exports.
///
/// # Panics
/// If the blob is invalid.
pub fn check(program: &GeneratedProgram, wide: bool, seed: u64, options: &Options) -> Compared {
    let blob = match link(&program.elf, options) {
        Ok(blob) => blob,
        Err(error) => return Compared::Refused(error.to_string()),
    };
    let (mut vm, mut machine) = (instance(&blob), Emulator::load_elf(&program.elf));
    let mut random = Random::new(seed);
    for export in &program.exports {
        for _ in 0..CALLS {
            let arguments: Vec<u64> = (0..6).map(|_| random.value()).collect();
            let expected = by_riscv(&mut machine, export, &arguments);
            let seen = by_vm(&mut vm, export, &arguments, wide);
            if expected.outcome == Outcome::Endless {
                return Compared::Same;
            }
            if seen != expected {
                return Compared::Different(format!(
                    "{} {arguments:x?}: {seen:x?} instead of {expected:x?}",
                    String::from_utf8_lossy(export)
                ));
            }
            if expected.outcome == Outcome::Trap {
                // Memory after a trap is not compared: the optimizer may drop stores before it.
                return Compared::Same;
            }
            let sums = (by_riscv(&mut machine, b"checksum", &[]), by_vm(&mut vm, b"checksum", &[], wide));
            if sums.0 != sums.1 {
                let name = String::from_utf8_lossy(export);
                return Compared::Different(format!("{name} {arguments:x?}: memory differs: {sums:x?}"));
            }
        }
    }
    Compared::Same
}
