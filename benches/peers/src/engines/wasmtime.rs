//! The `wasmtime` crate: its optimising compiler cranelift or its fast one winch, with or without fuel, and with instances
//! made on demand or out of a pool.

use anyhow::{Context, Result, anyhow};
use pvm_benches::engines::{Engine, EngineInstance, Module, PLENTY, exchange_in};
use pvm_benches::programs::BenchProgram;
use wasmtime::{
    Caller, Config, InstanceAllocationStrategy, InstancePre, Linker, PoolingAllocationConfig, Store, Strategy,
};

/// Compiler of wasmtime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compiler {
    /// Optimising.
    Cranelift,
    /// Optimising, with fuel.
    CraneliftFuel,
    /// Winch, the single-pass compiler.
    Winch,
    /// Winch, with fuel.
    WinchFuel,
}

/// An engine in one of these configurations.
pub struct Wasmtime {
    engine: wasmtime::Engine,
    name: &'static str,
    fuel: bool,
}

impl Wasmtime {
    /// Creates an engine with on-demand allocation of instances.
    ///
    /// # Errors
    /// If the engine cannot be made.
    pub fn new(compiler: Compiler) -> Result<Self> {
        Self::with(compiler, false)
    }

    /// Creates an engine with pooling allocation of instances.
    ///
    /// # Errors
    /// If the engine cannot be made.
    pub fn pooled(compiler: Compiler) -> Result<Self> {
        Self::with(compiler, true)
    }

    fn with(compiler: Compiler, pooled: bool) -> Result<Self> {
        let mut config = Config::new();
        let fuel = matches!(compiler, Compiler::CraneliftFuel | Compiler::WinchFuel);
        config.consume_fuel(fuel);
        let (name, strategy) = match compiler {
            Compiler::Cranelift => ("cranelift", Strategy::Cranelift),
            Compiler::CraneliftFuel => ("clift fuel", Strategy::Cranelift),
            Compiler::Winch => ("winch", Strategy::Winch),
            Compiler::WinchFuel => ("winch fuel", Strategy::Winch),
        };
        config.strategy(strategy);
        if pooled {
            let mut pool = PoolingAllocationConfig::default();
            pool.total_core_instances(1000).total_memories(1000).max_memory_size(64 << 20);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        let engine = wasmtime::Engine::new(&config).map_err(|error| anyhow!("{error}"))?;
        Ok(Wasmtime { engine, name, fuel })
    }
}

impl Engine for Wasmtime {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&self, program: &BenchProgram) -> Result<Vec<u8>> {
        program.wasm()
    }

    fn load(&self, bytes: &[u8]) -> Result<Box<dyn Module>> {
        let module = wasmtime::Module::new(&self.engine, bytes).map_err(|error| anyhow!("{error}"))?;
        let mut linker = Linker::new(&self.engine);
        linker.func_wrap("env", "nothing", |value: u64| value).map_err(|error| anyhow!("{error}"))?;
        let exchange = |mut caller: Caller<'_, ()>, input: u32, output: u32| -> wasmtime::Result<()> {
            let memory = caller.get_export("memory").and_then(wasmtime::Extern::into_memory);
            let memory = memory.ok_or_else(|| wasmtime::Error::msg("no memory"))?;
            exchange_in(memory.data_mut(&mut caller), input, output)
                .map_err(|error| wasmtime::Error::msg(error.to_string()))
        };
        linker.func_wrap("env", "exchange", exchange).map_err(|error| anyhow!("{error}"))?;
        let ready = linker.instantiate_pre(&module).map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(Loaded { ready, fuel: self.fuel }))
    }
}

struct Loaded {
    ready: InstancePre<()>,
    fuel: bool,
}

impl Module for Loaded {
    fn code_length(&self) -> Option<usize> {
        Some(self.ready.module().text().len())
    }

    fn instantiate(&self) -> Result<Box<dyn EngineInstance>> {
        let mut store = Store::new(self.ready.module().engine(), ());
        if self.fuel {
            store.set_fuel(PLENTY.unsigned_abs()).map_err(|error| anyhow!("{error}"))?;
        }
        let instance = self.ready.instantiate(&mut store).map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(Running { store, instance, fuel: self.fuel }))
    }
}

struct Running {
    store: Store<()>,
    instance: wasmtime::Instance,
    fuel: bool,
}

impl EngineInstance for Running {
    fn call(&mut self, export: &str) -> Result<u64> {
        let Running { store, instance, fuel } = self;
        if *fuel {
            store.set_fuel(PLENTY.unsigned_abs()).map_err(|error| anyhow!("{error}"))?;
        }
        let function = instance.get_func(&mut *store, export).context("no such export")?;
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
