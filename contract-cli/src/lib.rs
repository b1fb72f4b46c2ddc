//! `pvm-contract` as a library: upload, instantiate, call and inspect PolkaVM contracts on a chain.
//!
//! The command line is in [`args`], the subcommands are in [`commands`]. They talk to the chain through [`chain`]
//! (connection, accounts), [`api`] (dry runs, views) and [`submit`] (signed transactions), by the chain's own metadata,
//! so that it works with any chain that has the pallet. A best block may be retracted at any moment, which [`best`] handles. [`value`]
//! and [`names`] decode values and errors; [`output`] is the report, as JSON for programs and as [`plain`] text with
//! [`units`] for people, [`tree`] is a trace; [`money`] reads and converts amounts. [`source`] builds contracts from source,
//! [`deployments`] remembers them by name.

pub mod abi;
pub mod api;
pub mod args;
pub mod best;
pub mod chain;
pub mod commands;
pub mod deployments;
pub mod error;
pub mod money;
pub mod names;
pub mod output;
pub mod plain;
pub mod room;
pub mod source;
pub mod submit;
pub mod target;
pub mod tree;
pub mod units;
pub mod value;

use std::time::Duration;

/// Executes a command within its time limit.
///
/// # Errors
///
/// If it cannot be executed. A refusal by the chain is part of the report.
pub async fn run(args: args::Args) -> Result<output::Report, error::Error> {
    let seconds = args.global.timeout;
    match tokio::time::timeout(Duration::from_secs(seconds), commands::run(args)).await {
        Ok(result) => result,
        Err(_) => Err(error::Error::Timeout(seconds)),
    }
}
