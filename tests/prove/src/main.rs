//! `make prove`: states the claims of all rules, has two solvers decide them, and prints one line per class.
//!
//! Usage: `prove [PATTERN…]`; with patterns only rules whose name or compilation mode contains one of them.

use pvm_prove::prover::{self, Summary};
use std::process::ExitCode;

fn main() -> ExitCode {
    let patterns: Vec<String> = std::env::args().skip(1).collect();
    let chosen = |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| name.contains(pattern.as_str()));
    match prover::prove(&chosen, None, &mut |line| println!("{line}")) {
        Ok(Summary { failed: 0, rules, classes, .. }) if classes > 0 => {
            println!("{rules} rules, {classes} classes, all proved");
            ExitCode::SUCCESS
        }
        Ok(Summary { failed, rules, classes, .. }) => {
            println!("{rules} rules, {classes} classes, {failed} NOT PROVED");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("prove: {error}");
            ExitCode::FAILURE
        }
    }
}
