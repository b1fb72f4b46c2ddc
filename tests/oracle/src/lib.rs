//! Full-state oracle: runs a program on several engines at once and compares all observable state.
//!
//! Used by the tests of this crate, and by `scripts/fuzz`. To add an engine, implement [`Engine`] and
//! [`EngineInstance`] and add it to the list of [`engines`]. An [`Observation`] is compared at every stop; no option leaves a
//! part of it out. Programs for which an engine is known to differ from the specification are not run on it:
//! `docs/spec/differences.md#differences-from-polkavms-own-interpreter` lists the differences.

#![forbid(unsafe_code)]

pub mod compare;
pub mod engines;
pub mod every_gas;
pub mod generate;
pub mod hash;
pub mod interface;
pub mod pair;
pub mod sequences;
pub mod tiers;
pub mod vectors;

/// Reports that a test compares nothing because programs cannot be compiled on this machine. If compiled programs are
/// required (`PVM_REQUIRE_JIT` is set, as in CI), this is a failure.
///
/// # Panics
/// If `PVM_REQUIRE_JIT` is set.
pub fn skip_without_jit(error: &pvm_engine::Error) {
    assert!(std::env::var_os("PVM_REQUIRE_JIT").is_none(), "PVM_REQUIRE_JIT is set: {error}");
    // Not captured, unlike the output of passing tests.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("SKIPPED, as programs cannot be compiled here: {error}\n").as_bytes(),
    );
}

pub use interface::{Config, Engine, EngineInstance, Fault, Metering, Model, Observation, Outcome};
