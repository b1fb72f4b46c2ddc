//! `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp` and `strlen` for guests of the virtual machine.
//!
//! Compilers call these functions by name. The ones of `compiler_builtins` are made for machines without unaligned access:
//! they copy bytes up to a boundary and combine words by shifts. Here unaligned access is as fast as aligned, so these
//! move whole words from the first byte on: up to four words by a head and a tail that overlap, more by four words per
//! iteration (32 bytes, or 16 on a 32-bit machine) and a last four that overlap the previous ones.
//!
//! A crate that depends on this one has to name it, so that it is linked: `use pvm_guest_memory as _;`. The symbols are
//! strong, those of `compiler_builtins` weak. On the development machine they are plain functions, for unit tests.
#![no_std]
// WARNING: without this LLVM recognizes the loops, and replaces them by calls of the functions that they are in.
#![no_builtins]

mod compare;
mod copy;
mod fill;
mod string;
mod word;

pub use compare::{bcmp, memcmp};
pub use copy::{memcpy, memmove};
pub use fill::memset;
pub use string::strlen;

#[cfg(test)]
mod tests;
