//! Calls of host functions: an empty one, and one that reads and writes memory as those of a contract do. Measures the
//! round trip.

use crate::mix;

/// Number of host calls in a run.
pub const CALLS: u64 = 1000;

#[cfg(target_arch = "riscv64")]
#[polkavm_derive::polkavm_import]
unsafe extern "C" {
    fn nothing(value: u64) -> u64;
    fn exchange(input: *const Input, output: *mut u64);
}

#[cfg(target_arch = "wasm32")]
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn nothing(value: u64) -> u64;
    fn exchange(input: *const Input, output: *mut u64);
}

#[cfg(not(any(target_arch = "riscv64", target_arch = "wasm32")))]
unsafe fn nothing(value: u64) -> u64 {
    core::hint::black_box(value)
}

#[cfg(not(any(target_arch = "riscv64", target_arch = "wasm32")))]
unsafe fn exchange(input: *const Input, output: *mut u64) {
    // SAFETY: the caller's pointers are to its own variables.
    unsafe { *output = core::hint::black_box(*input).into_iter().fold(0, u64::wrapping_add) }
}

/// Bytes that the host reads: 128.
type Input = [u64; 16];

/// Does nothing.
pub fn initialize() {}

/// Calls the host function, which returns its argument.
pub fn run() -> u64 {
    // SAFETY: every machine defines the function, and it does not access memory.
    (0..CALLS).fold(0, |sum, value| mix(sum, unsafe { nothing(value) }))
}

/// Calls the host function that reads 128 bytes and writes the sum of their 16 words.
pub fn run_with_memory() -> u64 {
    let mut input: Input = [1; 16];
    let mut sum = 0;
    for round in 0..CALLS {
        // Both sides write all of it in turns, as a contract makes its arguments anew for each call.
        input.iter_mut().for_each(|word| *word = word.wrapping_add(sum ^ round));
        let mut output = 0;
        // SAFETY: every machine defines the function, which reads the one and writes the other.
        unsafe { exchange(&raw const input, &raw mut output) };
        sum = mix(sum, output);
    }
    sum
}
