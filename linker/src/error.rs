//! Why a command could not do its work.

use crate::exit;
use std::io;
use vm_core::blob::BlobError;
use vm_core::program::ProgramError;
use vm_core::text::TextError;

/// See [`crate::execute`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file as given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file as given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than any blob.
    #[error("{path} is longer than {limit} bytes")]
    TooLong {
        /// The file as given.
        path: String,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The bytes are no blob.
    #[error("{path} is no program: {source}")]
    Blob {
        /// The file as given.
        path: String,
        /// Why.
        source: BlobError,
    },
    /// The blob cannot be run.
    #[error("{path} cannot be run: {source}")]
    Program {
        /// The file as given.
        path: String,
        /// Why.
        source: ProgramError,
    },
    /// The ELF file cannot be linked.
    #[error("cannot link {path}: {source}")]
    Link {
        /// The file as given.
        path: String,
        /// Why.
        source: Box<crate::LinkError>,
    },
    /// The guest cannot be compiled.
    #[error(transparent)]
    Guest(#[from] crate::guest::GuestError),
    /// Several programs cannot be written to one file.
    #[error("there are {count} binaries, which cannot all be {output}: choose one with --bin")]
    SeveralBinaries {
        /// How many.
        count: usize,
        /// Where the one was to go.
        output: String,
    },
    /// The backend cannot run here, or was lost.
    #[error("{0}")]
    Engine(#[source] pvm_engine::Error),
    /// The text is no program.
    #[error("{path}: {source}")]
    Text {
        /// The file as given.
        path: String,
        /// Where and why.
        source: TextError,
    },
    /// The text is not even text.
    #[error("{path} is not UTF-8: the byte at offset {offset} is wrong")]
    NotUtf8 {
        /// The file as given.
        path: String,
        /// The first wrong byte.
        offset: usize,
    },
    /// Too many arguments for a call.
    #[error("{actual} arguments, a call can have {limit}")]
    TooManyArguments {
        /// How many were given.
        actual: usize,
        /// The most there can be.
        limit: usize,
    },
    /// The program has no such export.
    #[error("there is no export `{name}`; there are: {known}")]
    NoEntry {
        /// The name given.
        name: String,
        /// The names that there are.
        known: String,
    },
}

impl Error {
    /// A short name for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Error::Read { .. } => "read",
            Error::Write { .. } => "write",
            Error::TooLong { .. } => "too-long",
            Error::Blob { .. } => "blob",
            Error::Program { .. } => "program",
            Error::Link { .. } => "link",
            Error::Guest(_) => "guest",
            Error::SeveralBinaries { .. } => "several-binaries",
            Error::Engine(_) => "engine",
            Error::Text { .. } => "text",
            Error::NotUtf8 { .. } => "not-utf8",
            Error::TooManyArguments { .. } => "too-many-arguments",
            Error::NoEntry { .. } => "no-entry",
        }
    }

    /// What the process ends with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Error::Read { .. } | Error::Write { .. } => exit::FILE,
            Error::TooManyArguments { .. } | Error::NoEntry { .. } | Error::SeveralBinaries { .. } => exit::USAGE,
            Error::TooLong { .. }
            | Error::Blob { .. }
            | Error::Program { .. }
            | Error::Link { .. }
            | Error::Guest(_)
            | Error::Text { .. }
            | Error::NotUtf8 { .. } => exit::REFUSED,
            Error::Engine(_) => exit::BACKEND,
        }
    }
}
