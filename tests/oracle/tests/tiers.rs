//! Tests of programs that start on the interpreter and move to compiled code. The seeds are fixed.

use pvm_oracle::tiers::{Tally, compare, compiler};

#[test]
fn a_program_that_moves_from_the_interpreter_to_compiled_code_at_any_border_ends_the_same() {
    let engine = match compiler() {
        Ok(engine) => engine,
        Err(error) => return pvm_oracle::skip_without_jit(&error),
    };
    let mut tally = Tally::default();
    for seed in 0..1_500 {
        compare(&engine, seed, &mut tally).unwrap_or_else(|failure| panic!("{failure}"));
    }
    println!("{tally:?}");
    assert!(tally.programs > 1_000 && tally.moves > 3 * tally.programs && tally.stops > tally.moves, "{tally:?}");
    assert!(tally.with_memory > tally.moves / 10, "{tally:?}");
}
