//! The linker: converts RISC-V ELF files to PolkaVM program blobs.
//!
//! [`link()`] reads the file ([`elf`], [`riscv`]), builds a graph of everything that its exports reach ([`ir`]),
//! optimizes it ([`passes`]) and writes the blob ([`emit`], [`debug_info`]).
//!
//! Called by the command line `pvm`, by `pvm-contract` and by tests. ELF files are untrusted: for any input [`link()`]
//! returns a blob or a [`LinkError`].

#![forbid(unsafe_code)]

pub mod debug_info;
pub mod elf;
pub mod emit;
mod hash;
pub mod ir;
mod link;
pub mod passes;
pub mod riscv;

pub use link::{DEFAULT_STACK_SIZE, Level, LinkError, Options, link};
