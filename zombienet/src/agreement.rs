//! Checks that all nodes have the same chain with the same states.

use crate::network::Network;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Compares hash and state root of every block up to this height, on every node. Each node computed the roots itself:
/// it imports a block by executing it. Returns the number of roots compared.
///
/// # Errors
///
/// If a node has another block or another root, or lacks a block.
pub fn check(network: &Network, height: u64) -> Result<u64> {
    let mut roots = 0;
    for at in 0..=height {
        let mut first: Option<(Value, Value)> = None;
        for member in &network.members {
            let (hash, header) =
                member.header(at)?.with_context(|| format!("{} has no block {at} of {height}", member.name()))?;
            let root = header.get("stateRoot").with_context(|| format!("no header: {header}"))?.clone();
            let (expected_hash, expected_root) = first.get_or_insert_with(|| (hash.clone(), root.clone()));
            ensure!(
                root == *expected_root && hash == *expected_hash,
                "DIVERGENCE at block {at}: {} has {hash} with the state root {root}, {} has {expected_hash} with {expected_root}",
                member.name(),
                network.members.first().map_or("", |member| member.name())
            );
            roots += 1;
        }
    }
    Ok(roots)
}
