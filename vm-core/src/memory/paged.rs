//! Paged memory of the interpreter: 4 KiB pages, allocated on first access.
//!
//! Owned by an instance. Read-only data is shared with the program and never copied; everything else starts as the
//! program's initial data or zero. The most used parts of the read-write data and of the stack are contiguous windows
//! (see `window`), where an access costs one comparison; other pages are found through a small cache and a page table.
//! An access is performed in full or not at all, and only inside one region. Memory use grows with the pages touched
//! (at most twice as many, and two of tables each), and never exceeds one page for each that is declared. The size of
//! every allocation is a power of two, which wastes nothing in an allocator that rounds up to those, as the one of a
//! chain's runtime. Spec: `docs/spec/memory.md#access` and `docs/spec/memory.md#heap`.

use super::window::Window;
use super::{MemoryError, MemoryImage, MemoryMap};
use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};
use core::ops::Range;

pub(super) const PAGE_BITS: u32 = 12;
pub(super) const PAGE: usize = 1 << PAGE_BITS;
/// Number of entries in the page cache, which covers 1 MiB.
const CACHE: usize = 256;
/// Entries of a page table level. Page numbers have 20 bits: ten for the directory, ten for a table.
const TABLE: usize = 1024;

type Page = [u8; PAGE];

#[derive(Clone, Copy, Debug)]
struct CacheEntry {
    /// Address of the page.
    base: u32,
    /// Index into the pages; out of range if there is no page.
    slot: u32,
}

const NO_ENTRY: CacheEntry = CacheEntry { base: 0, slot: u32::MAX };

/// Memory of one instance.
#[derive(Clone, Debug)]
pub struct PagedMemory {
    image: Arc<MemoryImage>,
    heap_size: u32,
    /// End of the accessible part of read-write data and heap.
    rw_end: u32,
    /// One contiguous window per half of the address space: the read-write data and heap in the lower, the stack in the
    /// upper. An address thereby selects its window.
    windows: [Window; 2],
    /// Pages outside of the windows that the guest may read and write.
    cache: Box<[CacheEntry; CACHE]>,
    pages: Vec<Option<Box<Page>>>,
    /// Upper level of the page table, indexed by the upper half of a page number: the index of its table plus one, or
    /// 0.
    directory: Box<[u16; TABLE]>,
    /// Lower level of the page table, indexed by the lower half: the index of the page plus one, or 0.
    tables: Vec<[u32; TABLE]>,
    /// Free page indexes: their pages moved into a window.
    free: Vec<u32>,
}

/// Guest access fault: the range is not accessible. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessFault;

/// Start of the upper half of the address space.
const UPPER_HALF: u32 = 1 << 31;

/// Returns the half of the address space that contains an address.
#[inline(always)]
const fn half(address: u32) -> usize {
    (address / UPPER_HALF) as usize
}

impl PagedMemory {
    /// Makes the initial memory of a program.
    pub fn new(image: Arc<MemoryImage>) -> Self {
        PagedMemory {
            heap_size: 0,
            rw_end: image.map().rw_end(),
            windows: [Window::default(), Window::default()],
            cache: Box::new([NO_ENTRY; CACHE]),
            pages: Vec::new(),
            directory: Box::new([0; TABLE]),
            tables: Vec::new(),
            free: Vec::new(),
            image,
        }
    }

    /// Resets memory to the program's initial contents.
    pub fn reset(&mut self) {
        *self = PagedMemory::new(self.image.clone());
    }

    /// Capacity in pages of 4 KiB.
    pub fn touched_pages(&self) -> usize {
        self.pages.iter().flatten().count() + self.windows.iter().map(Window::pages).sum::<usize>()
    }

    /// Approximate size in bytes, tables included.
    pub fn size(&self) -> usize {
        let tables = self.tables.len() * size_of::<[u32; TABLE]>() + self.pages.len() * size_of::<Option<Box<Page>>>();
        self.touched_pages() * PAGE + tables + CACHE * size_of::<CacheEntry>() + TABLE * size_of::<u16>()
    }

    /// Current heap size in bytes.
    pub fn heap_size(&self) -> u32 {
        self.heap_size
    }

    /// Grows the heap by `bytes`; returns its new end, or `None` without any change if it cannot grow that far.
    pub fn sbrk(&mut self, bytes: u32) -> Option<u32> {
        let map = self.image.map();
        let size = self.heap_size.checked_add(bytes).filter(|size| *size <= map.max_heap_size())?;
        self.heap_size = size;
        self.rw_end = map.rw_end_with_heap(size);
        Some(map.heap_base() + size)
    }

    /// Guest load of `N` <= 8 bytes, fast path: `None` outside of the windows and of initial read-only data.
    #[inline(always)]
    pub fn load_fast<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        let ro = || self.image.ro_data().get(address.wrapping_sub(MemoryMap::RO_BASE) as usize..)?.first_chunk();
        self.windows[half(address)].get(address).or_else(ro).copied()
    }

    /// Guest store of `N` <= 8 bytes, fast path: false, and no change, outside of the windows.
    #[inline(always)]
    pub fn store_fast<const N: usize>(&mut self, address: u32, value: [u8; N]) -> bool {
        match self.windows[half(address)].get_mut(address) {
            Some(bytes) => {
                *bytes = value;
                true
            }
            None => false,
        }
    }

    /// Guest load of `N` <= 8 bytes.
    pub fn load<const N: usize>(&mut self, address: u32) -> Result<[u8; N], AccessFault> {
        self.load_fast(address).map_or_else(|| self.load_outside(address), Ok)
    }

    /// Guest store of `N` <= 8 bytes.
    pub fn store<const N: usize>(&mut self, address: u32, value: [u8; N]) -> Result<(), AccessFault> {
        match self.store_fast(address, value) {
            true => Ok(()),
            false => self.store_outside(address, value),
        }
    }

    /// Slow path of loads: outside of the windows and of initial read-only data.
    fn load_outside<const N: usize>(&mut self, address: u32) -> Result<[u8; N], AccessFault> {
        let entry = self.cache[(address >> PAGE_BITS) as usize % CACHE];
        if let Some(Some(page)) = self.pages.get(entry.slot as usize)
            && let Some(bytes) = page.get((address ^ entry.base) as usize..).and_then(|rest| rest.first_chunk::<N>())
        {
            return Ok(*bytes);
        }
        let mut bytes = [0; N];
        self.load_slow(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Slow path of stores: outside of the windows.
    fn store_outside<const N: usize>(&mut self, address: u32, value: [u8; N]) -> Result<(), AccessFault> {
        let entry = self.cache[(address >> PAGE_BITS) as usize % CACHE];
        if let Some(Some(page)) = self.pages.get_mut(entry.slot as usize)
            && let Some(rest) = page.get_mut((address ^ entry.base) as usize..)
            && let Some(bytes) = rest.first_chunk_mut::<N>()
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
        // Bring the page in, so that the next access is fast. Read-only data needs no page, and auxiliary data must
        // stay out of the cache, as the guest may not write it.
        if self.is_guest_writable(address, out.len() as u64) {
            self.bring_in(address);
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
        self.bring_in(address);
        self.copy_in(address, data);
        Ok(())
    }

    /// Allocates the page of a guest-writable address, and caches it if it is in no window.
    fn bring_in(&mut self, address: u32) {
        let number = address >> PAGE_BITS;
        self.touch(number);
        if let Some(slot) = self.find(number) {
            self.cache[number as usize % CACHE] = CacheEntry { base: number << PAGE_BITS, slot: slot as u32 };
        }
    }

    /// Guest memset: stores up to `count` bytes upwards from `address` and stops before the first that is not writable;
    /// returns the number of bytes stored.
    pub fn fill(&mut self, address: u32, value: u8, count: u32) -> u32 {
        let count = count.min(self.image.map().guest_writable(address, self.heap_size));
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

    fn is_readable(&self, address: u32, length: u64) -> bool {
        self.image.map().is_readable(address, length, self.heap_size)
    }

    fn is_guest_writable(&self, address: u32, length: u64) -> bool {
        self.image.map().is_guest_writable(address, length, self.heap_size)
    }

    fn is_host_writable(&self, address: u32, length: u64) -> bool {
        self.image.map().is_host_writable(address, length, self.heap_size)
    }

    /// Page `number`, if it was touched.
    fn page(&self, number: u32) -> Option<&Page> {
        let address = number << PAGE_BITS;
        self.windows[half(address)].page(address).or_else(|| self.pages.get(self.find(number)?)?.as_deref())
    }

    /// Returns page `number`, allocating it if necessary. Assumes that it is in a writable region.
    fn page_mut(&mut self, number: u32) -> Option<&mut Page> {
        self.touch(number);
        let address = number << PAGE_BITS;
        if let Some(slot) = self.find(number) {
            return self.pages.get_mut(slot)?.as_deref_mut();
        }
        self.windows[half(address)].page_mut(address)
    }

    /// Calls `visit` with address and contents of each writable page that exists, whether or not it was written. All
    /// others hold the program's initial data.
    pub fn visit_pages(&self, mut visit: impl FnMut(u32, &[u8; PAGE])) {
        self.windows.iter().flat_map(Window::all_pages).for_each(|(address, page)| visit(address, page));
        for (upper, index) in self.directory.iter().enumerate() {
            let table = index.checked_sub(1).and_then(|index| self.tables.get(usize::from(index)));
            for (lower, slot) in table.into_iter().flatten().enumerate() {
                let slot = slot.checked_sub(1).and_then(|slot| self.pages.get(slot as usize));
                if let Some(Some(page)) = slot {
                    visit(((upper * TABLE + lower) as u32) << PAGE_BITS, page);
                }
            }
        }
    }

    /// Index of page `number` among the pages outside of the windows, if it was touched.
    fn find(&self, number: u32) -> Option<usize> {
        let table = self.directory[number as usize / TABLE % TABLE].checked_sub(1)?;
        let slot = self.tables.get(usize::from(table))?[number as usize % TABLE].checked_sub(1)?;
        Some(slot as usize)
    }

    /// Records that page `number` is at index `slot`, or in a window.
    fn set_slot(&mut self, number: u32, slot: Option<usize>) {
        let entry = &mut self.directory[number as usize / TABLE % TABLE];
        if *entry == 0 {
            self.tables.push([0; TABLE]);
            // At most 1024 tables.
            *entry = self.tables.len() as u16;
        }
        if let Some(table) = self.tables.get_mut(usize::from(*entry) - 1) {
            // At most 2^20 pages.
            table[number as usize % TABLE] = slot.map_or(0, |slot| slot as u32 + 1);
        }
    }

    /// Allocates page `number` if necessary. Assumes that it is in a writable region.
    fn touch(&mut self, number: u32) {
        if self.page(number).is_some() {
            return;
        }
        let address = number << PAGE_BITS;
        if let Some((window, region)) = self.window(address)
            && let Some(gain) = window.use_page(address, &region)
        {
            self.grow_window(gain);
            return;
        }
        let mut page = Box::new([0; PAGE]);
        self.image.copy_initial(address, &mut *page);
        let slot = match self.free.pop() {
            Some(slot) => slot as usize,
            None => self.pages.len(),
        };
        match self.pages.get_mut(slot) {
            Some(free) => *free = Some(page),
            None => self.pages.push(Some(page)),
        }
        self.set_slot(number, Some(slot));
    }

    /// Returns the window of the half that an address is in, and the range that it may cover.
    fn window(&mut self, address: u32) -> Option<(&mut Window, Range<u32>)> {
        let map = self.image.map();
        let range = match half(address) {
            0 => map.rw_base()..self.rw_end.min(UPPER_HALF),
            _ => map.stack_low().max(UPPER_HALF)..map.stack_high(),
        };
        range.contains(&address).then_some((&mut self.windows[half(address)], range))
    }

    /// Extends a window by an adjacent range, and then by further ranges as long as enough of their pages are in use.
    fn grow_window(&mut self, gain: Range<u32>) {
        let start = gain.start;
        let mut next = Some(gain);
        while let Some(gain) = next {
            self.give_to_window(gain);
            next = self.window(start).and_then(|(window, region)| window.wanted(&region));
        }
    }

    /// Extends a window by an adjacent range, and moves the existing pages of that range into it.
    fn give_to_window(&mut self, gain: Range<u32>) {
        let mut bytes = vec![0; gain.len()];
        self.image.copy_initial(gain.start, &mut bytes);
        for (number, page) in (gain.start >> PAGE_BITS..).zip(bytes.chunks_exact_mut(PAGE)) {
            if let Some(slot) = self.find(number)
                && let Some(old) = self.pages.get_mut(slot).and_then(Option::take)
            {
                page.copy_from_slice(&*old);
                self.set_slot(number, None);
                self.free.push(slot as u32);
            }
        }
        self.cache.fill(NO_ENTRY);
        let Some((window, region)) = self.window(gain.start) else { return };
        let mut grown = core::mem::take(window);
        grown.gain(gain.start, &bytes, &region, |range| {
            let pages = range.start >> PAGE_BITS..range.end >> PAGE_BITS;
            pages.filter(|number| self.find(*number).is_some()).count() as u32
        });
        if let Some((window, _)) = self.window(gain.start) {
            *window = grown;
        }
    }

    /// Reads without allocating pages. Assumes a readable range.
    fn copy_out(&self, address: u32, out: &mut [u8]) {
        let mut position = 0;
        while position < out.len() {
            let at = address.wrapping_add(position as u32);
            let start = at as usize % PAGE;
            let end = out.len().min(position + PAGE - start);
            let part = &mut out[position..end];
            match self.page(at >> PAGE_BITS) {
                Some(page) => part.copy_from_slice(&page[start..start + part.len()]),
                None => {
                    part.fill(0);
                    self.image.copy_initial(at, part);
                }
            }
            position = end;
        }
    }

    /// Writes to pages. Assumes a writable range.
    fn copy_in(&mut self, address: u32, data: &[u8]) {
        self.for_each_page(address, data.len() as u32, |page, position| {
            page.copy_from_slice(&data[position..position + page.len()]);
        });
    }

    /// Calls `change` for each page that the range covers, with the covered part of the page and its offset in the
    /// range. Assumes a writable range.
    fn for_each_page(&mut self, address: u32, length: u32, mut change: impl FnMut(&mut [u8], usize)) {
        let mut position = 0;
        while position < length as usize {
            let at = address.wrapping_add(position as u32);
            let start = at as usize % PAGE;
            let count = (length as usize - position).min(PAGE - start);
            if let Some(page) = self.page_mut(at >> PAGE_BITS) {
                change(&mut page[start..start + count], position);
            }
            position += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::MemoryConfig;
    use alloc::vec;

    const RW: u32 = 0x3_0000;
    const STACK: u32 = 0xfffc_f000;

    /// Read-only data of 3 bytes, read-write data of two pages (3 bytes given), stack and auxiliary data of a page
    /// each.
    fn memory() -> PagedMemory {
        let config = MemoryConfig { ro_data_size: 3, rw_data_size: 0x2000, stack_size: 0x1000 };
        let map = MemoryMap::new(0x1000, config, 0x1000).unwrap();
        assert_eq!((map.rw_base(), map.stack_low(), map.aux_base()), (RW, STACK, 0xfffe_0000));
        PagedMemory::new(Arc::new(MemoryImage::new(map, &[1, 2, 3], &[4, 5, 6])))
    }

    #[test]
    fn memory_begins_with_the_initial_data_and_zeros() {
        let mut memory = memory();
        assert_eq!(memory.load(0x1_0000), Ok([1, 2]));
        assert_eq!(memory.load(0x1_0002), Ok([3, 0, 0, 0]), "behind the data, but on its page");
        assert_eq!(memory.load(RW), Ok([4, 5, 6, 0]));
        assert_eq!(memory.load(RW + 0x1fff), Ok([0]));
        assert_eq!(memory.touched_pages(), 2, "read-only data takes no page");
    }

    #[test]
    fn accesses_across_pages_see_one_memory() {
        let mut memory = memory();
        assert_eq!(memory.store(RW + 0xffc, 0x1122_3344_5566_7788u64.to_le_bytes()), Ok(()));
        assert_eq!(memory.load(RW + 0xffc), Ok(0x1122_3344_5566_7788u64.to_le_bytes()));
        assert_eq!(memory.load(RW + 0xffe), Ok(0x3344_5566u32.to_le_bytes()));
        assert_eq!(memory.load(RW + 0x1000), Ok([0x44]));
        let mut out = [0; 10];
        memory.read(RW + 0xffb, &mut out).unwrap();
        assert_eq!(out, [0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0]);
    }

    #[test]
    fn pages_that_share_a_cache_entry_do_not_mix() {
        let config = MemoryConfig { rw_data_size: 0x80_0000, ..MemoryConfig::default() };
        let map = MemoryMap::new(0x1000, config, 0).unwrap();
        let base = map.rw_base();
        let mut memory = PagedMemory::new(Arc::new(MemoryImage::new(map, &[], &[])));
        let apart = (CACHE * PAGE) as u32;
        for round in 0..3u32 {
            for index in 0..8u32 {
                let seen = memory.load(base + index * apart).map(u32::from_le_bytes);
                assert_eq!(seen, Ok(if round == 0 { 0 } else { round * 100 + index }));
                assert_eq!(memory.store(base + index * apart, ((round + 1) * 100 + index).to_le_bytes()), Ok(()));
            }
        }
        assert_eq!(memory.touched_pages(), 8);
    }

    #[test]
    fn the_guest_reads_auxiliary_data_and_only_the_embedder_writes_it() {
        let mut memory = memory();
        memory.write(0xfffe_0010, &[7]).unwrap();
        assert_eq!(memory.load(0xfffe_0010), Ok([7]));
        assert_eq!(memory.store(0xfffe_0010, [8]), Err(AccessFault));
        assert_eq!(memory.load(0xfffe_0010), Ok([7]));
        assert_eq!(memory.load::<1>(0xfffe_1000), Err(AccessFault));
    }

    #[test]
    fn the_embedder_gets_errors_that_say_what_it_asked_for() {
        let mut memory = memory();
        assert_eq!(memory.write(0x1_0000, &[1]), Err(MemoryError { address: 0x1_0000, length: 1, write: true }));
        assert_eq!(memory.zero(RW + 0x1fff, 2), Err(MemoryError { address: RW + 0x1fff, length: 2, write: true }));
        let error = memory.read(u32::MAX, &mut [0; 2]).unwrap_err();
        assert_eq!(alloc::format!("{error}"), "cannot read 2 bytes of guest memory at 0xffffffff");
        assert_eq!(memory.read(5, &mut []), Ok(()), "nothing can be read anywhere");
        assert_eq!(memory.write(5, &[]), Ok(()));
        assert_eq!(memory.zero(5, 0), Ok(()));
        assert_eq!(memory.touched_pages(), 0);
    }

    #[test]
    fn zeroing_reaches_from_page_to_page() {
        let mut memory = memory();
        memory.write(RW, &vec![9; 0x2000]).unwrap();
        memory.zero(RW + 1, 0x1ffe).unwrap();
        let mut out = vec![1; 0x2000];
        memory.read(RW, &mut out).unwrap();
        assert_eq!((out[0], out[0x1fff]), (9, 9));
        assert!(out[1..0x1fff].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_heap_grows_to_its_limit_and_a_reset_takes_everything_back() {
        let mut memory = memory();
        let top = memory.image.map().heap_base();
        assert_eq!(memory.store(top, [1]), Err(AccessFault));
        assert_eq!(memory.sbrk(1), Some(top + 1));
        assert_eq!(memory.store(top + 0xfff, [1]), Ok(()));
        assert_eq!(memory.store(top + 0x1000, [1]), Err(AccessFault));
        let most = memory.image.map().max_heap_size();
        assert_eq!(memory.sbrk(most), None);
        assert_eq!(memory.sbrk(most - 1), Some(top + most));
        assert_eq!(memory.sbrk(1), None);
        assert_eq!(memory.sbrk(0), Some(top + most));
        assert_eq!(memory.store(top + most - 1, [1]), Ok(()));
        assert_eq!(memory.store(RW, [1]), Ok(()));

        memory.reset();
        assert_eq!((memory.heap_size(), memory.touched_pages()), (0, 0));
        assert_eq!(memory.load(RW), Ok([4]));
        assert_eq!(memory.store(top, [1]), Err(AccessFault));
    }
}
