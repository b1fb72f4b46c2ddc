//! Responses of the methods as JSON: blocks, transactions, receipts and logs, as Ethereum's JSON-RPC writes them.

use super::block::{Block, Bloom, Log, Mined};
use pallet_polkavm::ethereum::{Transaction, TransactionKind};
use serde_json::{Map, Value, json};
use sp_core::{Bytes, H160, H256, U256};

/// The hash of an empty list of uncles.
const NO_UNCLES: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";

fn number(number: u64) -> U256 {
    number.into()
}

fn bytes(bytes: &[u8]) -> Bytes {
    Bytes(bytes.to_vec())
}

/// A block's header, as subscribers get it.
pub fn header(block: &Block) -> Map<String, Value> {
    let header = &block.header;
    let value = json!({
        "hash": block.hash,
        "parentHash": header.parent_hash,
        "sha3Uncles": NO_UNCLES,
        "miner": H160::zero(),
        "stateRoot": header.state_root,
        "transactionsRoot": header.extrinsics_root,
        // The chain has no trie of receipts: they are in its state.
        "receiptsRoot": header.state_root,
        "logsBloom": bytes(&block.bloom.0),
        "difficulty": U256::zero(),
        "number": block.number(),
        "gasLimit": number(block.gas_limit()),
        "gasUsed": number(block.gas_used),
        "timestamp": number(block.timestamp),
        "extraData": "0x",
        "mixHash": H256::zero(),
        "nonce": "0x0000000000000000",
        "baseFeePerGas": block.terms.gas_price,
    });
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// A block, with its transactions or their hashes.
pub fn block(block: &Block, full: bool) -> Value {
    let mut fields = header(block);
    let transactions = block.transactions.iter().enumerate().map(|(index, mined)| match full {
        true => transaction(&mined.transaction, Some((block, index))),
        false => json!(mined.transaction.hash),
    });
    fields.insert("transactions".into(), transactions.collect());
    fields.insert("size".into(), json!(number(block.size as u64)));
    fields.insert("totalDifficulty".into(), json!(U256::zero()));
    fields.insert("uncles".into(), json!([]));
    Value::Object(fields)
}

/// A transaction, with its place in a block if it is in one.
pub fn transaction(transaction: &Transaction, place: Option<(&Block, usize)>) -> Value {
    let parity = u64::from(transaction.is_odd);
    let v = match (transaction.kind, transaction.chain_id) {
        (TransactionKind::Legacy, Some(chain_id)) => U256::from(chain_id) * 2 + 35 + parity,
        (TransactionKind::Legacy, None) => (27 + parity).into(),
        _ => parity.into(),
    };
    let gas_price = match place {
        Some((block, _)) => transaction.effective_gas_price(block.terms.gas_price),
        None => transaction.max_fee_per_gas.into(),
    };
    let mut value = json!({
        "type": number(transaction.kind.number().into()),
        "hash": transaction.hash,
        "nonce": number(transaction.nonce),
        "blockHash": place.map(|(block, _)| block.hash),
        "blockNumber": place.map(|(block, _)| block.number()),
        "transactionIndex": place.map(|(_, index)| number(index as u64)),
        "from": transaction.signer,
        "to": transaction.to,
        "value": transaction.value,
        "gas": number(transaction.gas_limit),
        "gasPrice": gas_price,
        "input": bytes(&transaction.data),
        "v": v,
        "r": transaction.r,
        "s": transaction.s,
    });
    if let Some(chain_id) = transaction.chain_id {
        value["chainId"] = json!(number(chain_id));
    }
    if transaction.kind != TransactionKind::Legacy {
        let list = transaction.access_list.iter();
        let list = list.map(|(address, keys)| json!({ "address": address, "storageKeys": keys }));
        value["accessList"] = list.collect();
        value["yParity"] = json!(number(parity));
    }
    if transaction.kind == TransactionKind::Eip1559 {
        value["maxFeePerGas"] = json!(U256::from(transaction.max_fee_per_gas));
        value["maxPriorityFeePerGas"] = json!(U256::from(transaction.max_priority_fee_per_gas));
    }
    value
}

/// A transaction's receipt.
pub fn receipt(block: &Block, index: usize, mined: &Mined) -> Value {
    let own = |(_, log): &(usize, &Log)| log.transaction == mined.transaction.hash;
    let mut bloom = Bloom::default();
    let logs: Vec<_> = block
        .logs
        .iter()
        .enumerate()
        .filter(own)
        .map(|(place, log)| {
            bloom.add(log);
            self::log(block, place, log)
        })
        .collect();
    json!({
        "transactionHash": mined.transaction.hash,
        "transactionIndex": number(index as u64),
        "blockHash": block.hash,
        "blockNumber": block.number(),
        "from": mined.transaction.signer,
        "to": mined.transaction.to,
        "cumulativeGasUsed": number(mined.cumulative_gas_used),
        "gasUsed": number(mined.gas_used),
        "effectiveGasPrice": mined.effective_gas_price,
        "contractAddress": mined.contract,
        "logs": logs,
        "logsBloom": bytes(&bloom.0),
        "type": number(mined.transaction.kind.number().into()),
        "status": number(mined.succeeded.into()),
    })
}

/// A log, which is at `place` among the block's.
pub fn log(block: &Block, place: usize, log: &Log) -> Value {
    json!({
        "address": log.address,
        "topics": log.topics,
        "data": bytes(&log.data),
        "blockHash": block.hash,
        "blockNumber": block.number(),
        "blockTimestamp": number(block.timestamp),
        "transactionHash": log.transaction,
        "transactionIndex": number(log.transaction_index as u64),
        "logIndex": number(place as u64),
        "removed": false,
    })
}
