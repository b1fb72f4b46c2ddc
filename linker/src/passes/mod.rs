//! The passes over the graph, and their order.

pub mod layout;
pub mod liveness;

use crate::ir::Program;
use crate::{Level, Options};

/// Runs the passes of a level of optimization.
pub fn run(program: &mut Program, options: &Options) -> Result<(), crate::LinkError> {
    let _ = options.level == Level::None;
    layout::run(program);
    Ok(())
}
