//! Program blobs as text: a disassembler ([`Listing`]) and an assembler ([`assemble`]).
//!
//! Used by tests and tools, never on the way of running a program. Both derive from the instruction table; neither has
//! a list of opcodes. Assembling a listing reproduces the blob byte for byte, for any blob: whatever the plain forms
//! would encode differently is listed in raw forms.
//!
//! # The language
//!
//! One statement a line. A `;` begins a comment. Numbers are decimal or `0x`, and may have a minus. Strings are in `"`
//! with the escapes `\" \\ \n \t \xNN`. The first statement is `.isa`.
//!
//! | statement | meaning |
//! |---|---|
//! | `.isa ReviveV1` | the instruction set |
//! | `.ro_size N`, `.rw_size N`, `.stack_size N` | sizes of memory; those of data default to the data's length |
//! | `.ro_data BYTES`, `.rw_data BYTES` | initial data; `BYTES` are pairs of hex digits and strings |
//! | `.import "name"` | the next import |
//! | `.export "name" TARGET` | an entry point |
//! | `.jump_table TARGET, …` | further entries of the jump table |
//! | `.jump_table_form COUNT SIZE` | its number of entries and their size in bytes, where they are not the usual ones |
//! | `.section ID BYTES` | a section as it is |
//! | `.data BYTES` | more of the data or section begun last |
//! | `.trailing BYTES` | bytes after the blob's end marker |
//! | `NAME:` | a label for the code that follows; a name begins with a letter, `_` or `@` |
//! | `MNEMONIC OPERANDS` | an instruction, operands by commas; the destination is always first |
//! | `MNEMONIC.wN OPERANDS` | a jump whose offset takes `N` bytes, where that is not the fewest |
//! | `.bytes *NN NN …` | bytes of code as they are; a star says that an instruction starts there |
//!
//! A `TARGET` is a label or a number, which is a code offset. Jumps only reach the beginnings of blocks: a label that
//! is jumped to must follow an instruction that ends a block, `fallthrough` if there is no other.
//!
//! ```
//! use vm_core::text;
//!
//! let blob = text::assemble(
//!     r#"
//!     .isa ReviveV1
//!     .export "sum" sum
//!     sum:    load_imm a1, 0
//!             fallthrough
//!     again:  add_64 a1, a1, a0
//!             add_imm_64 a0, a0, -1
//!             branch_not_eq_imm a0, 0, again
//!             move_reg a0, a1
//!             jump_indirect ra, 0
//!     "#,
//! )?;
//! let listing = text::Listing::new(&blob)?.to_string();
//! assert_eq!(text::assemble(&listing)?, blob);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assembler;
mod error;
mod layout;
mod lexer;
mod listing;
mod operand;
mod widths;

pub use assembler::assemble;
pub use error::{TextError, TextErrorKind};
pub use listing::Listing;
pub use operand::{Pseudocode, pseudocode};
