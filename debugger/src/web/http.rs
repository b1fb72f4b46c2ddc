//! One request of a connection, and its response.

use serde_json::json;
use std::io::{self, Read, Write};

/// The longest header, in bytes.
const HEADER_SIZE: usize = 16 << 10;
/// The most fields of a header.
const FIELDS: usize = 64;
/// The longest body, in bytes.
const BODY_SIZE: usize = 256 << 10;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Without what comes after a question mark.
    pub path: String,
    pub host: Option<String>,
    pub origin: Option<String>,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// A request cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// The connection failed.
    Io(io::Error),
    /// It is none, or too long.
    Refused { status: u16, why: &'static str },
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

/// Reads a request.
pub fn read(stream: &mut impl Read) -> Result<Request, ReadError> {
    let refused = |status, why| Err(ReadError::Refused { status, why });
    let mut bytes = Vec::new();
    let (mut request, length, begin) = loop {
        if let Some(found) = parse(&bytes)? {
            break found;
        }
        if bytes.len() >= HEADER_SIZE {
            return refused(431, "the header is too long");
        }
        fill(stream, &mut bytes)?;
    };
    if length > BODY_SIZE {
        return refused(413, "the body is too long");
    }
    while bytes.len() < begin + length {
        fill(stream, &mut bytes)?;
    }
    request.body = bytes[begin..begin + length].to_vec();
    Ok(request)
}

/// Reads what there is.
fn fill(stream: &mut impl Read, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
    let mut piece = [0; 4096];
    match stream.read(&mut piece)? {
        0 => Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into())),
        count => {
            bytes.extend_from_slice(&piece[..count]);
            Ok(())
        }
    }
}

/// The request without its body, the body's length and where it begins; `None` if the header is not complete.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize, usize)>, ReadError> {
    let refused = |why| ReadError::Refused { status: 400, why };
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let begin = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(begin)) => begin,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(refused("this is no HTTP request")),
    };
    let (Some(method), Some(path)) = (parsed.method, parsed.path) else { return Err(refused("no method or path")) };
    let mut request = Request {
        method: method.to_owned(),
        path: path.split('?').next().unwrap_or_default().to_owned(),
        ..Request::default()
    };
    let mut length = 0;
    for field in parsed.headers.iter() {
        let text = || str::from_utf8(field.value).map(|text| text.trim().to_owned());
        let named = |name: &str| field.name.eq_ignore_ascii_case(name);
        // One that comes twice is of a client that means to confuse.
        let once = |place: &mut Option<String>| match (text(), &place) {
            (Ok(text), None) => {
                *place = Some(text);
                Ok(())
            }
            _ => Err(refused("a field is malformed or comes twice")),
        };
        if named("host") {
            once(&mut request.host)?;
        } else if named("origin") {
            once(&mut request.origin)?;
        } else if named("content-type") {
            once(&mut request.content_type)?;
        } else if named("content-length") {
            length = text().ok().and_then(|text| text.parse().ok()).ok_or(refused("the length is no number"))?;
        } else if named("transfer-encoding") {
            return Err(refused("a body needs a length"));
        }
    }
    Ok(Some((request, length, begin)))
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    pub status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Response {
    pub fn new(kind: &'static str, body: Vec<u8>) -> Response {
        Response { status: 200, kind, body }
    }

    pub fn error(status: u16, why: &str) -> Response {
        Response { status, kind: "application/json", body: json!({ "error": why }).to_string().into() }
    }

    pub fn write(&self, stream: &mut impl Write) -> io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            413 => "Content Too Large",
            415 => "Unsupported Media Type",
            431 => "Request Header Fields Too Large",
            _ => "Bad Request",
        };
        let mut bytes = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n\
             Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n",
            self.status,
            self.kind,
            self.body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes)?;
        stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> u16 {
        match read(&mut &*bytes) {
            Err(ReadError::Refused { status, .. }) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_are_bounded_and_checked() {
        let request =
            read(&mut &b"POST /t/api/go?x=1 HTTP/1.1\r\nhost: a:1\r\nContent-Length: 2\r\n\r\n{}rest"[..]).unwrap();
        assert_eq!((request.path.as_str(), request.body.as_slice()), ("/t/api/go", &b"{}"[..]));
        assert_eq!(request.host.as_deref(), Some("a:1"));
        assert_eq!(status(b"nonsense\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"), 413);
        let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000));
        assert_eq!(status(long.as_bytes()), 431);
        assert!(matches!(read(&mut &b"GET / HT"[..]), Err(ReadError::Io(_))));
    }
}
