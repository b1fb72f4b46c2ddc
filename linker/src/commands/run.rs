//! `pvm run`: calls an entry point.

use crate::args::RunArgs;
use crate::machine::{Ending, machine};
use crate::output::Output;
use crate::{Error, exit, input};

/// Runs until the call ends, calls a host function, or has no gas left.
///
/// # Errors
/// If the blob cannot be read or run, or has no such entry; if the backend cannot run here.
pub fn execute(args: &RunArgs) -> Result<u8, Error> {
    let bytes = input::bytes(&args.call.blob)?;
    let mut instance = machine(&args.call, args.backend, &bytes)?;
    let outcome = instance.run().map_err(Error::Engine)?;
    let ending = Ending::new(&instance, outcome, args.call.gas);
    let mut output = Output::open();
    match args.json {
        true => output.print(format_args!("{:#}\n", ending.json()))?,
        false => output.print(format_args!("{}", ending.text()))?,
    }
    output.finish()?;
    Ok(exit::of(outcome))
}
