//! The connection to the client, with answers written in one piece.

use super::hung_up;
use gdbstub::conn::{Connection, ConnectionExt};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

/// A stream that can be asked whether there is something to read.
pub trait Stream: Read + Write {
    /// Makes reads wait or not.
    ///
    /// # Errors
    /// If that is not possible.
    fn set_waiting(&self, wait: bool) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_waiting(&self, wait: bool) -> io::Result<()> {
        self.set_nonblocking(!wait)
    }
}

impl Stream for UnixStream {
    fn set_waiting(&self, wait: bool) -> io::Result<()> {
        self.set_nonblocking(!wait)
    }
}

/// See the module.
pub struct Buffered<C> {
    stream: C,
    incoming: Vec<u8>,
    /// The part of it that was read.
    position: usize,
    outgoing: Vec<u8>,
}

impl<C: Stream> Buffered<C> {
    pub fn new(stream: C) -> Self {
        Buffered { stream, incoming: Vec::new(), position: 0, outgoing: Vec::new() }
    }

    /// Reads what there is; at the end of the stream that is an error.
    fn fill(&mut self) -> io::Result<()> {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes)? {
            0 => Err(hung_up()),
            count => {
                self.incoming = bytes[..count].to_vec();
                self.position = 0;
                Ok(())
            }
        }
    }
}

impl<C: Stream> Connection for Buffered<C> {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.outgoing.push(byte);
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.outgoing.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.outgoing)?;
        self.outgoing.clear();
        self.stream.flush()
    }
}

impl<C: Stream> ConnectionExt for Buffered<C> {
    fn read(&mut self) -> io::Result<u8> {
        loop {
            if let Some(byte) = self.incoming.get(self.position) {
                self.position += 1;
                return Ok(*byte);
            }
            match self.fill() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => other?,
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.position >= self.incoming.len() {
            self.stream.set_waiting(false)?;
            let filled = self.fill();
            self.stream.set_waiting(true)?;
            match filled {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                other => other?,
            }
        }
        Ok(self.incoming.get(self.position).copied())
    }
}
