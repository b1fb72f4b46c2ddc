//! `pvm-engine`'s compiler, in its sandbox.

use super::{EXCHANGED, Engine, EngineInstance, Module, PLENTY, exchanged};
use crate::programs;
use anyhow::{Context, Result, bail};
use pvm_engine::{Backend, Config, Outcome, ProgramBlob, RawInstance, Reg};
use vm_core::{
    gas::{CostModelKind, Metering},
    program::ProgramConfig,
};

/// The compiler.
pub struct Compiled {
    engine: pvm_engine::Engine,
    config: ProgramConfig,
}

impl Compiled {
    /// Creates the engine with synchronous metering and this cost model.
    ///
    /// # Errors
    /// If programs cannot be compiled here.
    pub fn new(cost_model: CostModelKind) -> Result<Self> {
        Self::with(Config::new().set_backend(Backend::Jit), cost_model, Metering::Sync)
    }

    /// Creates the engine with the naive cost model and this metering.
    ///
    /// # Errors
    /// If programs cannot be compiled here.
    pub fn metered(metering: Metering) -> Result<Self> {
        Self::with(Config::new().set_backend(Backend::Jit), CostModelKind::Naive, metering)
    }

    /// Creates the engine without a pool: each instance gets a new process.
    ///
    /// # Errors
    /// If programs cannot be compiled here.
    pub fn unpooled() -> Result<Self> {
        let mut config = Config::new();
        Self::with(config.set_backend(Backend::Jit).set_workers(0, 4096), CostModelKind::Naive, Metering::Sync)
    }

    fn with(config: &Config, cost_model: CostModelKind, metering: Metering) -> Result<Self> {
        let engine = pvm_engine::Engine::new(config)?;
        Ok(Compiled { engine, config: ProgramConfig { cost_model, metering, ..ProgramConfig::default() } })
    }
}

impl Engine for Compiled {
    fn name(&self) -> &'static str {
        match self.config.metering {
            Metering::Off => "ours no gas",
            Metering::Async => "ours async",
            _ => "ours",
        }
    }

    fn read(&self, program: &programs::BenchProgram) -> Result<Vec<u8>> {
        program.blob()
    }

    fn load(&self, bytes: &[u8]) -> Result<Box<dyn Module>> {
        let blob = ProgramBlob::parse(bytes)?;
        Ok(Box::new(pvm_engine::Module::new(&self.engine, &self.config, &blob)?))
    }
}

impl Module for pvm_engine::Module {
    fn code_length(&self) -> Option<usize> {
        self.machine_code_length()
    }

    fn instantiate(&self) -> Result<Box<dyn EngineInstance>> {
        Ok(Box::new(self.instantiate_raw()?))
    }
}

impl EngineInstance for RawInstance {
    fn call(&mut self, export: &str) -> Result<u64> {
        let entry = self.module().program().export(export.as_bytes()).context("no such export")?;
        let exchanges = self.module().program().import(0) == Some(b"exchange");
        self.set_gas(PLENTY);
        self.prepare_call(entry, &[]);
        loop {
            match self.run()? {
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
