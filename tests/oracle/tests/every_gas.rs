//! Tests of compiled programs at every gas limit. The seeds are fixed.

use pvm_oracle::every_gas::{Tally, compare};
use pvm_oracle::pair::Backends;
use pvm_oracle::{tally_seeds, unless_skipped};

#[test]
fn compiled_programs_stop_where_interpreted_ones_do_at_every_gas_limit() {
    let Some(backends) = unless_skipped(Backends::new()) else { return };
    let tally: Tally = tally_seeds(0..5_600, |seed, tally| compare(&backends, seed, tally));
    assert!(tally.asynchronous > 2_000 && tally.programs - tally.asynchronous > 2_000, "{tally:?}");
    assert!(tally.runs > 10 * tally.programs && tally.shortages > tally.runs, "{tally:?}");
}
