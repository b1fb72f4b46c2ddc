//! The sandboxed process in which compiled guest code runs, and its protocol with the host. Used by the sandbox of
//! `pvm-engine` only. The contract is `docs/sandbox.md`.
//!
//! This library has no behaviour: [`ELF`] is the program's bytes, built from `src/worker` by the build script, and
//! [`protocol`] is compiled into both sides.
#![no_std]

pub mod protocol;

// Never compiled here, but by the build script as a program; so that `cargo fmt` finds it.
#[cfg(any())]
#[path = "worker/main.rs"]
mod worker;

/// The sandboxed process as an ELF executable; empty where there is none (only Linux on AMD64 has one).
pub static ELF: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/zygote"));
