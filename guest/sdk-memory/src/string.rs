//! `strlen`.

use crate::word::opaque;
use core::{ffi::c_char, ptr};

const SIZE: usize = size_of::<usize>();
const ONES: usize = usize::MAX / 0xff;

/// Returns the number of bytes before the first zero.
///
/// # Safety
/// `text` must be valid for reads up to a zero.
#[cfg_attr(any(target_arch = "riscv32", target_arch = "riscv64"), unsafe(no_mangle))]
pub unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    let start = text.cast::<u8>();
    let mut at = start;
    // SAFETY: the bytes up to the zero are readable. So is all of an aligned word that holds one of them, since readability
    // is per page; volatile, because the bytes after the zero may belong to another object.
    unsafe {
        while at.addr() % SIZE != 0 {
            if *at == 0 {
                return at.addr() - start.addr();
            }
            at = opaque(at.wrapping_add(1));
        }
        loop {
            let zeros = zero_bytes(ptr::read_volatile(at.cast()));
            if zeros != 0 {
                return at.addr() - start.addr() + zeros.trailing_zeros() as usize / 8;
            }
            at = opaque(at.wrapping_add(SIZE));
        }
    }
}

/// Returns bits that are set in zero bytes. Those above the lowest zero byte may be false positives.
#[inline(always)]
fn zero_bytes(word: usize) -> usize {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}
