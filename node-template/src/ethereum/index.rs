//! Index of blocks and transactions by hash, in memory.
//!
//! The chain itself does not know Ethereum's hashes. So the transactions of the last blocks are kept by hash, as far back as
//! [`super::EthereumFlags::eth_index_blocks`]: read when somebody asks for one, from the best block back to what is known.
//! Blocks that were asked for are kept, too, up to a number of bytes.

use super::{
    block::{self, Block},
    chain::{Answer, Chain},
};
use runtime::Hash;
use sp_core::H256;
use sp_io::hashing::keccak_256;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes of blocks that are kept.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Blocks and transactions by hash.
pub struct Index {
    depth: usize,
    cache: Mutex<Cache>,
    transactions: Mutex<Transactions>,
}

#[derive(Default)]
struct Cache {
    blocks: HashMap<Hash, Arc<Block>>,
    /// In the order in which they came.
    order: VecDeque<Hash>,
    bytes: usize,
}

#[derive(Default)]
struct Transactions {
    /// The blocks that a transaction is in: one of each fork.
    blocks: HashMap<H256, Vec<Hash>>,
    known: HashSet<Hash>,
    /// Blocks with their transactions, in the order in which they came.
    order: VecDeque<(Hash, Vec<H256>)>,
}

impl Index {
    /// An empty index of that many blocks.
    pub fn new(depth: u32) -> Self {
        Self { depth: depth.max(1) as usize, cache: Mutex::default(), transactions: Mutex::default() }
    }

    /// The block with a hash, if this node has it.
    pub fn block(&self, chain: &Chain, hash: Hash) -> Answer<Option<Arc<Block>>> {
        if let Some(block) = lock(&self.cache).blocks.get(&hash) {
            return Ok(Some(block.clone()));
        }
        // Without the lock: it takes a while.
        let Some(block) = Block::load(chain, hash)?.map(Arc::new) else { return Ok(None) };
        lock(&self.cache).insert(&block);
        Ok(Some(block))
    }

    /// A transaction's block on the best chain, and its index in it.
    pub fn transaction(&self, chain: &Chain, hash: H256) -> Answer<Option<(Arc<Block>, usize)>> {
        self.catch_up(chain)?;
        let blocks = lock(&self.transactions).blocks.get(&hash).cloned().unwrap_or_default();
        for block in blocks {
            let Some(block) = self.block(chain, block)? else { continue };
            if chain.hash(block.header.number)? != Some(block.hash) {
                continue;
            }
            if let Some(index) = block.transactions.iter().position(|mined| mined.transaction.hash == hash) {
                return Ok(Some((block, index)));
            }
        }
        Ok(None)
    }

    /// Takes up the blocks from the best one back to those that are known.
    fn catch_up(&self, chain: &Chain) -> Answer<()> {
        let (mut hash, _) = chain.best();
        let mut new = Vec::new();
        while new.len() < self.depth && !lock(&self.transactions).known.contains(&hash) {
            let (Some(header), Some(body)) = (chain.header(hash)?, block::body(chain, hash)?) else { break };
            let transactions = body.iter().filter_map(|bytes| block::payload_of(bytes));
            new.push((hash, transactions.map(|payload| H256(keccak_256(&payload))).collect()));
            if header.number == 0 {
                break;
            }
            hash = header.parent_hash;
        }
        let mut known = lock(&self.transactions);
        new.into_iter().rev().for_each(|(hash, transactions)| known.insert(hash, transactions, self.depth));
        Ok(())
    }
}

impl Cache {
    fn insert(&mut self, block: &Arc<Block>) {
        if self.blocks.insert(block.hash, block.clone()).is_none() {
            self.bytes += block.memory();
            self.order.push_back(block.hash);
        }
        while self.bytes > CACHE_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some(block) = self.blocks.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(block.memory());
            }
        }
    }
}

impl Transactions {
    fn insert(&mut self, hash: Hash, transactions: Vec<H256>, depth: usize) {
        // Another request may have come first.
        if !self.known.insert(hash) {
            return;
        }
        for transaction in &transactions {
            self.blocks.entry(*transaction).or_default().push(hash);
        }
        self.order.push_back((hash, transactions));
        while self.order.len() > depth
            && let Some((oldest, transactions)) = self.order.pop_front()
        {
            self.known.remove(&oldest);
            for transaction in transactions {
                if let Some(blocks) = self.blocks.get_mut(&transaction) {
                    blocks.retain(|block| *block != oldest);
                    if blocks.is_empty() {
                        self.blocks.remove(&transaction);
                    }
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked left nothing half done that matters: what is kept can be read again.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_transactions_is_bounded() {
        let mut transactions = Transactions::default();
        for block in 0..100_u64 {
            let hash = H256::from_low_u64_be(block);
            // One of its own, and one that is in every block.
            transactions.insert(hash, vec![H256::from_low_u64_be(1000 + block), H256::zero()], 10);
            transactions.insert(hash, vec![H256::repeat_byte(1)], 10);
        }
        assert_eq!((transactions.order.len(), transactions.known.len()), (10, 10));
        assert_eq!(transactions.blocks.len(), 11);
        assert_eq!(transactions.blocks[&H256::zero()].len(), 10);
        assert!(transactions.blocks.contains_key(&H256::from_low_u64_be(1099)));
        assert!(!transactions.blocks.contains_key(&H256::from_low_u64_be(1089)));
    }
}
