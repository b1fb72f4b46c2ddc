//! Guest of the engine's example: called by its host, and calls it back.
//!
//! Built by `scripts/build-guest hello_world`; run by `executor/engine/examples/hello_world.rs`.
#![no_std]
#![no_main]

#[polkavm_derive::polkavm_import]
unsafe extern "C" {
    /// Returns the number that the host wants to add.
    fn get_third_number() -> u32;
}

/// Returns the sum of two numbers and the host's; wraps around.
#[polkavm_derive::polkavm_export]
extern "C" fn add_numbers(a: u32, b: u32) -> u32 {
    // SAFETY: the host function has no parameters and does not access memory.
    let third = unsafe { get_third_number() };
    a.wrapping_add(b).wrapping_add(third)
}

/// Turns a panic into a trap.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: `unimp` has no operands and does not access memory; control never returns from it.
    unsafe { core::arch::asm!("unimp", options(noreturn, nomem, nostack)) }
}
