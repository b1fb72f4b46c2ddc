//! Following a chain of indices through memory: each load needs the result of the one before.

use crate::{Random, region::Region};

const ELEMENTS: usize = 1 << 22;
const STEPS: usize = 1 << 19;
static NEXT: Region<[u32; ELEMENTS]> = Region::new([0; ELEMENTS]);

/// Links all elements to one cycle, in random order (Sattolo's shuffle).
pub fn initialize() {
    NEXT.with(|next| {
        for (index, element) in next.iter_mut().enumerate() {
            *element = index as u32;
        }
        let mut random = Random::new(0xcafe);
        for index in (1..ELEMENTS).rev() {
            next.swap(index, (random.next_u64() % index as u64) as usize);
        }
    });
}

/// Follows the chain; returns the last element.
pub fn run() -> u64 {
    NEXT.with(|next| {
        let mut at = 0;
        for _ in 0..STEPS {
            at = next[at as usize & (ELEMENTS - 1)];
        }
        u64::from(at)
    })
}
