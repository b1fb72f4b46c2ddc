//! Canonical form of a program: bytes for a hash that identifies it.
//!
//! For caches, registries and verification of builds. Blobs that differ only in encoding have the same canonical form:
//! debug information and other optional sections, the layout of the names, trailing zeros of data, the size of jump table
//! entries and unused bytes do not count.

use super::Blob;
use alloc::vec::Vec;

/// Domain separation tag at the start of the bytes.
const TAG: &[u8] = b"PVM meaning 1\0";

impl Blob<'_> {
    /// Feeds the canonical form of the program to `sink`, in pieces of unspecified size.
    ///
    /// Two blobs with equal bytes behave the same in all that a guest or its embedder can observe, under any
    /// configuration; blobs with different bytes may differ. The form is stable: it never changes for a given tag.
    ///
    /// The bytes are the tag, the version byte, and then, little-endian: three memory sizes (32 bits each); read-only
    /// and read-write data without trailing zeros, each preceded by its length (32 bits); the number of imports, and
    /// each import's name preceded by its length (32 bits; 0xFFFFFFFF for an invalid one; if names share bytes,
    /// 0xFFFFFFFE, the section's offsets, and its symbols preceded by their length); the number of exports (32 bits),
    /// and for each its code offset and its name preceded by its length; the jump table (number of entries, then the
    /// entries, 32 bits each); the code preceded by its length, and its bitmask.
    pub fn feed_canonical(&self, sink: &mut impl FnMut(&[u8])) {
        sink(TAG);
        sink(&[self.isa().version()]);
        let sizes = self.memory_config();
        for size in [sizes.ro_data_size, sizes.rw_data_size, sizes.stack_size] {
            number(sink, size);
        }
        for data in [self.ro_data(), self.rw_data()] {
            let used = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            counted(sink, data.get(..used).unwrap_or_default());
        }
        number(sink, self.imports().count_all());
        self.feed_imports(sink);
        number(sink, self.exports().count() as u32);
        for export in self.exports() {
            number(sink, export.code_offset);
            counted(sink, export.symbol);
        }
        number(sink, self.jump_table().len());
        for entry in self.jump_table().iter() {
            number(sink, entry);
        }
        counted(sink, self.code());
        sink(self.bitmask());
    }

    fn feed_imports(&self, sink: &mut impl FnMut(&[u8])) {
        let (offsets, symbols) = self.imports().raw();
        let total: u64 = self.imports().flatten().map(|name| name.len() as u64).sum();
        if total > symbols.len() as u64 {
            // The names of imports that share bytes could be far longer than the blob.
            number(sink, u32::MAX - 1);
            sink(offsets);
            counted(sink, symbols);
            return;
        }
        for name in self.imports() {
            match name {
                Some(name) => counted(sink, name),
                None => number(sink, u32::MAX),
            }
        }
    }

    /// Returns the bytes of [`Self::feed_canonical`] in one vector.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.feed_canonical(&mut |bytes| out.extend(bytes));
        out
    }
}

/// Feeds a 32-bit number. All lengths here are below 2^32: they come from sections, whose lengths have 32 bits.
fn number(sink: &mut impl FnMut(&[u8]), value: u32) {
    sink(&value.to_le_bytes());
}

fn counted(sink: &mut impl FnMut(&[u8]), bytes: &[u8]) {
    number(sink, bytes.len() as u32);
    sink(bytes);
}
