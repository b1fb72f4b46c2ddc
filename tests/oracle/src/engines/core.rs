//! `vm-core`'s interpreter as an engine, in each of its configurations.
//!
//! Some drop the translated code between stops, have no room for it, or take a snapshot and continue on a new machine:
//! none of this may be observable.

use crate::interface::{Config, Engine, EngineInstance, Fault, Metering, Model, Outcome};
use std::sync::Arc;
use vm_core::blob::Blob;
use vm_core::gas::{CostModelKind, MemoryLatency};
use vm_core::interpreter::{Dispatch, Instance};
use vm_core::isa::Reg;
use vm_core::program::{Program, ProgramConfig};

/// Disturbance of a machine between stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Disturb {
    Nothing,
    ReleaseTranslation,
    Snapshot,
}

/// A configuration of `vm-core`'s interpreter.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    dispatch: Dispatch,
    translation_cache: u32,
    disturb: Disturb,
}

impl Core {
    /// Returns all variants; the first is the plain one.
    pub fn ways() -> Vec<Core> {
        let way = |dispatch, translation_cache, disturb| Core { dispatch, translation_cache, disturb };
        vec![
            way(Dispatch::Threaded, 1 << 20, Disturb::Nothing),
            way(Dispatch::Looped, 1 << 20, Disturb::Nothing),
            way(Dispatch::Threaded, 300, Disturb::Snapshot),
            way(Dispatch::Looped, 0, Disturb::ReleaseTranslation),
        ]
    }
}

impl Engine for Core {
    fn name(&self) -> String {
        format!("vm-core {:?}, cache of {} bytes, {:?}", self.dispatch, self.translation_cache, self.disturb)
    }

    fn load(&self, blob: &[u8], config: &Config) -> Result<Box<dyn EngineInstance>, String> {
        let config = ProgramConfig { translation_cache: self.translation_cache, ..program_config(config)? };
        let blob = Blob::parse(blob).map_err(|error| error.to_string())?;
        let program = Program::new(&blob, &config).map_err(|error| error.to_string())?;
        let mut instance = Instance::new(Arc::new(program));
        instance.set_dispatch(self.dispatch);
        Ok(Box::new(Running { instance, way: *self }))
    }
}

struct Running {
    instance: Instance,
    way: Core,
}

impl EngineInstance for Running {
    forward_to_instance!();

    fn run(&mut self) -> Outcome {
        let outcome = outcome(self.instance.run());
        match self.way.disturb {
            Disturb::Nothing => {}
            Disturb::ReleaseTranslation => self.instance.release_translation(),
            Disturb::Snapshot => {
                let snapshot = self.instance.snapshot();
                let mut other = Instance::new(self.instance.program().clone());
                other.set_dispatch(self.way.dispatch);
                if other.restore(&snapshot).is_ok() {
                    self.instance = other;
                }
            }
        }
        outcome
    }

    fn sbrk(&mut self, size: u32) -> Option<u32> {
        self.instance.sbrk(size)
    }

    fn regions(&self) -> Vec<(u32, u32)> {
        regions(self.instance.program(), self.instance.heap_size())
    }

    fn block_cost(&mut self, offset: u32) -> Option<u32> {
        self.instance.program().block_cost(offset)
    }
}

/// Converts the configuration to `vm-core`'s.
pub(crate) fn program_config(config: &Config) -> Result<ProgramConfig, String> {
    Ok(ProgramConfig {
        page_size: config.page_size,
        aux_size: config.aux_size,
        single_step: config.single_step,
        cost_model: match config.model {
            Model::Naive => CostModelKind::Naive,
            Model::Pipeline(latency) => CostModelKind::Pipeline(MemoryLatency::new(latency).ok_or("no such latency")?),
            Model::CalibratedV1 => CostModelKind::CalibratedV1,
        },
        metering: match config.metering {
            Metering::Off => vm_core::gas::Metering::Off,
            Metering::Sync => vm_core::gas::Metering::Sync,
            Metering::Async => vm_core::gas::Metering::Async,
        },
        ..ProgramConfig::default()
    })
}

/// Converts the outcome to this crate's.
pub(super) fn outcome(outcome: vm_core::Outcome) -> Outcome {
    match outcome {
        vm_core::Outcome::Finished => Outcome::Finished,
        vm_core::Outcome::Trap => Outcome::Trap,
        vm_core::Outcome::OutOfGas => Outcome::OutOfGas,
        vm_core::Outcome::HostCall(number) => Outcome::HostCall(number),
        vm_core::Outcome::Step => Outcome::Step,
        vm_core::Outcome::PageFault { address, write_protected } => {
            Outcome::PageFault(Fault { address, write_protected })
        }
    }
}

/// Returns the memory regions that exist with a heap of this size.
pub(crate) fn regions(program: &Program, heap_size: u32) -> Vec<(u32, u32)> {
    let map = program.memory_map();
    let all = [
        (0x1_0000, map.ro_end()),
        (map.rw_base(), map.rw_end_with_heap(heap_size)),
        (map.stack_low(), map.stack_high()),
        (map.aux_base(), map.aux_end()),
    ];
    all.into_iter().filter(|(from, to)| from < to).collect()
}
