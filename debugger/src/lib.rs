//! Time travel for programs: records of runs, going to any place in them, and servers for debuggers.
//!
//! Programs are deterministic: what a run did follows from the program, its inputs and what its host answered.
//! [`record`] is the file that holds these, [`machine`] goes forwards and backwards in a run, from a record or a program
//! that needs no host. [`symbols`] finds functions and lines, [`unwind`] callers. [`elf`] makes an ELF file with DWARF of a
//! blob, so that debuggers know all of them, and [`gdb`] serves gdb's remote protocol. [`navigator`] moves by lines and
//! functions, and [`dap`] serves editors with it by the debug adapter protocol, and [`web`] browsers.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod dap;
pub mod elf;
pub mod gdb;
pub mod machine;
pub mod navigator;
pub mod profile;
pub mod record;
pub mod symbols;
pub mod unwind;
pub mod web;
