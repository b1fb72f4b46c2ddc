//! `memset`.

use crate::word::{Native, Word, opaque, store, store_four};
use core::ffi::c_int;

/// Fills `count` bytes with the lowest byte of `value`. Returns `to`.
///
/// # Safety
/// `to` must be valid for writes of `count` bytes.
#[cfg_attr(any(target_arch = "riscv32", target_arch = "riscv64"), unsafe(no_mangle))]
pub unsafe extern "C" fn memset(to: *mut u8, value: c_int, count: usize) -> *mut u8 {
    // SAFETY: by the contract of this function.
    unsafe { fill::<Native>(to, value as u8, count) };
    to
}

/// Fills memory with a byte.
///
/// # Safety
/// `to` must be valid for writes of `count` bytes.
#[inline(always)]
pub(crate) unsafe fn fill<W: Word>(mut to: *mut u8, byte: u8, count: usize) {
    let size = W::SIZE;
    let word = W::splat(byte);
    // SAFETY: no access is longer than `count`, or ends behind it; each iteration begins before the last four words.
    unsafe {
        if count > 4 * size {
            let last = to.wrapping_add(count - 4 * size);
            while to < last {
                store_four(to, [word; 4]);
                to = opaque(to.wrapping_add(4 * size)).cast_mut();
            }
            store_four(last, [word; 4]);
        } else if count >= 2 * size {
            store(to, 0, word);
            store(to, size, word);
            store(to, count - 2 * size, word);
            store(to, count - size, word);
        } else if count >= size {
            store(to, 0, word);
            store(to, count - size, word);
        } else if size > 4 && count >= 4 {
            store(to, 0, word.low());
            store(to, count - 4, word.low());
        } else if count > 0 {
            // At most three bytes: for one, all are the same.
            *to = byte;
            *to.wrapping_add(count / 2) = byte;
            *to.wrapping_add(count - 1) = byte;
        }
    }
}
