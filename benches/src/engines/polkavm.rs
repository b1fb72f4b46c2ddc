//! The `polkavm` crate: its interpreter, or its recompiler in its sandbox.

use super::{EXCHANGED, Engine, EngineInstance, PLENTY, exchanged};
use crate::programs::BenchProgram;
use anyhow::{Context, Result, anyhow, bail};
use polkavm::{
    BackendKind, Config, CostModel, CostModelKind, GasMeteringKind, InterruptKind, Module, ModuleConfig, RawInstance,
    Reg,
};

/// The engine with the naive cost model.
pub struct Polkavm {
    engine: polkavm::Engine,
    config: ModuleConfig,
    name: &'static str,
}

impl Polkavm {
    /// The interpreter with synchronous metering.
    ///
    /// # Errors
    /// If the engine cannot be made.
    pub fn new() -> Result<Self> {
        Self::with("polkavm", BackendKind::Interpreter, Some(GasMeteringKind::Sync))
    }

    /// The recompiler with synchronous metering.
    ///
    /// # Errors
    /// If the engine cannot be made.
    pub fn recompiler() -> Result<Self> {
        Self::with("polkavm", BackendKind::Compiler, Some(GasMeteringKind::Sync))
    }

    /// The recompiler with asynchronous metering.
    ///
    /// # Errors
    /// If the engine cannot be made.
    pub fn async_recompiler() -> Result<Self> {
        Self::with("its async", BackendKind::Compiler, Some(GasMeteringKind::Async))
    }

    /// The recompiler without metering.
    ///
    /// # Errors
    /// If the engine cannot be made.
    pub fn unmetered_recompiler() -> Result<Self> {
        Self::with("its no gas", BackendKind::Compiler, None)
    }

    /// The recompiler with synchronous metering, without a worker pool: each instance gets a process of its own.
    ///
    /// # Errors
    /// If the engine cannot be made.
    pub fn unpooled() -> Result<Self> {
        let mut config = Config::new();
        config.set_worker_count(0);
        Self::of(config, "polkavm", BackendKind::Compiler, Some(GasMeteringKind::Sync))
    }

    fn with(name: &'static str, backend: BackendKind, metering: Option<GasMeteringKind>) -> Result<Self> {
        Self::of(Config::new(), name, backend, metering)
    }

    fn of(
        mut config: Config,
        name: &'static str,
        backend: BackendKind,
        metering: Option<GasMeteringKind>,
    ) -> Result<Self> {
        config.set_backend(Some(backend));
        let engine = polkavm::Engine::new(&config).map_err(|error| anyhow!("{error}"))?;
        let mut config = ModuleConfig::new();
        config.set_gas_metering(metering);
        config.set_cost_model(Some(CostModelKind::from(CostModel::naive_ref())));
        Ok(Polkavm { engine, config, name })
    }
}

impl Engine for Polkavm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&self, program: &BenchProgram) -> Result<Vec<u8>> {
        program.blob()
    }

    fn load(&self, bytes: &[u8]) -> Result<Box<dyn super::Module>> {
        let module =
            Module::new(&self.engine, &self.config, bytes.to_vec().into()).map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(module))
    }
}

impl super::Module for Module {
    fn code_length(&self) -> Option<usize> {
        Some(self.machine_code()?.len())
    }

    fn instantiate(&self) -> Result<Box<dyn EngineInstance>> {
        let instance = Module::instantiate(self).map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(instance))
    }
}

impl EngineInstance for RawInstance {
    fn call(&mut self, export: &str) -> Result<u64> {
        let entry = self
            .module()
            .exports()
            .find(|candidate| candidate.symbol().as_bytes() == export.as_bytes())
            .context("no such export")?
            .program_counter();
        let exchanges = self.module().imports().get(0).is_some_and(|import| import.as_bytes() == b"exchange");
        self.set_gas(PLENTY);
        self.prepare_call_untyped(entry, &[]);
        loop {
            match self.run().map_err(|error| anyhow!("{error}"))? {
                InterruptKind::Finished => return Ok(self.reg(Reg::A0)),
                InterruptKind::Ecalli(0) if exchanges => {
                    let mut input = [0; EXCHANGED];
                    let failed = |error| anyhow!("{error}");
                    self.read_memory_into(self.reg(Reg::A0) as u32, &mut input[..]).map_err(failed)?;
                    self.write_memory(self.reg(Reg::A1) as u32, &exchanged(&input)).map_err(failed)?;
                }
                // The other host function returns its argument.
                InterruptKind::Ecalli(_) => {}
                interrupt => bail!("{interrupt:?} at {:?}", self.program_counter()),
            }
        }
    }

    fn gas_used(&self) -> u64 {
        (PLENTY - self.gas()).unsigned_abs()
    }
}
