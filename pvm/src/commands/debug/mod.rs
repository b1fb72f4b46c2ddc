//! `pvm debug`: serves a debugger.

mod dap;
mod listener;
mod web;

use crate::args::{Begin, DebugArgs};
use crate::output::Output;
use crate::subject::Subject;
use crate::{Error, exit, output};
use listener::{Listener, failed};
use pvm_debugger::{elf, gdb};
use std::path::Path;
use vm_core::Outcome;
use vm_core::blob::Blob;

/// Serves whatever kind of debugger is asked for.
///
/// # Errors
/// If the run cannot be loaded, or the debugger cannot be served.
pub fn execute(args: &DebugArgs) -> Result<u8, Error> {
    match (args.dap, args.web) {
        (true, _) => dap::execute(args),
        (_, true) => web::execute(args),
        _ => serve_gdb(args),
    }
}

/// Loads what the arguments name, and goes to where it is begun.
fn load(args: &DebugArgs) -> Result<Subject, Error> {
    let mut subject = Subject::load(&args.subject)?;
    let machine = &mut subject.machine;
    machine.set_snapshot_memory((args.snapshot_memory as usize) << 20);
    // A record says how it ends; a call may have no end.
    let from_end = args.from.map_or(args.subject.record.is_some(), |from| from == Begin::End);
    if from_end {
        let end = machine.seek_end()?;
        let failed = !matches!(end.outcome, Outcome::Finished);
        if args.from.is_none() && !failed {
            machine.seek(0)?;
        }
    }
    Ok(subject)
}

/// Waits for gdb, and serves it until it goes away.
fn serve_gdb(args: &DebugArgs) -> Result<u8, Error> {
    let Subject { machine, blob, symbols } = load(args)?;
    let parsed = Blob::parse(&blob).map_err(|source| Error::Blob { path: "the record".to_owned(), source })?;
    let elf = elf::write(&parsed, &symbols).map_err(|error| Error::Elf { reason: error.to_string() })?;
    // A temporary file lasts as long as the session.
    let temporary = match &args.elf_out {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("pvm-")
                .suffix(".elf")
                .tempfile()
                .map_err(|source| Error::Write { path: "a temporary file".to_owned(), source })?,
        ),
    };
    let path = match (&args.elf_out, &temporary) {
        (Some(path), _) => path.as_path(),
        (None, Some(file)) => file.path(),
        (None, None) => Path::new("-"),
    };
    output::write(path, &elf)?;

    let place = args.listen.as_deref().unwrap_or("0");
    let listener = Listener::open(place)?;
    let target = listener.target()?;
    let mut output = Output::open();
    output.print(format_args!(
        "waiting for a debugger at {}; type in another terminal:\n  gdb-multiarch -q {} -ex 'target remote {target}'\n",
        listener.name()?,
        path.display()
    ))?;
    output.finish()?;
    let machine = match listener {
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().map_err(|source| failed(place, source))?;
            // Every answer is waited for.
            stream.set_nodelay(true).map_err(|source| failed(place, source))?;
            gdb::serve(machine, symbols, stream)
        }
        Listener::Unix(listener, _guard) => {
            let (stream, _) = listener.accept().map_err(|source| failed(place, source))?;
            gdb::serve(machine, symbols, stream)
        }
    }?;
    let mut output = Output::open();
    output.print(format_args!("the debugger went away at position {}\n", machine.position()))?;
    output.finish()?;
    Ok(exit::DONE)
}
