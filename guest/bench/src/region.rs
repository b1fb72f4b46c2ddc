//! Large buffers in a program's zeroed data.
//!
//! Used by the programs instead of an allocator. Panics if a region is borrowed twice at the same time.

use core::cell::UnsafeCell;

/// A value in static memory, borrowed by one user at a time.
pub(crate) struct Region<T> {
    value: UnsafeCell<T>,
    taken: Flag,
}

// SAFETY: `with` gives one thread at a time access to the value, see there.
unsafe impl<T: Send> Sync for Region<T> {}

impl<T> Region<T> {
    /// Makes a region with this initial value.
    pub(crate) const fn new(value: T) -> Self {
        Region { value: UnsafeCell::new(value), taken: Flag::new() }
    }

    /// Lends the value to `user`.
    pub(crate) fn with<R>(&self, user: impl FnOnce(&mut T) -> R) -> R {
        assert!(self.taken.raise(), "the region is in use");
        // SAFETY: `taken` was lowered and is raised until below, so this is the only reference. After a panic it stays so.
        let result = user(unsafe { &mut *self.value.get() });
        self.taken.lower();
        result
    }
}

/// A flag that one thread at a time can raise.
#[cfg(not(target_arch = "bpf"))]
struct Flag(core::sync::atomic::AtomicBool);

#[cfg(not(target_arch = "bpf"))]
impl Flag {
    const fn new() -> Self {
        Flag(core::sync::atomic::AtomicBool::new(false))
    }

    /// Raises the flag; true if it was not raised before.
    fn raise(&self) -> bool {
        !self.0.swap(true, core::sync::atomic::Ordering::Acquire)
    }

    fn lower(&self) {
        self.0.store(false, core::sync::atomic::Ordering::Release);
    }
}

/// Flag for sBPF, which has one thread and no atomic instructions.
#[cfg(target_arch = "bpf")]
struct Flag(core::cell::Cell<bool>);

#[cfg(target_arch = "bpf")]
impl Flag {
    const fn new() -> Self {
        Flag(core::cell::Cell::new(false))
    }

    fn raise(&self) -> bool {
        !self.0.replace(true)
    }

    fn lower(&self) {
        self.0.set(false);
    }
}

/// Fills a buffer.
pub(crate) fn fill(bytes: &mut [u8], value: u8) {
    #[cfg(not(target_arch = "bpf"))]
    bytes.fill(value);
    // For this target it would become a call of memset, which LLVM's BPF lacks.
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: eight bytes of any values are a number.
        let (before, words, behind) = unsafe { bytes.align_to_mut::<u64>() };
        for word in words {
            *word = u64::from_ne_bytes([value; 8]);
        }
        for byte in before.iter_mut().chain(behind) {
            *byte = value;
        }
    }
}
