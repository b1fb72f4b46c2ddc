//! Runs PolkaVM programs: as machine code in a sandboxed process, or on vm-core's interpreter, with the same results.
//!
//! An [`Engine`] is set up once, from a [`Config`]. It loads [`Module`]s from [`ProgramBlob`]s. A [`Linker`] holds the
//! host functions, and makes [`Instance`]s whose functions are called by name. One level below,
//! [`Module::instantiate_raw`] makes instances that run until the next [`Outcome`]. `docs/embedding.md` is the guide.
//!
//! Items of [`vm_core`] that an embedder needs are re-exported, and the whole crate under its name, so that versions
//! agree.
//!
//! ```
//! use pvm_engine::vm_core::text::assemble;
//! use pvm_engine::{Backend, Config, Engine, Linker, Module, ProgramBlob};
//!
//! let blob = assemble(
//!     ".isa ReviveV1
//!      .import \"double\"
//!      .export \"add_and_double\" add
//!      add: add_64 a0, a0, a1
//!           ecalli 0
//!           jump_indirect ra, 0
//!     ",
//! )?;
//! let engine = Engine::new(Config::new().set_backend(Backend::Interpreter))?;
//! let module = Module::from_blob(&engine, &ProgramBlob::parse(&blob)?)?;
//! let mut linker = Linker::<()>::new(&engine);
//! linker.func_wrap("double", |value: u64| value * 2)?;
//! let instance = linker.instantiate_pre(&module)?.instantiate()?;
//! let function = instance.get_typed_func::<(u64, u64), u64>("add_and_double")?;
//! assert_eq!(function.call(&mut (), (1, 20))?, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod engine;
mod error;
mod instance;
#[cfg(jit_supported)]
mod jit;
mod linker;
mod module;
mod raw;
#[allow(dead_code, reason = "some of it is for tests")]
mod sandbox;
mod trace;
mod value;

/// Fingerprint of all sources that machine code depends on, as a decimal 64-bit number. Code stored by one version
/// ([`Module::machine_code_to_store`]) is refused by any other.
pub const FINGERPRINT: &str = env!("PVM_ENGINE_FINGERPRINT");

pub use config::{Backend, Config};
pub use engine::{Engine, ForkedEngine};
pub use error::{CodeRule, Error, StoredError, VerifyError};
pub use instance::{CallParams, CallResult, Func, Instance, InstancePre, TypedFunc};
pub use linker::{Caller, HostError, HostResult, IntoHostFunction, Linker};
pub use module::{Module, ProgramBlob};
pub use raw::{RawInstance, RawSnapshot};
pub use sandbox::{Layer, Missing, Sandbox, SandboxError};
pub use value::{Integer, Val};
pub use vm_core;
pub use vm_core::Outcome;
pub use vm_core::blob::BlobError;
pub use vm_core::gas::{CostModelKind, MemoryLatency, Metering};
pub use vm_core::interpreter::SnapshotError;
pub use vm_core::isa::{Isa, Reg};
pub use vm_core::limits;
pub use vm_core::memory::{MemoryError, MemoryMap};
pub use vm_core::program::{Program, ProgramConfig, ProgramError};

/// The examples of the guide, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
mod guide {}
