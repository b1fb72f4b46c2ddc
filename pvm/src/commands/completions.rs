//! `pvm completions`: writes a completion script for a shell.

use crate::args::{Args, CompletionsArgs};
use crate::{Error, exit, output};
use clap::CommandFactory as _;
use std::path::Path;

/// Writes the script to standard output.
///
/// # Errors
/// If it cannot be written.
pub fn execute(args: &CompletionsArgs) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "pvm", &mut script);
    output::write(Path::new("-"), &script)?;
    Ok(exit::DONE)
}
