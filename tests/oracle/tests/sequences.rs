//! Random sequences of operations on engines. The seeds are fixed. Alone in its process, as processes below it are killed.

use pvm_oracle::pair::Backends;
use pvm_oracle::sequences::{Tally, compare};
use pvm_oracle::{tally_seeds, unless_skipped};

#[test]
fn whatever_an_embedder_does_compiled_and_interpreted_machines_do_the_same() {
    let Some(backends) = unless_skipped(Backends::new()) else { return };
    let tally: Tally = tally_seeds(0..600, |seed, tally| compare(&backends, seed, 150, true, tally));
    // None of these may become rare.
    assert!(tally.loaded > 3_000 && tally.instantiated > 5_000 && tally.runs > 10_000, "{tally:?}");
    assert!(tally.restored > 400 && tally.refused > 400 && tally.killed > 100 && tally.lost > 50, "{tally:?}");
}
