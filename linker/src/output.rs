//! Writing results: to standard output, or to a file.
//!
//! Whoever reads our standard output may have seen enough and go away, as `head` does. That is no error, and what is
//! left to do is not worth doing: the process ends, as it would by the signal.

use crate::{Error, exit};
use serde_json::json;
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Standard output, buffered.
pub struct Output(io::BufWriter<io::StdoutLock<'static>>);

impl Output {
    /// Opens it. Only one may be open at a time.
    pub fn open() -> Self {
        Output(io::BufWriter::new(io::stdout().lock()))
    }

    /// Writes text.
    ///
    /// # Errors
    /// If that fails for another reason than that nobody reads.
    pub fn print(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), Error> {
        done(self.0.write_fmt(text))
    }

    /// Writes bytes; errors as [`Self::print`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        done(self.0.write_all(bytes))
    }

    /// Makes sure that all is written; errors as [`Self::print`].
    pub fn finish(mut self) -> Result<(), Error> {
        done(self.0.flush())
    }
}

fn done(result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(exit::DONE.into()),
        Err(source) => Err(Error::Write { path: "standard output".to_owned(), source }),
        Ok(()) => Ok(()),
    }
}

/// Writes bytes to the file `path`, or to standard output if that is `-`.
///
/// # Errors
/// If that fails.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if path.as_os_str() == "-" {
        let mut output = Output::open();
        output.bytes(bytes)?;
        return output.finish();
    }
    fs::write(path, bytes).map_err(|source| Error::Write { path: path.display().to_string(), source })
}

/// Tells what went wrong: as JSON on standard output for programs, on standard error for people.
pub fn print_error(name: &str, detail: &str, json: bool) {
    // Nobody is left to tell if this fails.
    if json {
        let _ = writeln!(io::stdout(), "{}", json!({ "error": { "name": name, "detail": detail } }));
    } else {
        let _ = writeln!(io::stderr(), "error: {}", printable(detail.as_bytes()));
    }
}

/// Names from blobs as text that no terminal takes for commands.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push(c),
                c if c.is_control() => out.extend(c.escape_default()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}
