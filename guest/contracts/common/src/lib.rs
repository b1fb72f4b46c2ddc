//! Library of the example contracts.
//!
//! - [`abi`]: reading arguments and writing results the way Solidity's ABI lays them out;
//! - [`hash`]: Keccak-256, function selectors, event topics;
//! - [`storage`]: the storage slots of a Solidity mapping's values;
//! - `host` (RISC-V only): the chain's functions behind safe, typed calls, and the panic handler.
//!
//! All but `host` also builds for the development machine, where `cargo test` runs the unit tests. No allocator is
//! needed: everything has a size known at compile time.
#![no_std]

// Linked for the symbols that the compiler calls by name.
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
use pvm_guest_memory as _;

pub mod abi;
pub mod hash;
#[cfg(target_arch = "riscv64")]
pub mod host;
pub mod storage;

/// Solidity's `uint256`.
pub use ruint::aliases::U256;

/// Word of the ABI and of storage: 32 bytes, numbers big-endian.
pub type Word = [u8; 32];

/// Function selector: the first four bytes of the hash of a function's signature, read as a big-endian number.
/// (A number, because comparing two of them is one instruction.)
pub type Selector = u32;

/// Address of an account or contract on the chain: 20 bytes.
pub type Address = [u8; 20];

/// Exports a contract's entry points: `deploy`, which the chain calls once, and `call`, which it calls from then on. Both
/// arguments are functions from the call's data to the reply.
#[macro_export]
macro_rules! entry_points {
    (deploy: $deploy:expr, call: $call:expr) => {
        #[polkavm_derive::polkavm_export]
        extern "C" fn deploy() {
            $crate::host::answer($deploy)
        }

        #[polkavm_derive::polkavm_export]
        extern "C" fn call() {
            $crate::host::answer($call)
        }
    };
}
