//! Calls of an empty host function: measures the round trip.

use crate::mix;

/// Number of host calls in a run.
pub const CALLS: u64 = 1000;

#[cfg(target_arch = "riscv64")]
#[polkavm_derive::polkavm_import]
unsafe extern "C" {
    fn nothing(value: u64) -> u64;
}

#[cfg(target_arch = "wasm32")]
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn nothing(value: u64) -> u64;
}

#[cfg(not(any(target_arch = "riscv64", target_arch = "wasm32")))]
unsafe fn nothing(value: u64) -> u64 {
    core::hint::black_box(value)
}

/// Does nothing.
pub fn initialize() {}

/// Calls the host function, which returns its argument.
pub fn run() -> u64 {
    // SAFETY: every machine defines the function, and it does not access memory.
    (0..CALLS).fold(0, |sum, value| mix(sum, unsafe { nothing(value) }))
}
