//! Parameters of the methods: blocks, calls and filters, as Ethereum's JSON-RPC writes them.

use serde::{Deserialize, Deserializer, de::Error as _};
use sp_core::{Bytes, H160, H256, U256};

/// Which block is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BlockRef {
    /// The best one. `pending` is the same: there is no block before it is built.
    #[default]
    Latest,
    /// The last final one; also `safe`.
    Finalized,
    /// The first one.
    Earliest,
    /// By number.
    Number(u32),
    /// By hash.
    Hash(H256),
}

impl<'de> Deserialize<'de> for BlockRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            #[serde(rename_all = "camelCase")]
            Hash {
                block_hash: H256,
            },
            #[serde(rename_all = "camelCase")]
            Number {
                block_number: U256,
            },
        }
        // A number that no block can have is one that there is no block of.
        let number = |number: U256| Self::Number(number.try_into().unwrap_or(u32::MAX));
        match Form::deserialize(deserializer)? {
            Form::Hash { block_hash } => Ok(Self::Hash(block_hash)),
            Form::Number { block_number } => Ok(number(block_number)),
            Form::Text(text) => match text.as_str() {
                "latest" | "pending" => Ok(Self::Latest),
                "finalized" | "safe" => Ok(Self::Finalized),
                "earliest" => Ok(Self::Earliest),
                hash if hash.len() == 66 => {
                    serde_json::from_value(text.clone().into()).map(Self::Hash).map_err(D::Error::custom)
                }
                _ => serde_json::from_value(text.clone().into()).map(number).map_err(|_| {
                    D::Error::custom(format!(
                        "no block: {text} is none of latest, finalized, earliest, a number, a hash"
                    ))
                }),
            },
        }
    }
}

/// A transaction that isn't signed: for `eth_call` and `eth_estimateGas`. Fees are left out of account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallRequest {
    /// The sender.
    pub from: Option<H160>,
    /// The receiver.
    pub to: Option<H160>,
    /// The gas limit.
    pub gas: Option<U256>,
    /// The value.
    pub value: Option<U256>,
    /// The data, by its old name.
    pub data: Option<Bytes>,
    /// The data.
    pub input: Option<Bytes>,
    /// The access list, which adds to the length.
    pub access_list: Option<Vec<AccessListItem>>,
}

/// An entry of an access list.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessListItem {
    /// The keys of the storage.
    pub storage_keys: Vec<H256>,
}

/// One or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// Maximum number of addresses of a filter, and of topics at one position.
const MAX_ALTERNATIVES: usize = 1024;
/// Topics that a log may have.
const TOPICS: usize = 4;

/// Which logs a client wants.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The first block.
    pub from: Option<BlockRef>,
    /// The last block.
    pub to: Option<BlockRef>,
    /// The one block.
    pub block_hash: Option<H256>,
    /// The contracts; all if there are none.
    addresses: Vec<H160>,
    /// For each topic which it may be; all if there are none.
    topics: Vec<Vec<H256>>,
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct Form {
            from_block: Option<BlockRef>,
            to_block: Option<BlockRef>,
            block_hash: Option<H256>,
            address: Option<OneOrMany<H160>>,
            topics: Option<Vec<Option<OneOrMany<Option<H256>>>>>,
        }
        let form = Form::deserialize(deserializer)?;
        let addresses = match form.address {
            None => Vec::new(),
            Some(OneOrMany::One(address)) => vec![address],
            Some(OneOrMany::Many(addresses)) => addresses,
        };
        let topics: Vec<Vec<H256>> = form.topics.unwrap_or_default().into_iter().map(alternatives).collect();
        if topics.len() > TOPICS {
            return Err(D::Error::custom(format!("{} topics, a log has at most {TOPICS}", topics.len())));
        }
        let most = topics.iter().map(Vec::len).chain([addresses.len()]).max().unwrap_or(0);
        if most > MAX_ALTERNATIVES {
            return Err(D::Error::custom(format!("{most} addresses or topics in one place, limit {MAX_ALTERNATIVES}")));
        }
        if form.block_hash.is_some() && (form.from_block.is_some() || form.to_block.is_some()) {
            return Err(D::Error::custom("blockHash and a range of blocks exclude each other"));
        }
        Ok(Self { from: form.from_block, to: form.to_block, block_hash: form.block_hash, addresses, topics })
    }
}

/// The topics that may be in one place; none where any may be.
fn alternatives(place: Option<OneOrMany<Option<H256>>>) -> Vec<H256> {
    match place {
        None => Vec::new(),
        Some(OneOrMany::One(topic)) => topic.into_iter().collect(),
        // One that may be anything makes the others needless.
        Some(OneOrMany::Many(topics)) => topics.into_iter().collect::<Option<_>>().unwrap_or_default(),
    }
}

impl Filter {
    /// Returns true if a log matches the filter.
    pub fn matches(&self, address: &H160, topics: &[H256]) -> bool {
        (self.addresses.is_empty() || self.addresses.contains(address))
            && self.topics.iter().enumerate().all(|(place, wanted)| {
                wanted.is_empty() || topics.get(place).is_some_and(|topic| wanted.contains(topic))
            })
            // A place that is named has to be there, whatever is in it.
            && topics.len() >= self.topics.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn block(json: serde_json::Value) -> Option<BlockRef> {
        serde_json::from_value(json).ok()
    }

    #[test]
    fn a_block_is_meant_in_any_of_ethereums_ways() {
        let hash = H256([7; 32]);
        assert_eq!(block(json!("latest")), Some(BlockRef::Latest));
        assert_eq!(block(json!("pending")), Some(BlockRef::Latest));
        assert_eq!(block(json!("safe")), Some(BlockRef::Finalized));
        assert_eq!(block(json!("earliest")), Some(BlockRef::Earliest));
        assert_eq!(block(json!("0x11")), Some(BlockRef::Number(17)));
        assert_eq!(block(json!(hash)), Some(BlockRef::Hash(hash)));
        assert_eq!(block(json!({ "blockHash": hash, "requireCanonical": true })), Some(BlockRef::Hash(hash)));
        assert_eq!(block(json!({ "blockNumber": "0x2" })), Some(BlockRef::Number(2)));
        assert_eq!(block(json!("0xffffffffffffffff")), Some(BlockRef::Number(u32::MAX)));
        for nonsense in [json!("newest"), json!(""), json!("0x"), json!({}), json!(5), json!("17z")] {
            assert_eq!(block(nonsense.clone()), None, "{nonsense}");
        }
    }

    #[test]
    fn a_filter_lets_pass_what_it_names() {
        let (a, b) = (H160([1; 20]), H160([2; 20]));
        let (x, y) = (H256([3; 32]), H256([4; 32]));
        let filter = |json| serde_json::from_value::<Filter>(json);
        let all = filter(json!({})).expect("a filter");
        assert!(all.matches(&a, &[]));
        let one = filter(json!({ "address": a, "topics": [x] })).expect("a filter");
        assert!(one.matches(&a, &[x, y]) && !one.matches(&b, &[x]) && !one.matches(&a, &[y]) && !one.matches(&a, &[]));
        let second = filter(json!({ "address": [a, b], "topics": [null, [x, y]] })).expect("a filter");
        assert!(second.matches(&b, &[x, y]) && !second.matches(&b, &[x]) && second.matches(&a, &[y, x]));
        let any = filter(json!({ "topics": [[x, null]] })).expect("a filter");
        assert!(any.matches(&a, &[y]) && !any.matches(&a, &[]));
        assert!(filter(json!({ "topics": [null, null, null, null, null] })).is_err());
        assert!(filter(json!({ "address": vec![a; 2000] })).is_err());
        assert!(filter(json!({ "blockHash": x, "fromBlock": "0x1" })).is_err());
    }
}
