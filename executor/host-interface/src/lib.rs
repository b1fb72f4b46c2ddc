//! Host functions through which a runtime has the node run PolkaVM programs.
//!
//! The interface between runtime and node. The runtime uses [`RemoteInstance`], with one host function call for each
//! run; most accesses to memory cross with it ([`memory`]). The node adds [`HostFunctions`] to those of its executor and a [`Backend`], as a
//! [`PolkavmExt`], to the extensions of every runtime call. Without a backend the functions panic, which ends the
//! runtime call without deciding whether a block is valid.
//!
//! **Invariant**: results do not depend on the node. Instances are numbered in order, errors follow from the arguments,
//! and programs behave as vm-core specifies. The code is an argument of every [`RemoteInstance::new`], even though a
//! node that has compiled it only compares it: if it were omitted for nodes that have it, only some nodes would detect
//! a hash mismatch.

#![cfg_attr(substrate_runtime, no_std)]
#![allow(unexpected_cfgs, reason = "the builder of the wasm runtime sets substrate_runtime, cargo knows nothing of it")]

extern crate alloc;

#[cfg(not(substrate_runtime))]
mod backend;
mod functions;
mod instance;
pub mod memory;
#[cfg(not(substrate_runtime))]
mod run;
pub mod runtime_heap;
mod wire;

#[cfg(not(substrate_runtime))]
pub use backend::{Backend, PolkavmExt, provide_backend};
#[cfg(not(substrate_runtime))]
pub use functions::polkavm::HostFunctions;
pub use instance::RemoteInstance;
pub use wire::STOP_BYTES;

use core::fmt;
use vm_core::gas::{CostModelKind, Metering};
use vm_core::isa::Reg;
use vm_core::program::ProgramConfig;
use vm_core::{Outcome, Semantics};
use vm_core::{interpreter, limits};

/// Maximum number of instances of a runtime call at a time. Larger than the maximum depth of the call stack, so that
/// only a runtime that never destroys instances reaches it.
pub const INSTANCES: u32 = 64;

/// The rules that a program runs under: semantics version and cost model.
///
/// Stored with the code, so that a node of any release runs it in the same way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgramRules {
    /// The semantics version of instructions.
    pub semantics: Semantics,
    /// The gas cost model of instructions.
    pub cost_model: CostModelKind,
}

impl ProgramRules {
    /// The rules of version 1 of the host functions, which passed no semantics version.
    pub fn version_1(cost_model: CostModelKind) -> ProgramRules {
        ProgramRules { semantics: Semantics::V0, cost_model }
    }
}

/// The configuration of a contract's program. Everything that a contract could observe is set explicitly, so that it
/// does not depend on vm-core's defaults.
pub fn program_config(rules: ProgramRules) -> ProgramConfig {
    let ProgramRules { semantics, cost_model } = rules;
    ProgramConfig {
        semantics,
        page_size: limits::PAGE_SIZE,
        aux_size: 0,
        cost_model,
        metering: Metering::Sync,
        single_step: false,
        ..ProgramConfig::default()
    }
}

/// A stop of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// The reason for the stop.
    pub outcome: Outcome,
    /// The gas that is left.
    pub gas: i64,
    /// Registers A0 to A5: the arguments if the outcome is a host call.
    pub args: [u64; 6],
}

impl Stop {
    /// Runs an instance of the interpreter until its next stop with this much gas. Sets A0 to `result`, if given.
    pub fn of_run(instance: &mut interpreter::Instance, gas: i64, result: Option<u64>) -> Stop {
        if let Some(result) = result {
            instance.set_reg(Reg::A0, result);
        }
        instance.set_gas(gas);
        let outcome = instance.run();
        let args = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4, Reg::A5].map(|reg| instance.reg(reg));
        Stop { outcome, gas: instance.gas(), args }
    }
}

/// The error of an instantiation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InstantiateError {
    /// The code's Keccak-256 hash is not the one that was given.
    HashMismatch,
    /// The bytes are not a program that can be loaded.
    NoProgram,
    /// No cost model has this number.
    NoCostModel {
        /// The number.
        id: u32,
    },
    /// No semantics version has this number.
    NoSemantics {
        /// The number.
        id: u32,
    },
    /// The limit of [`INSTANCES`] is reached.
    TooMany,
}

impl fmt::Display for InstantiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstantiateError::HashMismatch => write!(f, "the code does not have the hash that was given for it"),
            InstantiateError::NoProgram => write!(f, "the code is no program that can be loaded"),
            InstantiateError::NoCostModel { id } => write!(f, "no gas cost model has the number {id}"),
            InstantiateError::NoSemantics { id } => write!(f, "no semantics of instructions has the number {id}"),
            InstantiateError::TooMany => write!(f, "there are {INSTANCES} instances already, the limit is {INSTANCES}"),
        }
    }
}

impl core::error::Error for InstantiateError {}

/// Error: no instance has this number; it was never made, or is destroyed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoInstance;

/// The error of an access to guest memory, which changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessError {
    /// Part of the range is not mapped, or not writable.
    OutOfBounds,
    /// Unknown instance.
    NoInstance,
}

impl From<NoInstance> for AccessError {
    fn from(NoInstance: NoInstance) -> Self {
        AccessError::NoInstance
    }
}
