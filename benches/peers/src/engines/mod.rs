//! The engines that only these benches have.

mod sbpf;
mod wasmtime;

pub use sbpf::Sbpf;
pub use wasmtime::{Compiler, Wasmtime};
