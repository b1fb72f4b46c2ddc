//! Definition of the host functions. In the runtime, only [`crate::RemoteInstance`] calls them.
//!
//! Results go into the caller's buffers or are plain integers ([`crate::wire`]); the node allocates nothing in the
//! runtime.

#![allow(missing_docs, reason = "the macro writes items without documentation")]
#![allow(clippy::too_many_arguments, reason = "host functions have plain arguments only")]

use crate::memory::{MEMORY_STOP_BYTES, MemoryStop};
use crate::wire::{STOP_BYTES, StopBuffer};
#[cfg(not(substrate_runtime))]
use crate::{InstantiateError, NoInstance, ProgramRules, backend::backend, run, wire};
use sp_runtime_interface::pass_by::{
    PassFatPointerAndRead, PassFatPointerAndWrite, PassPointerAndRead, PassPointerAndWrite,
};
use sp_runtime_interface::runtime_interface;

/// Runs PolkaVM programs in the node.
#[runtime_interface]
pub trait Polkavm {
    /// Makes an instance that will run from code offset `entry`.
    fn instantiate(
        &mut self,
        code_hash: PassPointerAndRead<&[u8; 32], 32>,
        code: PassFatPointerAndRead<&[u8]>,
        entry: u32,
        cost_model: u32,
    ) -> i64 {
        let model = u16::try_from(cost_model).ok().and_then(vm_core::gas::CostModelKind::from_id);
        wire::from_instantiated(match model {
            Some(model) => backend(self).instantiate(code_hash, code, entry, ProgramRules::version_1(model)),
            None => Err(InstantiateError::NoCostModel { id: cost_model }),
        })
    }

    /// Version 2, with the id of the semantics version that is stored with the code. Runtimes that call version 1 have
    /// semantics version 0; their blocks remain valid on all releases.
    #[version(2)]
    fn instantiate(
        &mut self,
        code_hash: PassPointerAndRead<&[u8; 32], 32>,
        code: PassFatPointerAndRead<&[u8]>,
        entry: u32,
        cost_model: u32,
        semantics: u32,
    ) -> i64 {
        let model = u16::try_from(cost_model).ok().and_then(vm_core::gas::CostModelKind::from_id);
        let known = u16::try_from(semantics).ok().and_then(vm_core::Semantics::from_id);
        wire::from_instantiated(match (model, known) {
            (Some(cost_model), Some(semantics)) => {
                backend(self).instantiate(code_hash, code, entry, ProgramRules { semantics, cost_model })
            }
            (None, _) => Err(InstantiateError::NoCostModel { id: cost_model }),
            (_, None) => Err(InstantiateError::NoSemantics { id: semantics }),
        })
    }

    /// Runs until the next stop, with `result` in A0 if `set_result`. Returns 0, or -1 if there is no such instance.
    fn run(
        &mut self,
        instance: u32,
        gas: i64,
        set_result: bool,
        result: u64,
        stop: PassPointerAndWrite<&mut StopBuffer, { STOP_BYTES }>,
    ) -> i32 {
        match backend(self).run(instance, gas, set_result.then_some(result)) {
            Ok(stopped) => {
                *stop = StopBuffer::encode(&stopped);
                0
            }
            Err(NoInstance) => -1,
        }
    }

    /// Version 2, with the guest memory that crosses with a run: makes the `writes`, runs, and at a host call reads the
    /// ranges that `reads` has for it ([`crate::memory`]). Returns 0, -1 if there is no such instance, or -2 if a write
    /// is malformed or out of bounds; those before it are made then.
    #[version(2)]
    fn run(
        &mut self,
        instance: u32,
        gas: i64,
        set_result: bool,
        result: u64,
        writes: PassFatPointerAndRead<&[u8]>,
        reads: PassFatPointerAndRead<&[u8]>,
        stop: PassPointerAndWrite<&mut MemoryStop, { MEMORY_STOP_BYTES }>,
    ) -> i32 {
        run::run(backend(self), instance, gas, set_result.then_some(result), writes, reads, stop)
    }

    /// The code offset at which the instance stopped.
    fn program_counter(&mut self, instance: u32) -> i64 {
        wire::from_counter(backend(self).program_counter(instance))
    }

    /// Reads guest memory. If that fails `out` is filled with zeros.
    fn read_memory(&mut self, instance: u32, address: u32, out: PassFatPointerAndWrite<&mut [u8]>) -> i32 {
        wire::from_access(backend(self).read_memory(instance, address, out))
    }

    /// Writes guest memory.
    fn write_memory(&mut self, instance: u32, address: u32, data: PassFatPointerAndRead<&[u8]>) -> i32 {
        wire::from_access(backend(self).write_memory(instance, address, data))
    }

    /// Writes zeros to guest memory.
    fn zero_memory(&mut self, instance: u32, address: u32, length: u32) -> i32 {
        wire::from_access(backend(self).zero_memory(instance, address, length))
    }

    /// Frees an instance. Returns 0, or -1 if there is no such instance.
    fn destroy(&mut self, instance: u32) -> i32 {
        match backend(self).destroy(instance) {
            Ok(()) => 0,
            Err(NoInstance) => -1,
        }
    }
}
