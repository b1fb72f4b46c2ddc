//! Server for gdb's remote protocol: an unmodified gdb goes through a run, forwards and backwards.
//!
//! The run cannot be changed: registers and memory are read-only. What gdb shows is told by the ELF file of [`crate::elf`].

mod arch;
mod connection;
mod monitor;
mod target;

pub use connection::Stream;

use crate::machine::{Machine, ReplayError};
use crate::symbols::Symbols;
use connection::Buffered;
use gdbstub::common::Signal;
use gdbstub::conn::{Connection, ConnectionExt};
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{GdbStub, SingleThreadStopReason};
use std::io;
use std::marker::PhantomData;
use target::Session;

/// Serving failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GdbError {
    /// The connection was lost.
    #[error("the connection to the debugger failed: {0}")]
    Connection(String),
    /// The run cannot be gone through.
    #[error(transparent)]
    Replay(ReplayError),
}

/// Serves one client, until it detaches or goes away. Returns the machine where the client left it.
///
/// # Errors
/// If the connection is lost, or the run does not follow its record.
pub fn serve<C: Stream>(machine: Machine, symbols: Symbols, connection: C) -> Result<Machine, GdbError> {
    let mut session = Session::new(machine, symbols);
    let stub = GdbStub::new(Buffered::new(connection));
    match stub.run_blocking::<EventLoop<C>>(&mut session) {
        Ok(_) => Ok(session.into_machine()),
        Err(error) if error.is_target_error() => match error.into_target_error() {
            Some(error) => Err(GdbError::Replay(error)),
            None => Err(GdbError::Connection("unknown".to_owned())),
        },
        // Whoever closes the connection wants no more.
        Err(error) if session.is_hung_up(&error.to_string()) => Ok(session.into_machine()),
        Err(error) => Err(GdbError::Connection(error.to_string())),
    }
}

/// Runs the machine until it stops, or the client has something to say.
struct EventLoop<C>(PhantomData<C>);

impl<C: Stream> BlockingEventLoop for EventLoop<C> {
    type Target = Session;
    type Connection = Buffered<C>;
    type StopReason = SingleThreadStopReason<u64>;

    fn wait_for_stop_reason(
        target: &mut Session,
        connection: &mut Buffered<C>,
    ) -> Result<Event<Self::StopReason>, WaitForStopReasonError<ReplayError, <Buffered<C> as Connection>::Error>> {
        loop {
            if let Some(reason) = target.run().map_err(WaitForStopReasonError::Target)? {
                return Ok(Event::TargetStopped(reason));
            }
            if connection.peek().map_err(WaitForStopReasonError::Connection)?.is_some() {
                let byte = connection.read().map_err(WaitForStopReasonError::Connection)?;
                return Ok(Event::IncomingData(byte));
            }
        }
    }

    fn on_interrupt(_: &mut Session) -> Result<Option<Self::StopReason>, ReplayError> {
        Ok(Some(SingleThreadStopReason::Signal(Signal::SIGINT)))
    }
}

/// The end of a connection, as an error.
fn hung_up() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}
