//! Reads a program from a file and checks it as the chain will, so that a refusal costs no fee.
//!
//! Called by `upload` and `instantiate`. Reads no more of a file than fits in a request.

use crate::error::Error;
use std::{fs::File, io::Read as _, path::Path};
use vm_core::{blob::Blob, limits};

/// Maximum number of bytes that are read: a longer file does not fit in a request to a node.
const MOST: u64 = 4 * limits::BLOB_BYTES as u64;

/// Reads a program; with `check`, refuses one that is malformed or exceeds a limit.
pub fn read(path: &Path, check: bool) -> Result<Vec<u8>, Error> {
    let refused = |reason: String| Error::Blob { path: path.into(), reason };
    let mut code = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST + 1).read_to_end(&mut code))
        .map_err(|reason| Error::File { path: path.into(), reason })?;
    if code.len() as u64 > MOST {
        return Err(Error::FileTooLong { path: path.into(), limit: MOST });
    }
    if check {
        let blob = Blob::parse(&code).map_err(|error| refused(error.to_string()))?;
        limits::check(&blob).map_err(|error| refused(error.to_string()))?;
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::PathBuf};

    fn with_file<R>(name: &str, bytes: &[u8], then: impl FnOnce(&Path) -> R) -> R {
        let path: PathBuf = std::env::temp_dir().join(format!("pvm-contract-{name}-{}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        let result = then(&path);
        fs::remove_file(&path).unwrap();
        result
    }

    #[test]
    fn a_file_that_is_no_blob_is_refused_unless_it_is_not_to_be_checked() {
        with_file("no-blob", b"not a blob", |path| {
            let refused = read(path, true).unwrap_err();
            assert!(matches!(refused, Error::Blob { .. }), "{refused}");
            assert_eq!(read(path, false).unwrap(), b"not a blob");
        });
    }

    #[test]
    fn a_file_longer_than_a_request_is_refused_in_any_case() {
        with_file("long", &vec![0; MOST as usize + 1], |path| {
            let refused = read(path, false).unwrap_err();
            assert!(matches!(refused, Error::FileTooLong { limit: MOST, .. }), "{refused}");
        });
        // Also one without an end.
        if cfg!(unix) {
            assert!(matches!(read(Path::new("/dev/zero"), true), Err(Error::FileTooLong { .. })));
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/nowhere/x.polkavm"), true).unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.polkavm"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
