//! `vm-core`'s interpreter.

use super::{EXCHANGED, Engine, EngineInstance, Module, PLENTY, exchanged};
use crate::programs;
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use vm_core::{
    Outcome,
    blob::Blob,
    gas::CostModelKind,
    interpreter::Instance,
    isa::Reg,
    program::{Program, ProgramConfig},
};

/// The interpreter with synchronous metering.
#[derive(Default)]
pub struct Ours {
    config: ProgramConfig,
}

impl Ours {
    /// Creates the engine with this cost model.
    pub fn with_cost_model(cost_model: CostModelKind) -> Self {
        Ours { config: ProgramConfig { cost_model, ..ProgramConfig::default() } }
    }
}

impl Engine for Ours {
    fn name(&self) -> &'static str {
        "vm-core"
    }

    fn read(&self, program: &programs::BenchProgram) -> Result<Vec<u8>> {
        program.blob()
    }

    fn load(&self, bytes: &[u8]) -> Result<Box<dyn Module>> {
        let blob = Blob::parse(bytes)?;
        Ok(Box::new(Loaded(Arc::new(Program::new(&blob, &self.config)?))))
    }
}

struct Loaded(Arc<Program>);

impl Module for Loaded {
    fn instantiate(&self) -> Result<Box<dyn EngineInstance>> {
        Ok(Box::new(Instance::new(Arc::clone(&self.0))))
    }
}

impl EngineInstance for Instance {
    fn call(&mut self, export: &str) -> Result<u64> {
        let entry = self.program().export(export.as_bytes()).context("no such export")?;
        let exchanges = self.program().import(0) == Some(b"exchange");
        self.set_gas(PLENTY);
        self.prepare_call(entry, &[]);
        loop {
            match self.run() {
                Outcome::Finished => return Ok(self.reg(Reg::A0)),
                Outcome::HostCall(0) if exchanges => {
                    let mut input = [0; EXCHANGED];
                    self.read_memory(self.reg(Reg::A0) as u32, &mut input)?;
                    self.write_memory(self.reg(Reg::A1) as u32, &exchanged(&input))?;
                }
                // The other host function returns its argument.
                Outcome::HostCall(_) => {}
                outcome => bail!("{outcome:?} at {:?}", self.pc()),
            }
        }
    }

    fn gas_used(&self) -> u64 {
        (PLENTY - self.gas()).unsigned_abs()
    }
}
