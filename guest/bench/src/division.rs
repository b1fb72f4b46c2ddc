//! Dependent divisions: each needs the result of the one before.

use core::hint::black_box;

const STEPS: u64 = 300_000;

/// Does nothing.
pub fn initialize() {}

/// A chain of 64-bit divisions and remainders, each of the previous result.
pub fn run() -> u64 {
    let (mut value, divisor) = (u64::MAX, black_box(0x1_0001_u64));
    for step in 0..STEPS {
        value = (value / divisor) ^ (value % divisor) ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    value
}
