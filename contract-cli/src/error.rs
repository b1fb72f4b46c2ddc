//! What can go wrong before a transaction is on its way. What the chain refuses afterwards is part of the report.

use std::path::PathBuf;

/// Why a command could not be carried out. The message says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection.
    #[error("cannot connect to {url}: {reason}\nIs the node running? `make dev` starts one; --url names another.")]
    Connect {
        /// The address tried.
        url: String,
        /// Why it failed.
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
    /// An argument that clap could not check.
    #[error("{0}")]
    Usage(String),
    /// A file that cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// A blob that the chain would refuse.
    #[error("{} would be refused: {reason}\n--no-check sends it all the same.", path.display())]
    Blob {
        /// Its path.
        path: PathBuf,
        /// Which limit or rule, with the value found.
        reason: String,
    },
    /// There is nothing at the address or hash.
    #[error("{0}")]
    NotFound(String),
    /// The signer has no mapping and may not make one.
    #[error("the account {0} is not mapped to its address: run `pvm-contract map-account`, or leave out --no-map")]
    Unmapped(String),
    /// The chain answered with something else than expected.
    #[error("{0}")]
    Chain(Box<subxt::Error>),
    /// What the chain sent does not fit its own metadata.
    #[error("cannot decode {what}: {reason}")]
    Decode {
        /// What it should be.
        what: String,
        /// Why it is not.
        reason: String,
    },
    /// The transaction did not get into a block.
    #[error("the transaction was not included: {0}")]
    NotIncluded(String),
}

impl Error {
    /// What the process ends with: 1 if something was refused, 2 for a wrong command line, or no connection to a chain
    /// that can be talked to.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Connect { .. }
            | Self::NoPallet { .. }
            | Self::Usage(_)
            | Self::File { .. }
            | Self::Chain(_)
            | Self::Decode { .. } => 2,
            Self::Blob { .. } | Self::NotFound(_) | Self::Unmapped(_) | Self::NotIncluded(_) => 1,
        }
    }

    /// A name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "Connect",
            Self::NoPallet { .. } => "NoPallet",
            Self::Usage(_) => "Usage",
            Self::File { .. } => "File",
            Self::Blob { .. } => "Blob",
            Self::NotFound(_) => "NotFound",
            Self::Unmapped(_) => "Unmapped",
            Self::Chain(_) => "Chain",
            Self::Decode { .. } => "Decode",
            Self::NotIncluded(_) => "NotIncluded",
        }
    }
}

/// Everything subxt returns is about the chain.
pub fn chain(error: impl Into<subxt::Error>) -> Error {
    Error::Chain(Box::new(error.into()))
}
