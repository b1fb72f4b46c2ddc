//! `memcpy` and `memmove`.

use crate::word::{Native, Word, load, load_four, opaque, store, store_four};

/// Copies `count` bytes between ranges that do not overlap, or are identical. Returns `to`.
///
/// # Safety
/// `from` must be valid for reads of `count` bytes, and `to` for writes.
#[cfg_attr(any(target_arch = "riscv32", target_arch = "riscv64"), unsafe(no_mangle))]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: by the contract of this function.
    unsafe { copy_forward::<Native>(to, from, count) };
    to
}

/// Copies `count` bytes between ranges that may overlap. Returns `to`.
///
/// # Safety
/// `from` must be valid for reads of `count` bytes, and `to` for writes.
#[cfg_attr(any(target_arch = "riscv32", target_arch = "riscv64"), unsafe(no_mangle))]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: by the contract of this function.
    unsafe { copy_overlapping::<Native>(to, from, count) };
    to
}

/// Copies between ranges that do not overlap.
///
/// # Safety
/// `from` must be valid for reads of `count` bytes, and `to` for writes.
#[inline(always)]
pub(crate) unsafe fn copy_forward<W: Word>(mut to: *mut u8, mut from: *const u8, count: usize) {
    if count <= 4 * W::SIZE {
        // SAFETY: by the contract of this function.
        return unsafe { copy_few::<W>(to, from, count) };
    }
    let last = count - 4 * W::SIZE;
    let (last_to, last_from) = (to.wrapping_add(last), from.wrapping_add(last));
    // SAFETY: each iteration begins before the last four words, and ends in front of their end.
    unsafe {
        while from < last_from {
            store_four::<W>(to, load_four(from));
            from = opaque(from.wrapping_add(4 * W::SIZE));
            to = to.wrapping_add(4 * W::SIZE);
        }
        store_four::<W>(last_to, load_four(last_from));
    }
}

/// Copies between ranges that may overlap.
///
/// # Safety
/// `from` must be valid for reads of `count` bytes, and `to` for writes.
#[inline(always)]
pub(crate) unsafe fn copy_overlapping<W: Word>(mut to: *mut u8, mut from: *const u8, mut count: usize) {
    let turn = 4 * W::SIZE;
    // SAFETY: as long as more is left than an iteration copies, it is inside the caller's ranges. No iteration overwrites
    // bytes that a later one has to load, as they move away from the end at which the target begins inside of the source.
    unsafe {
        if count > turn {
            if to.addr().wrapping_sub(from.addr()) < count {
                let (mut to_end, mut from_end) = (to.wrapping_add(count), from.wrapping_add(count));
                let stop = from.wrapping_add(turn);
                while from_end > stop {
                    to_end = to_end.wrapping_sub(turn);
                    from_end = opaque(from_end.wrapping_sub(turn));
                    store_four::<W>(to_end, load_four(from_end));
                }
                count = from_end.addr().wrapping_sub(from.addr());
            } else {
                let end = from.wrapping_add(count);
                let stop = end.wrapping_sub(turn);
                while from < stop {
                    store_four::<W>(to, load_four(from));
                    from = opaque(from.wrapping_add(turn));
                    to = to.wrapping_add(turn);
                }
                count = end.addr().wrapping_sub(from.addr());
            }
        }
        copy_few::<W>(to, from, count);
    }
}

/// Copies up to four words; the ranges may overlap, because all loads come before the first store.
///
/// # Safety
/// `from` must be valid for reads of `count` bytes, and `to` for writes.
#[inline(always)]
unsafe fn copy_few<W: Word>(to: *mut u8, from: *const u8, count: usize) {
    let size = W::SIZE;
    // SAFETY: no access is longer than `count`, or ends behind it.
    unsafe {
        if count >= 2 * size {
            let head: (W, W) = (load(from, 0), load(from, size));
            let tail: (W, W) = (load(from, count - 2 * size), load(from, count - size));
            store(to, 0, head.0);
            store(to, size, head.1);
            store(to, count - 2 * size, tail.0);
            store(to, count - size, tail.1);
        } else if count >= size {
            copy_ends::<W>(to, from, count);
        } else if size > 4 && count >= 4 {
            copy_ends::<u32>(to, from, count);
        } else if count >= 2 {
            copy_ends::<u16>(to, from, count);
        } else if count == 1 {
            *to = *from;
        }
    }
}

/// Copies one to two values of a type, from both ends.
///
/// # Safety
/// As that of [`copy_few`]; `count` must be at least the size of the type, and twice that at most.
#[inline(always)]
unsafe fn copy_ends<T: Copy>(to: *mut u8, from: *const u8, count: usize) {
    let last = count - size_of::<T>();
    // SAFETY: by the contract of this function.
    unsafe {
        let (head, tail): (T, T) = (load(from, 0), load(from, last));
        store(to, 0, head);
        store(to, last, tail);
    }
}
