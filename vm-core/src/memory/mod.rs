//! Guest memory: the memory map, and the interpreter's paged memory.
//!
//! Spec: `docs/spec/memory.md#memory`.

mod image;
mod map;
mod paged;
mod window;

pub use image::MemoryImage;
pub use map::{MapError, MemoryMap};
pub use paged::{AccessFault, PagedMemory};

use core::fmt;

/// Error of an access by the embedder: the range is not accessible (`docs/spec/memory.md#access`). Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryError {
    /// Start of the range.
    pub address: u32,
    /// Its length in bytes.
    pub length: u64,
    /// True for a write.
    pub write: bool,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = if self.write { "write" } else { "read" };
        write!(f, "cannot {action} {} bytes of guest memory at {:#x}", self.length, self.address)
    }
}

impl core::error::Error for MemoryError {}
