//! Log queries (`eth_getLogs`): the logs of a range of blocks.

use super::{
    EthereumFlags,
    block::Block,
    chain::{Answer, Chain},
    error,
    index::Index,
    json,
    types::{BlockRef, Filter},
};
use runtime::BlockNumber;
use serde_json::Value;

/// The logs of one block that a filter lets pass.
pub fn of_block(block: &Block, filter: &Filter) -> Vec<Value> {
    let logs = block.logs.iter().enumerate();
    logs.filter(|(_, log)| filter.matches(&log.address, &log.topics))
        .map(|(place, log)| json::log(block, place, log))
        .collect()
}

/// The logs that a filter asks for.
pub fn find(chain: &Chain, index: &Index, filter: &Filter, flags: &EthereumFlags) -> Answer<Vec<Value>> {
    if let Some(hash) = filter.block_hash {
        let block = index.block(chain, hash)?;
        let block = block.ok_or_else(|| error::server(format!("unknown block: {hash:?}")))?;
        return Ok(of_block(&block, filter));
    }
    let from = chain.number(filter.from.unwrap_or(BlockRef::Latest))?;
    let to = chain.number(filter.to.unwrap_or(BlockRef::Latest))?.min(chain.best().1);
    in_range(chain, index, filter, from, to, flags)
}

/// The logs of the blocks from one number to another, both included.
pub fn in_range(
    chain: &Chain,
    index: &Index,
    filter: &Filter,
    from: BlockNumber,
    to: BlockNumber,
    flags: &EthereumFlags,
) -> Answer<Vec<Value>> {
    let blocks = match to.checked_sub(from) {
        Some(blocks) => blocks.saturating_add(1),
        None => return Ok(Vec::new()),
    };
    if blocks > flags.eth_max_log_blocks {
        let most = flags.eth_max_log_blocks;
        return Err(error::limit(format!(
            "block range too large: {blocks} blocks, limit {most} (--eth-max-log-blocks)"
        )));
    }
    let mut found = Vec::new();
    for number in from..=to {
        let Some(hash) = chain.hash(number)? else { break };
        let Some(block) = index.block(chain, hash)? else { continue };
        found.extend(of_block(&block, filter));
        if found.len() > flags.eth_max_logs {
            let most = flags.eth_max_logs;
            return Err(error::limit(format!("query returned more than {most} results (--eth-max-logs)")));
        }
    }
    Ok(found)
}
