//! Runs PolkaVM programs as native code in a caged process.

#[allow(dead_code, reason = "the compiled backend comes next")]
mod sandbox;

pub use sandbox::{CageError, Missing, Sandbox};
