//! Tests of compiled programs at every gas limit. The seeds are fixed.

use pvm_oracle::every_gas::{Tally, compare};
use pvm_oracle::pair::Backends;

#[test]
fn compiled_programs_stop_where_interpreted_ones_do_at_every_gas_limit() {
    let backends = match Backends::new() {
        Ok(backends) => backends,
        Err(error) => return pvm_oracle::skip_without_jit(&error),
    };
    let mut tally = Tally::default();
    for seed in 0..5_600 {
        compare(&backends, seed, &mut tally).unwrap_or_else(|failure| panic!("{failure}"));
    }
    println!("{tally:?}");
    assert!(tally.asynchronous > 2_000 && tally.programs - tally.asynchronous > 2_000, "{tally:?}");
    assert!(tally.runs > 10 * tally.programs && tally.shortages > tally.runs, "{tally:?}");
}
