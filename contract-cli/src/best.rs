//! Requests at the best block, which a reorganization may retract at any moment.
//!
//! Called by [`crate::chain`] for everything that is read there. A block that is not final may vanish between two
//! requests: its header, its state and its events are then unknown to the node, or are those of another fork. A request
//! that fails for that reason is tried again at the new best block, for a limited number of times.

use crate::{
    error::{Error, chain},
    output::progress,
};
use std::time::Duration;
use subxt::{
    PolkadotConfig,
    config::{Header as _, RpcConfigFor},
    rpcs::methods::legacy::{LegacyRpcMethods, NumberOrHex},
    utils::H256,
};

/// Requests that every node supports.
pub type Rpc = LegacyRpcMethods<RpcConfigFor<PolkadotConfig>>;

/// Maximum number of attempts.
const ATTEMPTS: u32 = 20;
/// Time to wait for another best block before the next attempt.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 250 });

/// Runs a request at the best block, and again at the new best block if that one was retracted meanwhile.
///
/// # Errors
///
/// The error at a block that still exists, or that of the last attempt.
pub async fn at_best<R>(rpc: &Rpc, run: impl AsyncFn(H256) -> Result<R, Error>) -> Result<R, Error> {
    let mut attempt = 1;
    loop {
        let best = rpc.chain_get_block_hash(None).await.map_err(chain)?;
        let best = best.ok_or_else(|| Error::Chain("the node has no best block".into()))?;
        let error = match run(best).await {
            Err(error @ Error::Chain(_)) => error,
            other => return other,
        };
        if attempt == ATTEMPTS || !is_retracted(rpc, best).await {
            return Err(error);
        }
        attempt += 1;
        progress!("the best block was retracted meanwhile; trying again at the new one");
        tokio::time::sleep(PAUSE).await;
    }
}

/// True if a block is known not to be on the best chain. False if the node does not answer.
pub async fn is_retracted(rpc: &Rpc, hash: H256) -> bool {
    let number = match rpc.chain_get_header(Some(hash)).await {
        Ok(Some(header)) => header.number(),
        Ok(None) => return true,
        Err(_) => return false,
    };
    match rpc.chain_get_block_hash(Some(NumberOrHex::Number(number))).await {
        Ok(there) => there != Some(hash),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json, value::RawValue};
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    };
    use subxt::rpcs::{
        Error as RpcError, RpcClient, UserError,
        client::{RawRpcFuture, RawRpcSubscription, RpcClientT, rpc_params},
    };

    /// A node whose first best blocks are retracted immediately. Each has number 7, and a hash that encodes its
    /// position.
    struct Node {
        /// The number of retracted blocks.
        retracted: u32,
        /// Requests for the best block.
        asked: AtomicU32,
        /// True if it forgets the headers of retracted blocks.
        forgets: bool,
    }

    impl Node {
        fn new(retracted: u32, forgets: bool) -> Arc<Self> {
            Arc::new(Self { retracted, asked: AtomicU32::new(0), forgets })
        }

        fn answer(&self, method: &str, params: &Value) -> Result<Value, UserError> {
            let hash = |position: u32| json!(H256::repeat_byte(position as u8));
            let position = self.asked.load(Relaxed);
            let is_gone = |block: &Value| (0..self.retracted).any(|position| *block == hash(position));
            match (method, &params[0]) {
                ("chain_getBlockHash", Value::Null) => {
                    self.asked.fetch_add(1, Relaxed);
                    Ok(hash(position))
                }
                ("chain_getBlockHash", _) => Ok(hash(self.retracted)),
                ("chain_getHeader", block) if is_gone(block) && self.forgets => Ok(Value::Null),
                ("chain_getHeader", _) => {
                    let zero = H256::zero();
                    Ok(json!({
                        "parentHash": zero, "number": "0x7", "stateRoot": zero, "extrinsicsRoot": zero,
                        "digest": { "logs": [] },
                    }))
                }
                ("state_getStorage", _) if is_gone(&params[1]) => Err(UserError {
                    code: 4003,
                    message: "Client error: UnknownBlock: State already discarded".into(),
                    data: None,
                }),
                ("state_getStorage", _) => Ok(json!("0x2a")),
                other => panic!("{other:?}"),
            }
        }
    }

    impl RpcClientT for Node {
        fn request_raw<'a>(
            &'a self,
            method: &'a str,
            params: Option<Box<RawValue>>,
        ) -> RawRpcFuture<'a, Box<RawValue>> {
            Box::pin(async move {
                let params = params.map_or_else(|| "[]".to_owned(), |params| params.get().to_owned());
                let params = serde_json::from_str(&params).unwrap();
                let answer = self.answer(method, &params).map_err(RpcError::User)?;
                Ok(serde_json::value::to_raw_value(&answer).unwrap())
            })
        }

        fn subscribe_raw<'a>(
            &'a self,
            sub: &'a str,
            _: Option<Box<RawValue>>,
            _: &'a str,
        ) -> RawRpcFuture<'a, RawRpcSubscription> {
            panic!("nobody subscribes: {sub}")
        }
    }

    /// Reads the value stored at the best block; also returns the number of requests for the best block.
    async fn read(node: Arc<Node>) -> (Result<String, Error>, u32) {
        let client = RpcClient::new(node.clone());
        let rpc = Rpc::new(client.clone());
        let stored = at_best(&rpc, async |hash| {
            let read = client.request::<String>("state_getStorage", rpc_params!["0x00", hash]);
            read.await.map_err(|error| Error::Chain(error.to_string()))
        });
        (stored.await, node.asked.load(Relaxed))
    }

    #[tokio::test]
    async fn a_block_that_is_retracted_is_read_again_at_the_next_best() {
        for forgets in [false, true] {
            for retracted in [0, 1, 3, ATTEMPTS - 1] {
                let (stored, asked) = read(Node::new(retracted, forgets)).await;
                assert_eq!((stored.unwrap().as_str(), asked), ("0x2a", retracted + 1));
            }
        }
    }

    #[tokio::test]
    async fn a_chain_that_gives_up_every_block_is_not_waited_for_without_end() {
        let (stored, asked) = read(Node::new(100, true)).await;
        assert!(stored.unwrap_err().to_string().contains("UnknownBlock"));
        assert_eq!(asked, ATTEMPTS);
    }

    #[tokio::test]
    async fn what_fails_for_another_reason_fails_at_once() {
        let node = Node::new(1, true);
        let rpc = Rpc::new(RpcClient::new(node.clone()));
        let run = async |_| Err::<(), _>(Error::NotFound("nothing".into()));
        assert!(matches!(at_best(&rpc, run).await, Err(Error::NotFound(_))));
        // At a block that still exists.
        let rpc = Rpc::new(RpcClient::new(Node::new(0, true)));
        let run = async |_| Err::<(), _>(Error::Chain("the connection is lost".into()));
        assert!(matches!(at_best(&rpc, run).await, Err(Error::Chain(_))));
        assert_eq!(node.asked.load(Relaxed), 1);
    }
}
