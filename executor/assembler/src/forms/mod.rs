//! The instruction forms: tables with one line per form, from which functions are generated. Called by the JIT, which
//! passes the result to [`Assembler::push`](crate::Assembler::push).
//!
//! A name is the mnemonic and the kinds of its operands, destination first: `r` register, `m` memory, `i` immediate,
//! `cl` the register. `add_mr(size, mem, reg)` is `add [mem], reg`.
//!
//! A line is: name, mnemonic, opcode, meaning, and the instruction set extension that the form needs, if any; a table
//! with such lines also names the list of their extensions. The mnemonic is the one that the disassembler must decode
//! from the bytes. The tests use every line of every table: if they left one out, the compiler would report its table
//! as unused.

/// Generates functions from a table, and a list of them for tests.
macro_rules! forms {
    ($list:ident = $layout:ident $args:tt { $($name:ident $mnemonic:literal $op:expr, $doc:literal;)* }) => {
        forms! { @functions $list = $layout $args { $($name $mnemonic $op, $doc;)* } }
    };
    ($list:ident, $features:ident = $layout:ident $args:tt {
        $($name:ident $mnemonic:literal $op:expr, $doc:literal $(, $feature:ident)?;)*
    }) => {
        pub(crate) const $features: &[$crate::Feature] = &[$($($crate::Feature::$feature,)?)*];
        forms! { @functions $list = $layout $args { $($name $mnemonic $op, $doc $(, $feature)?;)* } }
    };
    (@functions $list:ident = $layout:ident $args:tt {
        $($name:ident $mnemonic:literal $op:expr, $doc:literal $(, $feature:ident)?;)*
    }) => {
        $(
            #[doc = concat!("`", $mnemonic, "`: ", $doc, ".")]
            $(#[doc = concat!("\n\nNeeds [`", stringify!($feature), "`](crate::Feature::", stringify!($feature), ").")])?
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

use crate::feature::Feature;

/// Returns the instruction set extensions that the forms need, each once: whoever emits any form needs all of them.
pub fn required_features() -> impl Iterator<Item = Feature> {
    // If a list is left out, the compiler reports it as unused.
    const LISTS: [&[Feature]; 6] = [
        arithmetic::MULTIPLY_WIDE_FEATURES,
        bits::SHIFT_REG_FEATURES,
        bits::ROTATE_IMM_FEATURES,
        bits::AND_NOT_FEATURES,
        bits::COUNT_REG_FEATURES,
        bits::COUNT_MEM_FEATURES,
    ];
    let all = || LISTS.into_iter().flatten().copied();
    all()
        .enumerate()
        .filter(move |(index, feature)| !all().take(*index).any(|other| other == *feature))
        .map(|pair| pair.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn each_feature_that_a_form_needs_is_required_once() {
        let all: Vec<Feature> = required_features().collect();
        assert_eq!(all, [Feature::Bmi2, Feature::Bmi1, Feature::Popcnt, Feature::Lzcnt]);
    }
}
