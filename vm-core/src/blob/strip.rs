//! Stripping: removes debug information and other optional sections of a blob.

use super::{Blob, BlobError, MAGIC, sections, varint};
use alloc::vec::Vec;

/// Sections that [`strip`] removes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strip {
    /// Debug information.
    Debug,
    /// All optional sections: debug information, the metadata hash, and unknown sections.
    Optional,
}

/// Strips a blob: removes debug information, or all optional sections. [`Blob::canonical_bytes`] stay the same.
///
/// # Errors
/// If `bytes` are not a blob.
pub fn strip(bytes: &[u8], what: Strip) -> Result<Vec<u8>, BlobError> {
    let blob = Blob::parse(bytes)?;
    let mut out = MAGIC.to_vec();
    out.push(blob.isa().version());
    let length_at = out.len();
    out.extend([0; 8]);
    let mut section = |id: u8, content: &[u8]| {
        out.push(id);
        // No overflow: the content of a section, whose length has 32 bits.
        varint::write(&mut out, content.len() as u32);
        out.extend(content);
    };
    for raw in sections(bytes).filter(|raw| raw.id < 128) {
        section(raw.id, raw.content);
    }
    if what == Strip::Debug {
        // A section counts only at its place in the order: one that readers skipped before must not become valid now.
        if !blob.metadata_hash().is_empty() {
            section(131, blob.metadata_hash());
        }
        for raw in sections(bytes).filter(|raw| raw.id > 131) {
            section(raw.id, raw.content);
        }
    }
    out.push(0);
    let length = out.len() as u64;
    out.splice(length_at..length_at + 8, length.to_le_bytes());
    Ok(out)
}
