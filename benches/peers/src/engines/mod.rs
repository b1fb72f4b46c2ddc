//! Engines that only these benches use.

mod sbpf;
mod wasmtime;

pub use sbpf::Sbpf;
pub use wasmtime::{Compiler, Wasmtime};
