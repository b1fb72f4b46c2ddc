//! Program blobs: zero-copy reader, and writer.
//!
//! The reader is exposed to untrusted bytes: every length is checked before it is used, and every error has its offset and
//! reason. Spec: `docs/spec/blobs.md#blobs`.

mod canonical;
mod debug;
mod error;
mod reader;
mod sections;
mod strip;
pub mod varint;
mod writer;

pub use debug::{DebugError, Frame, FrameKind, MAX_FRAMES, Source};
pub use error::{BlobError, Section};
pub use reader::{Blob, Export, Exports, Imports, JumpTable, MemoryConfig};
pub use sections::{RawSection, RawSections, sections};
pub use strip::{Strip, strip};
pub use writer::{BlobBuilder, BuildError};

/// The first four bytes of every blob.
pub const MAGIC: [u8; 4] = *b"PVM\0";

/// The length of the blob that some bytes begin with, by its header: where what follows it begins. `None` where they don't
/// begin with a header. Nothing else of the blob is looked at.
pub fn declared_length(bytes: &[u8]) -> Option<u64> {
    let length = bytes.strip_prefix(&MAGIC)?.get(1..)?.first_chunk()?;
    Some(u64::from_le_bytes(*length))
}
