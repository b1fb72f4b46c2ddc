//! `pvm run`: calls an entry point.

use crate::args::{Backend, RunArgs};
use crate::machine::{Ending, machine};
use crate::output::Output;
use crate::{Error, exit, input};
use pvm_engine::{Error as EngineError, SandboxError};

/// Runs until the call ends, calls a host function, or has no gas left.
///
/// # Errors
/// If the blob cannot be read or run, or has no such entry; if the backend cannot run here.
pub fn execute(args: &RunArgs) -> Result<u8, Error> {
    let bytes = input::bytes(&args.call.blob)?;
    let mut instance = machine(&args.call, args.backend, args.time_limit, &bytes)?;
    if let Some(reason) = instance.module().engine().fallback_reason() {
        eprintln!("pvm: the program is interpreted, not compiled: {reason}");
    }
    let outcome = match instance.run() {
        // It stops at the first host call, so nothing was done that cannot be done again.
        Err(EngineError::Sandbox(error))
            if args.backend == Backend::Auto && !matches!(error, SandboxError::TimedOut { .. }) =>
        {
            eprintln!("pvm: the program is interpreted from its start: {error}");
            instance = machine(&args.call, Backend::Interpreter, None, &bytes)?;
            instance.run()
        }
        other => other,
    }
    .map_err(Error::Engine)?;
    let ending = Ending::new(&instance, outcome, args.call.gas);
    let mut output = Output::open();
    match args.json {
        true => output.print(format_args!("{:#}\n", ending.json()))?,
        false => output.print(format_args!("{}", ending.text()))?,
    }
    output.finish()?;
    Ok(exit::of(outcome))
}
