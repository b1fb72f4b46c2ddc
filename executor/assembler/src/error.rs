//! Errors of the assembler. The assembler keeps the first one, and `finish` returns it, so that emission itself returns
//! nothing.

use core::fmt;

/// Error of the assembler. Offsets are bytes from the start of the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The code would be longer than the assembler's limit.
    CodeTooLarge {
        /// Offset at which the instruction that no longer fits would have begun.
        offset: u32,
        /// Its length in bytes.
        length: u32,
        /// The limit in bytes.
        limit: u32,
    },
    /// Reference to a label that was never bound.
    UnboundLabel {
        /// The label's number.
        label: u32,
        /// Offset of the displacement that should reach it.
        offset: u32,
    },
    /// A label was bound twice.
    LabelBoundTwice {
        /// The label's number.
        label: u32,
        /// Offset of the first binding.
        first: u32,
        /// Offset of the second one.
        second: u32,
    },
    /// A label of another assembler, or from before `clear`.
    UnknownLabel {
        /// The label's number.
        label: u32,
        /// Number of labels made so far.
        count: u32,
    },
    /// A displacement doesn't fit in its field.
    DisplacementOutOfRange {
        /// Offset of the field.
        offset: u32,
        /// The displacement it should hold.
        displacement: i64,
        /// The field's size in bits.
        bits: u8,
    },
    /// `push_rip` was given an instruction without a `rip` operand.
    NoRipOperand {
        /// Offset at which the instruction would have begun.
        offset: u32,
    },
    /// A patch site that isn't in this code.
    UnknownPatchSite {
        /// Offset of the field.
        offset: u32,
        /// Length of the code.
        length: u32,
    },
    /// More labels than an assembler can number.
    TooManyLabels {
        /// The limit.
        limit: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::CodeTooLarge { offset, length, limit } => {
                write!(f, "{length} bytes at offset {offset} don't fit: the limit of the code is {limit} bytes")
            }
            Error::UnboundLabel { label, offset } => {
                write!(f, "label {label}, used at offset {offset}, was never bound")
            }
            Error::LabelBoundTwice { label, first, second } => {
                write!(f, "label {label} was bound at offset {first} and again at offset {second}")
            }
            Error::UnknownLabel { label, count } => write!(f, "label {label} is not one of this code's {count}"),
            Error::DisplacementOutOfRange { offset, displacement, bits } => {
                write!(f, "displacement {displacement} at offset {offset} doesn't fit in {bits} bits")
            }
            Error::NoRipOperand { offset } => write!(f, "the instruction at offset {offset} has no rip operand"),
            Error::UnknownPatchSite { offset, length } => {
                write!(f, "there is no patch site at offset {offset} in code of {length} bytes")
            }
            Error::TooManyLabels { limit } => write!(f, "more than {limit} labels"),
        }
    }
}

impl core::error::Error for Error {}
