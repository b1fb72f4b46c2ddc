//! Layout.

use super::liveness::Reachable;
use crate::ir::{BlockId, Program};

/// Decides the order of blocks and drops unreachable code and data.
pub fn run(program: &mut Program) {
    let reachable = Reachable::of(program);
    program.order = program.ids().filter(|id: &BlockId| reachable.blocks[id.0 as usize]).collect();
    for (index, data) in program.data.iter_mut().enumerate() {
        if !reachable.data[index] {
            *data = None;
        }
    }
}
