//! Debug adapter: editors go through a run, forwards and backwards, by the debug adapter protocol.
//!
//! The run cannot be changed: registers and memory are read-only. Requests are read by a thread of their own, so that a
//! client can be heard while the run goes on. Whatever a client sends is answered or refused by name.

mod arguments;
mod breakpoints;
mod inspect;
mod protocol;
mod repl;
mod session;
mod stops;

pub use arguments::{LAUNCH_ATTRIBUTES, Launch, Number};
pub use protocol::{DapError, HeaderError, MESSAGE_SIZE};

use crate::machine::Machine;
use crate::symbols::Symbols;
use protocol::{Incoming, Outgoing, read};
use session::Session;
use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// Requests that wait to be answered; a client that sends more has to wait.
const WAITING: usize = 64;

/// Run made from a launch configuration.
#[derive(Debug)]
pub struct Launched {
    /// The run, at its start.
    pub machine: Machine,
    /// The symbols of its program.
    pub symbols: Symbols,
    /// Folders in which source files are searched for.
    pub folders: Vec<PathBuf>,
}

/// Serves one client, until it disconnects or goes away. `launch` loads what is to be debugged, or says why it cannot.
///
/// # Errors
/// If the connection is lost, or the client sends what is no message.
pub fn serve<R, W>(
    reader: R,
    writer: W,
    launch: impl FnMut(&Launch) -> Result<Launched, String>,
) -> Result<(), DapError>
where
    R: Read + Send + 'static,
    W: Write,
{
    let (sender, receiver) = sync_channel(WAITING);
    // Not joined: it may wait for a client that says nothing more.
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        loop {
            let message = read(&mut reader).transpose();
            let is_last = !matches!(message, Some(Ok(_)));
            if message.is_none_or(|message| sender.send(message).is_err()) || is_last {
                return;
            }
        }
    });
    let mut session = Session::new(launch);
    let mut out = Outgoing::new(writer);
    while let Some(incoming) = next(&receiver, &session) {
        match incoming {
            None => session.advance(),
            Some(Ok(Incoming::Request(request))) => {
                let result = session.handle(&request.command, request.arguments);
                out.respond(request.seq, &request.command, result)?;
            }
            Some(Ok(Incoming::Malformed { seq, why })) => out.respond(seq, "", Err(why))?,
            Some(Err(error)) => {
                // Best effort: the client may be gone.
                let _ = out.respond(0, "", Err(error.to_string()));
                return Err(error);
            }
        }
        for (name, body) in session.take_events() {
            out.event(name, body)?;
        }
        if session.is_over() {
            break;
        }
    }
    Ok(())
}

/// The next message; `Some(None)` if there is none yet, and the run goes on meanwhile. `None` if there will be no more.
fn next<L>(
    receiver: &Receiver<Result<Incoming, DapError>>,
    session: &Session<L>,
) -> Option<Option<Result<Incoming, DapError>>> {
    if !session.is_going() {
        return receiver.recv().ok().map(Some);
    }
    match receiver.try_recv() {
        Ok(message) => Some(Some(message)),
        Err(TryRecvError::Empty) => Some(None),
        Err(TryRecvError::Disconnected) => None,
    }
}
