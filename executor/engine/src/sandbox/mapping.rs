//! Memory shared by host and worker. Used by `worker`.
//!
//! The other process may change these bytes at any time, so there are no references to them: they are copied in and
//! out.

use super::{SandboxError, sys};
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

const PAGE: usize = 0x1000;

/// Length of the parts into which long ranges are divided.
const SMALL: usize = 64 * PAGE;
/// Up to this many bytes are cleared by writing zeros to the pages that exist, which takes a fraction of the time of
/// releasing them and having the next instance touch them again. A contract's memory is less than this: as it is
/// charged for by the page when it is instantiated, the cost must not depend on whether an earlier instance touched all
/// of it.
const CLEARED: usize = 512 * PAGE;
/// Minimum length of reads that skip pages which do not exist.
const LONG: usize = 2 * PAGE;

/// A memory file, mapped readable and writable until dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    start: *mut u8,
    length: u64,
    /// True if pages are populated before access (`MADV_POPULATE_WRITE`), because the kernel may refuse to allocate
    /// them.
    is_careful: bool,
    /// True if the kernel refused memory for a page: a write to it was lost, or a read of it returned zeros.
    is_incomplete: AtomicBool,
}

// SAFETY: plain memory, owned by the owner of the mapping.
unsafe impl Send for Mapping {}
// SAFETY: shared references only read.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Creates a sparse file of `length` bytes and maps it. The file cannot be resized or executed; with `is_final`
    /// nobody else can map it writable.
    pub fn new(name: &'static std::ffi::CStr, length: u64, is_final: bool) -> Result<(Mapping, OwnedFd), SandboxError> {
        let file = sys::memfd(name, libc::MFD_NOEXEC_SEAL)?;
        sys::set_length(&file, length)?;
        let start = sys::map(&file, length)?;
        let mapping =
            Mapping { start, length, is_careful: sys::is_memory_counted(), is_incomplete: AtomicBool::new(false) };
        if length == PAGE as u64 {
            // The control page is accessed directly.
            mapping.populate(0, PAGE, true);
            mapping.check()?;
        }
        let writing = if is_final { libc::F_SEAL_FUTURE_WRITE } else { 0 };
        sys::seal(&file, sys::SEAL_LENGTH | writing)?;
        Ok((mapping, file))
    }

    /// Address of the mapping.
    pub fn start(&self) -> *mut u8 {
        self.start
    }

    /// Returns the address of a range. Panics if it is not in the mapping: callers have checked that.
    fn at(&self, offset: u64, length: usize) -> *mut u8 {
        let end = offset.checked_add(length as u64);
        assert!(end.is_some_and(|end| end <= self.length), "{length} bytes at {offset:#x} are in the mapping");
        self.start.wrapping_add(offset as usize)
    }

    /// Fails if there was no memory for a page that was accessed.
    pub fn check(&self) -> Result<(), SandboxError> {
        match self.is_incomplete.load(Relaxed) {
            true => Err(SandboxError::Os { call: "madvise(MADV_POPULATE)", errno: libc::ENOMEM }),
            false => Ok(()),
        }
    }

    /// Has the kernel allocate the pages of a range; returns false if it refuses.
    fn populate(&self, offset: u64, length: usize, write: bool) -> bool {
        if !self.is_careful || length == 0 {
            return true;
        }
        let first = offset & !(PAGE as u64 - 1);
        let pages = (offset + length as u64).next_multiple_of(PAGE as u64) - first;
        // SAFETY: pages of the mapping.
        let is_there = unsafe { sys::populate(self.at(first, pages as usize), pages as usize, write) }.is_ok();
        if !is_there {
            self.is_incomplete.store(true, Relaxed);
        }
        is_there
    }

    /// Copies out of the mapping. A long read allocates no memory for pages that do not exist.
    pub fn read(&self, offset: u64, out: &mut [u8]) {
        if out.len() <= LONG {
            return self.copy_out(offset, out);
        }
        out.fill(0);
        let (end, can_be_elsewhere) = (offset + out.len() as u64, sys::has_swap());
        let first = offset & !(PAGE as u64 - 1);
        self.present(first, end.next_multiple_of(PAGE as u64), can_be_elsewhere, |start, stop| {
            let (from, to) = (start.max(offset), stop.min(end));
            let part = out.get_mut((from - offset) as usize..(to - offset) as usize);
            self.copy_out(from, part.unwrap_or_default());
        });
    }

    /// Calls `visit` with the offset and contents of each page of a page aligned range, except for pages known to be
    /// zero.
    pub fn pages(&self, start: u64, end: u64, visit: &mut dyn FnMut(u64, &[u8; PAGE])) {
        let mut page = [0; PAGE];
        self.present(start, end, sys::has_swap(), |start, stop| {
            for offset in (start..stop).step_by(PAGE) {
                self.copy_out(offset, &mut page);
                visit(offset, &page);
            }
        });
    }

    /// Calls `visit` with start and end of each run of pages that may not be zero, in a page aligned range.
    fn present(&self, start: u64, end: u64, can_be_elsewhere: bool, mut visit: impl FnMut(u64, u64)) {
        for first in (start..end).step_by(SMALL) {
            let length = (end - first).min(SMALL as u64) as usize;
            let mut pages = [0; SMALL / PAGE];
            // SAFETY: in the mapping, and page aligned.
            let known =
                !can_be_elsewhere && unsafe { sys::resident(self.at(first, length), length, &mut pages) }.is_ok();
            let mut offset = first;
            for run in pages.get(..length / PAGE).unwrap_or_default().chunk_by(|left, right| left & 1 == right & 1) {
                let end = offset + (run.len() * PAGE) as u64;
                if !known || run.first().is_some_and(|page| page & 1 != 0) {
                    visit(offset, end);
                }
                offset = end;
            }
        }
    }

    fn copy_out(&self, offset: u64, out: &mut [u8]) {
        let from = self.at(offset, out.len());
        if !self.populate(offset, out.len(), false) {
            return out.fill(0);
        }
        // SAFETY: in the mapping. The other process may write at the same time; any bytes are acceptable.
        unsafe { from.copy_to_nonoverlapping(out.as_mut_ptr(), out.len()) }
    }

    /// Copies into the mapping.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let to = self.at(offset, data.len());
        if !self.populate(offset, data.len(), true) {
            return;
        }
        // SAFETY: in the mapping, and there are no references to it.
        unsafe { to.copy_from_nonoverlapping(data.as_ptr(), data.len()) }
    }

    /// Sets all bytes of a range to `value`.
    pub fn fill(&mut self, offset: u64, value: u8, length: usize) {
        let pages = offset.next_multiple_of(PAGE as u64)..(offset + length as u64) & !(PAGE as u64 - 1);
        if value == 0 && pages.start < pages.end && (pages.end - pages.start) as usize > SMALL {
            self.clear(&[(pages.start, pages.end)]);
            self.fill(offset, 0, (pages.start - offset) as usize);
            self.fill(pages.end, 0, (offset + length as u64 - pages.end) as usize);
            return;
        }
        let to = self.at(offset, length);
        if !self.populate(offset, length, true) {
            return;
        }
        // SAFETY: in the mapping, and there are no references to it.
        unsafe { to.write_bytes(value, length) }
    }

    /// Zeroes page aligned ranges, and releases their memory if there is much of it. Returns the number of pages that
    /// they have afterwards.
    pub fn clear(&mut self, ranges: &[(u64, u64)]) -> u64 {
        let can_be_elsewhere = sys::has_swap();
        ranges.iter().map(|(start, end)| self.clear_range(*start, *end, can_be_elsewhere)).sum()
    }

    /// Releases the pages of a page aligned range, so that they read as zeros.
    pub fn remove(&mut self, start: u64, end: u64) {
        if start < end {
            remove(self.at(start, (end - start) as usize), (end - start) as usize);
        }
    }

    /// Releases all pages, so that everything reads as zeros.
    pub fn remove_all(&mut self) {
        remove(self.start, self.length as usize);
    }

    /// Zeroes one of the ranges. `can_be_elsewhere`: pages that are not in memory may have contents.
    pub fn clear_range(&mut self, start: u64, end: u64, can_be_elsewhere: bool) -> u64 {
        let length = (end - start) as usize;
        if length == 0 {
            return 0;
        }
        let address = self.at(start, length);
        if length <= CLEARED {
            let mut pages = [0; CLEARED / PAGE];
            // SAFETY: in the mapping, and page aligned.
            let known = unsafe { sys::resident(address, length, &mut pages) }.is_ok();
            let pages = pages.get(..length.div_ceil(PAGE)).unwrap_or_default();
            let count = pages.iter().filter(|page| *page & 1 != 0).count();
            if known {
                let mut start = 0;
                for run in pages.chunk_by(|left, right| left & 1 == right & 1) {
                    let bytes = run.len() * PAGE;
                    // SAFETY: pages of the range.
                    let first = unsafe { address.add(start) };
                    if run.first().is_some_and(|page| page & 1 != 0) {
                        // SAFETY: as before, and there are no references to them.
                        unsafe { first.write_bytes(0, bytes) }
                    } else if can_be_elsewhere {
                        // A page that is not in memory may be swapped out with other contents than zeros.
                        remove(first, bytes);
                    }
                    start += bytes;
                }
                return count as u64;
            }
        }
        remove(address, length);
        0
    }
}

/// Releases pages of a mapping, so that they read as zeros.
fn remove(address: *mut u8, length: usize) {
    // SAFETY: the caller has checked that they are in the mapping, and there are no references to them.
    if unsafe { sys::remove_pages(address, length) }.is_err() {
        // SAFETY: as before.
        unsafe { address.write_bytes(0, length) }
    }
}

#[cfg(test)]
impl Mapping {
    /// For tests: maps a file that can be shortened, with careful accesses.
    pub fn careful(length: u64) -> (Mapping, OwnedFd) {
        let file = sys::memfd(c"pvm-test", libc::MFD_NOEXEC_SEAL).unwrap();
        sys::set_length(&file, length).unwrap();
        let start = sys::map(&file, length).unwrap();
        (Mapping { start, length, is_careful: true, is_incomplete: AtomicBool::new(false) }, file)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which is not used any more.
        unsafe { sys::unmap(self.start, self.length) }
    }
}
