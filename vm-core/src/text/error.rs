//! Errors of the assembler.

use crate::blob::BlobError;
use crate::isa::Isa;
use alloc::string::String;
use core::fmt;

/// Error of [`super::assemble`], with its position in the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextError {
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1.
    pub column: u32,
    /// Kind of error.
    pub kind: TextErrorKind,
}

/// Kind of assembler error. Words quoted from the text are cut at [`TextErrorKind::QUOTED`] characters.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TextErrorKind {
    /// Syntax error: another item was expected.
    Expected {
        /// The expected item.
        what: &'static str,
        /// The text found instead; empty at the end of the line.
        found: String,
    },
    /// The first statement is not `.isa`.
    NoIsa,
    /// Unknown instruction set.
    UnknownIsa {
        /// The name given.
        name: String,
    },
    /// Unknown directive.
    UnknownDirective {
        /// The word.
        name: String,
    },
    /// Unknown mnemonic: no instruction set has it.
    UnknownMnemonic {
        /// The word.
        name: String,
    },
    /// The instruction belongs to another instruction set.
    NotInIsa {
        /// The instruction.
        mnemonic: &'static str,
        /// The program's instruction set.
        isa: Isa,
    },
    /// A number is too small or too large for its place.
    OutOfRange {
        /// The number found; one beyond 64 bits shows as the nearest that fits 65.
        value: i128,
        /// The minimum allowed.
        min: i128,
        /// The maximum allowed.
        max: i128,
    },
    /// A label is used but not defined.
    UnknownLabel {
        /// Its name.
        name: String,
    },
    /// A label, directive or section appears again, though it may appear only once.
    Repeated {
        /// Its name.
        name: String,
    },
    /// An offset width was given for an instruction that does not jump.
    NoOffset {
        /// The instruction.
        mnemonic: &'static str,
    },
    /// The offset of a jump does not fit the width given.
    JumpTooFar {
        /// Distance from the jump to its target, in bytes.
        distance: i32,
        /// The width in bytes.
        width: u8,
    },
    /// A part is longer than the format or the text itself allows.
    TooLong {
        /// The part of the program.
        what: &'static str,
        /// Its length or number of entries.
        actual: u64,
        /// The limit.
        limit: u64,
    },
    /// The given sections do not form a valid blob.
    Blob(BlobError),
}

impl TextErrorKind {
    /// Length in characters at which quoted words are cut.
    pub const QUOTED: usize = 40;
}

impl fmt::Display for TextErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextErrorKind::Expected { what, found } if found.is_empty() => {
                write!(f, "expected {what}, but the line ends")
            }
            TextErrorKind::Expected { what, found } => write!(f, "expected {what}, found `{found}`"),
            TextErrorKind::NoIsa => write!(f, "the first statement must be `.isa`"),
            TextErrorKind::UnknownIsa { name } => {
                write!(f, "unknown instruction set `{name}`, there are")?;
                for (index, isa) in Isa::ALL.iter().enumerate() {
                    write!(f, "{} {}", if index == 0 { "" } else { "," }, isa.name())?;
                }
                Ok(())
            }
            TextErrorKind::UnknownDirective { name } => write!(f, "unknown directive `{name}`"),
            TextErrorKind::UnknownMnemonic { name } => write!(f, "unknown instruction `{name}`"),
            TextErrorKind::NotInIsa { mnemonic, isa } => write!(f, "`{mnemonic}` does not exist in {}", isa.name()),
            TextErrorKind::OutOfRange { value, min, max } => write!(f, "{value} is not in the range {min} to {max}"),
            TextErrorKind::UnknownLabel { name } => write!(f, "there is no label `{name}`"),
            TextErrorKind::Repeated { name } => write!(f, "`{name}` is there already"),
            TextErrorKind::NoOffset { mnemonic } => write!(f, "`{mnemonic}` has no jump offset to give a width to"),
            TextErrorKind::JumpTooFar { distance, width } => {
                write!(f, "the distance {distance} does not fit a jump offset of {width} bytes")
            }
            TextErrorKind::TooLong { what, actual, limit } => {
                write!(f, "{what} of {actual}, the limit is {limit}")
            }
            TextErrorKind::Blob(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.kind)
    }
}

impl core::error::Error for TextError {}
