//! The passes over the graph, and their order.
//!
//! Each pass is correct on its own: any subset of them, in the order given here, preserves the program's behaviour.
//! This allows finding a faulty one: see [`NAMES`] and [`Options::passes`].

pub mod calling_convention;
pub mod dce;
pub mod demand;
pub mod frames;
pub mod gvn;
pub mod inline;
pub mod layout;
pub mod liveness;
pub mod masks;
pub mod simplify_cfg;
pub mod tail_call;
pub mod tail_merge;

use crate::ir::IrProgram;
use crate::{Level, LinkError, Options};

/// A pass: changes a program, and returns true if it did.
type Pass = fn(&mut IrProgram) -> bool;

/// All passes by name.
const PASSES: &[(&str, Pass)] = &[
    ("simplify_cfg", simplify_cfg::run),
    ("gvn", gvn::run),
    ("dce", dce::run),
    ("propagate_traps", dce::propagate_traps),
    ("inline", inline::run),
    ("frames", frames::run),
    ("tail_call", tail_call::run),
    ("masks", masks::run),
    ("compact", gvn::compact),
    ("tail_merge", tail_merge::run),
    ("layout", layout::run),
];

/// The names of all passes.
pub const NAMES: &[&str] = &[
    "simplify_cfg",
    "gvn",
    "dce",
    "propagate_traps",
    "inline",
    "frames",
    "tail_call",
    "masks",
    "compact",
    "tail_merge",
    "layout",
];

/// Former names of passes, which options still accept, with their current names.
pub const ALIASES: &[(&str, &str)] = &[
    ("flow", "simplify_cfg"),
    ("values", "gvn"),
    ("dead", "dce"),
    ("traps", "propagate_traps"),
    ("tail", "tail_call"),
    ("fold", "tail_merge"),
];

/// The passes of the full level, in order: rounds in which passes create work for each other, then passes that only
/// shorten the code.
#[rustfmt::skip]
const FULL: &[&str] = &[
    "simplify_cfg", "gvn", "dce", "propagate_traps", "simplify_cfg", "inline", "frames", "tail_call",
    "simplify_cfg", "inline", "frames", "tail_call",
    "simplify_cfg", "masks", "compact", "dce", "propagate_traps", "tail_merge", "simplify_cfg", "layout",
];

/// The passes that keep each instruction in place: they only remove dead code.
const SOME: &[&str] = &["dce"];

/// Returns the current name for a former one; other names are returned unchanged.
fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, today)| today)
}

/// Runs the passes of an optimization level, or those that the options name.
///
/// # Errors
/// If the options name a pass that does not exist.
pub fn run(program: &mut IrProgram, options: &Options) -> Result<(), LinkError> {
    if let Some(unknown) = options.passes.iter().flatten().find(|name| !NAMES.contains(&canonical(name))) {
        return Err(LinkError::UnknownPass { name: unknown.clone(), known: NAMES.join(", ") });
    }
    let list = match options.level {
        Level::None => &[],
        Level::Some => SOME,
        Level::Full => FULL,
    };
    for name in list {
        let wanted =
            options.passes.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| canonical(wanted) == *name));
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
        assert!(ALIASES.iter().all(|(alias, name)| NAMES.contains(name) && !NAMES.contains(alias)));
    }
}
