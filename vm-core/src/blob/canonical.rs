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
    /// Writes the canonical form of the program to `sink`, piece by piece; where the pieces are cut does not matter.
    ///
    /// Two blobs with the same bytes behave the same in all that a guest or its embedder can observe, in whatever
    /// configuration; two with different bytes may. The form is settled: it never changes for a given tag.
    ///
    /// It is the tag, the version byte, then little-endian: three sizes of memory (32 bits); read-only and read-write
    /// data without their trailing zeros, each after its length (32 bits); the number of imports and each import's name
    /// after its length (32 bits; 0xFFFFFFFF for an invalid one; if names share bytes 0xFFFFFFFE, the section's
    /// offsets, and its symbols after their length); the number of exports (32 bits) and for each its code offset and
    /// its name after its length; the jump table (number, entries, 32 bits each); the code after its length, and its
    /// bitmask.
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
            // Names that share bytes could be far longer than the blob.
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

    /// The bytes of [`Self::feed_canonical`] in one piece.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.feed_canonical(&mut |bytes| out.extend(bytes));
        out
    }
}

/// All lengths here are below 2^32: they come from sections, whose length is 32 bits.
fn number(sink: &mut impl FnMut(&[u8]), value: u32) {
    sink(&value.to_le_bytes());
}

fn counted(sink: &mut impl FnMut(&[u8]), bytes: &[u8]) {
    number(sink, bytes.len() as u32);
    sink(bytes);
}
