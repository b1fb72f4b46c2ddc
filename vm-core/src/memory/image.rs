//! Memory image: initial memory contents of a program, shared by all its instances.

use super::MemoryMap;
use alloc::vec::Vec;

/// Number of parts of an image: read-only data, read-write data, and other parts of the blob.
const PARTS: usize = 8;

/// Memory map, initial data, and other parts of the blob that the program keeps.
///
/// A single allocation. One per part would take up to twice the memory in an allocator that rounds sizes up to powers
/// of two, as the one of a chain's runtime does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryImage {
    map: MemoryMap,
    bytes: Vec<u8>,
    /// End offset of each part.
    ends: [usize; PARTS],
}

impl MemoryImage {
    /// Assumes that the data is not longer than the sizes that the map was made with.
    pub fn new(map: MemoryMap, ro_data: &[u8], rw_data: &[u8]) -> Self {
        MemoryImage::with_parts(map, ro_data, rw_data, [&[]; PARTS - 2])
    }

    /// As [`Self::new`], and keeps other parts as well.
    pub(crate) fn with_parts(map: MemoryMap, ro_data: &[u8], rw_data: &[u8], others: [&[u8]; PARTS - 2]) -> Self {
        let parts = || [ro_data, rw_data].into_iter().chain(others);
        let mut bytes = Vec::with_capacity(parts().map(<[u8]>::len).sum());
        let mut ends = [0; PARTS];
        for (end, part) in ends.iter_mut().zip(parts()) {
            bytes.extend_from_slice(part);
            *end = bytes.len();
        }
        MemoryImage { map, bytes, ends }
    }

    /// The memory map.
    pub fn map(&self) -> &MemoryMap {
        &self.map
    }

    /// First bytes of the read-only data; zeros follow.
    #[inline(always)]
    pub fn ro_data(&self) -> &[u8] {
        self.bytes.get(..self.ends[0]).unwrap_or_default()
    }

    /// First bytes of the read-write data; zeros follow.
    pub fn rw_data(&self) -> &[u8] {
        self.bytes.get(self.ends[0]..self.ends[1]).unwrap_or_default()
    }

    /// Part `N` of the other parts, from 0.
    pub(crate) fn part<const N: usize>(&self) -> &[u8] {
        const { assert!(N + 2 < PARTS, "an image has no such part") };
        self.bytes.get(self.ends[N + 1]..self.ends[N + 2]).unwrap_or_default()
    }

    /// Copies the initial contents of memory from `address` on into `out`, which must be zero; zeros are not copied.
    pub fn copy_initial(&self, address: u32, out: &mut [u8]) {
        for (base, data) in [(MemoryMap::RO_BASE, self.ro_data()), (self.map.rw_base(), self.rw_data())] {
            if let Some(offset) = address.checked_sub(base)
                && let Some(rest) = data.get(offset as usize..)
            {
                let length = rest.len().min(out.len());
                out[..length].copy_from_slice(&rest[..length]);
            }
        }
    }
}
