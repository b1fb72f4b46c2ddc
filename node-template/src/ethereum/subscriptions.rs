//! Subscriptions (`eth_subscribe`) to new blocks and logs.
//!
//! Each has a task that waits for the node's news. A client that does not take what it is sent for as long as the connection's
//! buffer lasts is cut off by the server.

use super::{chain::Chain, index::Index, json, logs, types::Filter};
use futures::StreamExt as _;
use jsonrpsee::{SubscriptionMessage, SubscriptionSink};
use sc_client_api::BlockchainEvents as _;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Kind of a subscription.
pub enum SubscriptionKind {
    /// The headers of new blocks.
    Heads,
    /// New logs.
    Logs(Box<Filter>),
}

/// Sends news until the client is gone. A place among the subscriptions is taken as long.
pub async fn serve(
    chain: Chain,
    index: Arc<Index>,
    kind: SubscriptionKind,
    sink: SubscriptionSink,
    _place: OwnedSemaphorePermit,
) {
    let mut blocks = chain.client.import_notification_stream();
    loop {
        let imported = tokio::select! {
            imported = blocks.next() => imported,
            () = sink.closed() => return,
        };
        let Some(imported) = imported else { return };
        if !imported.is_new_best {
            continue;
        }
        for news in news(&chain, &index, &kind, imported.hash) {
            let Ok(message) = SubscriptionMessage::from_json(&news) else { continue };
            if sink.send(message).await.is_err() {
                return;
            }
        }
    }
}

fn news(chain: &Chain, index: &Index, kind: &SubscriptionKind, hash: runtime::Hash) -> Vec<Value> {
    let block = match index.block(chain, hash) {
        Ok(Some(block)) => block,
        Ok(None) => return Vec::new(),
        Err(error) => {
            log::debug!(target: "eth-rpc", "a block is not told to subscribers: {error}");
            return Vec::new();
        }
    };
    match kind {
        SubscriptionKind::Heads => vec![Value::Object(json::header(&block))],
        SubscriptionKind::Logs(filter) => logs::of_block(&block, filter),
    }
}
