//! Errors before a transaction is sent. Later errors of the chain are part of the report.

use std::path::PathBuf;

/// The error of a command. The message tells the user what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection.
    #[error("cannot connect to {url}: {reason}\nIs the node running? `make dev` starts one; --url names another.")]
    Connect {
        /// The address tried.
        url: String,
        /// The reason.
        reason: String,
    },
    /// The chain has no such pallet.
    #[error("the chain at {url} has no pallet named {pallet}: name it with --pallet, or use another --url")]
    NoPallet {
        /// The chain's address.
        url: String,
        /// The pallet's name.
        pallet: String,
    },
    /// The chain's runtime does not implement the pallet's API.
    #[error("the chain at {url} has the pallet but not the runtime API {api}: its runtime has to implement it")]
    NoApi {
        /// The chain's address.
        url: String,
        /// The API's name.
        api: &'static str,
    },
    /// An argument that clap could not check.
    #[error("{0}")]
    Usage(String),
    /// A file that cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The reason.
        reason: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// The reason.
        reason: std::io::Error,
    },
    /// A source that can't be built.
    #[error("cannot build {}: {reason}", source_path.display())]
    Build {
        /// Its path.
        source_path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A file that is too long to be sent.
    #[error("{} is too long for a program: more than {limit} bytes, the most that a node accepts", path.display())]
    FileTooLong {
        /// Its path.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A blob that the chain would refuse.
    #[error("{} would be refused: {reason}\n--no-check sends it anyway.", path.display())]
    Blob {
        /// Its path.
        path: PathBuf,
        /// The limit or rule, with the value found.
        reason: String,
    },
    /// Nothing found at the address or hash.
    #[error("{0}")]
    NotFound(String),
    /// The signer has no mapping and may not create one.
    #[error("the account {0} is not mapped to its address: run `pvm-contract map-account`, or omit --no-map")]
    Unmapped(String),
    /// The connection broke, or the chain's answer was unexpected.
    #[error("{0}")]
    Chain(String),
    /// An answer of the chain does not fit its metadata.
    #[error("cannot decode {what}: {reason}")]
    Decode {
        /// The expected type.
        what: String,
        /// The reason.
        reason: String,
    },
    /// The transaction was not included in a block.
    #[error("the transaction was not included: {0}")]
    NotIncluded(String),
    /// Timeout.
    #[error(
        "not done after {0} seconds: is the chain making blocks? --timeout allows more. A transaction that was sent may still get into a block"
    )]
    Timeout(u64),
}

impl Error {
    /// The exit code: 1 for a refusal, 2 for an invalid command line or no usable connection to a chain.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Connect { .. }
            | Self::NoPallet { .. }
            | Self::NoApi { .. }
            | Self::Usage(_)
            | Self::File { .. }
            | Self::Write { .. }
            | Self::Chain(_)
            | Self::Decode { .. }
            | Self::Timeout(_) => 2,
            Self::Blob { .. }
            | Self::Build { .. }
            | Self::FileTooLong { .. }
            | Self::NotFound(_)
            | Self::Unmapped(_)
            | Self::NotIncluded(_) => 1,
        }
    }

    /// A name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "Connect",
            Self::NoPallet { .. } => "NoPallet",
            Self::NoApi { .. } => "NoApi",
            Self::Usage(_) => "Usage",
            Self::File { .. } => "File",
            Self::Write { .. } => "Write",
            Self::FileTooLong { .. } => "FileTooLong",
            Self::Blob { .. } => "Blob",
            Self::Build { .. } => "Build",
            Self::NotFound(_) => "NotFound",
            Self::Unmapped(_) => "Unmapped",
            Self::Chain(_) => "Chain",
            Self::Decode { .. } => "Decode",
            Self::NotIncluded(_) => "NotIncluded",
            Self::Timeout(_) => "Timeout",
        }
    }
}

/// Converts an error of subxt, all of which concern the chain.
pub fn chain(error: impl Into<subxt::Error>) -> Error {
    Error::Chain(tidy(&error.into().to_string()))
}

/// Removes repeated prefixes: each layer of the client puts its name before the message, some of them several times.
pub fn tidy(message: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in message.split(": ") {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_each_layer_once() {
        assert_eq!(
            tidy("RPC error: client error: RPC error: client error: refused"),
            "RPC error: client error: refused"
        );
        assert_eq!(tidy("plain"), "plain");
    }

    #[test]
    fn refusals_end_with_1_and_what_never_reached_the_chain_with_2() {
        assert_eq!(Error::NotIncluded("dropped".into()).exit_code(), 1);
        assert_eq!(Error::Unmapped("0x00".into()).exit_code(), 1);
        assert_eq!(Error::Usage("no".into()).exit_code(), 2);
        assert_eq!(Error::Timeout(1).exit_code(), 2);
        assert_eq!(Error::Connect { url: "ws://x".into(), reason: "refused".into() }.exit_code(), 2);
    }
}
