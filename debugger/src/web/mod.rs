//! Debugging page for browsers: source beside instructions, registers, memory, the call stack, and a time line.
//!
//! Served on loopback, to whoever has the token that is part of each path. Other web pages cannot have it, and are refused
//! as well by the host that they ask for and by their origin. The page itself runs no script but its own.

mod api;
mod http;

use crate::machine::ReplayError;
use crate::navigator::{Navigator, Sources};
use api::App;
use http::{Request, Response, read};
use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time limit for a browser's request.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most connections at a time.
const CONNECTIONS: usize = 64;

/// Bytes of a refused request that are read and ignored.
const IGNORED: u64 = 1 << 20;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// Serving failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The socket failed.
    #[error("the page cannot be served: {0}")]
    Socket(#[from] io::Error),
    /// The run cannot be gone through.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// Makes a token that nobody guesses.
///
/// # Errors
/// If the system has no random numbers.
pub fn token() -> io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Serves the page for ever, at `http://HOST:PORT/TOKEN/`.
///
/// # Errors
/// If the socket fails, or the run does not follow its record.
pub fn serve(listener: &TcpListener, navigator: Navigator, sources: Sources, token: &str) -> Result<(), WebError> {
    let address = listener.local_addr()?;
    let guard: Arc<Guard> = Arc::new(Guard { address, token: token.to_owned() });
    let app = Arc::new(Mutex::new(App::new(navigator, sources)?));
    let connections = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        // A connection that failed is its client's matter.
        let Ok(stream) = stream else { continue };
        if connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (guard, app, connections) = (guard.clone(), app.clone(), connections.clone());
        // Browsers open connections before they have something to ask for.
        std::thread::spawn(move || {
            // Best effort: whoever asked may be gone.
            let _ = answer(stream, &guard, &app);
            connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(())
}

/// Who may ask.
struct Guard {
    address: SocketAddr,
    token: String,
}

impl Guard {
    /// The path without the token, if the request may be answered.
    fn admit<'a>(&self, request: &'a Request) -> Result<&'a str, Response> {
        let names = [self.address.to_string(), format!("localhost:{}", self.address.port())];
        // A page that has its own name lead here would be of the same origin as this one.
        if !request.host.as_ref().is_some_and(|host| names.contains(host)) {
            return Err(Response::error(403, "this is not the host that was asked for"));
        }
        let is_ours = |origin: &String| names.iter().any(|name| *origin == format!("http://{name}"));
        if !request.origin.as_ref().is_none_or(is_ours) {
            return Err(Response::error(403, "another page asks"));
        }
        let rest = request.path.strip_prefix('/').and_then(|path| path.split_once('/'));
        match rest {
            Some((token, rest)) if is_same(token, &self.token) => Ok(rest),
            _ => {
                Err(Response::error(403, "the address has no valid token: use the one that `pvm debug --web` printed"))
            }
        }
    }
}

/// Compares in a time that does not tell where texts differ.
fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn answer(mut stream: TcpStream, guard: &Guard, app: &Mutex<App>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = match read(&mut stream) {
        Ok(request) => request,
        Err(http::ReadError::Io(error)) => return Err(error),
        Err(http::ReadError::Refused { status, why }) => {
            Response::error(status, why).write(&mut stream)?;
            // Whoever is still sending would not see the answer otherwise.
            stream.shutdown(Shutdown::Write)?;
            return io::copy(&mut stream.take(IGNORED), &mut io::sink()).map(|_| ());
        }
    };
    let response = match guard.admit(&request) {
        Err(refused) => refused,
        Ok(path) => respond(&request, path, app),
    };
    response.write(&mut stream)
}

fn respond(request: &Request, path: &str, app: &Mutex<App>) -> Response {
    match (request.method.as_str(), path, path.strip_prefix("api/")) {
        ("GET", "", _) => Response::new("text/html; charset=utf-8", PAGE.into()),
        ("GET", "page.js", _) => Response::new("text/javascript; charset=utf-8", SCRIPT.into()),
        ("GET", "page.css", _) => Response::new("text/css; charset=utf-8", STYLE.into()),
        ("POST", _, Some(name)) => {
            // What forms of other pages cannot send.
            if request.content_type.as_deref() != Some("application/json") {
                return Response::error(415, "the API wants application/json");
            }
            let mut app = app.lock().unwrap_or_else(PoisonError::into_inner);
            match app.handle(name, &request.body) {
                Ok(value) => Response::new("application/json", value.to_string().into()),
                Err(why) => Response::error(400, &why),
            }
        }
        ("GET" | "POST", _, _) => Response::error(404, "there is no such page"),
        _ => Response::error(405, "GET and POST are known"),
    }
}
