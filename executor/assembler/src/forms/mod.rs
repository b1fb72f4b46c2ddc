//! The instruction forms: tables, one line a form, from which the functions are made. Called by the JIT, which gives
//! the result to [`Assembler::push`](crate::Assembler::push).
//!
//! A name is the mnemonic and the kinds of its operands, destination first: `r` register, `m` memory, `i` immediate,
//! `cl` the register. `add_mr(size, mem, reg)` is `add [mem], reg`.
//!
//! A line is: name, mnemonic, opcode, meaning. The mnemonic is what the disassembler must read out of the bytes; the
//! tests take every line of every table and can't leave one out, since the compiler would call its table unused.

/// Turns a table into functions, and for tests into a list of them.
macro_rules! forms {
    ($list:ident = $layout:ident $args:tt { $($name:ident $mnemonic:literal $op:expr, $doc:literal;)* }) => {
        $(
            #[doc = concat!("`", $mnemonic, "`: ", $doc, ".")]
            #[inline(always)]
            pub const fn $name $args -> $crate::Inst {
                encode_with!($layout, $op, $args)
            }
        )*
        #[cfg(test)]
        #[allow(clippy::type_complexity, reason = "it is the table's column types")]
        pub(crate) const $list: &[(&str, fn $args -> $crate::Inst)] = &[$(($mnemonic, $name)),*];
    };
}

/// Calls a layout with the parameters of a form.
macro_rules! encode_with {
    ($layout:ident, $op:expr, ($($arg:ident: $type:ty),*)) => { $crate::encode::$layout($op, $($arg),*) };
}

pub(crate) mod arithmetic;
pub(crate) mod bits;
pub(crate) mod control;
pub(crate) mod moves;

pub use arithmetic::*;
pub use bits::*;
pub use control::*;
pub use moves::*;
