//! The linker: RISC-V ELF files in, PolkaVM program blobs out; and the commands of `pvm`, as functions.
//!
//! [`link()`] reads the file ([`elf`], [`riscv`]), builds a graph of what its exports reach ([`ir`]), makes that small
//! and fast ([`passes`]) and writes the blob ([`emit`], [`debug_info`]).
//!
//! Called by the binary and by tests. Blobs and texts come from anyone: whatever they contain, a command ends with a
//! result or an [`Error`]. Each command is a file in [`commands`]; they share reading ([`input`]), writing ([`output`])
//! and making a machine ready ([`machine`]).

#![forbid(unsafe_code)]

pub mod args;
pub mod commands;
pub mod debug_info;
pub mod elf;
pub mod emit;
pub mod error;
pub mod exit;
pub mod guest;
mod hash;
pub mod input;
pub mod ir;
mod link;
pub mod machine;
pub mod output;
pub mod passes;
pub mod riscv;

pub use args::Args;
pub use error::Error;
pub use link::{DEFAULT_STACK_SIZE, Level, LinkError, Options, link};

use args::Command;

/// Does what the command line says; returns the exit code.
///
/// # Errors
/// If the command could not do its work.
pub fn execute(args: &Args) -> Result<u8, Error> {
    match &args.command {
        Command::Build(args) => commands::build::execute(args),
        Command::Link(args) => commands::link::execute(args),
        Command::Run(args) => commands::run::execute(args),
        Command::Trace(args) => commands::trace::execute(args),
        Command::Disassemble(args) => commands::disassemble::execute(args),
        Command::Assemble(args) => commands::assemble::execute(args),
        Command::Stats(args) => commands::stats::execute(args),
        Command::Validate(args) => commands::validate::execute(args),
    }
}
