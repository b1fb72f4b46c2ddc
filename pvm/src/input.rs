//! Input of commands: a file, or standard input by the name `-`.

use crate::Error;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Maximum size of an input in bytes: far above the format's limits, as a blob's text may be longer than the blob.
pub const LIMIT: u64 = 1 << 30;

/// Reads all bytes of `path`.
///
/// # Errors
/// If it cannot be read, or is longer than [`LIMIT`].
pub fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let result = match path.as_os_str() == "-" {
        true => io::stdin().lock().take(LIMIT + 1).read_to_end(&mut out),
        false => File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut out)),
    };
    match result {
        Err(source) => Err(Error::Read { path: name(path), source }),
        Ok(length) if length as u64 > LIMIT => Err(Error::TooLong { path: name(path), limit: LIMIT }),
        Ok(_) => Ok(out),
    }
}

/// Name of `path` in messages.
pub fn name(path: &Path) -> String {
    match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}
