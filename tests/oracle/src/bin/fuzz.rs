//! Compares all engines on random programs until it is stopped or finds a difference: `scripts/fuzz [SEED]`.
//!
//! Prints the seed it begins with, how far it is every few seconds, and for a difference the program. The seed of that
//! program alone, given as the argument, runs it again first.

use pvm_oracle::compare::{Tally, compare};
use pvm_oracle::engines::engines;
use pvm_oracle::generate::{describe, scenario};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

fn main() -> ExitCode {
    let first = match std::env::args().nth(1).map(|text| text.parse::<u64>()) {
        Some(Ok(seed)) => seed,
        Some(Err(error)) => {
            eprintln!("usage: fuzz [SEED]; the seed is a number: {error}");
            return ExitCode::from(2);
        }
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64),
    };
    println!("first seed: {first}");
    let engines = engines();
    let places: Vec<usize> = (0..engines.len()).collect();
    let (mut tally, mut said) = (Tally::default(), Instant::now());
    for seed in first.. {
        let scenario = scenario(seed);
        match compare(&engines, &places, &scenario) {
            Ok(more) => tally.add(&more),
            Err(difference) => {
                println!("{}\n{difference}", describe(&scenario.blob));
                println!("to see it again: scripts/fuzz {seed}");
                return ExitCode::FAILURE;
            }
        }
        if said.elapsed() > Duration::from_secs(5) {
            said = Instant::now();
            println!(
                "{} programs, {} instructions and {} stops alike; next seed {}",
                tally.programs,
                tally.instructions,
                tally.stops,
                seed + 1
            );
        }
    }
    ExitCode::SUCCESS
}
