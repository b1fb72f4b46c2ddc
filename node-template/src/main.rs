//! The node: a solochain client whose runtime runs PolkaVM contracts.
//!
//! `cli` is the command line, `command` runs its commands, `service` assembles the client, `authoring` decides whether
//! the node may build blocks, `rpc` adds the node's own JSON-RPC methods, `ethereum` those of
//! Ethereum, and `chain_spec` has the known chains.

#![allow(clippy::result_large_err, reason = "the client's error types are what they are, and these paths are cold")]

mod authoring;
mod chain_spec;
mod cli;
mod command;
mod ethereum;
mod rpc;
mod service;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}
