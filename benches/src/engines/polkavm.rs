//! The interpreter of the `polkavm` crate. Its recompiler is never used.

use super::{Engine, Machine, PLENTY};
use crate::programs::Program;
use anyhow::{Context, Result, anyhow, bail};
use polkavm::{
    BackendKind, Config, CostModel, CostModelKind, GasMeteringKind, InterruptKind, Module, ModuleConfig, RawInstance,
    Reg,
};

/// The interpreter with synchronous metering and the naive cost model.
pub struct Polkavm {
    engine: polkavm::Engine,
    config: ModuleConfig,
}

impl Polkavm {
    /// Sets it up.
    ///
    /// # Errors
    /// If the engine cannot be made.
    pub fn new() -> Result<Self> {
        let mut config = Config::new();
        config.set_backend(Some(BackendKind::Interpreter));
        let engine = polkavm::Engine::new(&config).map_err(|error| anyhow!("{error}"))?;
        let mut config = ModuleConfig::new();
        config.set_gas_metering(Some(GasMeteringKind::Sync));
        config.set_cost_model(Some(CostModelKind::from(CostModel::naive_ref())));
        Ok(Polkavm { engine, config })
    }
}

impl Engine for Polkavm {
    fn name(&self) -> &'static str {
        "polkavm"
    }

    fn read(&self, program: &Program) -> Result<Vec<u8>> {
        program.blob()
    }

    fn load(&self, bytes: &[u8]) -> Result<Box<dyn super::Module>> {
        let module =
            Module::new(&self.engine, &self.config, bytes.to_vec().into()).map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(module))
    }
}

impl super::Module for Module {
    fn instantiate(&self) -> Result<Box<dyn Machine>> {
        let instance = Module::instantiate(self).map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(instance))
    }
}

impl Machine for RawInstance {
    fn call(&mut self, export: &str) -> Result<u64> {
        let entry = self
            .module()
            .exports()
            .find(|candidate| candidate.symbol().as_bytes() == export.as_bytes())
            .context("no such export")?
            .program_counter();
        self.set_gas(PLENTY);
        self.prepare_call_untyped(entry, &[]);
        match self.run().map_err(|error| anyhow!("{error}"))? {
            InterruptKind::Finished => Ok(self.reg(Reg::A0)),
            interrupt => bail!("{interrupt:?} at {:?}", self.program_counter()),
        }
    }

    fn gas_used(&self) -> u64 {
        (PLENTY - self.gas()).unsigned_abs()
    }
}
