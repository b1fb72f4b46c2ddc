//! Random sequences of operations on engines. The seeds are fixed. Alone in its process, as processes below it are killed.

use pvm_oracle::pair::Backends;
use pvm_oracle::sequences::{Tally, compare};

#[test]
fn whatever_an_embedder_does_compiled_and_interpreted_machines_do_the_same() {
    let backends = match Backends::new() {
        Ok(backends) => backends,
        Err(error) => return pvm_oracle::skip_without_jit(&error),
    };
    let mut tally = Tally::default();
    for seed in 0..600 {
        compare(&backends, seed, 150, true, &mut tally).unwrap_or_else(|failure| panic!("{failure}"));
    }
    println!("{tally:?}");
    // None of these may become rare.
    assert!(tally.loaded > 3_000 && tally.instantiated > 5_000 && tally.runs > 10_000, "{tally:?}");
    assert!(tally.restored > 400 && tally.refused > 400 && tally.killed > 100 && tally.lost > 50, "{tally:?}");
}
