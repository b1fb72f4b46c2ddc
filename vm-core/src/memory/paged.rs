//! The interpreter's memory: pages of 4 KiB that come into being when they are touched.
//!
//! Owned by an instance. Read-only data is shared with the program and never copied; everything else starts as the
//! program's initial data or zero. An access costs a lookup in a small direct-mapped cache of pages; only a miss goes
//! through the page table. Promises: an access is done in full or not at all, and only inside one region; memory use
//! grows with the pages touched (at most two further pages of tables each), never with the declared sizes. Spec:
//! memory-map.md 3.3 - 3.5.

use super::{MemoryError, MemoryImage, MemoryMap};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

const PAGE_BITS: u32 = 12;
const PAGE: usize = 1 << PAGE_BITS;
/// Entries in the cache of pages; covers 1 MiB.
const CACHE: usize = 256;
/// Page numbers have 20 bits: ten for the directory, ten for a table.
const TABLE: usize = 1024;
/// A page number that no page has.
const NO_PAGE: u32 = u32::MAX;

type Page = [u8; PAGE];

#[derive(Clone, Copy, Debug)]
struct CacheEntry {
    /// Page number.
    tag: u32,
    /// Index into the pages.
    slot: u32,
}

/// Memory of one instance.
#[derive(Clone, Debug)]
pub struct PagedMemory {
    image: Arc<MemoryImage>,
    heap_size: u32,
    /// End of what is accessible of read-write data and heap.
    rw_end: u32,
    /// Pages the guest may read and write.
    cache: Box<[CacheEntry; CACHE]>,
    pages: Vec<Page>,
    /// For the upper half of a page number: one more than the index of its table, or 0.
    directory: Box<[u16; TABLE]>,
    /// For the lower half: one more than the index of the page, or 0.
    tables: Vec<[u32; TABLE]>,
}

/// The guest touched what it must not touch. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessFault;

impl PagedMemory {
    /// Memory as the program starts with.
    pub fn new(image: Arc<MemoryImage>) -> Self {
        PagedMemory {
            heap_size: 0,
            rw_end: image.map().rw_end(),
            cache: Box::new([CacheEntry { tag: NO_PAGE, slot: 0 }; CACHE]),
            pages: Vec::new(),
            directory: Box::new([0; TABLE]),
            tables: Vec::new(),
            image,
        }
    }

    /// Back to what the program starts with; keeps the allocations.
    pub fn reset(&mut self) {
        self.heap_size = 0;
        self.rw_end = self.image.map().rw_end();
        self.cache.fill(CacheEntry { tag: NO_PAGE, slot: 0 });
        self.pages.clear();
        self.directory.fill(0);
        self.tables.clear();
    }

    /// How many pages of 4 KiB were touched.
    pub fn touched_pages(&self) -> usize {
        self.pages.len()
    }

    /// Current heap size in bytes.
    pub fn heap_size(&self) -> u32 {
        self.heap_size
    }

    /// Grows the heap by `bytes`; returns its new end, or `None` (and no change) if it cannot grow so far.
    pub fn sbrk(&mut self, bytes: u32) -> Option<u32> {
        let map = self.image.map();
        let size = self.heap_size.checked_add(bytes).filter(|size| *size <= map.max_heap_size())?;
        self.heap_size = size;
        self.rw_end = map.rw_end_with_heap(size);
        Some(map.heap_base() + size)
    }

    /// Guest load of `N` <= 8 bytes.
    #[inline(always)]
    pub fn load<const N: usize>(&mut self, address: u32) -> Result<[u8; N], AccessFault> {
        let entry = self.cache[(address >> PAGE_BITS) as usize % CACHE];
        if entry.tag == address >> PAGE_BITS
            && let Some(page) = self.pages.get(entry.slot as usize)
            && let Some(bytes) = page[address as usize % PAGE..].first_chunk::<N>()
        {
            return Ok(*bytes);
        }
        let ro_offset = address.wrapping_sub(MemoryMap::RO_BASE) as usize;
        if let Some(bytes) = self.image.ro_data().get(ro_offset..).and_then(|rest| rest.first_chunk::<N>()) {
            return Ok(*bytes);
        }
        let mut bytes = [0; N];
        self.load_slow(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Guest store of `N` <= 8 bytes.
    #[inline(always)]
    pub fn store<const N: usize>(&mut self, address: u32, value: [u8; N]) -> Result<(), AccessFault> {
        let entry = self.cache[(address >> PAGE_BITS) as usize % CACHE];
        if entry.tag == address >> PAGE_BITS
            && let Some(page) = self.pages.get_mut(entry.slot as usize)
            && let Some(bytes) = page[address as usize % PAGE..].first_chunk_mut::<N>()
        {
            *bytes = value;
            return Ok(());
        }
        self.store_slow(address, &value)
    }

    #[cold]
    #[inline(never)]
    fn load_slow(&mut self, address: u32, out: &mut [u8]) -> Result<(), AccessFault> {
        if !self.is_readable(address, out.len() as u64) {
            return Err(AccessFault);
        }
        // Bring the page in, so that the next access is fast. Read-only data needs none, and auxiliary data must not
        // get into the cache, as the guest may not write it.
        if self.is_guest_writable(address, out.len() as u64) {
            let slot = self.touch(address >> PAGE_BITS);
            self.remember(address >> PAGE_BITS, slot);
        }
        self.copy_out(address, out);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn store_slow(&mut self, address: u32, data: &[u8]) -> Result<(), AccessFault> {
        if !self.is_guest_writable(address, data.len() as u64) {
            return Err(AccessFault);
        }
        let slot = self.touch(address >> PAGE_BITS);
        self.remember(address >> PAGE_BITS, slot);
        self.copy_in(address, data);
        Ok(())
    }

    /// Guest memset: stores up to `count` bytes upwards from `address`, stops before the first that must not be
    /// written; returns how many were stored.
    pub fn fill(&mut self, address: u32, value: u8, count: u32) -> u32 {
        let map = self.image.map();
        // Each region ends before the next begins, so only the region of the first byte matters.
        let end = if (map.rw_base()..self.rw_end).contains(&address) {
            self.rw_end
        } else if (map.stack_low()..map.stack_high()).contains(&address) {
            map.stack_high()
        } else {
            return 0;
        };
        let count = count.min(end - address);
        self.for_each_page(address, count, |page, _| page.fill(value));
        count
    }

    /// Reads `out.len()` bytes for the embedder.
    pub fn read(&self, address: u32, out: &mut [u8]) -> Result<(), MemoryError> {
        if !out.is_empty() {
            let length = out.len() as u64;
            if !self.is_readable(address, length) {
                return Err(MemoryError { address, length, write: false });
            }
            self.copy_out(address, out);
        }
        Ok(())
    }

    /// Writes `data` for the embedder.
    pub fn write(&mut self, address: u32, data: &[u8]) -> Result<(), MemoryError> {
        if !data.is_empty() {
            let length = data.len() as u64;
            if !self.is_host_writable(address, length) {
                return Err(MemoryError { address, length, write: true });
            }
            self.copy_in(address, data);
        }
        Ok(())
    }

    /// Writes `length` zero bytes for the embedder.
    pub fn zero(&mut self, address: u32, length: u32) -> Result<(), MemoryError> {
        if length > 0 {
            if !self.is_host_writable(address, u64::from(length)) {
                return Err(MemoryError { address, length: u64::from(length), write: true });
            }
            self.for_each_page(address, length, |page, _| page.fill(0));
        }
        Ok(())
    }

    /// Whether the guest may read all of a range of at least one byte.
    pub fn is_readable(&self, address: u32, length: u64) -> bool {
        let map = self.image.map();
        within(address, length, MemoryMap::RO_BASE, map.ro_end()) || self.is_host_writable(address, length)
    }

    /// Whether the guest may write all of a range of at least one byte.
    pub fn is_guest_writable(&self, address: u32, length: u64) -> bool {
        let map = self.image.map();
        within(address, length, map.rw_base(), self.rw_end)
            || within(address, length, map.stack_low(), map.stack_high())
    }

    fn is_host_writable(&self, address: u32, length: u64) -> bool {
        let map = self.image.map();
        self.is_guest_writable(address, length) || within(address, length, map.aux_base(), map.aux_end())
    }

    fn remember(&mut self, number: u32, slot: usize) {
        self.cache[number as usize % CACHE] = CacheEntry { tag: number, slot: slot as u32 };
    }

    /// Where page `number` is, if it was touched.
    fn find(&self, number: u32) -> Option<usize> {
        let table = self.directory[number as usize / TABLE % TABLE].checked_sub(1)?;
        let slot = self.tables.get(usize::from(table))?[number as usize % TABLE].checked_sub(1)?;
        Some(slot as usize)
    }

    /// Where page `number` is; makes it if it is not there. Assumes that it lies in a writable region.
    fn touch(&mut self, number: u32) -> usize {
        if let Some(slot) = self.find(number) {
            return slot;
        }
        let slot = self.pages.len();
        let mut page = [0; PAGE];
        self.copy_initial(number << PAGE_BITS, &mut page);
        self.pages.push(page);
        let entry = &mut self.directory[number as usize / TABLE % TABLE];
        if *entry == 0 {
            self.tables.push([0; TABLE]);
            // At most 1024 tables.
            *entry = self.tables.len() as u16;
        }
        if let Some(table) = self.tables.get_mut(usize::from(*entry) - 1) {
            // At most 2^20 pages.
            table[number as usize % TABLE] = slot as u32 + 1;
        }
        slot
    }

    /// What memory from `address` on contains before it is written. `out` must be zero.
    fn copy_initial(&self, address: u32, out: &mut [u8]) {
        for (base, data) in
            [(MemoryMap::RO_BASE, self.image.ro_data()), (self.image.map().rw_base(), self.image.rw_data())]
        {
            if let Some(offset) = address.checked_sub(base)
                && let Some(rest) = data.get(offset as usize..)
            {
                let length = rest.len().min(out.len());
                out[..length].copy_from_slice(&rest[..length]);
            }
        }
    }

    /// Reads without touching. Assumes a readable range.
    fn copy_out(&self, address: u32, out: &mut [u8]) {
        let mut position = 0;
        while position < out.len() {
            let at = address.wrapping_add(position as u32);
            let start = at as usize % PAGE;
            let end = out.len().min(position + PAGE - start);
            let part = &mut out[position..end];
            match self.find(at >> PAGE_BITS).and_then(|slot| self.pages.get(slot)) {
                Some(page) => part.copy_from_slice(&page[start..start + part.len()]),
                None => {
                    part.fill(0);
                    self.copy_initial(at, part);
                }
            }
            position = end;
        }
    }

    /// Assumes a writable range.
    fn copy_in(&mut self, address: u32, data: &[u8]) {
        self.for_each_page(address, data.len() as u32, |page, position| {
            page.copy_from_slice(&data[position..position + page.len()]);
        });
    }

    /// Calls `change` with the part of each page that the range covers, and how far into the range it is. Assumes a
    /// writable range.
    fn for_each_page(&mut self, address: u32, length: u32, mut change: impl FnMut(&mut [u8], usize)) {
        let mut position = 0;
        while position < length as usize {
            let at = address.wrapping_add(position as u32);
            let start = at as usize % PAGE;
            let count = (length as usize - position).min(PAGE - start);
            let slot = self.touch(at >> PAGE_BITS);
            if let Some(page) = self.pages.get_mut(slot) {
                change(&mut page[start..start + count], position);
            }
            position += count;
        }
    }
}

/// Whether the non-empty range lies in `low .. high`.
fn within(address: u32, length: u64, low: u32, high: u32) -> bool {
    address >= low && u64::from(address) + length <= u64::from(high)
}
