//! Runs PolkaVM programs as native code in a caged process.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[allow(dead_code, reason = "the API comes next")]
mod jit;
#[allow(dead_code, reason = "the API comes next")]
mod sandbox;

pub use sandbox::{CageError, Missing, Sandbox};
