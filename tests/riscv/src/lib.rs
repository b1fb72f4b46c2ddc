//! RISC-V emulator and program generator: the oracle for the linker.
//!
//! Shares nothing with the linker but the `object` crate that both read ELF files with. [`Emulator`] decodes and executes
//! word by word; [`generate()`] makes relocatable ELF files of random code that ends and whose results do not depend on
//! where things are in memory.

mod assembler;
mod compressed;
mod emulator;
mod execute;
mod generate;
mod load;
mod relocate;

pub use emulator::{Emulator, Outcome};
pub use generate::{Feature, GeneratedProgram, generate, generate_with};

/// A generator of numbers that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// What comes first, from its end on.
    given: Vec<u8>,
}

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Random {
        Random { state: seed, given: Vec::new() }
    }

    /// One whose choices are `bytes` while there are some, so that a fuzzer can steer it.
    pub fn from_bytes(bytes: &[u8]) -> Random {
        Random { state: 0, given: bytes.iter().rev().copied().collect() }
    }

    /// The next one.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// One below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        match self.given.pop() {
            Some(byte) => u64::from(byte) % limit,
            None => self.number() % limit,
        }
    }

    /// One of a list that is not empty.
    pub fn choose<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// Whether something that happens once in `times` does.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A number as programs have them: often at an edge.
    pub fn value(&mut self) -> u64 {
        const EDGES: [u64; 14] = [
            0,
            1,
            2,
            u64::MAX,
            0x7f,
            0x80,
            0x7fff,
            0x8000,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x7fff_ffff_ffff_ffff,
            0x8000_0000_0000_0000,
            0xffff_ffff_8000_0000,
        ];
        match self.below(4) {
            0 => self.choose(&EDGES),
            1 => self.below(256),
            2 => (self.number() as i16) as u64,
            _ => self.number(),
        }
    }
}
