//! SDK for guests of the virtual machine, 32- or 64-bit.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//!
//! #[pvm_guest::pvm_import]
//! unsafe extern "C" {
//!     fn print(text: *const u8, length: usize);
//! }
//!
//! #[pvm_guest::pvm_export]
//! extern "C" fn add(a: u32, b: u64) -> u64 {
//!     u64::from(a) + b
//! }
//! ```
//!
//! - [`pvm_export`], [`pvm_import`]: the guest's exports, and its host functions;
//! - [`min_stack_size!`]: the stack size that the guest needs;
//! - [`bump_allocator!`]: a heap of a fixed size, for `alloc`;
//! - the feature `panic-handler`: a panic is a trap;
//! - [`memory`]: `memcpy` and its like, which the compiler calls by name, for a machine with fast unaligned access. They
//!   take the place of those of `compiler_builtins`.
//!
//! `pvm build` compiles and links such a crate. On the development machine exports are plain functions, for unit tests.
#![no_std]

pub mod allocator;
pub mod linker;

pub use pvm_guest_macros::{pvm_export, pvm_import};
pub use pvm_guest_memory as memory;

/// Stops the program with a trap.
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
pub fn trap() -> ! {
    // SAFETY: `unimp` has no operands and does not access memory; control never returns from it.
    unsafe { core::arch::asm!("unimp", options(noreturn, nomem, nostack)) }
}

/// Stops the program; on the development machine by a panic.
#[cfg(not(any(target_arch = "riscv32", target_arch = "riscv64")))]
pub fn trap() -> ! {
    panic!("trap")
}

#[cfg(all(feature = "panic-handler", any(target_arch = "riscv32", target_arch = "riscv64")))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    trap()
}

/// Requests a stack of at least this size in bytes. The largest of several requests counts.
///
/// ```ignore
/// pvm_guest::min_stack_size!(65536);
/// ```
#[macro_export]
macro_rules! min_stack_size {
    ($bytes:expr) => {
        const _: () = {
            #[cfg_attr(
                any(target_arch = "riscv32", target_arch = "riscv64"),
                unsafe(link_section = ".polkavm_min_stack_size")
            )]
            #[used]
            static MIN_STACK_SIZE: u32 = $bytes;
        };
    };
}
