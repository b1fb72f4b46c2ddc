//! RISC-V emulator and program generator: the oracle for the linker.
//!
//! [`Emulator`] decodes and executes word by word; [`generate()`] makes relocatable ELF files of random code that
//! terminates and whose results do not depend on memory addresses. Both share nothing with the linker but the `object`
//! crate, which reads ELF files; only [`differential`], which compares the two, calls the linker.

mod assembler;
mod compressed;
pub mod differential;
mod emulator;
mod execute;
mod generate;
mod load;
mod relocate;

pub use emulator::{Emulator, Outcome};
pub use generate::{Feature, GeneratedProgram, generate, generate_with};

use pvm_test_support::Rng;

/// Random choices for the generator: from a seed, or from a fuzzer's input.
#[derive(Clone, Debug)]
pub struct Random {
    rng: Rng,
    /// Bytes that determine choices before the generator does, last one first.
    given: Vec<u8>,
}

impl Random {
    /// Creates choices from a seed.
    pub fn new(seed: u64) -> Random {
        Random { rng: Rng::new(seed), given: Vec::new() }
    }

    /// Creates choices determined by `bytes` until they are used up, so that a fuzzer can steer them.
    pub fn from_bytes(bytes: &[u8]) -> Random {
        Random { rng: Rng::new(0), given: bytes.iter().rev().copied().collect() }
    }

    /// Draws 64 random bits.
    pub fn number(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Draws a number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        match self.given.pop() {
            Some(byte) => u64::from(byte) % limit,
            None => self.number() % limit,
        }
    }

    /// Picks an item of a list, which must not be empty.
    pub fn choose<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// True with probability 1 / `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Draws a number as programs have them: often a boundary value.
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
