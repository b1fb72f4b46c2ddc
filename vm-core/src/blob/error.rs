//! Errors of the blob reader.

use crate::limits;
use core::fmt;

/// The parts of a blob, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Section {
    /// Magic, version and length.
    Header,
    /// Section 1.
    MemoryConfig,
    /// Section 2.
    RoData,
    /// Section 3.
    RwData,
    /// Section 4.
    Imports,
    /// Section 5.
    Exports,
    /// Section 6.
    Code,
    /// Sections that a reader may skip (128 and up), and the end marker.
    Optional,
}

impl Section {
    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Header => "header",
            Section::MemoryConfig => "memory config",
            Section::RoData => "read-only data",
            Section::RwData => "read-write data",
            Section::Imports => "imports",
            Section::Exports => "exports",
            Section::Code => "code",
            Section::Optional => "optional section",
        }
    }
}

/// Error of the blob reader: bytes that are not a program blob. Offsets count from the start of the blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BlobError {
    /// The first bytes are not [`super::MAGIC`].
    BadMagic,
    /// The version byte names no known instruction set.
    UnsupportedVersion {
        /// The byte found.
        version: u8,
    },
    /// The version byte names a known but unsupported instruction set.
    UnsupportedIsa {
        /// The byte found.
        version: u8,
        /// Its name.
        name: &'static str,
    },
    /// The length field does not equal the number of bytes.
    LengthMismatch {
        /// Length that the field declares.
        declared: u64,
        /// Length of the blob in bytes.
        actual: u64,
    },
    /// The bytes end too early.
    UnexpectedEnd {
        /// Offset at which reading failed.
        offset: usize,
        /// The part of the blob that was being read.
        section: Section,
    },
    /// A variable-length number is not in its shortest form.
    BadVarint {
        /// Offset of its first byte.
        offset: usize,
        /// The part of the blob that was being read.
        section: Section,
    },
    /// A section has bytes that its content does not account for.
    TrailingBytes {
        /// Offset of the first of these bytes.
        offset: usize,
        /// The part of the blob that was being read.
        section: Section,
    },
    /// Initial data longer than the declared size of the region.
    DataTooLong {
        /// The data section.
        section: Section,
        /// Bytes of initial data.
        actual: u32,
        /// The declared size.
        limit: u32,
    },
    /// Too many imports.
    TooManyImports {
        /// Number found.
        actual: u32,
    },
    /// Too many jump table entries.
    JumpTableTooLong {
        /// Number found.
        actual: u32,
    },
    /// Jump table entries larger than four bytes.
    BadJumpTableEntrySize {
        /// The size found.
        actual: u8,
    },
    /// Too much code.
    CodeTooLong {
        /// Length found, in bytes.
        actual: u32,
    },
    /// The bitmask does not have one bit for each code byte.
    BitmaskLength {
        /// Number of bytes found.
        actual: u32,
        /// Number of bytes expected.
        expected: u32,
    },
    /// A bitmask bit after the last code byte is set.
    BitmaskPadding {
        /// Offset of the byte.
        offset: usize,
    },
    /// No code section.
    NoCode,
    /// A section that is unknown, repeated or out of order.
    UnexpectedSection {
        /// Offset of its id.
        offset: usize,
        /// The id.
        id: u8,
    },
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlobError::BadMagic => write!(f, "not a program blob: it does not start with \"PVM\\0\""),
            BlobError::UnsupportedVersion { version } => write!(f, "unsupported blob version {version}"),
            BlobError::UnsupportedIsa { version, name } => {
                write!(f, "unsupported instruction set {name} (blob version {version})")
            }
            BlobError::LengthMismatch { declared, actual } => {
                write!(f, "the length field says {declared} bytes, but there are {actual}")
            }
            BlobError::UnexpectedEnd { offset, section } => {
                write!(f, "unexpected end at offset {offset} in the {}", section.name())
            }
            BlobError::BadVarint { offset, section } => {
                write!(f, "malformed number at offset {offset} in the {}", section.name())
            }
            BlobError::TrailingBytes { offset, section } => {
                write!(f, "left-over bytes at offset {offset} in the {}", section.name())
            }
            BlobError::DataTooLong { section, actual, limit } => {
                write!(f, "{} of {actual} bytes, but only {limit} are declared", section.name())
            }
            BlobError::TooManyImports { actual } => {
                write!(f, "{actual} imports, the limit is {}", limits::IMPORTS)
            }
            BlobError::JumpTableTooLong { actual } => {
                write!(f, "jump table of {actual} entries, the limit is {}", limits::FORMAT_JUMP_TABLE_ENTRIES)
            }
            BlobError::BadJumpTableEntrySize { actual } => {
                write!(f, "jump table entries of {actual} bytes, the limit is 4")
            }
            BlobError::CodeTooLong { actual } => {
                write!(f, "code of {actual} bytes, the limit is {}", limits::FORMAT_CODE_BYTES)
            }
            BlobError::BitmaskLength { actual, expected } => {
                write!(f, "bitmask of {actual} bytes, the code needs {expected}")
            }
            BlobError::BitmaskPadding { offset } => {
                write!(f, "the bitmask byte at offset {offset} has bits set behind the end of the code")
            }
            BlobError::NoCode => write!(f, "no code"),
            BlobError::UnexpectedSection { offset, id } => {
                write!(f, "unexpected section {id} at offset {offset}")
            }
        }
    }
}

impl core::error::Error for BlobError {}
