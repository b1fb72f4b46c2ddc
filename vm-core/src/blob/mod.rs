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
