//! Instruction set extensions, listed in the tables of [`forms`](crate::forms) with the forms that need them.

/// An extension of the instruction set that not every AMD64 processor has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feature {
    /// `andn`, `tzcnt` and others.
    Bmi1,
    /// Shifts and products that preserve the flags.
    Bmi2,
    /// `lzcnt`.
    Lzcnt,
    /// `popcnt`.
    Popcnt,
}
