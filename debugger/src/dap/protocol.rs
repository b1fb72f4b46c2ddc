//! Messages of the debug adapter protocol: a header with the length, and JSON.
//!
//! A client may send anything. Headers and messages are bounded, and what is malformed is told apart from what ends the
//! connection.

use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, BufRead, Read as _, Write};

/// The longest message that is read, in bytes.
pub const MESSAGE_SIZE: usize = 1 << 20;
/// The longest line of a header, in bytes.
const HEADER_SIZE: u64 = 256;
/// The most lines of a header.
const HEADER_LINES: usize = 16;

/// Serving failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DapError {
    /// The connection was lost.
    #[error("the connection to the editor failed: {0}")]
    Connection(#[from] io::Error),
    /// Invalid header: the start of the next message is unknown.
    #[error("a message of the editor has {0}")]
    Header(#[from] HeaderError),
}

/// A header that says nothing about its message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// It is too long.
    #[error("a header of more than {HEADER_LINES} lines of {HEADER_SIZE} bytes")]
    TooLong,
    /// The stream ended in it or in its message.
    #[error("no end")]
    UnexpectedEnd,
    /// It does not say how long the message is.
    #[error("no length")]
    NoLength,
    /// The length is no number.
    #[error("a length that is no number: `{text}`")]
    BadLength {
        /// The text.
        text: String,
    },
    /// The message is too long.
    #[error("{actual} bytes, the limit is {limit}")]
    MessageTooLong {
        /// Its length.
        actual: u64,
        /// The limit.
        limit: usize,
    },
}

/// A request of the client.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Request {
    /// Its number.
    pub seq: u64,
    #[serde(rename = "type")]
    kind: MessageKind,
    /// Name of the command.
    pub command: String,
    /// The command's arguments.
    #[serde(default)]
    pub arguments: Value,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MessageKind {
    Request,
}

/// A message from the client.
#[derive(Clone, PartialEq, Debug)]
pub enum Incoming {
    /// A request.
    Request(Request),
    /// A message that is none, with its number if it has one, and why.
    Malformed {
        /// Its number, or 0.
        seq: u64,
        /// The reason.
        why: String,
    },
}

/// Reads a message. There is none at the end of the stream.
///
/// # Errors
/// If reading fails, or it is not known where the message ends.
pub fn read(reader: &mut impl BufRead) -> Result<Option<Incoming>, DapError> {
    let Some(length) = read_header(reader)? else { return Ok(None) };
    let mut body = vec![0; length];
    match reader.read_exact(&mut body) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(HeaderError::UnexpectedEnd.into()),
        other => other?,
    }
    let value: Value = match serde_json::from_slice(&body) {
        Ok(value) => value,
        Err(error) => return Ok(Some(Incoming::Malformed { seq: 0, why: format!("no JSON: {error}") })),
    };
    let seq = value.get("seq").and_then(Value::as_u64).unwrap_or(0);
    Ok(Some(match serde_json::from_value(value) {
        Ok(request) => Incoming::Request(request),
        Err(error) => Incoming::Malformed { seq, why: format!("no request: {error}") },
    }))
}

/// Reads a header; returns the length of its message.
fn read_header(reader: &mut impl BufRead) -> Result<Option<usize>, DapError> {
    let mut length = None;
    for number in 0..HEADER_LINES {
        let mut line = Vec::new();
        reader.by_ref().take(HEADER_SIZE).read_until(b'\n', &mut line)?;
        if line.is_empty() && number == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            let is_long = line.len() as u64 + 1 >= HEADER_SIZE;
            return Err(if is_long { HeaderError::TooLong } else { HeaderError::UnexpectedEnd }.into());
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            return length.map(Some).ok_or(HeaderError::NoLength.into());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("Content-Length")
        {
            let text = value.trim();
            let actual: u64 = text.parse().map_err(|_| HeaderError::BadLength { text: text.to_owned() })?;
            let fits = usize::try_from(actual).ok().filter(|length| *length <= MESSAGE_SIZE);
            length = Some(fits.ok_or(HeaderError::MessageTooLong { actual, limit: MESSAGE_SIZE })?);
        }
    }
    Err(HeaderError::TooLong.into())
}

/// Writes messages, and numbers them.
pub struct Outgoing<W> {
    writer: W,
    seq: u64,
}

impl<W: Write> Outgoing<W> {
    pub fn new(writer: W) -> Self {
        Outgoing { writer, seq: 0 }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// If writing fails.
    pub fn respond(&mut self, seq: u64, command: &str, result: Result<Value, String>) -> io::Result<()> {
        let mut message = json!({
            "type": "response", "request_seq": seq, "command": command, "success": result.is_ok(),
        });
        match result {
            Ok(body) => message["body"] = body,
            Err(why) => {
                // Clients show the text of `body.error`.
                message["body"] = json!({ "error": { "id": 1, "format": why.replace('{', "(").replace('}', ")") } });
                message["message"] = why.into();
            }
        }
        self.send(message)
    }

    /// Tells of an event.
    ///
    /// # Errors
    /// If writing fails.
    pub fn event(&mut self, name: &str, body: Value) -> io::Result<()> {
        self.send(json!({ "type": "event", "event": name, "body": body }))
    }

    fn send(&mut self, mut message: Value) -> io::Result<()> {
        self.seq += 1;
        message["seq"] = self.seq.into();
        let body = message.to_string();
        write!(self.writer, "Content-Length: {}\r\n\r\n{body}", body.len())?;
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Option<Incoming>, DapError> {
        read(&mut &*bytes)
    }

    fn header_error(bytes: &[u8]) -> HeaderError {
        match parse(bytes) {
            Err(DapError::Header(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn message(body: &str) -> Vec<u8> {
        format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[test]
    fn headers_are_bounded_and_checked() {
        assert!(matches!(parse(b""), Ok(None)));
        assert_eq!(header_error(b"Content-Length: 5\r\n\r\n{}"), HeaderError::UnexpectedEnd);
        assert_eq!(header_error(b"Content-Le"), HeaderError::UnexpectedEnd);
        assert_eq!(header_error(b"\r\n{}"), HeaderError::NoLength);
        assert_eq!(header_error(b"Content-Length: -1\r\n\r\n"), HeaderError::BadLength { text: "-1".to_owned() });
        let actual = u64::MAX;
        assert_eq!(
            header_error(format!("Content-Length: {actual}\r\n\r\n").as_bytes()),
            HeaderError::MessageTooLong { actual, limit: MESSAGE_SIZE }
        );
        assert_eq!(header_error(&[b'x'; 10_000]), HeaderError::TooLong);
        assert_eq!(header_error("A: b\r\n".repeat(1000).as_bytes()), HeaderError::TooLong);
    }

    #[test]
    fn messages_that_are_no_requests_are_told_with_their_number() {
        for (body, number) in [
            ("{", 0),
            ("[]", 0),
            ("{\"seq\":7,\"type\":\"response\",\"command\":\"x\"}", 7),
            ("{\"seq\":8,\"type\":\"request\"}", 8),
            (&*"[".repeat(100_000), 0),
        ] {
            let Ok(Some(Incoming::Malformed { seq, why })) = parse(&message(body)) else { panic!("{body}") };
            assert_eq!(seq, number, "{why}");
        }
        let read = parse(&message("{\"seq\":1,\"type\":\"request\",\"command\":\"threads\"}"));
        assert!(matches!(read, Ok(Some(Incoming::Request(request))) if request.command == "threads"));
    }
}
