//! Filling and copying memory: byte by byte in loops, and by the library's functions.

use crate::{
    mix,
    region::{Region, fill},
};
use core::ptr::{read_volatile, write_volatile};

const LENGTH: usize = 256 * 1024;
static BUFFERS: Region<[[u8; LENGTH]; 2]> = Region::new([[0; LENGTH]; 2]);

/// Touches the memory.
pub fn initialize() {
    BUFFERS.with(|[from, to]| {
        fill(from, 1);
        fill(to, 2);
    });
}

/// Fills one buffer of 256 KiB with byte stores and copies it with byte loads and stores to the other.
pub fn byte_loops() -> u64 {
    BUFFERS.with(|[from, to]| {
        for byte in from.iter_mut() {
            // SAFETY: a reference is valid to write through. Volatile, so that the loop does not become a call of memset.
            unsafe { write_volatile(byte, 7) };
        }
        for (from, to) in from.iter().zip(to.iter_mut()) {
            // SAFETY: references are valid to read and write through. Volatile as above.
            unsafe { write_volatile(to, read_volatile(from)) };
        }
        sample(to)
    })
}

/// Fills and copies 256 KiB sixteen times by memset and memcpy, as the compiler provides them.
pub fn library_calls() -> u64 {
    BUFFERS.with(|[from, to]| {
        let mut sum = 0;
        for round in 0..16 {
            from.fill(round);
            to.copy_from_slice(from);
            sum = mix(sum, sample(to));
        }
        sum
    })
}

/// Small copies and fills, 1 to 64 bytes, as in programs that pass structures around.
pub fn small_copies() -> u64 {
    BUFFERS.with(|[from, to]| {
        from.fill(3);
        let mut random = crate::Random::new(0xc0de);
        for _ in 0..40_000 {
            let bits = random.next_u64();
            // Low bits only, which are the same where addresses have 32 bits.
            let below = |bits: u64| (bits % (LENGTH as u64 - 64)) as usize;
            let (source, target, length) = (below(bits), below(bits >> 20), (bits >> 40) as usize % 64 + 1);
            to[target..target + length].copy_from_slice(&from[source..source + length]);
            from[target..target + length / 2].fill(bits as u8);
        }
        sample(to)
    })
}

/// Returns a checksum of a few of the bytes.
fn sample(data: &[u8]) -> u64 {
    data.iter().step_by(4093).fold(0, |sum, byte| mix(sum, u64::from(*byte)))
}
