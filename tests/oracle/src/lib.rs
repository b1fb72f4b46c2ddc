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

/// Returns what needs the compiler; `None` after a notice if there is none on this machine.
///
/// # Panics
/// If `PVM_REQUIRE_JIT` is set.
pub fn unless_skipped<T>(made: Result<T, pvm_engine::Error>) -> Option<T> {
    made.map_err(|error| skip_without_jit(&error)).ok()
}

/// Compares with each seed, counts in a tally, and prints it.
///
/// # Panics
/// On the first difference.
#[expect(clippy::panic, reason = "for tests")]
pub fn tally_seeds<T: Default + core::fmt::Debug, E: core::fmt::Display>(
    seeds: core::ops::Range<u64>,
    mut compare: impl FnMut(u64, &mut T) -> Result<(), E>,
) -> T {
    let mut tally = T::default();
    for seed in seeds {
        compare(seed, &mut tally).unwrap_or_else(|failure| panic!("{failure}"));
    }
    println!("{tally:?}");
    tally
}

pub use interface::{Config, Engine, EngineInstance, Fault, Metering, Model, Observation, Outcome};
