//! What a program's memory contains before it runs; shared by all its instances.

use super::MemoryMap;
use alloc::vec::Vec;

/// Memory map and initial data.
#[derive(Clone, Debug)]
pub struct MemoryImage {
    map: MemoryMap,
    ro_data: Vec<u8>,
    rw_data: Vec<u8>,
}

impl MemoryImage {
    /// Assumes that the data is not longer than what the map was made with.
    pub fn new(map: MemoryMap, ro_data: &[u8], rw_data: &[u8]) -> Self {
        MemoryImage { map, ro_data: ro_data.to_vec(), rw_data: rw_data.to_vec() }
    }

    /// The memory map.
    pub fn map(&self) -> &MemoryMap {
        &self.map
    }

    /// First bytes of the read-only data; zeros follow.
    pub fn ro_data(&self) -> &[u8] {
        &self.ro_data
    }

    /// First bytes of the read-write data; zeros follow.
    pub fn rw_data(&self) -> &[u8] {
        &self.rw_data
    }

    /// Copies what memory from `address` on contains at first, as far as that is not zero. `out` must be zero.
    pub fn copy_initial(&self, address: u32, out: &mut [u8]) {
        for (base, data) in [(MemoryMap::RO_BASE, &self.ro_data), (self.map.rw_base(), &self.rw_data)] {
            if let Some(offset) = address.checked_sub(base)
                && let Some(rest) = data.get(offset as usize..)
            {
                let length = rest.len().min(out.len());
                out[..length].copy_from_slice(&rest[..length]);
            }
        }
    }
}
