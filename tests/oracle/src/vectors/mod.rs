//! Test vectors as text: `tests/vectors/*.txt`, one behaviour a file.
//!
//! # The language
//!
//! One statement a line; a `#` begins a comment.
//!
//! | statement | meaning |
//! |---|---|
//! | `isa NAME …` | the instruction sets that what follows is for; it is the same in all of them |
//! | `model naive`, `model pipeline M` or `model calibrated 1` | the cost model of what follows; naive at first |
//! | `aux N` | the size of the aux region of what follows; 0 at first |
//! | `program` | the indented lines below it are a program, as the assembler takes them, without the `.isa` |
//! | `case BEFORE => AFTER` | a new machine, entered at the start of the code, and how it stops |
//! | `then BEFORE => AFTER` | the machine of the case above continues |
//! | `cost OFFSET = N` | the cost of the block at this code offset; `none` if there is no block |
//!
//! Before a run `REG=VALUE` sets a register, `gas=N` the gas, `[ADDRESS]=BYTES` memory, `enter=OFFSET` the next pc,
//! `sbrk=N` grows the heap. The defaults: `ra` holds the address of the host and `sp` that of the end of the stack, the
//! other registers hold 0x5500 and their number; the gas is 100.
//!
//! Behind the arrow is the outcome, with the code offset where it stopped after an `@`: `finished`, `trap@PC`,
//! `out-of-gas@PC`, `host-call:NUMBER@PC`; then `next=PC` where the run can continue, every register and every row of
//! bytes that changed, `heap=N` if the heap has a size, and always `gas=N`. Everything else is unchanged.

mod drafts;
mod fill;
mod parse;
mod run;

pub use drafts::drafts;
pub use fill::fill;
pub use parse::{After, Before, Item, ParseError, Statement, parse};
pub use run::{Failure, MODES, Mode, check};

use std::path::PathBuf;

/// Folder of the vectors.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors"))
}
