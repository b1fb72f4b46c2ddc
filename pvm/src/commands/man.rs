//! `pvm man`: writes the man page of `pvm`, or of one of its commands.

use crate::args::{Args, ManArgs};
use crate::{Error, exit, output};
use clap::CommandFactory as _;
use std::path::Path;

/// Footer of the pages.
const VERSION: &str = concat!("pvm ", env!("CARGO_PKG_VERSION"));

/// Writes the page, in roff, to standard output.
///
/// # Errors
/// If there is no such command, or the page cannot be written.
pub fn execute(args: &ManArgs) -> Result<u8, Error> {
    let mut command = Args::command();
    command.build();
    let page = match &args.command {
        None => command,
        Some(name) => {
            let found = command.find_subcommand(name);
            let found = found.ok_or_else(|| Error::NoCommand { name: name.clone() })?.clone();
            // `man` expects `pvm-run`, not `pvm run`.
            found.display_name(format!("pvm-{name}"))
        }
    };
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(page).source(VERSION).render(&mut text);
    rendered.map_err(|source| Error::Write { path: "the man page".to_owned(), source })?;
    output::write(Path::new("-"), &text)?;
    Ok(exit::DONE)
}
