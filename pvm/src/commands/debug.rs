//! `pvm debug`: serves a debugger.

use crate::args::{Begin, DebugArgs};
use crate::output::Output;
use crate::subject::Subject;
use crate::{Error, exit, output};
use pvm_debugger::{elf, gdb};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use vm_core::Outcome;
use vm_core::blob::Blob;

/// Where a debugger connects.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// Waits for a debugger, and serves it until it goes away.
///
/// # Errors
/// If the run cannot be loaded, or the debugger cannot be served.
pub fn execute(args: &DebugArgs) -> Result<u8, Error> {
    let Subject { mut machine, blob, symbols } = Subject::load(&args.subject)?;
    machine.set_snapshot_memory((args.snapshot_memory as usize) << 20);
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

    // A record says how it ends; a call may have no end.
    let from_end = args.from.map_or(args.subject.record.is_some(), |from| from == Begin::End);
    if from_end {
        let end = machine.seek_end()?;
        let failed = !matches!(end.outcome, Outcome::Finished);
        if args.from.is_none() && !failed {
            machine.seek(0)?;
        }
    }

    let listener = listen(&args.listen)?;
    let (place, target) = match &listener {
        Listener::Tcp(listener) => {
            let port = listener.local_addr().map_err(|source| failed(&args.listen, source))?.port();
            (format!("port {port}"), format!("localhost:{port}"))
        }
        Listener::Unix(_, path) => (path.display().to_string(), path.display().to_string()),
    };
    let mut output = Output::open();
    output.print(format_args!(
        "waiting for a debugger at {place}; type in another terminal:\n  gdb-multiarch -q {} -ex 'target remote {target}'\n",
        path.display()
    ))?;
    output.finish()?;
    let machine = match &listener {
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().map_err(|source| failed(&args.listen, source))?;
            // Every answer is waited for.
            stream.set_nodelay(true).map_err(|source| failed(&args.listen, source))?;
            gdb::serve(machine, symbols, stream)
        }
        Listener::Unix(listener, path) => {
            let accepted = listener.accept().map_err(|source| failed(&args.listen, source));
            let result = accepted.map(|(stream, _)| gdb::serve(machine, symbols, stream));
            // Best effort: the session is over.
            let _ = std::fs::remove_file(path);
            result?
        }
    }?;
    let mut output = Output::open();
    output.print(format_args!("the debugger went away at position {}\n", machine.position()))?;
    output.finish()?;
    Ok(exit::DONE)
}

fn failed(place: &str, source: std::io::Error) -> Error {
    Error::Listen { place: place.to_owned(), source }
}

/// A number is a port of this machine, anything else a path.
fn listen(place: &str) -> Result<Listener, Error> {
    match place.parse() {
        Ok(port) => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(Listener::Tcp),
        Err(_) => UnixListener::bind(place).map(|listener| Listener::Unix(listener, place.into())),
    }
    .map_err(|source| failed(place, source))
}
