//! AMD64 encoder for a single-pass compiler. Called by the JIT of `pvm-engine` only. It encodes machine code and knows
//! nothing of guests, gas or memory maps.
//!
//! An operand combination that the processor doesn't have can't be expressed (each operand kind is its own type); every
//! form is as short as its operation and operand size allow, with the exceptions listed in the README; the code never
//! grows past its limit; no input causes a panic.
//!
//! ```
//! use pvm_assembler::{Assembler, Cond, Mem, Reg, RegSize, forms};
//!
//! let mut asm = Assembler::new(1 << 20);
//! let again = asm.new_label();
//! asm.bind(again);
//! asm.push(forms::sub_mi(RegSize::R64, Mem::base(Reg::R15, 0), 3));
//! asm.push(forms::add_rr(RegSize::R64, Reg::Rax, Reg::Rcx));
//! asm.jcc(Cond::Above, again);
//! asm.push(forms::ret());
//! assert_eq!(asm.finish().unwrap(), &[0x49, 0x83, 0x2f, 0x03, 0x48, 0x01, 0xc8, 0x77, 0xf7, 0xc3]);
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod assembler;
mod encode;
mod error;
mod feature;
pub mod forms;
mod inst;
mod label;
mod mem;
mod operand;

#[cfg(test)]
mod oracle;

pub use assembler::{Assembler, Mark};
pub use error::Error;
pub use feature::Feature;
pub use inst::Inst;
pub use label::{Label, PatchSite};
pub use mem::Mem;
pub use operand::{Cond, IndexReg, Reg, RegSize, Scale, StoreImm, Width};
