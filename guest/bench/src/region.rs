//! Big buffers that live in a program's zeroed data.
//!
//! Used by the programs instead of an allocator. Assumes nothing: a second borrow at the same time panics.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value in static memory, borrowed by one user at a time.
pub(crate) struct Region<T> {
    value: UnsafeCell<T>,
    taken: AtomicBool,
}

// SAFETY: `with` lets one thread at a time at the value, see there.
unsafe impl<T: Send> Sync for Region<T> {}

impl<T> Region<T> {
    /// A region with this value at first.
    pub(crate) const fn new(value: T) -> Self {
        Region { value: UnsafeCell::new(value), taken: AtomicBool::new(false) }
    }

    /// Lends the value to `user`.
    pub(crate) fn with<R>(&self, user: impl FnOnce(&mut T) -> R) -> R {
        assert!(!self.taken.swap(true, Ordering::Acquire), "the region is in use");
        // SAFETY: `taken` was false and is true until below, so this is the only reference. After a panic it stays true.
        let result = user(unsafe { &mut *self.value.get() });
        self.taken.store(false, Ordering::Release);
        result
    }
}
