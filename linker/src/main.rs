//! `pvm`: run, disassemble, assemble, check and trace program blobs. All it does is in the library.

#![forbid(unsafe_code)]

use clap::Parser as _;
use pvm_linker::{Args, execute, exit, output};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        // A program that asked for JSON gets it, whatever is wrong.
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
