//! A contract of 100 KB of which a call runs a thousand instructions: measures the cost of loading.

use crate::{ed25519, emulator, evm, hashes, memory, mix};
use core::hint::black_box;

/// Does nothing.
pub fn initialize() {}

/// A call that does little. The other functions make the program large; the compiler cannot know that they are never
/// called.
pub fn run() -> u64 {
    match black_box(0) {
        0 => (0..140).fold(1, mix),
        1 => ed25519::run(),
        2 => evm::run(),
        3 => emulator::run(),
        4 => hashes::sha256(),
        5 => hashes::keccak(),
        _ => memory::small_copies(),
    }
}
