//! The command line `pvm`: builds, links, runs, debugs, profiles, traces, disassembles, assembles, counts and validates
//! program blobs.
//!
//! [`args`] defines the arguments, and with them the help, the completions and the man page. Each command is a file in
//! [`commands`]; they share reading ([`input`]), writing ([`output`]) and preparing a call ([`call`]). Blobs and texts are
//! untrusted: for any input a command ends with a result or an [`Error`], and with an exit code of [`exit`].

#![forbid(unsafe_code)]

mod args;
mod call;
mod commands;
mod error;
mod examples;
mod exit;
mod input;
mod output;
mod subject;

use args::{Args, Command};
use clap::Parser as _;
use error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        // With `--json` every error is reported as JSON.
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            output::print_error("usage", error.to_string().trim_end(), true);
            return ExitCode::from(exit::USAGE);
        }
        Err(error) => error.exit(),
    };
    let json = args.command.json();
    match execute(&args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::print_error(error.name(), &error.to_string(), json);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs the command; returns the exit code.
fn execute(args: &Args) -> Result<u8, Error> {
    match &args.command {
        Command::Build(args) => commands::build::execute(args),
        Command::Link(args) => commands::link::execute(args),
        Command::Run(args) => commands::run::execute(args),
        Command::Trace(args) => commands::trace::execute(args),
        Command::Debug(args) => commands::debug::execute(args),
        Command::Profile(args) => commands::profile::execute(args),
        Command::Disassemble(args) => commands::disassemble::execute(args),
        Command::Assemble(args) => commands::assemble::execute(args),
        Command::Stats(args) => commands::stats::execute(args),
        Command::Validate(args) => commands::validate::execute(args),
        Command::Completions(args) => commands::completions::execute(args),
        Command::Man(args) => commands::man::execute(args),
    }
}
