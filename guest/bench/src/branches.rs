//! Unpredictable branches.

use crate::Random;
use core::hint::black_box;

const STEPS: u32 = 100_000;

/// Does nothing.
pub fn initialize() {}

/// Takes one of sixteen paths, selected by the bits of a random number, many times.
pub fn run() -> u64 {
    let mut random = Random::new(0xb4a2c4);
    let (mut a, mut b) = (1_u64, 2_u64);
    for _ in 0..STEPS {
        let bits = random.next_u64();
        // `black_box` keeps each arm a branch.
        if bits & 1 == 0 {
            a = black_box(a.wrapping_add(b));
        } else {
            b = black_box(b ^ a);
        }
        if bits & 2 == 0 {
            a = black_box(a.rotate_left(3));
        } else {
            a = black_box(a.wrapping_sub(7));
        }
        if bits & 4 == 0 {
            b = black_box(b.wrapping_add(bits));
        }
        if bits & 8 == 0 {
            a = black_box(a ^ (b >> 5));
        }
    }
    a ^ b
}
