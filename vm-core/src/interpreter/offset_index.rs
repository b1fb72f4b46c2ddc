//! Block index: a map from the code offset of a block to its first op.
//!
//! Used on every dynamic jump, so it is an array and not a hash table. It has two levels, so that a short run of a
//! large program clears and fills little.

use alloc::vec::Vec;

/// Code offsets per chunk.
const CHUNK: usize = 64;

/// A map from code offsets to op indexes.
#[derive(Clone, Debug)]
pub(super) struct OffsetIndex {
    /// For each chunk of the code: its index in `chunks` plus one, or 0.
    directory: Vec<u32>,
    /// Op index plus one, or 0.
    chunks: Vec<[u32; CHUNK]>,
}

impl OffsetIndex {
    pub fn new(code_length: u32) -> Self {
        OffsetIndex { directory: alloc::vec![0; code_length as usize / CHUNK + 1], chunks: Vec::new() }
    }

    #[inline(always)]
    pub fn get(&self, offset: u32) -> Option<u32> {
        let chunk = self.directory.get(offset as usize / CHUNK)?.checked_sub(1)?;
        self.chunks.get(chunk as usize)?[offset as usize % CHUNK].checked_sub(1)
    }

    /// Inserts an entry. Assumes an offset inside the code; others are ignored.
    pub fn insert(&mut self, offset: u32, index: u32) {
        let Some(entry) = self.directory.get_mut(offset as usize / CHUNK) else { return };
        if *entry == 0 {
            self.chunks.push([0; CHUNK]);
            *entry = self.chunks.len() as u32;
        }
        if let Some(chunk) = self.chunks.get_mut(*entry as usize - 1) {
            chunk[offset as usize % CHUNK] = index + 1;
        }
    }

    pub fn clear(&mut self) {
        self.directory.fill(0);
        self.chunks.clear();
    }

    /// Bytes of memory that grow with the number of entries.
    pub fn bytes(&self) -> usize {
        self.chunks.len() * size_of::<[u32; CHUNK]>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_found_and_nothing_else() {
        let mut index = OffsetIndex::new(1000);
        for offset in (0..1000).step_by(7) {
            index.insert(offset, offset * 3);
        }
        index.insert(5000, 1);
        for offset in 0..6000 {
            let expected = (offset < 1000 && offset % 7 == 0).then_some(offset * 3);
            assert_eq!(index.get(offset), expected, "{offset}");
        }
        index.clear();
        assert_eq!(index.get(7), None);
        assert_eq!(index.bytes(), 0);
    }
}
