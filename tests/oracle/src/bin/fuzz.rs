//! Compares all engines until it is stopped or finds a difference: `scripts/fuzz [KIND] [SEED]`.
//!
//! The kinds: `programs` are random programs on all engines (noise and damaged blobs, valid instructions in a row,
//! structured programs); `gas` are short ones at every gas limit, and `sequences` are random operations of an embedder,
//! with processes killed, both compiled beside interpreted. Without a kind they take turns.
//!
//! Prints the seed it begins with, how far it is every few seconds, and for a difference the program. The seed of that
//! program alone, given as the argument with its kind, runs it again first.

use pvm_oracle::compare::{self, compare};
use pvm_oracle::engines::engines;
use pvm_oracle::generate::{describe, scenario};
use pvm_oracle::interface::Engine;
use pvm_oracle::pair::Backends;
use pvm_oracle::{every_gas, sequences};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

const KINDS: [&str; 3] = ["programs", "gas", "sequences"];
const USAGE: &str = "usage: fuzz [programs|gas|sequences] [SEED]";

/// Number of operations of a sequence.
const OPERATIONS: u32 = 150;

struct Fuzz {
    engines: Vec<Box<dyn Engine>>,
    places: Vec<usize>,
    /// Engines of both backends, if programs can be compiled on this machine.
    backends: Option<Backends>,
    programs: compare::Tally,
    gas: every_gas::Tally,
    sequences: sequences::Tally,
}

impl Fuzz {
    fn new() -> Fuzz {
        let engines = engines();
        let backends = Backends::new().map_err(|error| println!("nothing is compiled: {error}")).ok();
        let places = (0..engines.len()).collect();
        Fuzz {
            engines,
            places,
            backends,
            programs: compare::Tally::default(),
            gas: every_gas::Tally::default(),
            sequences: sequences::Tally::default(),
        }
    }

    /// Runs one case of a kind; the error is for people.
    fn one(&mut self, kind: &str, seed: u64) -> Result<(), String> {
        let program = || describe(&scenario(seed).blob);
        match (kind, &self.backends) {
            ("gas", Some(backends)) => every_gas::compare(backends, seed, &mut self.gas)
                .map_err(|difference| format!("{}\n{difference}", program())),
            ("sequences", Some(backends)) => sequences::compare(backends, seed, OPERATIONS, true, &mut self.sequences)
                .map_err(|difference| difference.to_string()),
            ("gas" | "sequences", None) => Ok(()),
            _ => {
                let tally = compare(&self.engines, &self.places, &scenario(seed));
                self.programs.add(&tally.map_err(|difference| format!("{}\n{difference}", program()))?);
                Ok(())
            }
        }
    }

    fn say(&self, next: u64) {
        let Fuzz { programs, gas, sequences, .. } = self;
        println!(
            "{} programs, {} instructions and {} stops alike; {} programs at all of {} gas limits; {} operations in \
             sequences, with {} processes killed; next seed {next}",
            programs.programs,
            programs.instructions,
            programs.stops,
            gas.programs,
            gas.runs,
            sequences.operations,
            sequences.killed
        );
    }
}

/// Share of a kind when all kinds take turns: one in this many seeds.
fn every(kind: &str) -> u64 {
    match kind {
        "gas" => 4,
        "sequences" => 20,
        _ => 1,
    }
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let kinds = match args.first() {
        Some(kind) if KINDS.contains(&kind.as_str()) => vec![args.remove(0)],
        _ => KINDS.map(str::to_owned).to_vec(),
    };
    let first = match (args.first().map(|text| text.parse::<u64>()), args.len()) {
        (Some(Ok(seed)), 1) => seed,
        (None, _) => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64),
        _ => {
            eprintln!("{USAGE}; the seed is a number");
            return ExitCode::from(2);
        }
    };
    println!("first seed: {first}");
    let (mut fuzz, mut said) = (Fuzz::new(), Instant::now());
    for seed in first.. {
        for kind in &kinds {
            // The others take longer than a program.
            let is_turn = kinds.len() == 1 || seed % every(kind) == 0;
            if !is_turn {
                continue;
            }
            if let Err(difference) = fuzz.one(kind, seed) {
                println!("{difference}\nto see it again: scripts/fuzz {kind} {seed}");
                return ExitCode::FAILURE;
            }
        }
        if said.elapsed() > Duration::from_secs(5) {
            said = Instant::now();
            fuzz.say(seed + 1);
        }
    }
    ExitCode::SUCCESS
}
