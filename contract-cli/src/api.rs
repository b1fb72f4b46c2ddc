//! The runtime API of the pallet, `PolkavmApi` versions 1 to 3: its types and its functions.
//!
//! Called by the subcommands. Arguments are encoded and results decoded by the chain's metadata, field by field, so
//! that fields added by a later runtime do no harm.

use crate::{
    chain::{AtBlock, Chain},
    error::{Error, chain},
    names::name_error,
    output::progress,
};
use subxt::{
    dynamic::{self, Value},
    ext::{frame_decode::runtime_apis::IntoEncodableValues, scale_decode::DecodeAsType, scale_encode::EncodeAsType},
};

/// The API's name in the metadata.
pub const NAME: &str = "PolkavmApi";

/// Execution time and proof size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, DecodeAsType, EncodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub struct Weight {
    /// Picoseconds.
    pub ref_time: u64,
    /// Bytes.
    pub proof_size: u64,
}

/// The storage deposit of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub enum Deposit {
    /// The origin pays.
    Charge(u128),
    /// The origin is refunded.
    Refund(u128),
}

/// The output of a contract.
#[derive(Debug, Clone, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Output {
    /// Bit 0: the contract reverted.
    pub flags: u32,
    /// Its data.
    pub data: Vec<u8>,
}

impl Output {
    /// True if the contract reverted.
    pub fn reverted(&self) -> bool {
        self.flags & 1 != 0
    }
}

/// A new contract.
#[derive(Debug, Clone, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Instantiated {
    /// The output of its constructor.
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
    /// The deposit held for it.
    pub deposit: u128,
}

/// The error of a dry run.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Failure {
    /// The error with which the transaction would fail.
    pub error: Value,
    /// Details.
    pub detail: String,
}

/// An event a contract emitted.
#[derive(Debug, Clone, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct ContractEvent {
    /// The contract.
    pub contract: [u8; 20],
    /// Its topics.
    pub topics: Vec<[u8; 32]>,
    /// Its data.
    pub data: Vec<u8>,
}

/// The result of a dry run.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct DryRun<Outcome> {
    /// The result.
    pub result: Result<Outcome, Failure>,
    /// The weight it used.
    pub gas_consumed: Weight,
    /// The minimum limit with which it succeeds.
    pub gas_required: Weight,
    /// The storage deposit.
    pub storage_deposit: Deposit,
    /// The events of contracts, in order.
    pub events: Vec<ContractEvent>,
}

/// A dry run, with a hash of the resulting state.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Effect<Outcome> {
    /// The result.
    pub execution: DryRun<Outcome>,
    /// A hash of the whole state. The same for all dry runs if the chain's runtime API has none.
    pub state: [u8; 32],
}

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub enum CallKind {
    /// A call.
    Call,
    /// A read-only call.
    StaticCall,
    /// A call of another contract's program on the caller's state.
    DelegateCall,
    /// An instantiation whose address depends on a nonce.
    Create,
    /// An instantiation whose address depends on a salt.
    Create2,
}

/// A call and the calls made in it.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct CallTrace {
    /// The kind of the call.
    pub kind: CallKind,
    /// The caller.
    pub from: [u8; 20],
    /// The callee; in a delegate call, the contract whose program ran.
    pub to: [u8; 20],
    /// The value, in the contracts' unit, as four 64-bit digits, least significant first.
    pub value: Option<[u64; 4]>,
    /// Its weight limit.
    pub gas_limit: Weight,
    /// The weight it used.
    pub gas_used: Weight,
    /// The data it was called with.
    pub input: Vec<u8>,
    /// The output, or the error.
    pub result: Result<Output, Failure>,
    /// The calls made in it, in order.
    pub calls: Vec<CallTrace>,
}

/// A dry run with its call trace.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Traced<Outcome> {
    /// The result.
    pub execution: DryRun<Outcome>,
    /// The first call.
    pub trace: Option<CallTrace>,
}

/// The program of a new contract.
#[derive(Debug, Clone, EncodeAsType)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub enum CodeSource {
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
    /// The deposit held for them.
    pub storage_deposit: u128,
}

/// The error of a query of a contract's storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub enum StorageAccessError {
    /// No contract at the address.
    ContractNotFound,
    /// The key is longer than a contract's key can be.
    KeyTooLarge,
}

/// True if the chain's version of `PolkavmApi` has a function.
fn has(at: &AtBlock, function: &str) -> bool {
    let api = at.metadata_ref().runtime_api_trait_by_name(NAME);
    api.is_some_and(|api| api.method_by_name(function).is_some())
}

/// An execution that the runtime API can dry-run.
pub trait Request {
    /// The result of a successful execution.
    type Outcome: DecodeAsType + 'static;
    /// The arguments of the runtime API's functions.
    type Arguments: IntoEncodableValues;
    /// The runtime API's functions.
    const FUNCTIONS: Functions;

    /// The arguments, with the account that makes the call.
    fn arguments(&self, origin: [u8; 32]) -> Self::Arguments;
}

/// The names of the runtime API's functions for one kind of [`Request`].
#[derive(Debug, Clone, Copy)]
pub struct Functions {
    dry_run: &'static str,
    effect: &'static str,
    trace: &'static str,
}

/// A call of a contract.
#[derive(Debug, Clone, Copy)]
pub struct CallRequest<'a> {
    /// The contract.
    pub address: [u8; 20],
    /// The amount to transfer.
    pub value: u128,
    /// The gas limit; `None` for the maximum of an extrinsic.
    pub gas: Option<Weight>,
    /// Maximum deposit to be charged; `None` for the account's balance.
    pub deposit_limit: Option<u128>,
    /// The call data.
    pub data: &'a [u8],
}

impl Request for CallRequest<'_> {
    type Outcome = Output;
    type Arguments = ([u8; 32], [u8; 20], u128, Option<Weight>, Option<u128>, Vec<u8>);
    const FUNCTIONS: Functions = Functions { dry_run: "call", effect: "effect_of_call", trace: "trace_call" };

    fn arguments(&self, origin: [u8; 32]) -> Self::Arguments {
        (origin, self.address, self.value, self.gas, self.deposit_limit, self.data.to_vec())
    }
}

/// An instantiation of a program.
#[derive(Debug, Clone, Copy)]
pub struct InstantiateRequest<'a> {
    /// The amount to transfer.
    pub value: u128,
    /// The gas limit; `None` for the maximum of an extrinsic.
    pub gas: Option<Weight>,
    /// Maximum deposit to be charged; `None` for the account's balance.
    pub deposit_limit: Option<u128>,
    /// The program.
    pub code: &'a CodeSource,
    /// The constructor's data.
    pub data: &'a [u8],
    /// The salt from which the address is derived, instead of the account's nonce.
    pub salt: Option<[u8; 32]>,
}

impl Request for InstantiateRequest<'_> {
    type Outcome = Instantiated;
    type Arguments = ([u8; 32], u128, Option<Weight>, Option<u128>, CodeSource, Vec<u8>, Option<[u8; 32]>);
    const FUNCTIONS: Functions =
        Functions { dry_run: "instantiate", effect: "effect_of_instantiate", trace: "trace_instantiate" };

    fn arguments(&self, origin: [u8; 32]) -> Self::Arguments {
        let Self { value, gas, deposit_limit, code, data, salt } = *self;
        (origin, value, gas, deposit_limit, code.clone(), data.to_vec(), salt)
    }
}

impl Chain {
    /// Calls a function of `PolkavmApi` at a block.
    async fn api<A, R>(&self, at: &AtBlock, function: &str, args: A) -> Result<R, Error>
    where
        A: IntoEncodableValues,
        R: DecodeAsType + 'static,
    {
        let payload = dynamic::runtime_api_call::<A, R>(NAME, function, args);
        at.runtime_apis().call(payload).await.map_err(chain)
    }

    /// Dry-runs a call or an instantiation.
    ///
    /// # Errors
    ///
    /// If the chain's answer is unexpected; a failing call is a result.
    pub async fn dry_run<R: Request>(&self, at: &AtBlock, request: &R) -> Result<DryRun<R::Outcome>, Error> {
        self.api(at, R::FUNCTIONS.dry_run, request.arguments(self.account())).await
    }

    /// Dry-runs a call or an instantiation that will not be sent, for which the account need not be mapped.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_run`].
    pub async fn read<R: Request>(&self, at: &AtBlock, request: &R) -> Result<DryRun<R::Outcome>, Error> {
        let run = self.dry_run(at, request).await?;
        if !self.is_unmapped(at, run.result.as_ref().err()) {
            return Ok(run);
        }
        let account = self.fallback_account(at).await?;
        self.api(at, R::FUNCTIONS.dry_run, request.arguments(account)).await
    }

    /// True if a dry run failed because the account is not mapped.
    fn is_unmapped(&self, at: &AtBlock, failure: Option<&Failure>) -> bool {
        let unmapped = format!("{}::AccountUnmapped", self.pallet);
        failure.is_some_and(|failure| name_error(at.metadata_ref(), &failure.error).name == unmapped)
    }

    /// The account that the signer's address belongs to without a mapping. It has no balance, which reads do not need.
    async fn fallback_account(&self, at: &AtBlock) -> Result<[u8; 32], Error> {
        progress!("the account is not mapped to its address: run with the address's own account, which has no balance");
        let mut account = [0xee; 32];
        let address = self.address_of(at, self.account()).await?;
        for (byte, of_address) in account.iter_mut().zip(address) {
            *byte = of_address;
        }
        Ok(account)
    }

    /// Dry-runs a call or an instantiation, and returns a hash of the resulting state if the chain's runtime API can
    /// (version 3).
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_run`].
    pub async fn effect<R: Request>(&self, at: &AtBlock, request: &R) -> Result<Effect<R::Outcome>, Error> {
        if !has(at, R::FUNCTIONS.effect) {
            let execution = self.dry_run(at, request).await?;
            return Ok(Effect { execution, state: [0; 32] });
        }
        self.api(at, R::FUNCTIONS.effect, request.arguments(self.account())).await
    }

    /// Traces a request at the best block. Returns the block and the account's address there, too.
    ///
    /// # Errors
    ///
    /// If the chain cannot be asked.
    pub async fn trace_at_best<R: Request>(
        &self,
        request: &R,
    ) -> Result<(AtBlock, [u8; 20], Traced<R::Outcome>), Error> {
        self.at_best(async |at| {
            Ok((at.clone(), self.address_of(at, self.account()).await?, self.trace(at, request).await?))
        })
        .await
    }

    /// Dry-runs a call or an instantiation, and returns its call trace.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_run`].
    pub async fn trace<R: Request>(&self, at: &AtBlock, request: &R) -> Result<Traced<R::Outcome>, Error> {
        let traced: Traced<R::Outcome> = self.api(at, R::FUNCTIONS.trace, request.arguments(self.account())).await?;
        if !self.is_unmapped(at, traced.execution.result.as_ref().err()) {
            return Ok(traced);
        }
        let account = self.fallback_account(at).await?;
        self.api(at, R::FUNCTIONS.trace, request.arguments(account)).await
    }

    /// Dry-runs an upload.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_run`].
    pub async fn dry_upload(
        &self,
        at: &AtBlock,
        code: &[u8],
        deposit: Option<u128>,
    ) -> Result<Result<Uploaded, Failure>, Error> {
        self.api(at, "upload_code", (self.account(), code.to_vec(), deposit)).await
    }

    /// Returns the value under a key of a contract. The inner error is the chain's.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_run`].
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
    /// As [`Chain::dry_run`].
    pub async fn code(&self, at: &AtBlock, code_hash: [u8; 32]) -> Result<Option<Vec<u8>>, Error> {
        self.api(at, "code", (code_hash,)).await
    }

    /// A contract's record.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_run`].
    pub async fn contract(&self, at: &AtBlock, address: [u8; 20]) -> Result<Option<ContractInfo>, Error> {
        self.api(at, "contract_info", (address,)).await
    }

    /// The address of an account.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_run`].
    pub async fn address_of(&self, at: &AtBlock, account: [u8; 32]) -> Result<[u8; 20], Error> {
        self.api(at, "address", (account,)).await
    }

    /// Looks up the account of an address.
    ///
    /// # Errors
    ///
    /// As [`Chain::dry_run`].
    pub async fn account_of(&self, at: &AtBlock, address: [u8; 20]) -> Result<[u8; 32], Error> {
        self.api(at, "account_id", (address,)).await
    }
}
