//! The `wasmi` crate with fuel and otherwise default features and settings (dispatch by tail calls; everything is
//! validated, and a function is translated when it is first called). Optionally, for a fast start, a function is also
//! validated only when it is first called.

use super::{Engine, EngineInstance, Module, PLENTY, exchange_in};
use crate::programs::BenchProgram;
use anyhow::{Context, Result, anyhow};
use wasmi::{Caller, CompilationMode, Config, Instance, Linker, Store};

/// The interpreter with fuel.
pub struct Wasmi {
    engine: wasmi::Engine,
    name: &'static str,
}

impl Default for Wasmi {
    fn default() -> Self {
        Wasmi::new("wasmi", CompilationMode::default())
    }
}

impl Wasmi {
    /// Creates the engine with lazy translation, in which code that is not called may be invalid.
    pub fn lazy() -> Self {
        Wasmi::new("wasmi lazy", CompilationMode::Lazy)
    }

    fn new(name: &'static str, mode: CompilationMode) -> Self {
        let mut config = Config::default();
        config.consume_fuel(true).compilation_mode(mode);
        Wasmi { engine: wasmi::Engine::new(&config), name }
    }
}

impl Engine for Wasmi {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&self, program: &BenchProgram) -> Result<Vec<u8>> {
        program.wasm()
    }

    fn load(&self, bytes: &[u8]) -> Result<Box<dyn Module>> {
        let module = wasmi::Module::new(&self.engine, bytes).map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(module))
    }
}

impl Module for wasmi::Module {
    fn instantiate(&self) -> Result<Box<dyn EngineInstance>> {
        let mut store = Store::new(self.engine(), ());
        store.set_fuel(PLENTY.unsigned_abs()).map_err(|error| anyhow!("{error}"))?;
        let mut linker = Linker::new(self.engine());
        linker.func_wrap("env", "nothing", |value: u64| value).map_err(|error| anyhow!("{error}"))?;
        let exchange = |mut caller: Caller<'_, ()>, input: u32, output: u32| -> Result<(), wasmi::Error> {
            let memory = caller.get_export("memory").and_then(wasmi::Extern::into_memory);
            let memory = memory.ok_or_else(|| wasmi::Error::new("no memory"))?;
            exchange_in(memory.data_mut(&mut caller), input, output)
                .map_err(|error| wasmi::Error::new(error.to_string()))
        };
        linker.func_wrap("env", "exchange", exchange).map_err(|error| anyhow!("{error}"))?;
        let instance = linker.instantiate_and_start(&mut store, self).map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(Running { store, instance }))
    }
}

struct Running {
    store: Store<()>,
    instance: Instance,
}

impl EngineInstance for Running {
    fn call(&mut self, export: &str) -> Result<u64> {
        let Running { store, instance } = self;
        store.set_fuel(PLENTY.unsigned_abs()).map_err(|error| anyhow!("{error}"))?;
        let function = instance.get_func(&*store, export).context("no such export")?;
        if let Ok(function) = function.typed::<(), u64>(&*store) {
            return function.call(store, ()).map_err(|error| anyhow!("{error}"));
        }
        let function = function.typed::<(), ()>(&*store).map_err(|error| anyhow!("{error}"))?;
        function.call(store, ()).map_err(|error| anyhow!("{error}"))?;
        Ok(0)
    }

    fn gas_used(&self) -> u64 {
        PLENTY.unsigned_abs() - self.store.get_fuel().unwrap_or(0)
    }
}
