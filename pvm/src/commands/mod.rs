//! Commands of `pvm`, one file each.

pub mod assemble;
pub mod build;
pub mod completions;
pub mod debug;
pub mod disassemble;
pub mod link;
pub mod man;
pub mod profile;
pub mod run;
pub mod stats;
pub mod trace;
pub mod validate;
