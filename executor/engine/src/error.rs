//! What the engine can fail with. A guest's faults are not among it: they are outcomes.

use crate::sandbox::CageError;
use std::fmt;
use vm_core::blob::BlobError;
use vm_core::interpreter::SnapshotError;
use vm_core::program::ProgramError;

/// An error of the engine.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// A variable of the environment has a value that means nothing.
    Environment {
        /// Its name.
        variable: &'static str,
        /// What it is set to.
        value: String,
        /// What it can be set to.
        allowed: Vec<&'static str>,
    },
    /// The bytes are no program blob that can be run.
    Blob(BlobError),
    /// The program cannot be loaded.
    Program(ProgramError),
    /// Programs cannot be compiled for this machine.
    NoCompiler {
        /// What is missing.
        missing: &'static str,
    },
    /// The program cannot be compiled; the interpreter would run it. Says why.
    Compile(String),
    /// The caged process could not be had, or was lost. An instance it ran is of no use any more.
    Cage(CageError),
    /// The snapshot cannot be restored.
    Snapshot(SnapshotError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Environment { variable, value, allowed } => {
                write!(f, "{variable} is {value:?}; it can be {}", allowed.join(", "))
            }
            Error::Blob(error) => write!(f, "not a program blob: {error}"),
            Error::Program(error) => write!(f, "the program cannot be loaded: {error}"),
            Error::NoCompiler { missing } => {
                write!(f, "programs cannot be compiled here: {missing}; use the backend interpreter, or auto")
            }
            Error::Compile(why) => write!(f, "the program cannot be compiled: {why}; the interpreter can run it"),
            Error::Cage(error) => error.fmt(f),
            Error::Snapshot(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Blob(error) => Some(error),
            Error::Program(error) => Some(error),
            Error::Cage(error) => Some(error),
            Error::Snapshot(error) => Some(error),
            Error::Environment { .. } | Error::NoCompiler { .. } | Error::Compile(_) => None,
        }
    }
}

impl From<CageError> for Error {
    fn from(error: CageError) -> Error {
        Error::Cage(error)
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Error {
        Error::Blob(error)
    }
}

impl From<ProgramError> for Error {
    fn from(error: ProgramError) -> Error {
        Error::Program(error)
    }
}
