//! Random RISC-V programs, linked at every level, do what a RISC-V machine does with the ELF file.
//!
//! `PVM_RANDOM_PROGRAMS` and `PVM_RANDOM_SEED` make the run longer and another one; `scripts/fuzz` does. With
//! `PVM_RANDOM_KINDS`, a list of names or `all`, programs have these kinds of things, whatever [`STANDING`] says.

#![allow(clippy::unwrap_used, reason = "tests")]

use pvm_linker::{Level, Options, link};
use pvm_riscv::{Kind, Machine, Outcome, Program, Random, generate_with};
use std::sync::Arc;
use vm_core::{
    Outcome as VmOutcome,
    blob::Blob,
    interpreter::Instance,
    isa::Reg,
    program::{Program as VmProgram, ProgramConfig},
};

/// Programs of each width.
const PROGRAMS: u64 = 150;

/// What becomes of programs with a kind of thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(dead_code, reason = "no kind may be refused so far")]
enum Standing {
    /// They do what a RISC-V machine does.
    Right,
    /// They do, or are refused with a message that has one of these in it.
    MayBeRefused(&'static [&'static str]),
    /// Not yet.
    Fails,
}

/// The one list of what is understood, and of what may be refused.
const STANDING: [(Kind, Standing); 19] = [
    (Kind::WeakUndefined, Standing::Fails),
    (Kind::Common, Standing::Fails),
    (Kind::Ifunc, Standing::Fails),
    (Kind::Constructors, Standing::Fails),
    (Kind::OldConstructors, Standing::Fails),
    (Kind::Sections, Standing::Right),
    (Kind::Symbols, Standing::Right),
    (Kind::Differences, Standing::Fails),
    (Kind::Uleb128, Standing::Fails),
    (Kind::RelativeData, Standing::Fails),
    (Kind::RelativeFunctions, Standing::Fails),
    (Kind::LabelPointers, Standing::Right),
    (Kind::LabelDifferences, Standing::Fails),
    (Kind::QuietDifferences, Standing::Fails),
    (Kind::Ebreak, Standing::Fails),
    (Kind::LinkRegisters, Standing::Fails),
    (Kind::StackSwitch, Standing::Fails),
    (Kind::FallThrough, Standing::Fails),
    (Kind::Records, Standing::Fails),
];

/// Calls of each export.
const CALLS: u64 = 3;

/// Instructions that a call may take; far more than any takes.
const STEPS: u64 = 2_000_000;

/// What a host function answers.
fn host(name: &[u8], arguments: [u64; 6], wide: bool) -> u64 {
    let mut hash = u64::from(name[name.len() - 1]);
    for argument in arguments {
        // A 32-bit program has the low half.
        let argument = if wide { argument } else { argument & 0xffff_ffff };
        hash = (hash ^ argument).wrapping_mul(0x0100_0000_01b3).rotate_left(9);
    }
    hash
}

/// What is seen of a call: how it ended, and what the host was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    outcome: Outcome,
    asked: Vec<(Vec<u8>, [u64; 6])>,
}

fn by_riscv(machine: &mut Machine, export: &[u8], arguments: &[u64]) -> Seen {
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

/// The passes that make a difference, as a list that a person can try.
fn guilty(program: &Program, wide: bool, seed: u64) -> String {
    let all: Vec<String> = pvm_linker::passes::NAMES.iter().map(|name| (*name).to_owned()).collect();
    let mut needed = all.clone();
    for name in &all {
        let without: Vec<String> = needed.iter().filter(|other| *other != name).cloned().collect();
        let options = Options { passes: Some(without.clone()), ..Options::default() };
        if !matches!(check(program, wide, seed, &options), Compared::Same) {
            needed = without;
        }
    }
    needed.join(",")
}

/// How two runs of a program compare.
enum Compared {
    Same,
    Refused(String),
    Different(String),
}

/// Runs a program both ways.
fn check(program: &Program, wide: bool, seed: u64, options: &Options) -> Compared {
    let blob = match link(&program.elf, options) {
        Ok(blob) => blob,
        Err(error) => return Compared::Refused(error.to_string()),
    };
    let (mut vm, mut machine) = (instance(&blob), Machine::load_elf(&program.elf));
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
                // What stands in memory then is nobody's business.
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

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Tries programs that have these kinds of things; returns the first difference, and what may be refused is.
fn run(wide: bool, kinds: &[Kind], allowed: &[&str], count: u64) -> Result<(), String> {
    let first = number("PVM_RANDOM_SEED", if wide { 1 } else { 1_000_000 });
    let mut finished = 0;
    for seed in first..first + count {
        let program = generate_with(Random::new(seed), wide, kinds);
        for level in [Level::None, Level::Some, Level::Full] {
            let options = Options { level, ..Options::default() };
            let difference = match check(&program, wide, seed, &options) {
                Compared::Same => continue,
                Compared::Refused(reason) if allowed.iter().any(|part| reason.contains(part)) => continue,
                Compared::Refused(reason) => format!("cannot be linked: {reason}"),
                Compared::Different(difference) => {
                    format!("{difference}\nguilty: --passes {}", guilty(&program, wide, seed))
                }
            };
            let file = std::env::temp_dir().join(format!("pvm-random-{seed}-{kinds:?}.o").replace(['[', ']', ' '], ""));
            std::fs::write(&file, &program.elf).expect("a place for the program");
            return Err(format!("seed {seed} at {level:?} with {kinds:?}: {difference}\n{}", file.display()));
        }
        let mut machine = Machine::load_elf(&program.elf);
        if matches!(by_riscv(&mut machine, b"f0", &[1, 2, 3, 4, 5, 6]).outcome, Outcome::Finished { .. }) {
            finished += 1;
        }
    }
    if finished == 0 && count > 50 { Err(format!("no program with {kinds:?} got to its end")) } else { Ok(()) }
}

#[test]
fn programs_of_64_bits_do_the_same_at_every_level() {
    run(true, &[], &[], number("PVM_RANDOM_PROGRAMS", PROGRAMS)).unwrap();
}

#[test]
fn programs_of_32_bits_do_the_same_at_every_level() {
    run(false, &[], &[], number("PVM_RANDOM_PROGRAMS", PROGRAMS)).unwrap();
}

/// Each kind of thing by itself, and all that is understood at once.
fn run_kinds(wide: bool) {
    let count = number("PVM_RANDOM_PROGRAMS", PROGRAMS);
    let asked = std::env::var("PVM_RANDOM_KINDS").ok();
    let is_asked = |kind: Kind| {
        let name = Kind::ALL.into_iter().find(|(other, _)| *other == kind).map_or("", |(_, name)| name);
        asked.as_deref().is_some_and(|list| list == "all" || list.split(',').any(|part| part == name))
    };
    let mut failed = Vec::new();
    let (mut together, mut all_allowed) = (Vec::new(), Vec::new());
    for (kind, standing) in STANDING {
        if if asked.is_some() { !is_asked(kind) } else { standing == Standing::Fails } {
            continue;
        }
        let allowed = if let Standing::MayBeRefused(parts) = standing { parts } else { &[] };
        match run(wide, &[kind], allowed, count) {
            Ok(()) => {
                together.push(kind);
                all_allowed.extend(allowed);
            }
            Err(difference) => failed.push(difference),
        }
    }
    failed.extend(run(wide, &together, &all_allowed, count).err());
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn programs_of_64_bits_with_odd_things_do_the_same_at_every_level() {
    run_kinds(true);
}

#[test]
fn programs_of_32_bits_with_odd_things_do_the_same_at_every_level() {
    run_kinds(false);
}

#[test]
fn every_kind_has_a_standing() {
    assert_eq!(STANDING.map(|(kind, _)| kind), Kind::ALL.map(|(kind, _)| kind));
}
