//! Three loops that do the same work and differ only in stride, which no cost per instruction can distinguish.
//!
//! Each visits every element of a buffer of 32 MiB once. With a stride of one and of a few elements the processor's
//! caches and prefetchers help; with a stride of a bit more than a page, nothing does.

use crate::region::Region;

/// Number of elements: a power of two, so that any odd stride visits all of them.
const ELEMENTS: usize = 1 << 23;
static BUFFER: Region<[u32; ELEMENTS]> = Region::new([0; ELEMENTS]);

/// Fills the buffer.
pub fn initialize() {
    BUFFER.with(|buffer| {
        for (index, element) in buffer.iter_mut().enumerate() {
            *element = (index as u32).wrapping_mul(0x9e37_79b9);
        }
    });
}

/// Stride 1.
pub fn sequential() -> u64 {
    walk(1)
}

/// Stride 4,099 elements: 16 KiB and 12 bytes.
pub fn large() -> u64 {
    walk(4099)
}

/// Stride 5 elements: 20 bytes.
pub fn small() -> u64 {
    walk(5)
}

/// The sum of all elements. Not inlined, so that the three programs run the same instructions.
#[inline(never)]
fn walk(stride: usize) -> u64 {
    BUFFER.with(|buffer| {
        let (mut sum, mut index) = (0_u64, 0);
        for _ in 0..ELEMENTS {
            sum = sum.wrapping_add(u64::from(buffer[index]));
            index = (index + stride) & (ELEMENTS - 1);
        }
        sum
    })
}
