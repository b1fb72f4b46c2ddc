//! The connection to a chain, and accounts on it.
//!
//! Called by the subcommands and by [`crate::api`] and [`crate::submit`], which add dry runs and transactions.
//! Everything about the chain comes from its metadata; connecting checks that the pallet and its runtime API exist.

use crate::{
    api,
    args::Global,
    best::{self, Rpc},
    error::{Error, chain, tidy},
    money::{Money, Units},
    units::Token,
};
use subxt::{
    OnlineClient, OnlineClientAtBlock, PolkadotConfig,
    client::OnlineClientAtBlockImpl,
    config::DefaultExtrinsicParamsBuilder,
    dynamic,
    ext::scale_decode::DecodeAsType,
    rpcs::{RpcClient, methods::legacy::NumberOrHex},
    tx::{Payload, SubmittableTransaction},
    utils::{AccountId32, H256},
};
use subxt_signer::{SecretUri, sr25519::Keypair};

/// The state at a block.
pub type AtBlock = OnlineClientAtBlock<PolkadotConfig>;

/// A signed transaction.
pub type Signed = SubmittableTransaction<PolkadotConfig, OnlineClientAtBlockImpl<PolkadotConfig>>;

/// A connected chain, an account that signs, and the pallet's name.
pub struct Chain {
    /// The client.
    pub client: OnlineClient<PolkadotConfig>,
    rpc: Rpc,
    /// The account that signs.
    pub signer: Keypair,
    /// The pallet's name in the metadata.
    pub pallet: String,
    /// True if commands wait for finality.
    pub finalized: bool,
    /// True if the account may be mapped without a request of the user.
    pub may_map: bool,
    /// The token in which amounts are given and shown.
    pub money: Money,
}

/// Number of blocks for which a transaction is valid.
pub(crate) const LIFETIME: u64 = 64;

/// Maximum lag of finality, in blocks, up to which transactions are anchored at the last final block.
const MAX_LAG: u64 = LIFETIME / 2;

/// An account's balances.
#[derive(Debug, Clone, Copy, Default, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct AccountData {
    /// The free balance, including the existential deposit.
    pub free: u128,
    /// The balance on hold.
    pub reserved: u128,
}

#[derive(Debug, Clone, Copy, Default, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AccountRecord {
    nonce: u32,
    data: AccountData,
}

impl Chain {
    /// Connects, and checks that the chain has the pallet.
    ///
    /// # Errors
    ///
    /// If the secret is malformed, the node does not answer, or the pallet or its runtime API is missing.
    pub async fn connect(global: &Global) -> Result<Self, Error> {
        let bad_suri = |reason: String| Error::Usage(format!("--suri: {reason}"));
        let uri: SecretUri = global.suri.parse().map_err(|error| bad_suri(format!("{error}")))?;
        let signer = Keypair::from_uri(&uri).map_err(|error| bad_suri(format!("{error}")))?;
        let unreachable = |reason: String| Error::Connect { url: global.url.clone(), reason: tidy(&reason) };
        // Unencrypted connections are accepted: the user gave the address, which is usually this machine.
        let rpc = RpcClient::from_insecure_url(&websocket(&global.url))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let client = OnlineClient::<PolkadotConfig>::from_rpc_client(rpc.clone())
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let rpc = Rpc::new(rpc);
        // A chain need not have properties, and a node need not answer: amounts are then shown as raw numbers.
        let token = rpc.system_properties().await.map(|properties| Token::of(&properties)).unwrap_or_default();
        let mut chain = Self {
            client,
            rpc,
            signer,
            pallet: global.pallet.clone(),
            finalized: global.finalized,
            may_map: !global.no_map,
            money: Money { token, ..Money::default() },
        };
        let at = chain.at_best(async |at| Ok(at.clone())).await?;
        let (metadata, url) = (at.metadata_ref(), global.url.clone());
        if metadata.pallet_by_name(&chain.pallet).is_none() {
            return Err(Error::NoPallet { url, pallet: chain.pallet });
        }
        if metadata.runtime_api_trait_by_name(api::NAME).is_none() {
            return Err(Error::NoApi { url, api: api::NAME });
        }
        let ratio = dynamic::constant::<u32>(chain.pallet.clone(), "NativeToEthRatio");
        // A pallet without the constant has only one unit.
        if let Ok(ratio) = at.constants().entry(ratio) {
            chain.money.ratio = ratio;
        }
        Ok(chain)
    }

    /// The interpretation of units in arguments.
    pub fn units(&self) -> Units<'_> {
        Units::Chain(&self.money)
    }

    /// The hash of the chain's first block.
    pub fn genesis(&self) -> [u8; 32] {
        self.client.genesis_hash().0
    }

    /// The signer's account.
    pub fn account(&self) -> [u8; 32] {
        self.signer.public_key().0
    }

    /// Runs a query on the state at the best block, and again at the new best block if the first was retracted
    /// meanwhile. So it must have no side effects.
    ///
    /// # Errors
    ///
    /// If the chain does not answer, or the error of the query itself.
    pub async fn at_best<R>(&self, run: impl AsyncFn(&AtBlock) -> Result<R, Error>) -> Result<R, Error> {
        // subxt's notion of the current block is the last final one, which is too old for a command that builds on the
        // result of an earlier one.
        best::at_best(&self.rpc, async |hash| {
            let at = self.client.at_block(hash).await.map_err(chain)?;
            run(&at).await
        })
        .await
    }

    /// True if a block is known not to be on the best chain.
    pub async fn is_retracted(&self, hash: H256) -> bool {
        best::is_retracted(&self.rpc, hash).await
    }

    /// Signs a transaction with a nonce.
    ///
    /// Its mortality is anchored at a block, without which it is invalid: at the last final one; at the best one only
    /// if that has another runtime, or if finality lags far behind.
    ///
    /// # Errors
    ///
    /// If the chain does not answer, or the call does not fit its metadata.
    pub async fn signed(&self, payload: &impl Payload, nonce: u64) -> Result<Signed, Error> {
        self.at_best(async |best| {
            let last_final = self.client.at_current_block().await.map_err(chain)?;
            let lag = best.block_number().saturating_sub(last_final.block_number());
            let is_fit = last_final.spec_version() == best.spec_version() && lag <= MAX_LAG;
            let at = if is_fit { &last_final } else { best };
            let params = DefaultExtrinsicParamsBuilder::<PolkadotConfig>::new().nonce(nonce).mortal(LIFETIME).build();
            at.transactions().create_signed(payload, &self.signer, params).await.map_err(chain)
        })
        .await
    }

    /// The number of the last final block.
    ///
    /// # Errors
    ///
    /// If the chain does not answer.
    pub async fn final_block(&self) -> Result<u64, Error> {
        let hash = self.rpc.chain_get_finalized_head().await.map_err(chain)?;
        Ok(self.client.at_block(hash).await.map_err(chain)?.block_number())
    }

    /// The signer's next nonce, counting transactions in the node's pool.
    ///
    /// # Errors
    ///
    /// If the chain does not answer.
    pub async fn next_nonce(&self) -> Result<u64, Error> {
        self.rpc.system_account_next_index(&AccountId32(self.account())).await.map_err(chain)
    }

    /// True if a transaction is in one of the last best blocks, down to a number.
    ///
    /// # Errors
    ///
    /// If the chain does not answer.
    pub(crate) async fn is_included(&self, transaction: &[u8], since: u64) -> Result<bool, Error> {
        let mut number = self.at_best(async |at| Ok(at.block_number())).await?;
        while number >= since {
            let Some(hash) = self.rpc.chain_get_block_hash(Some(NumberOrHex::Number(number))).await.map_err(chain)?
            else {
                break;
            };
            let block = self.rpc.chain_get_block(Some(hash)).await.map_err(chain)?;
            let mut extrinsics = block.iter().flat_map(|details| &details.block.extrinsics);
            if extrinsics.any(|extrinsic| extrinsic.0 == transaction) {
                return Ok(true);
            }
            number = match number.checked_sub(1) {
                Some(number) => number,
                None => break,
            };
        }
        Ok(false)
    }

    /// An account's nonce and balances; zeros if it does not exist.
    ///
    /// # Errors
    ///
    /// If the chain's answer is unexpected.
    pub async fn balances(&self, at: &AtBlock, account: [u8; 32]) -> Result<(u32, AccountData), Error> {
        let entry = dynamic::storage::<([u8; 32],), AccountRecord>("System", "Account");
        let record = match at.storage().try_fetch(entry, (account,)).await.map_err(chain)? {
            Some(value) => value.decode().map_err(chain)?,
            None => AccountRecord::default(),
        };
        Ok((record.nonce, record.data))
    }

    /// True if an account may use contracts: it is mapped, or derived from an address (`EE` twelve times).
    ///
    /// # Errors
    ///
    /// If the chain's answer is unexpected.
    pub async fn is_mapped(&self, at: &AtBlock, account: [u8; 32]) -> Result<bool, Error> {
        if account[20..] == [0xee; 12] {
            return Ok(true);
        }
        let address = self.address_of(at, account).await?;
        let entry = dynamic::storage::<([u8; 20],), [u8; 32]>(self.pallet.clone(), "OriginalAccount");
        Ok(at.storage().try_fetch(entry, (address,)).await.map_err(chain)?.is_some())
    }
}

/// The address of a node's WebSocket: the node serves both protocols on one port, so an HTTP address is converted.
fn websocket(url: &str) -> String {
    let schemes = [("http://", "ws://"), ("https://", "wss://")];
    let changed = schemes.iter().find_map(|(http, ws)| Some(format!("{ws}{}", url.strip_prefix(http)?)));
    changed.unwrap_or_else(|| url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_http_is_taken_for_that_of_websocket() {
        assert_eq!(websocket("http://127.0.0.1:9944"), "ws://127.0.0.1:9944");
        assert_eq!(websocket("https://rpc.example.org/x"), "wss://rpc.example.org/x");
        assert_eq!(websocket("ws://http://"), "ws://http://");
    }
}
