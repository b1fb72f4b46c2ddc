//! Report of a scenario, on one line.

use std::fmt;

/// The report of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of the best block.
    pub blocks: u64,
    /// The number of the last block that is final on every node.
    pub finalized: u64,
    /// Calls of contracts that are in final blocks, failed ones included.
    pub calls: u64,
    /// Number of failed calls among them; some are expected to fail.
    pub failed: u64,
    /// Workers that were killed.
    pub kills: u64,
    /// Instances that nodes replayed on the interpreter because their worker was lost.
    pub recoveries: u64,
    /// Number of nodes whose state roots were compared.
    pub nodes: u64,
    /// Number of state roots that were compared, over all nodes and heights.
    pub roots: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} blocks, {} final; {} contract calls, of them {} failed; {} workers killed, {} recoveries; {} state roots of \
             {} nodes compared",
            self.blocks, self.finalized, self.calls, self.failed, self.kills, self.recoveries, self.roots, self.nodes
        )
    }
}
