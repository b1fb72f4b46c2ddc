//! Test support: random numbers and random programs, the same for the same seed on every machine.
//!
//! A development dependency of the crates that test with random data. It only depends on `vm-core`, so that `vm-core`'s
//! own integration tests can use it. Engines to run the programs on are in `pvm_oracle::engines`.

#![forbid(unsafe_code)]

pub mod exhaustive;
mod instance;
mod processes;
mod program;
mod random;

pub use instance::{load, start};
pub use processes::descendants;
pub use program::{RandomProgram, block_starts, is_based, noise, pick_opcode, set_targets, with_operands};
pub use random::Rng;
