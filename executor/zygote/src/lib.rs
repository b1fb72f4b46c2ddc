//! The sandboxed process in which compiled guest code runs, and its protocol with the host. Used by the sandbox of
//! `pvm-engine` only. The contract is `docs/sandbox.md`.
//!
//! This library has no code: [`ELF`] is the program's bytes, built from `src/worker` by the build script, and
//! [`protocol`] is compiled into both sides.
#![no_std]

pub mod protocol;

// Never compiled here, only by the build script as a program; declared so that `cargo fmt` finds it.
#[cfg(any())]
#[path = "worker/main.rs"]
mod worker;

/// The sandboxed process as an ELF executable; empty on unsupported targets (other than Linux on AMD64).
pub static ELF: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/zygote"));
