//! Reference interpreter: a second implementation of the virtual machine, as simple as possible, and slow.
//!
//! Used by the `pvm-oracle` crate to decide between engines, and for the expected values of the test vectors. It is
//! written from `docs/spec` alone, with JAM's gray paper as its second source, and shares no code with any engine.
//! If it is wrong, the text is corrected first. It favours the reader over the processor: names are matched as
//! strings, memory is a map of pages, and code is decoded one instruction at a time. Its input is untrusted.

#![forbid(unsafe_code)]

mod blob;
mod calibrated;
mod code;
mod execute;
mod gas;
mod interpreter;
mod memory;
mod table;

pub use blob::{Blob, Refused};
pub use gas::Model;
pub use interpreter::{Config, Interpreter, Metering, Outcome};

/// An instruction set: `docs/spec/README.md#the-specification`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isa {
    /// 64 bits, the one contracts are written in.
    ReviveV1,
    /// 32 bits.
    Latest32,
    /// 64 bits.
    JamV1,
}

impl Isa {
    /// True if registers have 64 bits.
    pub fn wide(self) -> bool {
        self != Isa::Latest32
    }
}
