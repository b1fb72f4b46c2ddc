//! Compiled programs in the sandbox as an engine, through `pvm-engine`.

use super::core::{outcome, program_config, regions};
use crate::interface::{Config, Engine, EngineInstance, Outcome};
use pvm_engine::{Backend, Module, ProgramBlob, RawInstance, Sandbox};
use vm_core::isa::Reg;

/// The compiler of `pvm-engine`.
pub struct Compiled {
    engine: pvm_engine::Engine,
    disturb: bool,
}

impl Compiled {
    /// Returns two variants: the plain one, and one that takes and restores a snapshot at every stop. None, with a
    /// note, if programs cannot be compiled on this machine.
    pub fn ways() -> Vec<Compiled> {
        let mut config = pvm_engine::Config::new();
        // Programs' behaviour is compared here, not the sandbox.
        config.set_backend(Backend::Jit).set_sandbox(Sandbox::BestEffort);
        match pvm_engine::Engine::new(&config) {
            Ok(engine) => {
                vec![Compiled { engine: engine.clone(), disturb: false }, Compiled { engine, disturb: true }]
            }
            Err(error) => {
                crate::skip_without_jit(&error);
                Vec::new()
            }
        }
    }
}

impl Engine for Compiled {
    fn name(&self) -> String {
        format!("compiled{}", if self.disturb { ", restored at every stop" } else { "" })
    }

    fn is_slow_to_load(&self) -> bool {
        true
    }

    fn load(&self, blob: &[u8], config: &Config) -> Result<Box<dyn EngineInstance>, String> {
        let blob = ProgramBlob::parse(blob).map_err(|error| error.to_string())?;
        let module = Module::new(&self.engine, &program_config(config)?, &blob).map_err(|error| error.to_string())?;
        let instance = module.instantiate_raw().map_err(|error| error.to_string())?;
        Ok(Box::new(Running { instance, disturb: self.disturb }))
    }
}

struct Running {
    instance: RawInstance,
    disturb: bool,
}

impl EngineInstance for Running {
    forward_to_instance!();

    /// # Panics
    /// If the worker was lost: no program's behaviour may cause that.
    fn run(&mut self) -> Outcome {
        let run = self.instance.run();
        let outcome = outcome(run.unwrap_or_else(|error| panic!("a worker was lost: {error}")));
        if self.disturb {
            let snapshot = self.instance.snapshot();
            self.instance.restore(&snapshot).unwrap_or_else(|error| panic!("a snapshot was refused: {error}"));
        }
        outcome
    }

    fn sbrk(&mut self, size: u32) -> Option<u32> {
        self.instance.sbrk(size).unwrap_or_else(|error| panic!("a worker was lost: {error}"))
    }

    fn regions(&self) -> Vec<(u32, u32)> {
        regions(self.instance.module().program(), self.instance.heap_size())
    }

    fn block_cost(&mut self, offset: u32) -> Option<u32> {
        self.instance.module().program().block_cost(offset)
    }
}
