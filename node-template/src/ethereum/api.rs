//! RPC interface: the methods of Ethereum's JSON-RPC by name.

use super::{
    debug::Options,
    types::{BlockRef, CallRequest, Filter},
};
use jsonrpsee::{
    core::{RpcResult, SubscriptionResult},
    proc_macros::rpc,
};
use serde_json::Value;
use sp_core::{Bytes, H160, H256, U256};

/// Ethereum's JSON-RPC, as far as the node has it. What Ethereum's specification says of a method is not repeated here.
#[rpc(server)]
pub trait EthereumRpc {
    #[method(name = "web3_clientVersion")]
    fn client_version(&self) -> RpcResult<String>;
    #[method(name = "web3_sha3")]
    fn sha3(&self, data: Bytes) -> RpcResult<H256>;
    #[method(name = "net_version")]
    fn net_version(&self) -> RpcResult<String>;
    #[method(name = "net_listening")]
    fn net_listening(&self) -> RpcResult<bool>;
    #[method(name = "eth_chainId")]
    fn chain_id(&self) -> RpcResult<U256>;
    #[method(name = "eth_blockNumber")]
    fn block_number(&self) -> RpcResult<U256>;
    #[method(name = "eth_syncing")]
    fn syncing(&self) -> RpcResult<Value>;
    #[method(name = "eth_accounts")]
    fn accounts(&self) -> RpcResult<Vec<H160>>;
    #[method(name = "eth_gasPrice")]
    fn gas_price(&self) -> RpcResult<U256>;
    #[method(name = "eth_maxPriorityFeePerGas")]
    fn max_priority_fee_per_gas(&self) -> RpcResult<U256>;
    #[method(name = "eth_feeHistory", blocking)]
    fn fee_history(&self, count: U256, newest: BlockRef, percentiles: Option<Vec<f64>>) -> RpcResult<Value>;

    #[method(name = "eth_getBalance", blocking)]
    fn balance(&self, address: H160, block: Option<BlockRef>) -> RpcResult<U256>;
    #[method(name = "eth_getTransactionCount", blocking)]
    fn transaction_count(&self, address: H160, block: Option<Value>) -> RpcResult<U256>;
    #[method(name = "eth_getCode", blocking)]
    fn code(&self, address: H160, block: Option<BlockRef>) -> RpcResult<Bytes>;
    #[method(name = "eth_getStorageAt", blocking)]
    fn storage_at(&self, address: H160, key: U256, block: Option<BlockRef>) -> RpcResult<H256>;

    #[method(name = "eth_call", blocking)]
    fn call(&self, request: CallRequest, block: Option<BlockRef>, overrides: Option<Value>) -> RpcResult<Bytes>;
    #[method(name = "eth_estimateGas", blocking)]
    fn estimate_gas(&self, request: CallRequest, block: Option<BlockRef>, overrides: Option<Value>) -> RpcResult<U256>;

    /// The access list is empty: access lists change nothing here.
    #[method(name = "eth_createAccessList", blocking)]
    fn create_access_list(&self, request: CallRequest, block: Option<BlockRef>) -> RpcResult<Value>;

    #[method(name = "eth_sendRawTransaction")]
    async fn send_raw_transaction(&self, transaction: Bytes) -> RpcResult<H256>;
    #[method(name = "eth_getTransactionByHash", blocking)]
    fn transaction_by_hash(&self, hash: H256) -> RpcResult<Value>;
    #[method(name = "eth_getTransactionReceipt", blocking)]
    fn transaction_receipt(&self, hash: H256) -> RpcResult<Value>;
    #[method(name = "eth_getTransactionByBlockHashAndIndex", blocking)]
    fn transaction_by_block_hash_and_index(&self, block: H256, index: U256) -> RpcResult<Value>;
    #[method(name = "eth_getTransactionByBlockNumberAndIndex", blocking)]
    fn transaction_by_block_number_and_index(&self, block: BlockRef, index: U256) -> RpcResult<Value>;

    #[method(name = "eth_getBlockByNumber", blocking)]
    fn block_by_number(&self, block: BlockRef, full: Option<bool>) -> RpcResult<Value>;
    #[method(name = "eth_getBlockByHash", blocking)]
    fn block_by_hash(&self, hash: H256, full: Option<bool>) -> RpcResult<Value>;
    #[method(name = "eth_getBlockTransactionCountByNumber", blocking)]
    fn block_transaction_count_by_number(&self, block: BlockRef) -> RpcResult<Option<U256>>;
    #[method(name = "eth_getBlockTransactionCountByHash", blocking)]
    fn block_transaction_count_by_hash(&self, hash: H256) -> RpcResult<Option<U256>>;
    #[method(name = "eth_getBlockReceipts", blocking)]
    fn block_receipts(&self, block: BlockRef) -> RpcResult<Value>;
    #[method(name = "eth_getUncleCountByBlockNumber")]
    fn uncle_count_by_number(&self, block: BlockRef) -> RpcResult<U256>;
    #[method(name = "eth_getUncleCountByBlockHash")]
    fn uncle_count_by_hash(&self, hash: H256) -> RpcResult<U256>;

    #[method(name = "eth_getLogs", blocking)]
    fn logs(&self, filter: Filter) -> RpcResult<Value>;
    #[method(name = "eth_newFilter")]
    fn new_filter(&self, filter: Filter) -> RpcResult<U256>;
    #[method(name = "eth_newBlockFilter")]
    fn new_block_filter(&self) -> RpcResult<U256>;
    #[method(name = "eth_getFilterChanges", blocking)]
    fn filter_changes(&self, id: U256) -> RpcResult<Value>;
    #[method(name = "eth_getFilterLogs", blocking)]
    fn filter_logs(&self, id: U256) -> RpcResult<Value>;
    #[method(name = "eth_uninstallFilter")]
    fn uninstall_filter(&self, id: U256) -> RpcResult<bool>;

    #[method(name = "debug_traceCall", blocking)]
    fn trace_call(&self, request: CallRequest, block: Option<BlockRef>, options: Option<Options>) -> RpcResult<Value>;
    #[method(name = "debug_traceTransaction", blocking)]
    fn trace_transaction(&self, hash: H256, options: Option<Options>) -> RpcResult<Value>;
    #[method(name = "debug_traceBlockByNumber", blocking)]
    fn trace_block_by_number(&self, block: BlockRef, options: Option<Options>) -> RpcResult<Value>;
    #[method(name = "debug_traceBlockByHash", blocking)]
    fn trace_block_by_hash(&self, hash: H256, options: Option<Options>) -> RpcResult<Value>;

    /// Refused: there are no proofs of Ethereum's form.
    #[method(name = "eth_getProof")]
    fn proof(&self, address: H160, keys: Vec<H256>, block: Option<BlockRef>) -> RpcResult<Value>;

    #[subscription(name = "eth_subscribe" => "eth_subscription", unsubscribe = "eth_unsubscribe", item = Value)]
    async fn subscribe(&self, kind: String, filter: Option<Filter>) -> SubscriptionResult;
}
