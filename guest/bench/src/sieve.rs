//! The sieve of Eratosthenes over a byte per number.

use crate::region::{Region, fill};

const LIMIT: usize = 1 << 20;
static COMPOSITE: Region<[u8; LIMIT]> = Region::new([0; LIMIT]);

/// Touches the memory.
pub fn initialize() {
    COMPOSITE.with(|composite| fill(composite, 0));
}

/// Counts the primes below 2^20: 82,025.
pub fn run() -> u64 {
    COMPOSITE.with(|composite| {
        fill(composite, 0);
        let mut primes = 0;
        for number in 2..LIMIT {
            if composite[number] != 0 {
                continue;
            }
            primes += 1;
            // Larger squares are out of range, and would not fit into 32 bits.
            if number > LIMIT / number {
                continue;
            }
            let mut multiple = number * number;
            while multiple < LIMIT {
                composite[multiple] = 1;
                multiple += number;
            }
        }
        primes
    })
}
