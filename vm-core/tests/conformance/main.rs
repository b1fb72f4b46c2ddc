//! Conformance tests: the edge cases of every instruction, on every backend.
//!
//! `case` is the form of a case and its runner, and knows no backend; `registers`, `memory` and `metering` make the
//! cases. Another backend joins by implementing `case::TestedInstance`. Cases of control flow, of gas and of host calls
//! are vectors: `tests/vectors/README.md`.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod case;
mod memory;
mod metering;
mod registers;

use case::{Case, TestedInstance};
use std::collections::BTreeSet;
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::interpreter::Instance;
use vm_core::isa::{Isa, Opcode, Reg};
use vm_core::program::{Program, ProgramConfig};

impl TestedInstance for Instance {
    fn load(blob: &[u8], config: &ProgramConfig) -> Self {
        Instance::new(Arc::new(Program::new(&Blob::parse(blob).unwrap(), config).unwrap()))
    }
    fn set_reg(&mut self, reg: Reg, value: u64) {
        self.set_reg(reg, value);
    }
    fn reg(&self, reg: Reg) -> u64 {
        self.reg(reg)
    }
    fn set_gas(&mut self, gas: i64) {
        self.set_gas(gas);
    }
    fn gas(&self) -> i64 {
        self.gas()
    }
    fn pc(&self) -> Option<u32> {
        self.pc()
    }
    fn next_pc(&self) -> Option<u32> {
        self.next_pc()
    }
    fn set_next_pc(&mut self, offset: u32) {
        self.set_next_pc(offset);
    }
    fn run(&mut self) -> Outcome {
        self.run()
    }
    fn read(&mut self, address: u32, out: &mut [u8]) -> bool {
        self.read_memory(address, out).is_ok()
    }
    fn write(&mut self, address: u32, data: &[u8]) -> bool {
        self.write_memory(address, data).is_ok()
    }
}

/// The interpreter with all translations dropped after every stop, and a cache that holds next to nothing.
struct Forgetful(Instance);

impl TestedInstance for Forgetful {
    fn load(blob: &[u8], config: &ProgramConfig) -> Self {
        Forgetful(TestedInstance::load(blob, &ProgramConfig { translation_cache: 0, ..config.clone() }))
    }
    fn set_reg(&mut self, reg: Reg, value: u64) {
        self.0.set_reg(reg, value);
    }
    fn reg(&self, reg: Reg) -> u64 {
        self.0.reg(reg)
    }
    fn set_gas(&mut self, gas: i64) {
        self.0.set_gas(gas);
    }
    fn gas(&self) -> i64 {
        self.0.gas()
    }
    fn pc(&self) -> Option<u32> {
        self.0.pc()
    }
    fn next_pc(&self) -> Option<u32> {
        self.0.next_pc()
    }
    fn set_next_pc(&mut self, offset: u32) {
        self.0.set_next_pc(offset);
    }
    fn run(&mut self) -> Outcome {
        let outcome = self.0.run();
        self.0.release_translation();
        outcome
    }
    fn read(&mut self, address: u32, out: &mut [u8]) -> bool {
        self.0.read_memory(address, out).is_ok()
    }
    fn write(&mut self, address: u32, data: &[u8]) -> bool {
        self.0.write_memory(address, data).is_ok()
    }
}

fn check(cases: Vec<Case>) {
    assert!(!cases.is_empty());
    for case in &cases {
        case.check::<Instance>("interpreter");
        case.check::<Forgetful>("interpreter without cache");
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
