//! RPC server: implements the methods of [`super::api`], each in a few lines over the other modules.

use super::{
    EthereumFlags,
    api::EthereumRpcServer,
    block::Block,
    chain::{Answer, Chain},
    debug, error, estimate,
    filters::{self, Filters},
    index::Index,
    json, logs,
    pool::{self, Pool},
    subscriptions,
    types::{BlockRef, CallRequest, Filter},
};
use crate::service::FullClient;
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule,
    core::{RpcResult, SubscriptionResult, async_trait},
};
use runtime::{Hash, Nonce};
use sc_service::SpawnTaskHandle;
use serde_json::{Value, json};
use sp_consensus::SyncOracle;
use sp_core::{Bytes, H160, H256, U256};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Maximum number of blocks in a fee history.
const FEE_HISTORY_BLOCKS: u32 = 128;

/// Parts of the node that the methods use.
pub struct Node {
    /// The client.
    pub client: Arc<FullClient>,
    /// The transaction pool.
    pub pool: Arc<Pool>,
    /// Tells whether the node is syncing.
    pub sync: Arc<dyn SyncOracle + Send + Sync>,
    /// Starts the tasks of subscriptions.
    pub spawner: SpawnTaskHandle,
}

/// Ethereum's JSON-RPC.
#[derive(Clone)]
pub struct Ethereum(Arc<State>);

struct State {
    chain: Chain,
    pool: Arc<Pool>,
    sync: Arc<dyn SyncOracle + Send + Sync>,
    spawner: SpawnTaskHandle,
    flags: EthereumFlags,
    index: Arc<Index>,
    filters: Filters,
    subscriptions: Arc<Semaphore>,
}

impl Ethereum {
    /// For a node with these flags. All of the node's servers share one, so that what a client made on one connection is there
    /// on another.
    pub fn new(node: Node, flags: &EthereumFlags) -> Self {
        let Node { client, pool, sync, spawner } = node;
        Self(Arc::new(State {
            chain: Chain { client },
            pool,
            sync,
            spawner,
            index: Arc::new(Index::new(flags.eth_index_blocks)),
            filters: Filters::new(flags.eth_max_filters),
            subscriptions: Arc::new(Semaphore::new(flags.eth_max_subscriptions.min(Semaphore::MAX_PERMITS))),
            flags: flags.clone(),
        }))
    }

    /// The methods.
    pub fn into_module(self) -> RpcModule<Self> {
        self.into_rpc()
    }

    fn find_block(&self, block: BlockRef) -> Answer<Option<Arc<Block>>> {
        match self.0.chain.find(block)? {
            Some(hash) => self.0.index.block(&self.0.chain, hash),
            None => Ok(None),
        }
    }

    /// A block as JSON; null where there is none, as clients expect.
    fn show(&self, block: BlockRef, show: impl FnOnce(&Block) -> Value) -> Answer<Value> {
        Ok(self.find_block(block)?.map_or(Value::Null, |block| show(&block)))
    }

    /// The parameters of a trace, if this node makes it.
    fn trace_options(&self, options: Option<debug::Options>) -> Answer<debug::Options> {
        if !self.0.flags.eth_debug {
            return Err(error::server("debug_* is off on this node: start it with --eth-debug"));
        }
        let options = options.unwrap_or_default();
        options.check()?;
        Ok(options)
    }

    fn best_hash(&self) -> Hash {
        self.0.chain.best().0
    }

    /// The news of a filter: what came after a block.
    fn news(&self, kind: &filters::FilterKind, after: u32, to: u32) -> Answer<Value> {
        let State { chain, index, flags, .. } = &*self.0;
        let from = after.saturating_add(1);
        match kind {
            filters::FilterKind::Logs(filter) => {
                // The filter's own range is for logs that come in it.
                let from = match filter.from {
                    Some(BlockRef::Number(first)) => from.max(first),
                    _ => from,
                };
                let to = match filter.to {
                    Some(BlockRef::Number(last)) => to.min(last),
                    _ => to,
                };
                logs::in_range(chain, index, filter, from, to, flags).map(Value::Array)
            }
            filters::FilterKind::Blocks => {
                // Who was away for longer misses what is older.
                let from = from.max(to.saturating_sub(flags.eth_max_log_blocks));
                let hashes = (from..=to).map(|number| chain.hash(number));
                Ok(json!(hashes.collect::<Answer<Vec<_>>>()?))
            }
        }
    }
}

#[async_trait]
impl EthereumRpcServer for Ethereum {
    fn client_version(&self) -> RpcResult<String> {
        Ok(format!("node-template/v{}", env!("CARGO_PKG_VERSION")))
    }

    fn sha3(&self, data: Bytes) -> RpcResult<H256> {
        Ok(H256(sp_io::hashing::keccak_256(&data)))
    }

    fn net_version(&self) -> RpcResult<String> {
        Ok(self.0.chain.terms(self.best_hash())?.chain_id.to_string())
    }

    fn net_listening(&self) -> RpcResult<bool> {
        Ok(true)
    }

    fn chain_id(&self) -> RpcResult<U256> {
        Ok(self.0.chain.terms(self.best_hash())?.chain_id.into())
    }

    fn block_number(&self) -> RpcResult<U256> {
        Ok(self.0.chain.best().1.into())
    }

    fn syncing(&self) -> RpcResult<Value> {
        if !self.0.sync.is_major_syncing() {
            return Ok(Value::Bool(false));
        }
        let best = U256::from(self.0.chain.best().1);
        Ok(json!({ "startingBlock": U256::zero(), "currentBlock": best, "highestBlock": best }))
    }

    fn accounts(&self) -> RpcResult<Vec<H160>> {
        Ok(Vec::new())
    }

    fn gas_price(&self) -> RpcResult<U256> {
        Ok(self.0.chain.terms(self.best_hash())?.gas_price)
    }

    fn max_priority_fee_per_gas(&self) -> RpcResult<U256> {
        Ok(U256::zero())
    }

    fn fee_history(&self, count: U256, newest: BlockRef, percentiles: Option<Vec<f64>>) -> RpcResult<Value> {
        let State { chain, index, .. } = &*self.0;
        let newest = chain.number(newest)?.min(chain.best().1);
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(FEE_HISTORY_BLOCKS).min(newest.saturating_add(1));
        let oldest = newest.saturating_add(1).saturating_sub(count);
        let mut prices = Vec::new();
        let mut ratios = Vec::new();
        for number in oldest..oldest.saturating_add(count) {
            let Some(hash) = chain.hash(number)? else { break };
            let Some(block) = index.block(chain, hash)? else { break };
            prices.push(block.terms.gas_price);
            ratios.push(block.gas_used as f64 / block.gas_limit() as f64);
        }
        // The price of the block after them.
        prices.push(prices.last().copied().unwrap_or(chain.terms(self.best_hash())?.gas_price));
        let mut history = json!({
            "oldestBlock": U256::from(oldest),
            "baseFeePerGas": prices,
            "gasUsedRatio": ratios,
        });
        if let Some(percentiles) = percentiles {
            // Nobody has to offer more than the price.
            let rewards = vec![U256::zero(); percentiles.len().min(128)];
            history["reward"] = json!(vec![rewards; ratios.len()]);
        }
        Ok(history)
    }

    fn balance(&self, address: H160, block: Option<BlockRef>) -> RpcResult<U256> {
        self.0.chain.balance(self.0.chain.block(block)?, address)
    }

    fn transaction_count(&self, address: H160, block: Option<Value>) -> RpcResult<U256> {
        let State { chain, pool, .. } = &*self.0;
        let pending = block.as_ref().is_some_and(|block| block == "pending");
        let block = match block {
            None | Some(Value::Null) => None,
            Some(block) => Some(serde_json::from_value(block).map_err(error::invalid)?),
        };
        let hash = chain.block(block)?;
        let nonce = chain.nonce(hash, address)?;
        match Nonce::try_from(nonce) {
            Ok(nonce) if pending => Ok(pool::next_nonce(pool, &chain.account(hash, address)?, nonce).into()),
            _ => Ok(nonce.into()),
        }
    }

    fn code(&self, address: H160, block: Option<BlockRef>) -> RpcResult<Bytes> {
        self.0.chain.code(self.0.chain.block(block)?, address).map(Bytes)
    }

    fn storage_at(&self, address: H160, key: U256, block: Option<BlockRef>) -> RpcResult<H256> {
        self.0.chain.slot(self.0.chain.block(block)?, address, key)
    }

    fn call(&self, request: CallRequest, block: Option<BlockRef>, overrides: Option<Value>) -> RpcResult<Bytes> {
        estimate::call(&self.0.chain, request, block, overrides.as_ref())
    }

    fn estimate_gas(&self, request: CallRequest, block: Option<BlockRef>, overrides: Option<Value>) -> RpcResult<U256> {
        estimate::gas(&self.0.chain, request, block, overrides.as_ref())
    }

    fn create_access_list(&self, request: CallRequest, block: Option<BlockRef>) -> RpcResult<Value> {
        let gas = estimate::gas(&self.0.chain, request, block, None)?;
        Ok(json!({ "accessList": [], "gasUsed": gas }))
    }

    async fn send_raw_transaction(&self, transaction: Bytes) -> RpcResult<H256> {
        pool::submit(&self.0.chain, &self.0.pool, transaction.0).await
    }

    fn transaction_by_hash(&self, hash: H256) -> RpcResult<Value> {
        let State { chain, index, pool, .. } = &*self.0;
        if let Some((block, index)) = index.transaction(chain, hash)? {
            return Ok(json::transaction(&block.transactions[index].transaction, Some((&block, index))));
        }
        let chain_id = chain.terms(self.best_hash())?.chain_id;
        let waiting = pool::find(pool, hash, chain_id);
        Ok(waiting.map_or(Value::Null, |transaction| json::transaction(&transaction, None)))
    }

    fn transaction_receipt(&self, hash: H256) -> RpcResult<Value> {
        let found = self.0.index.transaction(&self.0.chain, hash)?;
        Ok(found.map_or(Value::Null, |(block, index)| json::receipt(&block, index, &block.transactions[index])))
    }

    fn transaction_by_block_hash_and_index(&self, block: H256, index: U256) -> RpcResult<Value> {
        self.transaction_by_block_number_and_index(BlockRef::Hash(block), index)
    }

    fn transaction_by_block_number_and_index(&self, block: BlockRef, index: U256) -> RpcResult<Value> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.show(block, |block| match block.transactions.get(index) {
            Some(mined) => json::transaction(&mined.transaction, Some((block, index))),
            None => Value::Null,
        })
    }

    fn block_by_number(&self, block: BlockRef, full: Option<bool>) -> RpcResult<Value> {
        self.show(block, |block| json::block(block, full.unwrap_or(false)))
    }

    fn block_by_hash(&self, hash: H256, full: Option<bool>) -> RpcResult<Value> {
        self.block_by_number(BlockRef::Hash(hash), full)
    }

    fn block_transaction_count_by_number(&self, block: BlockRef) -> RpcResult<Option<U256>> {
        Ok(self.find_block(block)?.map(|block| block.transactions.len().into()))
    }

    fn block_transaction_count_by_hash(&self, hash: H256) -> RpcResult<Option<U256>> {
        self.block_transaction_count_by_number(BlockRef::Hash(hash))
    }

    fn block_receipts(&self, block: BlockRef) -> RpcResult<Value> {
        self.show(block, |block| {
            let transactions = block.transactions.iter().enumerate();
            transactions.map(|(index, mined)| json::receipt(block, index, mined)).collect()
        })
    }

    fn uncle_count_by_number(&self, _block: BlockRef) -> RpcResult<U256> {
        Ok(U256::zero())
    }

    fn uncle_count_by_hash(&self, _hash: H256) -> RpcResult<U256> {
        Ok(U256::zero())
    }

    fn logs(&self, filter: Filter) -> RpcResult<Value> {
        logs::find(&self.0.chain, &self.0.index, &filter, &self.0.flags).map(Value::Array)
    }

    fn new_filter(&self, filter: Filter) -> RpcResult<U256> {
        self.0.filters.add(filters::FilterKind::Logs(Box::new(filter)), self.0.chain.best().1)
    }

    fn new_block_filter(&self) -> RpcResult<U256> {
        self.0.filters.add(filters::FilterKind::Blocks, self.0.chain.best().1)
    }

    fn filter_changes(&self, id: U256) -> RpcResult<Value> {
        let (_, best) = self.0.chain.best();
        let (kind, last) = self.0.filters.look(id)?;
        // What is more than one answer can hold comes with the next ones.
        let to = match kind {
            filters::FilterKind::Logs(_) => best.min(last.saturating_add(self.0.flags.eth_max_log_blocks)),
            filters::FilterKind::Blocks => best,
        };
        let news = self.news(&kind, last, to)?;
        self.0.filters.advance(id, to);
        Ok(news)
    }

    fn filter_logs(&self, id: U256) -> RpcResult<Value> {
        match self.0.filters.get(id)? {
            filters::FilterKind::Logs(filter) => self.logs(*filter),
            filters::FilterKind::Blocks => Err(error::server("filter not found: it is not for logs")),
        }
    }

    fn uninstall_filter(&self, id: U256) -> RpcResult<bool> {
        Ok(self.0.filters.remove(id))
    }

    fn trace_call(
        &self,
        request: CallRequest,
        block: Option<BlockRef>,
        options: Option<debug::Options>,
    ) -> RpcResult<Value> {
        debug::call(&self.0.chain, request, block, &self.trace_options(options)?)
    }

    fn trace_transaction(&self, hash: H256, options: Option<debug::Options>) -> RpcResult<Value> {
        let State { chain, index, .. } = &*self.0;
        debug::transaction(chain, index, hash, &self.trace_options(options)?)
    }

    fn trace_block_by_number(&self, block: BlockRef, options: Option<debug::Options>) -> RpcResult<Value> {
        let State { chain, index, .. } = &*self.0;
        debug::block(chain, index, block, &self.trace_options(options)?)
    }

    fn trace_block_by_hash(&self, hash: H256, options: Option<debug::Options>) -> RpcResult<Value> {
        self.trace_block_by_number(BlockRef::Hash(hash), options)
    }

    fn proof(&self, _address: H160, _keys: Vec<H256>, _block: Option<BlockRef>) -> RpcResult<Value> {
        Err(error::server("eth_getProof is not supported: the chain's state is not in Ethereum's trie"))
    }

    async fn subscribe(
        &self,
        pending: PendingSubscriptionSink,
        kind: String,
        filter: Option<Filter>,
    ) -> SubscriptionResult {
        let kind = match kind.as_str() {
            "newHeads" => subscriptions::SubscriptionKind::Heads,
            "logs" => subscriptions::SubscriptionKind::Logs(Box::new(filter.unwrap_or_default())),
            other => {
                let refusal = error::invalid(format!("no subscription to {other}: there are newHeads and logs"));
                pending.reject(refusal).await;
                return Ok(());
            }
        };
        let Ok(place) = self.0.subscriptions.clone().try_acquire_owned() else {
            let most = self.0.flags.eth_max_subscriptions;
            let refusal = error::limit(format!("too many subscriptions, limit {most} (--eth-max-subscriptions)"));
            pending.reject(refusal).await;
            return Ok(());
        };
        let sink = pending.accept().await?;
        let task = subscriptions::serve(self.0.chain.clone(), self.0.index.clone(), kind, sink, place);
        self.0.spawner.spawn("eth-subscription", Some("rpc"), task);
        Ok(())
    }
}
