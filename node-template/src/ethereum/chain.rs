//! Access to the chain for the RPC methods: block lookup, state, dry runs.

use super::{
    error,
    types::{BlockRef, CallRequest},
};
use crate::service::FullClient;
use codec::Decode;
use jsonrpsee::types::ErrorObjectOwned;
use pallet_polkavm::ethereum::api::{EthereumApi as _, EthereumCallV1, EthereumExecutionV1, EthereumTermsV1};
use pallet_polkavm::runtime_api::PolkavmApi as _;
use runtime::{AccountId, Balance, BlockNumber, Hash, Header};
use sc_client_api::StorageProvider as _;
use sp_api::{ApiError, ProvideRuntimeApi as _};
use sp_blockchain::HeaderBackend as _;
use sp_core::{H160, H256, U256, storage::StorageKey};
use sp_io::hashing::twox_128;
use std::sync::Arc;

/// Bytes of a transaction besides its data and access list, at most.
const ENVELOPE_BYTES: usize = 256;
/// Bytes of an entry of an access list, and of a key in it, at most.
const ENTRY_BYTES: usize = 40;

/// The result of what may fail with an error for the client.
pub type Answer<T> = Result<T, ErrorObjectOwned>;

/// The chain.
#[derive(Clone)]
pub struct Chain {
    pub client: Arc<FullClient>,
}

impl Chain {
    /// The best block's hash and number.
    pub fn best(&self) -> (Hash, BlockNumber) {
        let info = self.client.info();
        (info.best_hash, info.best_number)
    }

    /// The hash of the block that is meant, if there is one.
    pub fn find(&self, block: BlockRef) -> Answer<Option<Hash>> {
        let info = self.client.info();
        let found = match block {
            BlockRef::Latest => Some(info.best_hash),
            BlockRef::Finalized => Some(info.finalized_hash),
            BlockRef::Earliest => Some(info.genesis_hash),
            BlockRef::Number(number) => self.client.hash(number).map_err(error::server)?,
            BlockRef::Hash(hash) => self.client.header(hash).map_err(error::server)?.map(|_| hash),
        };
        Ok(found)
    }

    /// The hash of the block that is meant.
    pub fn block(&self, block: Option<BlockRef>) -> Answer<Hash> {
        let block = block.unwrap_or_default();
        self.find(block)?.ok_or_else(|| error::server(format!("header not found: {block:?}")))
    }

    /// The number of the block that is meant; the best one's where there is none as yet.
    pub fn number(&self, block: BlockRef) -> Answer<BlockNumber> {
        let info = self.client.info();
        Ok(match block {
            BlockRef::Latest => info.best_number,
            BlockRef::Finalized => info.finalized_number,
            BlockRef::Earliest => 0,
            BlockRef::Number(number) => number,
            BlockRef::Hash(hash) => match self.header(hash)? {
                Some(header) => header.number,
                None => return Err(error::server(format!("header not found: {hash:?}"))),
            },
        })
    }

    /// A block's header.
    pub fn header(&self, hash: Hash) -> Answer<Option<Header>> {
        self.client.header(hash).map_err(error::server)
    }

    /// The hash of the block with a number, on the best chain.
    pub fn hash(&self, number: BlockNumber) -> Answer<Option<Hash>> {
        self.client.hash(number).map_err(error::server)
    }

    /// The value of a pallet's storage item in a block's state. The default where there is none.
    pub fn storage<T: Decode + Default>(&self, hash: Hash, pallet: &str, item: &str) -> Answer<T> {
        let key = StorageKey([twox_128(pallet.as_bytes()), twox_128(item.as_bytes())].concat());
        let value = self.client.storage(hash, &key).map_err(|error| error::server(state_error(&error)))?;
        match value {
            None => Ok(T::default()),
            Some(value) => T::decode(&mut &value.0[..]).map_err(|_| {
                error::server(format!("{pallet}.{item} of block {hash:?} is of another version of the runtime"))
            }),
        }
    }

    /// Chain id, ratio and prices.
    pub fn terms(&self, hash: Hash) -> Answer<EthereumTermsV1> {
        self.client.runtime_api().terms(hash).map_err(api_error)
    }

    /// Transferable balance of an address.
    pub fn balance(&self, hash: Hash, address: H160) -> Answer<U256> {
        self.client.runtime_api().balance(hash, address).map_err(api_error)
    }

    /// The account of an address.
    pub fn account(&self, hash: Hash, address: H160) -> Answer<AccountId> {
        self.client.runtime_api().account_id(hash, address).map_err(api_error)
    }

    /// The number of transactions that an address has sent.
    pub fn nonce(&self, hash: Hash, address: H160) -> Answer<u64> {
        self.client.runtime_api().nonce(hash, address).map_err(api_error)
    }

    /// The program of a contract; empty where there is none.
    pub fn code(&self, hash: Hash, address: H160) -> Answer<Vec<u8>> {
        let api = self.client.runtime_api();
        let Some(info) = api.contract_info(hash, address).map_err(api_error)? else { return Ok(Vec::new()) };
        let code = api.code(hash, info.code_hash).map_err(api_error)?;
        Ok(code.unwrap_or_default())
    }

    /// Value of a storage slot of a contract.
    pub fn slot(&self, hash: Hash, address: H160, key: U256) -> Answer<H256> {
        let stored = self.client.runtime_api().get_storage(hash, address, key.to_big_endian()).map_err(api_error)?;
        let mut slot = H256::zero();
        if let Ok(Some(value)) = stored {
            // Values of Solidity's have 32 bytes; of others the first are shown.
            let length = value.len().min(32);
            slot.0[..length].copy_from_slice(&value[..length]);
        }
        Ok(slot)
    }

    /// Dry-runs a transaction.
    pub fn dry_run(&self, hash: Hash, call: EthereumCallV1) -> Answer<EthereumExecutionV1> {
        self.client.runtime_api().dry_run(hash, call).map_err(api_error)
    }
}

impl CallRequest {
    /// As the runtime has it. `gas` replaces the request's own.
    pub fn into_call(self) -> Answer<EthereumCallV1> {
        let data = match (self.input, self.data) {
            (Some(input), Some(data)) if input != data => {
                return Err(error::invalid("`data` and `input` differ: give one of them"));
            }
            (input, data) => input.or(data).map(|data| data.0).unwrap_or_default(),
        };
        let entries = self.access_list.unwrap_or_default();
        let listed: usize = entries.iter().map(|entry| 1 + entry.storage_keys.len()).sum();
        let length = data.len().saturating_add(ENVELOPE_BYTES).saturating_add(listed.saturating_mul(ENTRY_BYTES));
        Ok(EthereumCallV1 {
            from: self.from.unwrap_or_default(),
            to: self.to,
            value: self.value.unwrap_or_default(),
            gas: self.gas.map(|gas| gas.try_into().unwrap_or(u64::MAX)),
            data,
            length: length.try_into().unwrap_or(u32::MAX),
        })
    }
}

/// An amount of the chain's balance in the contracts' unit.
pub fn to_wei(balance: Balance, terms: &EthereumTermsV1) -> U256 {
    U256::from(balance).saturating_mul(terms.native_to_eth_ratio.into())
}

/// A failed call of the runtime, as an error for the client.
pub fn api_error(error: ApiError) -> ErrorObjectOwned {
    match &error {
        ApiError::UnknownBlock(_) | ApiError::StateBackendIsNotTrie => error::server(state_error(&error)),
        _ => error::server(format!("the runtime can't answer: {error}")),
    }
}

fn state_error(error: &dyn std::fmt::Display) -> String {
    format!(
        "missing trie node: {error} (this node keeps recent states only, unless started with --state-pruning archive)"
    )
}
