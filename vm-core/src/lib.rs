//! Core of the PolkaVM-compatible virtual machine: blob format, instruction sets, gas, memory and a portable
//! interpreter.
//!
//! Every other crate builds on it. Its interpreter defines what each instruction does, and other backends must agree
//! with it. The crate knows nothing of chains or operating systems, contains no `unsafe`, and runs wherever `alloc`
//! does, also inside a runtime compiled to wasm.
//!
//! * [`blob`] reads (without copying) and writes program blobs.
//! * [`isa`] is the one instruction table, the decoder and the encoder.
//! * [`limits`] holds every limit of the system, and the checks that code must pass on upload.
//! * [`program`] is a parsed blob that is ready to run.
//! * [`gas`] defines the cost of basic blocks.
//! * [`memory`] lays out guest memory and holds it.
//! * [`interpreter`] runs a program until the next [`Outcome`].
//! * [`semantics`] numbers the sets of rules that stored programs run under.
//! * [`text`] writes blobs as assembly and reads them back, for tools and tests.
//!
//! ```
//! use std::sync::Arc;
//! use vm_core::blob::{Blob, BlobBuilder};
//! use vm_core::interpreter::Instance;
//! use vm_core::isa::{Instruction, Isa, Opcode, Reg};
//! use vm_core::program::{Program, ProgramConfig};
//! use vm_core::Outcome;
//!
//! let bytes = BlobBuilder::new(Isa::ReviveV1)
//!     .export(b"add", 0)
//!     .instructions(vec![
//!         Instruction::rrr(Opcode::Add64, Reg::A0, Reg::A0, Reg::A1),
//!         Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
//!     ])
//!     .build()?;
//! let program = Program::new(&Blob::parse(&bytes)?, &ProgramConfig::default())?;
//! let entry = program.export(b"add").unwrap();
//!
//! let mut instance = Instance::new(Arc::new(program));
//! instance.set_gas(100);
//! instance.prepare_call(entry, &[40, 2]);
//! assert_eq!(instance.run(), Outcome::Finished);
//! assert_eq!(instance.reg(Reg::A0), 42);
//! assert_eq!(instance.gas(), 98);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

extern crate alloc;

pub mod blob;
pub mod gas;
pub mod interpreter;
pub mod isa;
pub mod limits;
pub mod memory;
pub mod outcome;
pub mod program;
pub mod semantics;
pub mod text;

pub use outcome::Outcome;
pub use semantics::Semantics;
