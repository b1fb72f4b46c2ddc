//! Prints the profile by which superinstructions are chosen: `scripts/profile-superinstructions [BLOB…]`.
//!
//! Runs each program's `initialize`, if it exports one, and `run`, and adds up which ops were dispatched one after the
//! other. The pairs at the top are those that a new superinstruction would save the most dispatches for. Each program
//! counts the same, however long it runs.
#![allow(clippy::unwrap_used, reason = "an example that cannot unwrap has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::interpreter::{DispatchProfile, Instance};
use vm_core::program::{Program, ProgramConfig};

/// Number of pairs that are printed.
const SHOWN: usize = 40;

/// Host calls after which a program is given up; they all do nothing.
const HOST_CALLS: u32 = 1_000_000;

fn main() {
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        let blob = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let blob = Blob::parse(&blob).unwrap_or_else(|error| panic!("{file}: {error}"));
        let program = Arc::new(Program::new(&blob, &ProgramConfig::default()).unwrap());
        let mut instance = Instance::new(program.clone());
        let mut profile = DispatchProfile::default();
        instance.set_gas(i64::MAX);
        for entry in ["initialize", "run"].iter().filter_map(|name| program.export(name.as_bytes())) {
            instance.prepare_call(entry, &[]);
            for _ in 0..HOST_CALLS {
                if !matches!(instance.run_traced(&mut profile), Outcome::HostCall(_)) {
                    break;
                }
            }
        }
        let all = profile.dispatches(&program);
        println!("{file}: {} ops in {} dispatches", all.ops, all.dispatches);
        for (pair, count) in all.pairs {
            *shares.entry(pair).or_default() += count as f64 / all.dispatches.max(1) as f64;
        }
    }
    let mut shares: Vec<(String, f64)> = shares.into_iter().collect();
    shares.sort_by(|left, right| right.1.total_cmp(&left.1));
    println!("dispatches that a superinstruction would save, on average of the programs:");
    for (pair, share) in shares.iter().take(SHOWN) {
        println!("{:6.2} %  {pair}", 100.0 * share / files.len() as f64);
    }
}
