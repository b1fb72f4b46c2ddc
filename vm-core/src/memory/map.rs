//! Memory map: start and end of each region of a program's address space.
//!
//! Computed once per program from the sizes in its blob; used by backends, linkers and the embedder. Spec:
//! `docs/spec/memory.md#layout`.

use crate::blob::MemoryConfig;
use core::fmt;

/// Granularity of the layout, and minimum size of the gaps between regions.
const GRANULE: u64 = 0x1_0000;

/// Layout of a program's memory. All addresses are guest addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryMap {
    page_size: u32,
    ro_end: u32,
    rw_base: u32,
    rw_end: u32,
    heap_base: u32,
    max_heap_size: u32,
    stack_low: u32,
    aux_base: u32,
    aux_end: u32,
}

/// Error of [`MemoryMap::new`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MapError {
    /// The page size is not a power of two from 0x1000 to 0x10000.
    BadPageSize {
        /// The size given.
        page_size: u32,
    },
    /// The regions do not fit into 32 bits of address space.
    TooLarge {
        /// Read-only data, read-write data, stack and auxiliary data, each rounded up to 64 KiB, in bytes.
        total: u64,
        /// The limit.
        limit: u64,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapError::BadPageSize { page_size } => {
                write!(f, "page size {page_size:#x} is not a power of two from 0x1000 to 0x10000")
            }
            MapError::TooLarge { total, limit } => {
                write!(f, "memory regions of {total} bytes do not fit into the address space, the limit is {limit}")
            }
        }
    }
}

impl core::error::Error for MapError {}

const fn round_up(value: u32, granule: u64) -> u64 {
    (value as u64 + granule - 1) & !(granule - 1)
}

impl MemoryMap {
    /// Start of the read-only data, and the lowest accessible address.
    pub const RO_BASE: u32 = 0x1_0000;
    /// Return-to-host address: a jump there returns to the host. It is also the end of a program's address space.
    pub const RETURN_TO_HOST: u32 = 0xffff_0000;

    /// Lays out the regions. `aux_size` is the size of the embedder's auxiliary region.
    pub fn new(page_size: u32, config: MemoryConfig, aux_size: u32) -> Result<MemoryMap, MapError> {
        if !page_size.is_power_of_two() || !(0x1000..=0x1_0000).contains(&page_size) {
            return Err(MapError::BadPageSize { page_size });
        }
        let MemoryConfig { ro_data_size: ro, rw_data_size: rw, stack_size: stack } = config;
        let total = [ro, rw, stack, aux_size].into_iter().map(|size| round_up(size, GRANULE)).sum();
        let limit = (1 << 32) - 5 * GRANULE;
        if total > limit {
            return Err(MapError::TooLarge { total, limit });
        }
        // The check above keeps every sum and difference below inside 32 bits.
        let page = u64::from(page_size);
        let ro_base = u64::from(Self::RO_BASE);
        let rw_base = ro_base + round_up(ro, GRANULE) + GRANULE;
        let low = rw_base + round_up(rw, GRANULE) + GRANULE;
        let aux_base = u64::from(Self::RETURN_TO_HOST) - round_up(aux_size, GRANULE);
        let stack_high = aux_base - GRANULE;
        let high = stack_high - round_up(stack, GRANULE);
        let max_heap = (high - low) + (round_up(rw, GRANULE) - u64::from(rw));
        Ok(MemoryMap {
            page_size,
            ro_end: (ro_base + round_up(ro, page)) as u32,
            rw_base: rw_base as u32,
            rw_end: (rw_base + round_up(rw, page)) as u32,
            heap_base: (rw_base + u64::from(rw)) as u32,
            max_heap_size: max_heap as u32,
            stack_low: (stack_high - round_up(stack, page)) as u32,
            aux_base: aux_base as u32,
            aux_end: (aux_base + round_up(aux_size, page)) as u32,
        })
    }

    /// Page size in bytes: regions are accessible up to the end of their last page.
    pub const fn page_size(&self) -> u32 {
        self.page_size
    }

    /// End of the accessible read-only data, which begins at [`Self::RO_BASE`].
    pub const fn ro_end(&self) -> u32 {
        self.ro_end
    }

    /// Start of the read-write data.
    pub const fn rw_base(&self) -> u32 {
        self.rw_base
    }

    /// End of the accessible read-write data before the heap grows.
    pub const fn rw_end(&self) -> u32 {
        self.rw_end
    }

    /// Start of the heap: right after the declared read-write data.
    pub const fn heap_base(&self) -> u32 {
        self.heap_base
    }

    /// Largest heap size in bytes.
    pub const fn max_heap_size(&self) -> u32 {
        self.max_heap_size
    }

    /// Start of the stack.
    pub const fn stack_low(&self) -> u32 {
        self.stack_low
    }

    /// End of the stack, and the stack pointer at the start of a call.
    pub const fn stack_high(&self) -> u32 {
        self.aux_base - GRANULE as u32
    }

    /// Start of the auxiliary region, which the guest may read and the embedder write.
    pub const fn aux_base(&self) -> u32 {
        self.aux_base
    }

    /// End of the auxiliary region.
    pub const fn aux_end(&self) -> u32 {
        self.aux_end
    }

    /// End of the accessible read-write data when the heap has `heap_size` bytes (at most
    /// [`Self::max_heap_size`]).
    pub const fn rw_end_with_heap(&self, heap_size: u32) -> u32 {
        let top = round_up(self.heap_base.saturating_add(heap_size), self.page_size as u64) as u32;
        if top > self.rw_end { top } else { self.rw_end }
    }

    /// Returns the number of bytes from `address` upwards that the guest may write when the heap has `heap_size` bytes:
    /// up to the end of the region that contains the address. Each region ends before the next begins.
    pub const fn guest_writable(&self, address: u32, heap_size: u32) -> u32 {
        let rw_end = self.rw_end_with_heap(heap_size);
        if address >= self.rw_base && address < rw_end {
            rw_end - address
        } else if address >= self.stack_low && address < self.stack_high() {
            self.stack_high() - address
        } else {
            0
        }
    }

    /// True if the guest may write all of a range of at least one byte.
    pub const fn is_guest_writable(&self, address: u32, length: u64, heap_size: u32) -> bool {
        self.guest_writable(address, heap_size) as u64 >= length
    }

    /// True if the embedder may write all of a range of at least one byte.
    pub const fn is_host_writable(&self, address: u32, length: u64, heap_size: u32) -> bool {
        self.is_guest_writable(address, length, heap_size) || within(address, length, self.aux_base, self.aux_end)
    }

    /// True if guest and embedder may read all of a range of at least one byte.
    pub const fn is_readable(&self, address: u32, length: u64, heap_size: u32) -> bool {
        within(address, length, Self::RO_BASE, self.ro_end) || self.is_host_writable(address, length, heap_size)
    }
}

/// True if the non-empty range lies in `low .. high`.
const fn within(address: u32, length: u64, low: u32, high: u32) -> bool {
    address >= low && address as u64 + length <= high as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(page_size: u32, sizes: [u32; 3], aux: u32) -> Result<MemoryMap, MapError> {
        let [ro_data_size, rw_data_size, stack_size] = sizes;
        MemoryMap::new(page_size, MemoryConfig { ro_data_size, rw_data_size, stack_size }, aux)
    }

    #[test]
    fn the_worked_example_of_the_specification_is_met() {
        let map = map(0x4000, [1, 1, 1], 0).unwrap();
        assert_eq!((MemoryMap::RO_BASE, map.ro_end()), (0x10000, 0x14000));
        assert_eq!((map.rw_base(), map.rw_end()), (0x30000, 0x34000));
        assert_eq!(map.heap_base(), 0x30001);
        assert_eq!((map.stack_low(), map.stack_high()), (0xfffd_c000, 0xfffe_0000));
        assert_eq!(u64::from(map.max_heap_size()), (1 << 32) - 4 * 0x10000 - 0x30001);
    }

    #[test]
    fn an_empty_program_has_no_accessible_memory() {
        let map = map(0x1000, [0, 0, 0], 0).unwrap();
        assert_eq!(map.ro_end(), MemoryMap::RO_BASE);
        assert_eq!(map.rw_end(), map.rw_base());
        assert_eq!(map.stack_low(), map.stack_high());
        assert_eq!(map.aux_base(), map.aux_end());
    }

    #[test]
    fn regions_that_fill_the_address_space_fit_and_one_byte_more_does_not() {
        let most = u32::MAX - 5 * 0x10000 + 1;
        for sizes in [[most, 0, 0], [0, most, 0], [0, 0, most]] {
            let full = map(0x1000, sizes, 0).unwrap();
            assert!(full.rw_base() > full.ro_end() - 1);
            assert_eq!(map(0x1000, sizes.map(|size| if size > 0 { size + 1 } else { 0 }), 0), {
                let total = u64::from(most) + 0x10000;
                Err(MapError::TooLarge { total, limit: u64::from(most) })
            });
        }
        assert!(map(0x1000, [u32::MAX; 3], u32::MAX).is_err());
    }

    #[test]
    fn page_sizes_other_than_powers_of_two_in_range_are_refused() {
        for bad in [0, 1, 0x800, 0x1001, 0x3000, 0x2_0000, u32::MAX] {
            assert_eq!(map(bad, [0; 3], 0), Err(MapError::BadPageSize { page_size: bad }));
        }
        for good in [0x1000, 0x2000, 0x4000, 0x8000, 0x1_0000] {
            assert!(map(good, [1; 3], 1).is_ok());
        }
    }

    #[test]
    fn the_heap_ends_at_a_page_border_and_never_below_the_declared_data() {
        let map = map(0x1000, [0, 0x1800, 0], 0).unwrap();
        assert_eq!(map.rw_end(), map.rw_base() + 0x2000);
        assert_eq!(map.rw_end_with_heap(0), map.rw_end());
        assert_eq!(map.rw_end_with_heap(0x800), map.rw_end());
        assert_eq!(map.rw_end_with_heap(0x801), map.rw_end() + 0x1000);
    }
}
