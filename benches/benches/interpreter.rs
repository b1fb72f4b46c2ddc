//! Our interpreter beside its peers, over the programs of `guest/bench`: milliseconds, and how many times ours is faster.
//!
//! Run by `make bench-interpreter`, or, once the programs are built,
//! `cargo bench --manifest-path benches/Cargo.toml --bench interpreter -- [--rounds N] [PROGRAM]…`.

use anyhow::Result;
use pvm_benches::{
    engines::{Engine, Ours, Polkavm, Wasmi},
    table,
};

fn main() -> Result<()> {
    let engines: [Box<dyn Engine>; 3] =
        [Box::new(Ours::default()), Box::new(Polkavm::new()?), Box::new(Wasmi::default())];
    table::of_arguments(&engines)
}
