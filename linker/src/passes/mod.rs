//! The passes over the graph, and their order.

pub mod cfg;
pub mod dead;
pub mod demand;
pub mod fold;
pub mod frames;
pub mod inline;
pub mod layout;
pub mod liveness;
pub mod values;

use crate::ir::Program;
use crate::{Level, LinkError, Options};

/// Runs the passes of a level of optimization.
pub fn run(program: &mut Program, options: &Options) -> Result<(), LinkError> {
    if options.level == Level::Full {
        for _ in 0..3 {
            cfg::run(program);
            values::run(program);
            dead::run(program);
            dead::traps(program);
            cfg::run(program);
            inline::run(program);
            frames::run(program);
        }
        cfg::run(program);
        values::run(program);
        dead::run(program);
        dead::traps(program);
        fold::run(program);
        cfg::run(program);
    }
    layout::run(program);
    Ok(())
}
