//! Conformance case: a program, and a script of operations and expected states.

use vm_core::Outcome;
use vm_core::isa::{Isa, Reg};
use vm_core::program::ProgramConfig;

/// Interface of a backend under test.
pub trait TestedInstance {
    fn load(blob: &[u8], config: &ProgramConfig) -> Self;
    fn set_reg(&mut self, reg: Reg, value: u64);
    fn reg(&self, reg: Reg) -> u64;
    fn set_gas(&mut self, gas: i64);
    fn gas(&self) -> i64;
    fn pc(&self) -> Option<u32>;
    fn next_pc(&self) -> Option<u32>;
    fn set_next_pc(&mut self, offset: u32);
    fn run(&mut self) -> Outcome;
    /// True if it could be read.
    fn read(&mut self, address: u32, out: &mut [u8]) -> bool;
    /// True if it could be written.
    fn write(&mut self, address: u32, data: &[u8]) -> bool;
}

/// Step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// Set the gas.
    Gas(i64),
    /// Set the next program counter.
    Enter(u32),
    /// Set a register.
    Set(Reg, u64),
    /// Write memory, which must succeed.
    Write(u32, Vec<u8>),
    /// Run: the outcome, program counter, next program counter and gas left that must be seen.
    Run(Outcome, Option<u32>, Option<u32>, i64),
    /// All registers must be unchanged except this one, which must contain this.
    Only(Reg, u64),
    /// All registers must be unchanged.
    Unchanged,
    /// A register must contain this.
    Reg(Reg, u64),
    /// Memory must contain this.
    Memory(u32, Vec<u8>),
}

/// A program and its script.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub isa: Isa,
    /// The instructions that this case is about.
    pub covers: Vec<&'static str>,
    pub blob: Vec<u8>,
    pub config: ProgramConfig,
    pub script: Vec<Step>,
}

impl Case {
    /// Runs the script; panics with the case's name at a mismatch.
    pub fn check<M: TestedInstance>(&self, backend: &str) {
        let mut machine = M::load(&self.blob, &self.config);
        let mut regs = [0; Reg::COUNT];
        for (index, step) in self.script.iter().enumerate() {
            let at = || format!("{} ({:?}) on {backend}, step {index}: {step:x?}", self.name, self.isa);
            match step {
                Step::Gas(gas) => machine.set_gas(*gas),
                Step::Enter(offset) => machine.set_next_pc(*offset),
                Step::Set(reg, value) => {
                    machine.set_reg(*reg, *value);
                    regs[*reg as usize] = *value;
                }
                Step::Write(address, data) => assert!(machine.write(*address, data), "{}", at()),
                Step::Run(outcome, pc, next_pc, gas) => {
                    assert_eq!(machine.run(), *outcome, "{}", at());
                    assert_eq!((machine.pc(), machine.next_pc()), (*pc, *next_pc), "{}", at());
                    assert_eq!(machine.gas(), *gas, "{}", at());
                }
                Step::Only(reg, value) => {
                    regs[*reg as usize] = *value;
                    self.check_regs(&machine, &regs, &at());
                }
                Step::Unchanged => self.check_regs(&machine, &regs, &at()),
                Step::Reg(reg, value) => assert_eq!(machine.reg(*reg), *value, "{}", at()),
                Step::Memory(address, expected) => {
                    let mut found = vec![0; expected.len()];
                    assert!(machine.read(*address, &mut found), "{}", at());
                    assert_eq!(found, *expected, "{}", at());
                }
            }
        }
    }

    fn check_regs<M: TestedInstance>(&self, machine: &M, expected: &[u64; Reg::COUNT], at: &str) {
        for reg in Reg::ALL {
            assert_eq!(machine.reg(reg), expected[reg as usize], "{reg:?} of {at}");
        }
    }
}
