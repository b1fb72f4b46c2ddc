//! The connection to a chain, its dry runs and its views.
//!
//! Everything is encoded and decoded by the chain's metadata; the types here are the shapes expected of
//! `PolkavmApi` version 1.

use crate::{
    args::Global,
    error::{Error, chain},
};
use subxt::{
    Metadata, OnlineClient, OnlineClientAtBlock, PolkadotConfig,
    config::RpcConfigFor,
    dynamic,
    dynamic::{At as _, Value},
    ext::scale_decode::DecodeAsType,
    ext::scale_encode::EncodeAsType,
    ext::scale_value::{self, ValueDef},
    rpcs::{RpcClient, methods::legacy::LegacyRpcMethods},
    utils::AccountId32,
};
use subxt_signer::{SecretUri, sr25519::Keypair};

/// The state at a block.
pub type AtBlock = OnlineClientAtBlock<PolkadotConfig>;

/// A connected chain, an account that signs, and the pallet's name.
pub struct Chain {
    /// The client.
    pub client: OnlineClient<PolkadotConfig>,
    rpc: LegacyRpcMethods<RpcConfigFor<PolkadotConfig>>,
    /// Who signs.
    pub signer: Keypair,
    /// The pallet's name in the metadata.
    pub pallet: String,
    /// Whether to wait for finality.
    pub finalized: bool,
    /// Whether the account may be mapped without being asked.
    pub may_map: bool,
}

/// Execution time and proof size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DecodeAsType, EncodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub struct Weight {
    /// Picoseconds.
    pub ref_time: u64,
    /// Bytes.
    pub proof_size: u64,
}

/// What the storage taken or freed costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub enum Deposit {
    /// The origin pays.
    Charge(u128),
    /// The origin gets back.
    Refund(u128),
}

/// What a contract returned.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Output {
    /// Bit 0: the contract reverted.
    pub flags: u32,
    /// Its data.
    pub data: Vec<u8>,
}

impl Output {
    /// Whether the contract asked for everything to be undone.
    pub fn reverted(&self) -> bool {
        self.flags & 1 != 0
    }
}

/// A new contract.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Instantiated {
    /// What its constructor returned.
    pub output: Output,
    /// Its address.
    pub address: [u8; 20],
    /// Its program.
    pub code_hash: [u8; 32],
}

/// A stored program.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Uploaded {
    /// Its hash.
    pub code_hash: [u8; 32],
    /// What is held for it.
    pub deposit: u128,
}

/// Why a dry run failed.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Failure {
    /// The error the transaction would fail with.
    pub error: Value,
    /// The particulars.
    pub detail: String,
}

/// The outcome of a dry run.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct DryRun<Outcome> {
    /// What came back.
    pub result: Result<Outcome, Failure>,
    /// What it used.
    pub gas_consumed: Weight,
    /// What it needs as a limit.
    pub gas_required: Weight,
    /// What the storage costs.
    pub storage_deposit: Deposit,
}

/// The program of a new contract.
#[derive(Debug, Clone, EncodeAsType)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub enum Code {
    /// Its bytes.
    Upload(Vec<u8>),
    /// Its hash.
    Existing([u8; 32]),
}

/// A contract's record.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct ContractInfo {
    /// Its account.
    pub account: [u8; 32],
    /// Its program.
    pub code_hash: [u8; 32],
    /// Bytes it stores.
    pub storage_bytes: u32,
    /// Items it stores.
    pub storage_items: u32,
    /// What is held for them.
    pub storage_deposit: u128,
}

/// Why a contract's storage could not be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub enum StorageAccessError {
    /// There is no contract at the address.
    ContractNotFound,
    /// The key is longer than a contract's key can be.
    KeyTooLarge,
}

/// An account's balances.
#[derive(Debug, Clone, Copy, Default, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct AccountData {
    /// What it can spend, the existential deposit included.
    pub free: u128,
    /// What is held.
    pub reserved: u128,
}

#[derive(Debug, Clone, Copy, Default, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AccountRecord {
    nonce: u32,
    data: AccountData,
}

/// An error of the chain: its name and what its documentation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedError {
    /// Such as `Polkavm::OutOfGas`.
    pub name: String,
    /// Its documentation.
    pub docs: String,
}

impl Chain {
    /// Connects and checks that the pallet is there.
    ///
    /// # Errors
    ///
    /// When the secret is malformed, nobody answers, or there is no such pallet.
    pub async fn connect(global: &Global) -> Result<Self, Error> {
        let bad_suri = |reason: String| Error::Usage(format!("--suri: {reason}"));
        let uri: SecretUri = global.suri.parse().map_err(|error| bad_suri(format!("{error}")))?;
        let signer = Keypair::from_uri(&uri).map_err(|error| bad_suri(format!("{error}")))?;
        let unreachable = |reason: String| Error::Connect { url: global.url.clone(), reason };
        // Unencrypted connections are fine: the user named the address, and it is this machine more often than not.
        let rpc = RpcClient::from_insecure_url(&global.url).await.map_err(|error| unreachable(error.to_string()))?;
        let client = OnlineClient::<PolkadotConfig>::from_rpc_client(rpc.clone())
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let chain = Self {
            client,
            rpc: LegacyRpcMethods::new(rpc),
            signer,
            pallet: global.pallet.clone(),
            finalized: global.finalized,
            may_map: !global.no_map,
        };
        if chain.best().await?.metadata_ref().pallet_by_name(&chain.pallet).is_none() {
            return Err(Error::NoPallet { url: global.url.clone(), pallet: chain.pallet });
        }
        Ok(chain)
    }

    /// The signer's account.
    pub fn account(&self) -> [u8; 32] {
        self.signer.public_key().0
    }

    /// The state at the best block.
    ///
    /// # Errors
    ///
    /// When the chain does not answer.
    pub async fn best(&self) -> Result<AtBlock, Error> {
        // subxt's own idea of the current block is the last final one, which is too old for a command that builds on
        // what an earlier command has just done.
        match self.rpc.chain_get_block_hash(None).await.map_err(chain)? {
            Some(hash) => self.client.at_block(hash).await.map_err(chain),
            None => self.client.at_current_block().await.map_err(chain),
        }
    }

    /// The signer's next nonce, transactions in the node's pool included.
    ///
    /// # Errors
    ///
    /// When the chain does not answer.
    pub async fn next_nonce(&self) -> Result<u64, Error> {
        self.rpc.system_account_next_index(&AccountId32(self.account())).await.map_err(chain)
    }

    /// Calls a function of `PolkavmApi` at a block.
    async fn api<A, R>(&self, at: &AtBlock, function: &str, args: A) -> Result<R, Error>
    where
        A: subxt::ext::frame_decode::runtime_apis::IntoEncodableValues,
        R: DecodeAsType + 'static,
    {
        let payload = dynamic::runtime_api_call::<A, R>("PolkavmApi", function, args);
        at.runtime_apis().call(payload).await.map_err(chain)
    }

    /// Dry-runs a call.
    ///
    /// # Errors
    ///
    /// When the chain does not answer as expected; a failing call is an outcome.
    pub async fn dry_call(
        &self,
        at: &AtBlock,
        to: [u8; 20],
        value: u128,
        gas: Option<Weight>,
        deposit: Option<u128>,
        data: &[u8],
    ) -> Result<DryRun<Output>, Error> {
        self.api(at, "call", (self.account(), to, value, gas, deposit, data.to_vec())).await
    }

    /// Dry-runs an instantiation.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    #[expect(clippy::too_many_arguments, reason = "the arguments of the runtime API")]
    pub async fn dry_instantiate(
        &self,
        at: &AtBlock,
        value: u128,
        gas: Option<Weight>,
        deposit: Option<u128>,
        code: Code,
        data: &[u8],
        salt: Option<[u8; 32]>,
    ) -> Result<DryRun<Instantiated>, Error> {
        self.api(at, "instantiate", (self.account(), value, gas, deposit, code, data.to_vec(), salt)).await
    }

    /// Dry-runs an upload.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    pub async fn dry_upload(
        &self,
        at: &AtBlock,
        code: &[u8],
        deposit: Option<u128>,
    ) -> Result<Result<Uploaded, Failure>, Error> {
        self.api(at, "upload_code", (self.account(), code.to_vec(), deposit)).await
    }

    /// What a contract stores under a key. The inner error is the chain's word for it.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    pub async fn storage(
        &self,
        at: &AtBlock,
        address: [u8; 20],
        key: &[u8],
        variable: bool,
    ) -> Result<Result<Option<Vec<u8>>, StorageAccessError>, Error> {
        match <[u8; 32]>::try_from(key) {
            Ok(key) if !variable => self.api(at, "get_storage", (address, key)).await,
            _ => self.api(at, "get_storage_var_key", (address, key.to_vec())).await,
        }
    }

    /// A stored program.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    pub async fn code(&self, at: &AtBlock, code_hash: [u8; 32]) -> Result<Option<Vec<u8>>, Error> {
        self.api(at, "code", (code_hash,)).await
    }

    /// A contract's record.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    pub async fn contract(&self, at: &AtBlock, address: [u8; 20]) -> Result<Option<ContractInfo>, Error> {
        self.api(at, "contract_info", (address,)).await
    }

    /// The address of an account.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    pub async fn address_of(&self, at: &AtBlock, account: [u8; 32]) -> Result<[u8; 20], Error> {
        self.api(at, "address", (account,)).await
    }

    /// The account behind an address.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    pub async fn account_of(&self, at: &AtBlock, address: [u8; 20]) -> Result<[u8; 32], Error> {
        self.api(at, "account_id", (address,)).await
    }

    /// An account's nonce and balances; zeros where there is none.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    pub async fn balances(&self, at: &AtBlock, account: [u8; 32]) -> Result<(u32, AccountData), Error> {
        let entry = dynamic::storage::<([u8; 32],), AccountRecord>("System", "Account");
        let record = match at.storage().try_fetch(entry, (account,)).await.map_err(chain)? {
            Some(value) => value.decode().map_err(chain)?,
            None => AccountRecord::default(),
        };
        Ok((record.nonce, record.data))
    }

    /// Whether an account may deal with contracts: it is mapped, or derived from an address (`EE` twelve times).
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_call`].
    pub async fn is_mapped(&self, at: &AtBlock, account: [u8; 32]) -> Result<bool, Error> {
        if account[20..] == [0xee; 12] {
            return Ok(true);
        }
        let address = self.address_of(at, account).await?;
        let entry = dynamic::storage::<([u8; 20],), [u8; 32]>(self.pallet.clone(), "OriginalAccount");
        Ok(at.storage().try_fetch(entry, (address,)).await.map_err(chain)?.is_some())
    }
}

/// The name of an error and its documentation, from a decoded `DispatchError`.
pub fn name_error<T>(metadata: &Metadata, error: &scale_value::Value<T>) -> NamedError {
    if let (Some(index), Some(number)) = (
        error.at("index").and_then(|index| index.as_u128()),
        error.at("error").at(0).and_then(|number| number.as_u128()),
    ) && let (Ok(index), Ok(number)) = (u8::try_from(index), u8::try_from(number))
        && let Some(pallet) = metadata.pallet_by_error_index(index)
        && let Some(variant) = pallet.error_variant_by_index(number)
    {
        return NamedError { name: format!("{}::{}", pallet.name(), variant.name), docs: joined(&variant.docs) };
    }
    NamedError { name: format!("DispatchError::{}", variant_path(error)), docs: String::new() }
}

/// `BadOrigin`, or `Token::FundsUnavailable` for a variant in a variant.
fn variant_path<T>(error: &scale_value::Value<T>) -> String {
    match &error.value {
        ValueDef::Variant(variant) => match variant.values.at(0) {
            Some(inner) => format!("{}::{}", variant.name, variant_path(inner)),
            None => variant.name.clone(),
        },
        _ => error.to_string(),
    }
}

/// An error of a pallet with its documentation.
pub fn error_by_name(metadata: &Metadata, pallet: &str, name: &str) -> NamedError {
    let variants = metadata.pallet_by_name(pallet).and_then(|pallet| pallet.error_variants()).unwrap_or_default();
    let docs = variants.iter().find(|variant| variant.name == name).map(|variant| joined(&variant.docs));
    NamedError { name: format!("{pallet}::{name}"), docs: docs.unwrap_or_default() }
}

fn joined(docs: &[String]) -> String {
    docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_are_of_no_pallet_are_named_by_their_variants() {
        assert_eq!(variant_path(&Value::unnamed_variant("BadOrigin", [])), "BadOrigin");
        let nested = Value::unnamed_variant("Token", [Value::unnamed_variant("FundsUnavailable", [])]);
        assert_eq!(variant_path(&nested), "Token::FundsUnavailable");
    }
}
