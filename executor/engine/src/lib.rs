//! Runs PolkaVM programs: as machine code in a caged process, or on vm-core's interpreter, with the same results.
//!
//! An [`Engine`] is set up once, from a [`Config`]. It loads [`Module`]s from [`ProgramBlob`]s, of which
//! [`Module::instantiate_raw`] makes machines. A [`RawInstance`] runs until the next [`Outcome`].
//!
//! ```
//! use pvm_engine::{Backend, Config, Engine, Module, Outcome, ProgramBlob, Reg};
//! use vm_core::text::assemble;
//!
//! let blob = assemble(
//!     ".isa ReviveV1
//!      .export \"add\" add
//!      add: add_64 a0, a0, a1
//!           jump_indirect ra, 0
//!     ",
//! )?;
//! let engine = Engine::new(Config::new().set_backend(Backend::Interpreter))?;
//! let module = Module::from_blob(&engine, &ProgramBlob::parse(&blob)?)?;
//! let mut instance = module.instantiate_raw()?;
//! instance.set_gas(100);
//! instance.prepare_call(module.program().export(b"add").unwrap(), &[40, 2]);
//! assert_eq!(instance.run()?, Outcome::Finished);
//! assert_eq!((instance.reg(Reg::A0), instance.gas()), (42, 98));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod engine;
mod error;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod jit;
mod module;
mod raw;
#[allow(dead_code, reason = "some of it is for tests")]
mod sandbox;

pub use config::{Backend, Config};
pub use engine::Engine;
pub use error::Error;
pub use module::{Module, ProgramBlob};
pub use raw::{RawInstance, RawSnapshot};
pub use sandbox::{CageError, Missing, Sandbox};
pub use vm_core::Outcome;
pub use vm_core::isa::Reg;
