//! Errors of the engine. At the raw level guest faults are outcomes, not errors.

use crate::sandbox::SandboxError;
use std::fmt;
use std::sync::Arc;
use vm_core::blob::BlobError;
use vm_core::interpreter::SnapshotError;
use vm_core::memory::MemoryError;
use vm_core::program::ProgramError;

/// An error of the engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// An environment variable has an invalid value.
    Environment {
        /// Its name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// Its possible values.
        allowed: Vec<&'static str>,
    },
    /// The bytes are not a program blob that can be run.
    Blob(BlobError),
    /// The program cannot be loaded.
    Program(ProgramError),
    /// Programs cannot be compiled on this machine.
    NoCompiler {
        /// The missing requirement.
        missing: &'static str,
    },
    /// Stored machine code cannot be used.
    Stored(StoredError),
    /// The program cannot be compiled, for this reason; the interpreter could run it.
    Compile(String),
    /// A sandboxed process could not be made, or was lost. An instance that it ran is unusable.
    Sandbox(SandboxError),
    /// The snapshot cannot be restored.
    Snapshot(SnapshotError),
    /// A host function of this name is already defined.
    Duplicate {
        /// The name.
        name: String,
    },
    /// The module's imports are not all defined.
    MissingImports {
        /// The missing imports.
        names: Vec<String>,
    },
    /// The module was loaded by another engine.
    OtherEngine,
    /// The program exports no function of this name.
    NoExport {
        /// The name.
        name: String,
    },
    /// The instance is already in a call.
    Busy,
    /// Arguments on the stack could not be read or written.
    Arguments(MemoryError),
    /// The guest called an import whose number does not exist.
    NoSuchImport {
        /// Its number.
        number: u32,
    },
    /// The guest called an undefined import, for which [`crate::Linker::define_unknown_imports_as_traps`] stood in.
    UndefinedImport {
        /// Its name.
        name: String,
    },
    /// Guest fault.
    Trap {
        /// The code offset of the instruction.
        pc: Option<u32>,
    },
    /// The guest ran out of gas. With synchronous metering the call can be resumed after gas is added:
    /// [`crate::TypedFunc::resume`].
    OutOfGas,
    /// There is no call of this function to resume: none ran out of gas, the instance's state was changed since, or
    /// metering is asynchronous.
    NothingToResume,
    /// A host function failed.
    Host(Arc<dyn std::error::Error + Send + Sync>),
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
            Error::Stored(error) => write!(f, "stored machine code: {error}"),
            Error::Sandbox(error) => error.fmt(f),
            Error::Snapshot(error) => error.fmt(f),
            Error::Duplicate { name } => write!(f, "there is a host function {name:?} already"),
            Error::MissingImports { names } => {
                write!(f, "the program imports functions that are not defined: {}", names.join(", "))
            }
            Error::OtherEngine => write!(f, "the module was loaded by another engine than the linker's"),
            Error::NoExport { name } => write!(f, "the program exports no function {name:?}"),
            Error::Busy => write!(f, "the instance is in a call already; a host function cannot call its caller"),
            Error::Arguments(error) => write!(f, "arguments on the stack: {error}"),
            Error::NoSuchImport { number } => write!(f, "the guest called import {number}, which it does not have"),
            Error::UndefinedImport { name } => write!(f, "the guest called {name:?}, which is not defined"),
            Error::Trap { pc: Some(pc) } => write!(f, "the guest trapped at code offset {pc}"),
            Error::Trap { pc: None } => write!(f, "the guest trapped"),
            Error::OutOfGas => write!(f, "the guest has no gas left"),
            Error::NothingToResume => write!(f, "no call of this function waits for gas"),
            Error::Host(error) => write!(f, "a host function failed: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Blob(error) => Some(error),
            Error::Program(error) => Some(error),
            Error::Stored(error) => Some(error),
            Error::Sandbox(error) => Some(error),
            Error::Snapshot(error) => Some(error),
            Error::Arguments(error) => Some(error),
            Error::Host(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Error of loading stored machine code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StoredError {
    /// This engine does not compile programs.
    NotCompiling,
    /// The bytes are not stored machine code.
    NoCode,
    /// Stored by another version of the engine.
    OtherEngine,
    /// Stored for another configuration of the program.
    OtherConfiguration,
    /// Stored for another program.
    OtherProgram,
    /// The bytes end early.
    Truncated {
        /// Offset of the missing part.
        offset: usize,
        /// Its length.
        needed: usize,
    },
    /// There are bytes after the end.
    TooLong {
        /// Size in bytes.
        bytes: usize,
    },
    /// A number is too large.
    OutOfRange {
        /// The resource.
        what: &'static str,
        /// The number.
        found: u32,
        /// The limit.
        limit: u32,
    },
    /// Numbers that must ascend do not.
    Order {
        /// The resources.
        what: &'static str,
        /// The number.
        found: u32,
        /// The preceding number, which is larger.
        before: u32,
    },
}

impl fmt::Display for StoredError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoredError::NotCompiling => write!(f, "this engine interprets, or the program is traced"),
            StoredError::NoCode => write!(f, "it is something else"),
            StoredError::OtherEngine => write!(f, "another version of the engine made it"),
            StoredError::OtherConfiguration => write!(f, "it was made for another configuration of the program"),
            StoredError::OtherProgram => write!(f, "it was made of another program"),
            StoredError::Truncated { offset, needed } => {
                write!(f, "{needed} bytes are needed at offset {offset}, where it ends earlier")
            }
            StoredError::TooLong { bytes } => write!(f, "{bytes} bytes are too much"),
            StoredError::OutOfRange { what, found, limit } => write!(f, "{what} is {found}, the limit is {limit}"),
            StoredError::Order { what, found, before } => write!(f, "{what} is {found}, after {before}"),
        }
    }
}

impl std::error::Error for StoredError {}

impl From<StoredError> for Error {
    fn from(error: StoredError) -> Error {
        Error::Stored(error)
    }
}

impl From<SandboxError> for Error {
    fn from(error: SandboxError) -> Error {
        Error::Sandbox(error)
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
