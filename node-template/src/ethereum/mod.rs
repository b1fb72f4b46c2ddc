//! Ethereum's JSON-RPC: `eth_*`, `net_*` and `web3_*`, so that Ethereum's wallets and libraries can be used.
//!
//! Served beside the node's own methods. [`server`] has the methods by name, [`types`] what they take, [`json`] what they
//! answer; what is below them:
//!
//! - [`chain`] looks at the chain: which block is meant, its state, dry runs of transactions;
//! - [`block`] makes of a block of the chain what a client of Ethereum's sees of it;
//! - [`index`] finds blocks and transactions by hash, in memory;
//! - [`filters`] keeps the filters of clients that poll, [`subscriptions`] serves those that listen.
//!
//! Whatever a client can make the node keep or do is bounded ([`EthereumFlags`]). `docs/ethereum.md` tells users what differs
//! from Ethereum.

mod api;
mod block;
mod chain;
mod debug;
mod error;
mod estimate;
mod filters;
mod index;
mod json;
mod logs;
mod pool;
mod server;
mod subscriptions;
mod types;

pub use server::{Ethereum, Node};

/// Options for Ethereum's JSON-RPC.
#[derive(Clone, Debug, clap::Args)]
pub struct EthereumFlags {
    /// Do not serve Ethereum's JSON-RPC.
    #[arg(long)]
    pub no_eth_rpc: bool,

    /// Serve `debug_traceCall`, `debug_traceTransaction` and `debug_traceBlockBy…`, which replay blocks. On for
    /// development chains.
    #[arg(long)]
    pub eth_debug: bool,

    /// Blocks in which a transaction is found by its hash: the last ones.
    #[arg(long, value_name = "BLOCKS", default_value_t = 4096)]
    pub eth_index_blocks: u32,

    /// Blocks that one request for logs may be about.
    #[arg(long, value_name = "BLOCKS", default_value_t = 1024)]
    pub eth_max_log_blocks: u32,

    /// Logs in one answer.
    #[arg(long, value_name = "LOGS", default_value_t = 10_000)]
    pub eth_max_logs: usize,

    /// Filters that are kept for clients. Each is forgotten five minutes after its client has asked for it last.
    #[arg(long, value_name = "FILTERS", default_value_t = 1024)]
    pub eth_max_filters: usize,

    /// Subscriptions to blocks and logs, of all clients together.
    #[arg(long, value_name = "SUBSCRIPTIONS", default_value_t = 1024)]
    pub eth_max_subscriptions: usize,
}
