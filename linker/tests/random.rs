//! Random RISC-V programs, linked at every level, behave as a RISC-V emulator does with the ELF file.
//!
//! `PVM_RANDOM_PROGRAMS` and `PVM_RANDOM_SEED` set the number of programs and the seed, as `scripts/fuzz` does. With
//! `PVM_RANDOM_KINDS`, a list of names, programs have only these features.

#![allow(clippy::unwrap_used, reason = "tests")]

use pvm_linker::{Level, Options};
use pvm_riscv::differential::{Compared, STANDING, Standing, by_riscv, check};
use pvm_riscv::{Emulator, Feature, GeneratedProgram, Outcome, Random, generate_with};

/// Number of programs of each width.
const PROGRAMS: u64 = 150;

/// Bisects the passes that cause a difference; returns them as a list for `--passes`.
fn guilty(program: &GeneratedProgram, wide: bool, seed: u64) -> String {
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

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Tries programs with these features; returns the first difference. Programs may be refused for an `allowed` reason.
fn run(wide: bool, kinds: &[Feature], allowed: &[&str], count: u64) -> Result<(), String> {
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
        let mut machine = Emulator::load_elf(&program.elf);
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

/// Tests each feature by itself, and all supported ones at once.
fn run_kinds(wide: bool) {
    let count = number("PVM_RANDOM_PROGRAMS", PROGRAMS);
    let asked = std::env::var("PVM_RANDOM_KINDS").ok();
    let is_asked = |kind: Feature| {
        let name = Feature::ALL.into_iter().find(|(other, _)| *other == kind).map_or("", |(_, name)| name);
        asked.as_deref().is_some_and(|list| list.split(',').any(|part| part == name))
    };
    let mut failed = Vec::new();
    let (mut together, mut all_allowed) = (Vec::new(), Vec::new());
    for (kind, standing) in STANDING {
        if asked.is_some() && !is_asked(kind) {
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
    assert_eq!(STANDING.map(|(kind, _)| kind), Feature::ALL.map(|(kind, _)| kind));
}
