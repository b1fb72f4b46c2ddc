//! Listener for debuggers: a port of this machine, or a Unix socket.

use crate::Error;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

/// See the module.
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, which is removed in the end.
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Best effort: the session is over.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The error of a place that cannot be listened at.
pub fn failed(place: &str, source: io::Error) -> Error {
    Error::Listen { place: place.to_owned(), source }
}

impl Listener {
    /// A number is a port of this machine, anything else a path.
    pub fn open(place: &str) -> Result<Listener, Error> {
        match place.parse() {
            Ok(port) => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(Listener::Tcp),
            Err(_) => UnixListener::bind(place).map(|listener| Listener::Unix(listener, SocketFile(place.into()))),
        }
        .map_err(|source| failed(place, source))
    }

    /// Its name for people.
    pub fn name(&self) -> Result<String, Error> {
        Ok(match self {
            Listener::Tcp(_) => format!("port {}", self.port()?),
            Listener::Unix(_, SocketFile(path)) => path.display().to_string(),
        })
    }

    /// Its name in gdb's command `target remote`.
    pub fn target(&self) -> Result<String, Error> {
        Ok(match self {
            Listener::Tcp(_) => format!("localhost:{}", self.port()?),
            Listener::Unix(_, SocketFile(path)) => path.display().to_string(),
        })
    }

    fn port(&self) -> Result<u16, Error> {
        match self {
            Listener::Tcp(listener) => {
                listener.local_addr().map(|address| address.port()).map_err(|source| failed("a port", source))
            }
            Listener::Unix(..) => Ok(0),
        }
    }
}
