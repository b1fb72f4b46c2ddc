//! Output of commands: to standard output, or to a file.
//!
//! The reader of standard output may exit early, as `head` does. That is no error, and further output is useless: the
//! process ends, as it would by SIGPIPE.

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
    /// If writing fails, except for a closed pipe.
    pub fn print(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), Error> {
        done(self.0.write_fmt(text))
    }

    /// Writes bytes; errors as [`Self::print`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        done(self.0.write_all(bytes))
    }

    /// Flushes all output; errors as [`Self::print`].
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

/// Writes bytes to the file `path` atomically. If the file has this content already, leaves it and its modification
/// time unchanged, and returns false.
///
/// # Errors
/// If that fails.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    if path.as_os_str() == "-" {
        return write(path, bytes).map(|()| true);
    }
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    let failed = |source| Error::Write { path: path.display().to_string(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // The process id keeps concurrent builds from sharing the file.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let result = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    result.map(|()| true).map_err(failed)
}

/// Prints an error: as JSON on standard output for programs, on standard error for people.
pub fn print_error(name: &str, detail: &str, json: bool) {
    // If this fails, there is nowhere to report it.
    if json {
        let _ = writeln!(io::stdout(), "{}", json!({ "error": { "name": name, "detail": detail } }));
    } else {
        let _ = writeln!(io::stderr(), "error: {}", printable(detail.as_bytes()));
    }
}

/// Converts names from blobs to text without control characters for terminals.
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
