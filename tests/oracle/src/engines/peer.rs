//! The interpreter of the `polkavm` crate as an engine, with its known differences from the specification.
//!
//! Each difference is in `docs/spec/differences.md#differences-from-polkavms-own-interpreter`, with the right behaviour
//! and the reason.

use crate::interface::{Config, Engine, EngineInstance, Fault, Metering, Model, Outcome, Situation};
use polkavm::{
    BackendKind, CacheModel, CostModel, CostModelKind, GasMeteringKind, InterruptKind, Module, ModuleConfig,
    ProgramBlob, ProgramCounter, RawInstance, Reg,
};
use vm_core::blob::Blob;
use vm_core::isa::{CodeView, Opcode};

/// The peer.
pub struct Peer {
    engine: polkavm::Engine,
    /// True if `memset` only reaches low memory.
    low_memset: bool,
}

impl Peer {
    /// Sets it up.
    ///
    /// # Panics
    /// If the crate refuses to run its interpreter.
    #[expect(clippy::new_without_default, reason = "it does a lot")]
    #[expect(clippy::expect_used, reason = "without a peer there is no comparison")]
    pub fn new() -> Peer {
        let mut config = polkavm::Config::new();
        config.set_backend(Some(BackendKind::Interpreter));
        Peer { engine: polkavm::Engine::new(&config).expect("the interpreter needs nothing"), low_memset: false }
    }

    /// Creates the peer for programs whose `memset` does not reach the upper half of memory.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn for_low_memset() -> Peer {
        Peer { low_memset: true, ..Peer::new() }
    }
}

/// True if the peer's scanner finds an additional invalid instruction: "Scanning near the end of the code".
fn scans_wrongly(code: &CodeView<'_>) -> bool {
    let length = code.len();
    (7..length).step_by(8).any(|start| {
        start + 64 > length
            && code.bit(start)
            && (start + 1..start + 25).all(|offset| !code.bit(offset))
            && code.bit(start + 25)
    })
}

fn has_memset(code: &CodeView<'_>) -> bool {
    code.instructions().any(|decoded| decoded.instruction.is_some_and(|i| i.opcode == Opcode::Memset))
}

impl Engine for Peer {
    fn name(&self) -> String {
        "polkavm 0.37".into()
    }

    fn follows(&self, blob: &[u8], config: &Config) -> Result<(), &'static str> {
        if config.model == Model::CalibratedV1 {
            return Err("the calibrated cost model");
        }
        // Our engines refuse the fourth instruction set by name; the peer runs it.
        if blob.get(4) == Some(&2) {
            return Err("Latest64");
        }
        let Ok(blob) = Blob::parse(blob) else { return Ok(()) };
        if !self.low_memset && has_memset(&blob.code_view()) {
            return Err("memset in the upper half of memory");
        }
        if scans_wrongly(&blob.code_view()) {
            return Err("scanning near the end of the code");
        }
        Ok(())
    }

    fn load(&self, blob: &[u8], config: &Config) -> Result<Box<dyn EngineInstance>, String> {
        let mut peer = ModuleConfig::new();
        peer.set_gas_metering(match config.metering {
            Metering::Off => None,
            Metering::Async => Some(GasMeteringKind::Async),
            Metering::Sync => Some(GasMeteringKind::Sync),
        });
        peer.set_cost_model(Some(match config.model {
            Model::Naive => CostModelKind::from(CostModel::naive_ref()),
            Model::Pipeline(latency) => CostModelKind::Full(CacheModel { memory_access_cost: latency as i8 }),
            Model::CalibratedV1 => return Err("the peer does not have this cost model".into()),
        }));
        peer.set_page_size(config.page_size);
        peer.set_aux_data_size(config.aux_size);
        peer.set_step_tracing(config.single_step);
        let blob = ProgramBlob::parse(blob.into()).map_err(|error| error.to_string())?;
        let module = Module::from_blob(&self.engine, &peer, blob).map_err(|error| error.to_string())?;
        let instance = module.instantiate().map_err(|error| error.to_string())?;
        Ok(Box::new(Running { module, instance, low_memset: self.low_memset }))
    }
}

struct Running {
    module: Module,
    instance: RawInstance,
    low_memset: bool,
}

impl EngineInstance for Running {
    forward_registers_and_gas!();

    fn set_next_pc(&mut self, offset: u32) {
        self.instance.set_next_program_counter(ProgramCounter(offset));
    }

    fn pc(&self) -> Option<u32> {
        self.instance.program_counter().map(|pc| pc.0)
    }

    fn next_pc(&self) -> Option<u32> {
        self.instance.next_program_counter().map(|pc| pc.0)
    }

    #[expect(clippy::expect_used, reason = "an interpreter has no errors of the host")]
    fn run(&mut self) -> Outcome {
        match self.instance.run().expect("the interpreter runs") {
            InterruptKind::Finished => Outcome::Finished,
            InterruptKind::Trap => Outcome::Trap,
            InterruptKind::Ecalli(number) => Outcome::HostCall(number),
            InterruptKind::NotEnoughGas => Outcome::OutOfGas,
            InterruptKind::Step => Outcome::Step,
            InterruptKind::Segfault(fault) => {
                Outcome::PageFault(Fault { address: fault.page_address, write_protected: fault.is_write_protected })
            }
        }
    }

    fn read(&mut self, address: u32, out: &mut [u8]) -> bool {
        self.instance.read_memory_into(address, out).is_ok()
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        self.instance.write_memory(address, bytes).is_ok()
    }

    #[expect(clippy::expect_used, reason = "an interpreter has no errors of the host")]
    fn sbrk(&mut self, size: u32) -> Option<u32> {
        self.instance.sbrk(size).expect("no dynamic paging")
    }

    fn heap_size(&self) -> u32 {
        self.instance.heap_size()
    }

    fn regions(&self) -> Vec<(u32, u32)> {
        let map = self.module.memory_map();
        let page = map.page_size();
        let heap_end = (map.heap_base() + self.instance.heap_size()).next_multiple_of(page);
        let all = [
            map.ro_data_range(),
            map.rw_data_address()..heap_end.max(map.rw_data_range().end),
            map.stack_address_low()..map.stack_address_high(),
            map.aux_data_range(),
        ];
        all.into_iter().filter(|range| !range.is_empty()).map(|range| (range.start, range.end)).collect()
    }

    fn block_cost(&mut self, offset: u32) -> Option<u32> {
        self.module.calculate_gas_cost_for(ProgramCounter(offset)).map(|cost| cost as u32)
    }

    fn differs_in(&self, situation: Situation) -> bool {
        match situation {
            Situation::EntryAtTheEnd | Situation::NoNextPc => true,
            // The `memset` might be entered with any address.
            Situation::EntryElsewhere => self.low_memset,
        }
    }
}
