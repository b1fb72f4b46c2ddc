//! The passes over the graph, and their order.
//!
//! Each is right on its own: any selection of them, in the order given here, leaves a program that does the same. That
//! is what finds a faulty one: see [`NAMES`] and the option of that name.

pub mod calling_convention;
pub mod cfg;
pub mod dead;
pub mod demand;
pub mod fold;
pub mod frames;
pub mod inline;
pub mod layout;
pub mod liveness;
pub mod tail;
pub mod values;

use crate::ir::Program;
use crate::{Level, LinkError, Options};

/// A pass: changes a program, and says whether it did.
type Pass = fn(&mut Program) -> bool;

/// All passes by name.
const PASSES: &[(&str, Pass)] = &[
    ("flow", cfg::run),
    ("values", values::run),
    ("dead", dead::run),
    ("traps", dead::traps),
    ("inline", inline::run),
    ("frames", frames::run),
    ("tail", tail::run),
    ("compact", values::compact),
    ("fold", fold::run),
    ("layout", layout::run),
];

/// The names of all passes.
pub const NAMES: &[&str] =
    &["flow", "values", "dead", "traps", "inline", "frames", "tail", "compact", "fold", "layout"];

/// What is done at the full level, in order: rounds in which one pass makes work for another, and at last what only
/// makes it shorter.
const FULL: &[&str] = &[
    "flow", "values", "dead", "traps", "flow", "inline", "frames", "tail", //
    "flow", "inline", "frames", "tail", //
    "flow", "compact", "dead", "traps", "fold", "flow", "layout",
];

/// What leaves each instruction where it is: only what nobody reaches or reads goes.
const SOME: &[&str] = &["dead"];

/// Runs the passes of a level of optimization, or those of them that the options name.
///
/// # Errors
/// If the options name a pass that there is not.
pub fn run(program: &mut Program, options: &Options) -> Result<(), LinkError> {
    if let Some(unknown) = options.passes.iter().flatten().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(LinkError::UnknownPass { name: unknown.clone(), known: NAMES.join(", ") });
    }
    let list = match options.level {
        Level::None => &[],
        Level::Some => SOME,
        Level::Full => FULL,
    };
    for name in list {
        let wanted = options.passes.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| wanted == name));
        if let Some((_, pass)) = PASSES.iter().find(|(known, _)| known == name).filter(|_| wanted) {
            pass(program);
        }
    }
    if program.order.is_empty() {
        layout::keep_order(program);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_name_what_there_is() {
        assert_eq!(NAMES, PASSES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        assert!(FULL.iter().chain(SOME).all(|name| NAMES.contains(name)));
    }
}
