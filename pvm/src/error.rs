//! Errors of commands, with names and exit codes for programs.

use crate::exit;
use pvm_debugger::dap::DapError;
use pvm_debugger::gdb::GdbError;
use pvm_debugger::machine::ReplayError;
use pvm_debugger::record::RecordError;
use pvm_debugger::web::WebError;
use std::io;
use vm_core::blob::BlobError;
use vm_core::program::ProgramError;
use vm_core::text::TextError;

/// Error of a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file as given.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file as given.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// A file is larger than any blob.
    #[error("{path} is longer than {limit} bytes")]
    TooLong {
        /// The file as given.
        path: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The bytes are not a blob.
    #[error("{path} is no program: {source}")]
    Blob {
        /// The file as given.
        path: String,
        /// The reason.
        source: BlobError,
    },
    /// The blob cannot be run.
    #[error("{path} cannot be run: {source}")]
    Program {
        /// The file as given.
        path: String,
        /// The reason.
        source: ProgramError,
    },
    /// The ELF file cannot be linked.
    #[error("cannot link {path}: {source}")]
    Link {
        /// The file as given.
        path: String,
        /// The reason.
        source: Box<pvm_linker::LinkError>,
    },
    /// The guest cannot be compiled.
    #[error(transparent)]
    Guest(#[from] pvm_guest_builder::GuestError),
    /// Several programs cannot be written to one file.
    #[error("there are {count} binaries, which cannot all be {output}: choose one with --bin")]
    SeveralBinaries {
        /// Number of inputs.
        count: usize,
        /// Output path given for a single program.
        output: String,
    },
    /// A man page was requested for a command that does not exist.
    #[error("there is no command `{name}`: see pvm --help")]
    NoCommand {
        /// The name given.
        name: String,
    },
    /// The backend cannot run on this machine, or was lost.
    #[error("{0}")]
    Engine(#[source] pvm_engine::Error),
    /// The text is not a program.
    #[error("{path}: {source}")]
    Text {
        /// The file as given.
        path: String,
        /// The error and its position.
        source: TextError,
    },
    /// The text is not UTF-8.
    #[error("{path} is not UTF-8: the byte at offset {offset} is wrong")]
    NotUtf8 {
        /// The file as given.
        path: String,
        /// Offset of the first invalid byte.
        offset: usize,
    },
    /// Too many arguments for a call.
    #[error("{actual} arguments, a call can have {limit}")]
    TooManyArguments {
        /// Number of arguments given.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// The program has no such export.
    #[error("there is no export `{name}`; there are: {known}")]
    NoEntry {
        /// The name given.
        name: String,
        /// The known names.
        known: String,
    },
    /// The program has no such import.
    #[error("the program calls no host function `{name}`; it calls: {known}")]
    NoImport {
        /// The name given.
        name: String,
        /// The known names.
        known: String,
    },
    /// A record cannot be read or written.
    #[error("record {path}: {source}")]
    Record {
        /// The file as given.
        path: String,
        /// The reason.
        source: RecordError,
    },
    /// A run cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Listening for the debugger failed, or the connection was lost.
    #[error("cannot serve a debugger at {place}: {source}")]
    Listen {
        /// The port or path.
        place: String,
        /// The reason.
        source: io::Error,
    },
    /// The connection to the debugger failed.
    #[error(transparent)]
    Debugger(#[from] GdbError),
    /// An attribute of a launch configuration cannot be used.
    #[error("the attribute `{attribute}` cannot be `{text}`")]
    Launch {
        /// Its name.
        attribute: &'static str,
        /// The text.
        text: String,
    },
    /// The editor was lost, or sent what is no message.
    #[error(transparent)]
    Editor(#[from] DapError),
    /// The page cannot be served.
    #[error(transparent)]
    Web(#[from] WebError),
    /// A page is served at a port.
    #[error("a browser connects to a port, and `{place}` is none")]
    NotAPort {
        /// The argument.
        place: String,
    },
    /// The ELF file for the debugger cannot be made.
    #[error("cannot make an ELF file of the program: {reason}")]
    Elf {
        /// The reason.
        reason: String,
    },
    /// The flame graph cannot be drawn.
    #[error("cannot draw a flame graph: {reason}")]
    FlameGraph {
        /// The reason.
        reason: String,
    },
}

impl Error {
    /// The name of the error for programs.
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
            Error::NoCommand { .. } => "no-command",
            Error::Engine(_) => "engine",
            Error::Text { .. } => "text",
            Error::NotUtf8 { .. } => "not-utf8",
            Error::TooManyArguments { .. } => "too-many-arguments",
            Error::NoEntry { .. } => "no-entry",
            Error::NoImport { .. } => "no-import",
            Error::Record { .. } => "record",
            Error::Replay(_) => "replay",
            Error::Listen { .. } => "listen",
            Error::Debugger(_) => "debugger",
            Error::Editor(_) => "editor",
            Error::Web(_) => "web",
            Error::NotAPort { .. } => "not-a-port",
            Error::Launch { .. } => "launch",
            Error::Elf { .. } => "elf",
            Error::FlameGraph { .. } => "flame-graph",
        }
    }

    /// The exit code of the process.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Error::Read { .. } | Error::Write { .. } | Error::Listen { .. } => exit::FILE,
            Error::Debugger(_) | Error::Editor(_) | Error::Web(_) => exit::FILE,
            Error::Record { source: RecordError::Io(_), .. } => exit::FILE,
            Error::TooManyArguments { .. }
            | Error::NoEntry { .. }
            | Error::NoImport { .. }
            | Error::Launch { .. }
            | Error::NotAPort { .. }
            | Error::SeveralBinaries { .. }
            | Error::NoCommand { .. } => exit::USAGE,
            Error::TooLong { .. }
            | Error::Blob { .. }
            | Error::Program { .. }
            | Error::Link { .. }
            | Error::Guest(_)
            | Error::Text { .. }
            | Error::Record { .. }
            | Error::Replay(_)
            | Error::Elf { .. }
            | Error::FlameGraph { .. }
            | Error::NotUtf8 { .. } => exit::REFUSED,
            Error::Engine(_) => exit::BACKEND,
        }
    }
}
