//! Interpreter instances of random programs.
#![allow(clippy::unwrap_used, reason = "test support: a test that cannot unwrap has failed")]

use crate::Rng;
use std::sync::Arc;
use vm_core::blob::Blob;
use vm_core::interpreter::Instance;
use vm_core::isa::Reg;
use vm_core::program::{Program, ProgramConfig};

/// Makes an interpreter instance of a blob; `None` if the program is refused.
///
/// # Panics
/// If the bytes are no blob.
pub fn load(bytes: &[u8], config: &ProgramConfig) -> Option<Instance> {
    Program::new(&Blob::parse(bytes).unwrap(), config).ok().map(|program| Instance::new(Arc::new(program)))
}

/// Sets the registers to random values and the gas to less than 400 times `unit`; the next run begins at the start of
/// the code.
pub fn start(instance: &mut Instance, seed: u64, unit: impl Fn(&Instance) -> i64) {
    let rng = &mut Rng::new(!seed);
    for reg in Reg::ALL {
        instance.set_reg(reg, rng.value());
    }
    instance.set_gas(i64::from(rng.below(400)) * unit(instance));
    instance.set_next_pc(0);
}
