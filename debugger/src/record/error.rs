//! Errors of records: what is wrong, at which offset, and what the limit is.

use std::io;
use vm_core::blob::BlobError;
use vm_core::program::ProgramError;

/// A record could not be read or written. Offsets count from the start of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The first bytes are not those of a record.
    #[error("not a record: it begins with {actual:02x?}")]
    Magic {
        /// The first bytes.
        actual: [u8; 8],
    },
    /// A version of the format that is not known.
    #[error("a record of version {version}, only {supported} is known")]
    Version {
        /// The version.
        version: u16,
        /// The one that is known.
        supported: u16,
    },
    /// The record ends too early.
    #[error("the record ends at offset {offset}, in the middle")]
    Truncated {
        /// Offset of the end.
        offset: u64,
    },
    /// Something follows the end of the record.
    #[error("the record goes on at offset {offset}, after its end")]
    Trailing {
        /// Offset of the first byte after the end.
        offset: u64,
    },
    /// A chunk is too long.
    #[error("the chunk at offset {offset} has {actual} bytes, the limit is {limit}")]
    ChunkLength {
        /// Offset of the chunk.
        offset: u64,
        /// Its length in bytes.
        actual: u32,
        /// The most.
        limit: u32,
    },
    /// The checksum of a chunk is wrong: it is damaged, or at another place than it was.
    #[error("the chunk at offset {offset} is damaged: its checksum is {actual:#010x}, not {expected:#010x}")]
    Checksum {
        /// Offset of the chunk.
        offset: u64,
        /// The checksum in the record.
        expected: u32,
        /// The checksum of what is there.
        actual: u32,
    },
    /// A chunk of an unknown kind, or at a place where there is none of its kind.
    #[error("no chunk of kind {kind} can be at offset {offset}")]
    Chunk {
        /// Offset of the chunk.
        offset: u64,
        /// Its kind.
        kind: u8,
    },
    /// A number is not in its shortest form, or too large.
    #[error("malformed number at offset {offset}")]
    Number {
        /// Its offset.
        offset: u64,
    },
    /// A field has a value that means nothing.
    #[error("{value} is no {field}, at offset {offset}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Its offset.
        offset: u64,
        /// Its value.
        value: u64,
    },
    /// An event that cannot come after the one before it.
    #[error("event {index} cannot come after the one before it")]
    Order {
        /// Its index, from 0.
        index: u64,
    },
    /// More than the reader was told to accept.
    #[error("{actual} {what}, the limit is {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// Their number.
        actual: u64,
        /// The most.
        limit: u64,
    },
    /// Another number than the record says.
    #[error("{actual} {what}, the record says {expected}")]
    Count {
        /// Of what.
        what: &'static str,
        /// The number found.
        actual: u64,
        /// The number expected.
        expected: u64,
    },
    /// The program of the record is none.
    #[error("the record's program is none: {0}")]
    Blob(BlobError),
    /// The program of the record cannot be run.
    #[error("the record's program cannot be run: {0}")]
    Program(ProgramError),
}
