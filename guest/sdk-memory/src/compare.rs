//! `memcmp` and `bcmp`.

use crate::word::{Native, Word, load, load_four, opaque};
use core::ffi::c_int;

/// Compares `count` bytes: negative, zero or positive, as the first bytes that differ compare.
///
/// # Safety
/// Both must be valid for reads of `count` bytes.
#[cfg_attr(any(target_arch = "riscv32", target_arch = "riscv64"), unsafe(no_mangle))]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { order::<Native>(left, right, count) }
}

/// Compares `count` bytes: zero if they are equal.
///
/// # Safety
/// Both must be valid for reads of `count` bytes.
#[cfg_attr(any(target_arch = "riscv32", target_arch = "riscv64"), unsafe(no_mangle))]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe { c_int::from(differ::<Native>(left, right, count)) }
}

/// Returns the order of two memory ranges.
///
/// # Safety
/// Both must be valid for reads of `count` bytes.
#[inline(always)]
pub(crate) unsafe fn order<W: Word>(mut left: *const u8, mut right: *const u8, count: usize) -> c_int {
    let size = W::SIZE;
    // Bytes that are compared twice are known to be equal the second time.
    // SAFETY: no access is longer than `count`, or ends behind it.
    let (a, b): (W, W) = unsafe {
        if count >= size {
            let last = count - size;
            let (last_left, last_right) = (left.wrapping_add(last), right.wrapping_add(last));
            loop {
                if left >= last_left {
                    break (load(last_left, 0), load(last_right, 0));
                }
                let (a, b) = (load(left, 0), load(right, 0));
                if a != b {
                    break (a, b);
                }
                left = opaque(left.wrapping_add(size));
                right = right.wrapping_add(size);
            }
        } else if size > 4 && count >= 4 {
            match (load(left, 0), load(right, 0)) {
                (a, b) if a == b => (W::from_u32(load(left, count - 4)), W::from_u32(load(right, count - 4))),
                (a, b) => (W::from_u32(a), W::from_u32(b)),
            }
        } else if count >= 2 {
            match (load(left, 0), load(right, 0)) {
                (a, b) if a == b => (W::from_u16(load(left, count - 2)), W::from_u16(load(right, count - 2))),
                (a, b) => (W::from_u16(a), W::from_u16(b)),
            }
        } else if count == 1 {
            return c_int::from(*left) - c_int::from(*right);
        } else {
            return 0;
        }
    };
    let (a, b) = (a.swap_bytes(), b.swap_bytes());
    c_int::from(a > b) - c_int::from(a < b)
}

/// True if two memory ranges differ.
///
/// # Safety
/// Both must be valid for reads of `count` bytes.
#[inline(always)]
pub(crate) unsafe fn differ<W: Word>(mut left: *const u8, mut right: *const u8, count: usize) -> bool {
    let size = W::SIZE;
    // SAFETY: no access is longer than `count`, or ends behind it; each iteration begins before the last four words.
    unsafe {
        if count > 4 * size {
            let last = count - 4 * size;
            let (last_left, last_right) = (left.wrapping_add(last), right.wrapping_add(last));
            while left < last_left {
                if four_differ::<W>(left, right) {
                    return true;
                }
                left = opaque(left.wrapping_add(4 * size));
                right = right.wrapping_add(4 * size);
            }
            four_differ::<W>(last_left, last_right)
        } else if count >= 2 * size {
            let head = one_differs::<W>(left, right, 0).or(one_differs(left, right, size));
            let tail = one_differs::<W>(left, right, count - 2 * size).or(one_differs(left, right, count - size));
            !head.or(tail).is_zero()
        } else if count >= size {
            !one_differs::<W>(left, right, 0).or(one_differs(left, right, count - size)).is_zero()
        } else if size > 4 && count >= 4 {
            !one_differs::<u32>(left, right, 0).or(one_differs(left, right, count - 4)).is_zero()
        } else if count >= 2 {
            load::<u16>(left, 0) != load(right, 0) || load::<u16>(left, count - 2) != load(right, count - 2)
        } else {
            count == 1 && *left != *right
        }
    }
}

/// True if four words differ.
///
/// # Safety
/// Both must be valid for reads of them.
#[inline(always)]
unsafe fn four_differ<W: Word>(left: *const u8, right: *const u8) -> bool {
    // SAFETY: by the contract of this function.
    let (a, b): ([W; 4], [W; 4]) = unsafe { (load_four(left), load_four(right)) };
    let low = a[0].difference(b[0]).or(a[1].difference(b[1]));
    let high = a[2].difference(b[2]).or(a[3].difference(b[3]));
    !low.or(high).is_zero()
}

/// Returns the difference of the words at an offset.
///
/// # Safety
/// Both must be valid for reads of them.
#[inline(always)]
unsafe fn one_differs<W: Word>(left: *const u8, right: *const u8, offset: usize) -> W {
    // SAFETY: by the contract of this function.
    let (a, b): (W, W) = unsafe { (load(left, offset), load(right, offset)) };
    a.difference(b)
}
