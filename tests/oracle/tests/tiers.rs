//! Tests of programs that start on the interpreter and move to compiled code. The seeds are fixed.

use pvm_oracle::tiers::{Tally, compare, compiler};
use pvm_oracle::{tally_seeds, unless_skipped};

#[test]
fn a_program_that_moves_from_the_interpreter_to_compiled_code_at_any_border_ends_the_same() {
    let Some(engine) = unless_skipped(compiler()) else { return };
    let tally: Tally = tally_seeds(0..1_500, |seed, tally| compare(&engine, seed, tally));
    assert!(tally.programs > 1_000 && tally.moves > 3 * tally.programs && tally.stops > tally.moves, "{tally:?}");
    assert!(tally.with_memory > tally.moves / 10, "{tally:?}");
}
