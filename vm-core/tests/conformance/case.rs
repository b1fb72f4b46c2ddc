//! Conformance case: a program, and a script of operations and expected states.

use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::interpreter::Instance;
use vm_core::isa::{Isa, Reg};
use vm_core::program::{Program, ProgramConfig};

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
    /// Runs the script; panics with the case's name at a mismatch. With `forgets`, nothing is kept of what was
    /// translated.
    pub fn check(&self, forgets: bool) {
        let translation_cache = if forgets { 0 } else { self.config.translation_cache };
        let config = ProgramConfig { translation_cache, ..self.config.clone() };
        let program = Program::new(&Blob::parse(&self.blob).unwrap(), &config).unwrap();
        let mut instance = Instance::new(Arc::new(program));
        let mut regs = [0; Reg::COUNT];
        for (index, step) in self.script.iter().enumerate() {
            let at = || format!("{} ({:?}, forgets: {forgets}), step {index}: {step:x?}", self.name, self.isa);
            match step {
                Step::Gas(gas) => instance.set_gas(*gas),
                Step::Enter(offset) => instance.set_next_pc(*offset),
                Step::Set(reg, value) => {
                    instance.set_reg(*reg, *value);
                    regs[*reg as usize] = *value;
                }
                Step::Write(address, data) => assert!(instance.write_memory(*address, data).is_ok(), "{}", at()),
                Step::Run(outcome, pc, next_pc, gas) => {
                    assert_eq!(instance.run(), *outcome, "{}", at());
                    assert_eq!((instance.pc(), instance.next_pc()), (*pc, *next_pc), "{}", at());
                    assert_eq!(instance.gas(), *gas, "{}", at());
                    if forgets {
                        instance.release_translation();
                    }
                }
                Step::Only(reg, value) => {
                    regs[*reg as usize] = *value;
                    self.check_regs(&instance, &regs, &at());
                }
                Step::Unchanged => self.check_regs(&instance, &regs, &at()),
                Step::Reg(reg, value) => assert_eq!(instance.reg(*reg), *value, "{}", at()),
                Step::Memory(address, expected) => {
                    let mut found = vec![0; expected.len()];
                    assert!(instance.read_memory(*address, &mut found).is_ok(), "{}", at());
                    assert_eq!(found, *expected, "{}", at());
                }
            }
        }
    }

    fn check_regs(&self, instance: &Instance, expected: &[u64; Reg::COUNT], at: &str) {
        for reg in Reg::ALL {
            assert_eq!(instance.reg(reg), expected[reg as usize], "{reg:?} of {at}");
        }
    }
}
