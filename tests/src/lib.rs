//! Test support for the demo and the end-to-end tests: a real node on a temporary base path, and the real command line.
//!
//! Nothing here depends on the pallet's internals; everything goes through the programs that users run.

pub mod chain;
pub mod contract;
pub mod node;
pub mod paths;
pub mod shown;
pub mod words;
pub mod workers;

use std::process::ExitCode;

/// Converts the result of a program to its exit code, and prints its error.
pub fn exit_code(program: &str, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{program}: FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
