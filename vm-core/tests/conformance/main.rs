//! Conformance tests: the edge cases of every instruction, on the interpreter.
//!
//! `case` is the form of a case and its runner; `registers`, `memory` and `metering` make the cases. Cases of control
//! flow, of gas and of host calls are vectors, which all engines run: `tests/vectors/README.md`.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod case;
mod memory;
mod metering;
mod registers;

use case::Case;
use std::collections::BTreeSet;
use vm_core::isa::{Isa, Opcode};

fn check(cases: Vec<Case>) {
    assert!(!cases.is_empty());
    for case in &cases {
        case.check(false);
        case.check(true);
    }
    println!("{} cases", cases.len());
}

#[test]
fn register_instructions_do_what_the_vectors_say() {
    check(registers::cases());
}

#[test]
fn loads_and_stores_work_inside_regions_and_trap_without_effect_outside() {
    check(memory::cases());
}

#[test]
fn metering_modes_and_long_blocks_follow_the_specification() {
    check(metering::cases());
}

#[test]
fn every_instruction_of_every_instruction_set_has_a_case_or_a_vector() {
    let tested: BTreeSet<(Isa, &str)> = [registers::cases(), memory::cases()]
        .into_iter()
        .flatten()
        .flat_map(|case| case.covers.clone().into_iter().map(move |mnemonic| (case.isa, mnemonic)))
        .collect();
    let vectors = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let has_vector = |isa: Isa, mnemonic: &str| {
        let text = std::fs::read_to_string(vectors.join(format!("{mnemonic}.txt"))).unwrap_or_default();
        text.lines().any(|line| line.starts_with("isa ") && line.split(' ').any(|name| name == isa.name()))
    };
    for isa in Isa::ALL {
        for opcode in Opcode::all().filter(|opcode| isa.number(*opcode).is_some()) {
            let mnemonic = opcode.spec().mnemonic;
            let is_tested = tested.contains(&(isa, mnemonic)) || has_vector(isa, mnemonic);
            assert!(is_tested, "{mnemonic} of {isa:?} has no case and no vector");
        }
    }
}
