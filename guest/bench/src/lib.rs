//! The benchmark programs: real workloads, and loops that are extreme cases for a gas model.
//!
//! Compiled three times from this source: for RISC-V and for wasm, where the binaries in `src/bin` export
//! `initialize()` and `run()` of one program each, and for the host, where the benches ask it for the results to expect.
//! Each module has these two functions. `initialize` is called once and prepares memory; `run` does the work, any number
//! of times, and returns a checksum that is the same every time and on every machine. The binaries export `run_ten`, too:
//! ten times `run` in one call, to measure running and not calling. Those that can be are compiled for sBPF (`sbpf.rs`).
#![no_std]

// Linked for the symbols that the compiler calls by name.
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
use pvm_guest_memory as _;

pub mod branches;
pub mod calls;
pub mod contract;
pub mod division;
pub mod ed25519;
pub mod emulator;
pub mod evm;
pub mod hashes;
pub mod host_calls;
pub mod memory;
pub mod pointer_chase;
mod region;
#[cfg(target_arch = "bpf")]
mod sbpf;
pub mod sieve;
pub mod strides;

/// Generates the exports and the panic handler of a binary from one program's functions.
#[macro_export]
macro_rules! program {
    ($initialize:path, $run:path) => {
        /// Prepares the program's memory.
        #[cfg_attr(target_arch = "riscv64", polkavm_derive::polkavm_export)]
        #[cfg_attr(not(target_arch = "riscv64"), unsafe(no_mangle))]
        extern "C" fn initialize() {
            $initialize()
        }

        /// Does the work; returns the checksum.
        #[cfg_attr(target_arch = "riscv64", polkavm_derive::polkavm_export)]
        #[cfg_attr(not(target_arch = "riscv64"), unsafe(no_mangle))]
        extern "C" fn run() -> u64 {
            once()
        }

        /// Does the work ten times; returns the checksum.
        #[cfg_attr(target_arch = "riscv64", polkavm_derive::polkavm_export)]
        #[cfg_attr(not(target_arch = "riscv64"), unsafe(no_mangle))]
        extern "C" fn run_ten() -> u64 {
            let mut sum = 0;
            for _ in 0..10 {
                sum = core::hint::black_box(once());
            }
            sum
        }

        // Not inlined, so that the code exists once.
        #[inline(never)]
        fn once() -> u64 {
            $run()
        }

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            #[cfg(target_arch = "wasm32")]
            core::arch::wasm32::unreachable();
            #[cfg(target_arch = "riscv64")]
            // SAFETY: an undefined instruction: the machine traps, and control does not return.
            unsafe {
                core::arch::asm!("unimp", options(noreturn))
            }
            #[cfg(not(any(target_arch = "wasm32", target_arch = "riscv64")))]
            loop {}
        }
    };
}

/// A pseudo-random number generator (xorshift64), the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts a sequence; `seed` must not be 0.
    pub const fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Mixes a number into a checksum that depends on the order.
#[inline]
pub(crate) const fn mix(sum: u64, value: u64) -> u64 {
    (sum ^ value).rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
