//! The full-state oracle: runs a program on several engines at once and compares all that can be observed.
//!
//! Used by the tests of this crate, and by `scripts/fuzz`. To add an engine, implement [`Engine`] and
//! [`Machine`] and put it in the list of [`engines`]. What is compared is an [`Observation`], at every stop; there is
//! no switch that leaves a part of it out. Where an engine is known to differ from the specification, the program is
//! not given to it, and `docs/spec/differences.md#where-polkavms-own-interpreter-differs` says why.

#![forbid(unsafe_code)]

pub mod compare;
pub mod engines;
pub mod every_gas;
pub mod generate;
pub mod hash;
pub mod machine;
pub mod pair;
pub mod sequences;
pub mod vectors;

pub use machine::{Config, Engine, Fault, Machine, Metering, Model, Observation, Outcome};
