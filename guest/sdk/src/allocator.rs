//! Bump allocator: a heap that only grows.
//!
//! A guest usually lives for one call, so its allocations need not be freed. Memory is an array in the program's data; when
//! it is used up, allocation fails, and `alloc` panics.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    ptr,
};

/// An allocator of `BYTES` bytes; [`crate::bump_allocator!`] makes it the global allocator.
pub struct Bump<const BYTES: usize> {
    memory: UnsafeCell<Memory<BYTES>>,
    used: UnsafeCell<usize>,
}

/// Aligned for all common types.
#[repr(C, align(16))]
struct Memory<const BYTES: usize>([u8; BYTES]);

// SAFETY: guests have one thread.
unsafe impl<const BYTES: usize> Sync for Bump<BYTES> {}

impl<const BYTES: usize> Bump<BYTES> {
    /// Makes an empty heap.
    #[allow(clippy::new_without_default, reason = "it is for statics")]
    pub const fn new() -> Self {
        Bump { memory: UnsafeCell::new(Memory([0; BYTES])), used: UnsafeCell::new(0) }
    }

    /// Number of bytes in use.
    pub fn used(&self) -> usize {
        // SAFETY: there is one thread, and no reference to the number is kept.
        unsafe { *self.used.get() }
    }
}

// SAFETY: allocated ranges do not overlap, are aligned, and lie inside of the array, which never moves.
unsafe impl<const BYTES: usize> GlobalAlloc for Bump<BYTES> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.memory.get().cast::<u8>();
        let used = self.used();
        let padding = start.wrapping_add(used).align_offset(layout.align());
        let end = used.checked_add(padding).and_then(|begin| begin.checked_add(layout.size()));
        match end {
            Some(end) if end <= BYTES => {
                // SAFETY: as in `used`.
                unsafe { *self.used.get() = end };
                start.wrapping_add(end - layout.size())
            }
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // The last allocation can be undone.
        let start = self.memory.get().cast::<u8>();
        if memory.wrapping_add(layout.size()) == start.wrapping_add(self.used()) {
            // SAFETY: as in `used`.
            unsafe { *self.used.get() -= layout.size() };
        }
    }
}

/// Defines a heap of this size in bytes, for `alloc`.
///
/// ```ignore
/// pvm_guest::bump_allocator!(64 * 1024);
/// ```
#[macro_export]
macro_rules! bump_allocator {
    ($bytes:expr) => {
        #[cfg_attr(any(target_arch = "riscv32", target_arch = "riscv64"), global_allocator)]
        static HEAP: $crate::allocator::Bump<{ $bytes }> = $crate::allocator::Bump::new();
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_out_is_aligned_and_does_not_overlap() {
        let heap = Bump::<256>::new();
        let mut last = 0;
        for (size, align) in [(1, 1), (8, 8), (3, 1), (32, 16), (1, 4)] {
            // SAFETY: the layout is not empty.
            let at = unsafe { heap.alloc(Layout::from_size_align(size, align).unwrap()) } as usize;
            assert_eq!(at % align, 0);
            assert!(at >= last);
            last = at + size;
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let heap = Bump::<64>::new();
        // SAFETY: the layouts are not empty.
        unsafe {
            assert!(heap.alloc(Layout::from_size_align(65, 1).unwrap()).is_null());
            assert!(heap.alloc(Layout::from_size_align(usize::MAX / 2, 1).unwrap()).is_null());
            let all = Layout::from_size_align(64, 1).unwrap();
            let memory = heap.alloc(all);
            assert!(!memory.is_null());
            assert!(heap.alloc(Layout::from_size_align(1, 1).unwrap()).is_null());
            heap.dealloc(memory, all);
        }
        assert_eq!(heap.used(), 0);
    }
}
