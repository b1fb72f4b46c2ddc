//! `pvm-contract`: upload, instantiate, call and inspect PolkaVM contracts on a chain.
//!
//! The command line is in [`args`], what each subcommand does in [`commands`]. They talk to the chain through [`chain`]
//! (connection, dry runs, views) and [`submit`] (signed transactions), by the chain's own metadata, so that any chain
//! with the pallet will do. [`value`] makes JSON of what they decode; [`output`] prints for people or, with `--json`, for programs.
//!
//! Exit codes: 0 done, 1 the chain or a check refused, 2 the command line is wrong or the chain cannot be reached.

mod abi;
mod args;
mod chain;
mod commands;
mod error;
mod output;
mod submit;
mod value;

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let json = args.global.json;
    match commands::run(args).await {
        Ok(report) => {
            report.print(json);
            ExitCode::from(if report.is_failure() { 1 } else { 0 })
        }
        Err(error) => {
            let code = error.exit_code();
            output::print_error(&error, json);
            ExitCode::from(code)
        }
    }
}
