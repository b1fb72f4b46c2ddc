//! Hash maps for integers.
//!
//! The standard library's hasher resists chosen collisions. Here a user who chooses collisions only slows down his own
//! linking, and hashing is a large part of the work. Output never depends on the iteration order of a map, as its bytes
//! must be reproducible.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A hash map.
pub type Map<K, V> = HashMap<K, V, BuildHasherDefault<Numbers>>;
/// A hash set.
pub type Set<K> = HashSet<K, BuildHasherDefault<Numbers>>;

/// Hasher that multiplies and rotates.
#[derive(Clone, Copy, Default)]
pub struct Numbers(u64);

impl Numbers {
    fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Numbers {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.add(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.add((*byte).into()));
    }

    fn write_u8(&mut self, value: u8) {
        self.add(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.add(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.add(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_i64(&mut self, value: i64) {
        self.add(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.add(value as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes its index from the low bits, while the high bits of products are the best ones.
        self.0.rotate_left(26)
    }
}
