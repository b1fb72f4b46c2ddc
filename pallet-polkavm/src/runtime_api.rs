//! The runtime API: dry runs, and views of contracts and code.
//!
//! Called by clients through the node's RPC (`state_call`), on a state that is thrown away. Every
//! type that crosses here carries its version in its name: a later version adds types and bumps
//! the API's version, it never changes these. The types convert from the pallet's own, so that a
//! runtime implements each function in one line (see the crate's documentation).

#![allow(clippy::too_many_arguments, reason = "the functions take what their extrinsics take")]

use crate::{
    code::CostModel,
    exec::trace::{CallKind, CallTrace},
    pricing::Pricing,
    types::{self, Failure},
};
use alloc::{string::String, vec::Vec};
use codec::{Codec, Decode, Encode};
use frame_support::weights::Weight;
use scale_info::TypeInfo;
use sp_core::{H160, H256, U256};
use sp_runtime::DispatchError;
use vm_core::gas::CostModelKind;

/// Why a dry run failed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct FailureV1 {
    /// The error the extrinsic would fail with.
    pub error: DispatchError,
    /// A sentence with the particulars: limit and value, name, address. For people, not for programs.
    pub detail: String,
}

impl From<Failure> for FailureV1 {
    fn from(failure: Failure) -> Self {
        Self { error: failure.error, detail: failure.detail }
    }
}

/// The code of a new contract.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum CodeV1 {
    /// The bytes of a program.
    Upload(Vec<u8>),
    /// The hash of a stored one.
    Existing(H256),
}

impl From<CodeV1> for types::Code {
    fn from(code: CodeV1) -> Self {
        match code {
            CodeV1::Upload(code) => Self::Upload(code),
            CodeV1::Existing(hash) => Self::Existing(hash),
        }
    }
}

/// Balance that moves because of storage taken or freed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum DepositV1<Balance> {
    /// The origin pays this much.
    Charge(Balance),
    /// The origin gets this much back.
    Refund(Balance),
}

impl<Balance> From<types::Deposit<Balance>> for DepositV1<Balance> {
    fn from(deposit: types::Deposit<Balance>) -> Self {
        match deposit {
            types::Deposit::Charge(amount) => Self::Charge(amount),
            types::Deposit::Refund(amount) => Self::Refund(amount),
        }
    }
}

/// What a contract gave back.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct OutputV1 {
    /// The flags given to `seal_return`; bit 0 says that the contract reverted.
    pub flags: u32,
    /// The data given to `seal_return`.
    pub data: Vec<u8>,
}

impl From<types::Output> for OutputV1 {
    fn from(output: types::Output) -> Self {
        Self { flags: output.flags.bits(), data: output.data }
    }
}

/// A new contract.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct InstantiatedV1 {
    /// What its constructor gave back.
    pub output: OutputV1,
    /// Its address.
    pub address: H160,
    /// The hash of its code.
    pub code_hash: H256,
}

impl From<types::Instantiated> for InstantiatedV1 {
    fn from(instantiated: types::Instantiated) -> Self {
        Self { output: instantiated.output.into(), address: instantiated.address, code_hash: instantiated.code_hash }
    }
}

/// A stored program.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct UploadedV1<Balance> {
    /// The hash it is stored under.
    pub code_hash: H256,
    /// What is held on the uploader's account; zero where it was stored already.
    pub deposit: Balance,
}

impl<Balance> From<types::Uploaded<Balance>> for UploadedV1<Balance> {
    fn from(uploaded: types::Uploaded<Balance>) -> Self {
        Self { code_hash: uploaded.code_hash, deposit: uploaded.deposit }
    }
}

/// An event of a contract.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ContractEventV1 {
    /// The contract that emitted it.
    pub contract: H160,
    /// Its topics.
    pub topics: Vec<H256>,
    /// Its data.
    pub data: Vec<u8>,
}

impl From<types::ContractEvent> for ContractEventV1 {
    fn from(event: types::ContractEvent) -> Self {
        Self { contract: event.contract, topics: event.topics, data: event.data }
    }
}

/// The outcome of a dry run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ExecutionV2<R, Balance> {
    /// What came back. A contract that reverted is `Ok` with bit 0 of its flags set; the extrinsic
    /// would fail with `ContractReverted`.
    pub result: Result<R, FailureV1>,
    /// Weight used, without the extrinsic's base weight.
    pub gas_consumed: Weight,
    /// The least `gas_limit` with which the same execution passes.
    pub gas_required: Weight,
    /// What the storage taken or freed costs the origin.
    pub storage_deposit: DepositV1<Balance>,
    /// The least `storage_deposit_limit` with which the same execution passes: the most that is charged at once.
    pub storage_deposit_required: Balance,
    /// The events the contracts emitted, in order.
    pub events: Vec<ContractEventV1>,
}

impl<R, Balance, P> From<types::Execution<P, Balance>> for ExecutionV2<R, Balance>
where
    R: From<P>,
{
    fn from(execution: types::Execution<P, Balance>) -> Self {
        Self {
            result: execution.result.map(Into::into).map_err(Into::into),
            gas_consumed: execution.gas_consumed,
            gas_required: execution.gas_required,
            storage_deposit: execution.storage_deposit.into(),
            storage_deposit_required: execution.storage_deposit_required,
            events: execution.events.into_iter().map(Into::into).collect(),
        }
    }
}

/// The outcome of a dry run, and what identifies the state that it leads to.
///
/// Two dry runs on one state with the same hash have changed the same things in the same way. Whoever looks for the
/// least limit with which a call does what it does with a larger one compares these.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EffectV2<R, Balance> {
    /// The outcome.
    pub execution: ExecutionV2<R, Balance>,
    /// A hash of the whole state.
    pub state: H256,
}

/// How a program was entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum CallKindV1 {
    /// A call.
    Call,
    /// A call that may change nothing.
    StaticCall,
    /// A call that runs another contract's program on the caller's state.
    DelegateCall,
    /// An instantiation whose address comes from the deployer's nonce.
    Create,
    /// An instantiation whose address comes from a salt.
    Create2,
}

impl From<CallKind> for CallKindV1 {
    fn from(kind: CallKind) -> Self {
        match kind {
            CallKind::Call => Self::Call,
            CallKind::StaticCall => Self::StaticCall,
            CallKind::DelegateCall => Self::DelegateCall,
            CallKind::Create => Self::Create,
            CallKind::Create2 => Self::Create2,
        }
    }
}

/// A call and the calls made in it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct CallTraceV1 {
    /// How the program was entered.
    pub kind: CallKindV1,
    /// Who called.
    pub from: H160,
    /// Who was called; in a delegate call, whose program ran.
    pub to: H160,
    /// The value that was sent, in the contracts' unit; none in a delegate call.
    pub value: Option<U256>,
    /// The weight it was allowed.
    pub gas_limit: Weight,
    /// The weight it used.
    pub gas_used: Weight,
    /// The data it was called with.
    pub input: Vec<u8>,
    /// What came back, or why nothing did.
    pub result: Result<OutputV1, FailureV1>,
    /// The calls made in it, in order.
    pub calls: Vec<CallTraceV1>,
}

impl From<CallTrace> for CallTraceV1 {
    fn from(trace: CallTrace) -> Self {
        Self {
            kind: trace.kind.into(),
            from: trace.from,
            to: trace.to,
            value: trace.value,
            gas_limit: trace.gas_limit,
            gas_used: trace.gas_used,
            input: trace.input,
            result: trace.result.map(Into::into).map_err(Into::into),
            // No deeper than the call stack may be.
            calls: trace.calls.into_iter().map(Into::into).collect(),
        }
    }
}

/// The outcome of a dry run, and the tree of its calls.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct TracedV2<R, Balance> {
    /// The outcome.
    pub execution: ExecutionV2<R, Balance>,
    /// The first call. `None` where it wasn't begun.
    pub trace: Option<CallTraceV1>,
}

impl<R, Balance, P> From<types::Execution<P, Balance>> for TracedV2<R, Balance>
where
    R: From<P>,
{
    fn from(mut execution: types::Execution<P, Balance>) -> Self {
        let trace = execution.trace.take().map(Into::into);
        Self { execution: execution.into(), trace }
    }
}

/// The record of a contract.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ContractInfoV1<AccountId, Balance> {
    /// Its account.
    pub account: AccountId,
    /// The hash of its code.
    pub code_hash: H256,
    /// The id of its child trie.
    pub trie_id: H256,
    /// Bytes of keys and values it stores.
    pub storage_bytes: u32,
    /// Items it stores.
    pub storage_items: u32,
    /// All that is held on its account as storage deposit.
    pub storage_deposit: Balance,
    /// Length of its immutable data.
    pub immutable_data_len: u32,
}

/// The price of a cost model's gas.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct GasPriceV1 {
    /// The cost model, by the number it has for good.
    pub cost_model: u16,
    /// Picoseconds of weight for one unit of its gas.
    pub ref_time: u64,
}

/// How gas becomes weight, and which nodes can build blocks at that price.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum PricingV1 {
    /// Any node can.
    Interpreted(Vec<GasPriceV1>),
    /// Nodes that compile can.
    Compiled(Vec<GasPriceV1>),
}

impl From<Pricing> for PricingV1 {
    fn from(pricing: Pricing) -> Self {
        let price = |model: CostModel| GasPriceV1 {
            cost_model: CostModelKind::from(model).id(),
            ref_time: pricing.ref_time_per_gas(model),
        };
        let prices = CostModel::ALL.map(price).to_vec();
        match pricing {
            Pricing::Interpreted(_) => Self::Interpreted(prices),
            Pricing::Compiled(_) => Self::Compiled(prices),
        }
    }
}

/// Why storage could not be looked at.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum StorageAccessErrorV1 {
    /// There is no contract at the address.
    ContractNotFound,
    /// The key is longer than a contract's key can be.
    KeyTooLarge,
}

sp_api::decl_runtime_apis! {
    /// Dry runs of the pallet's extrinsics, and views of its state.
    ///
    /// A limit left out is the most an extrinsic can use (gas) or the origin can pay (deposit). More gas than that is
    /// never given: a limit above it counts as that.
    /// A dry run acts as the extrinsic would, on the state of the block it is asked about, but takes any account as
    /// origin: one that isn't mapped counts as mapped, and a contract's account may ask as well.
    #[api_version(4)]
    pub trait PolkavmApi<AccountId, Balance>
    where
        AccountId: Codec,
        Balance: Codec,
    {
        /// Dry-runs `call`.
        fn call(
            origin: AccountId,
            dest: H160,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            data: Vec<u8>,
        ) -> ExecutionV2<OutputV1, Balance>;

        /// Dry-runs `instantiate` or `instantiate_with_code`.
        fn instantiate(
            origin: AccountId,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            code: CodeV1,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> ExecutionV2<InstantiatedV1, Balance>;

        /// Dry-runs `upload_code`.
        fn upload_code(
            origin: AccountId,
            code: Vec<u8>,
            storage_deposit_limit: Option<Balance>,
        ) -> Result<UploadedV1<Balance>, FailureV1>;

        /// The value under a fixed key of 32 bytes, as Solidity contracts use.
        fn get_storage(address: H160, key: [u8; 32]) -> Result<Option<Vec<u8>>, StorageAccessErrorV1>;

        /// The value under a key of variable length, as `set_storage` uses.
        fn get_storage_var_key(address: H160, key: Vec<u8>) -> Result<Option<Vec<u8>>, StorageAccessErrorV1>;

        /// A stored program.
        fn code(code_hash: H256) -> Option<Vec<u8>>;

        /// The record of a contract.
        fn contract_info(address: H160) -> Option<ContractInfoV1<AccountId, Balance>>;

        /// The address of an account.
        fn address(account: AccountId) -> H160;

        /// The account behind an address.
        fn account_id(address: H160) -> AccountId;

        /// What the account behind an address could send away and live on, in the contracts' unit.
        fn balance(address: H160) -> U256;

        /// Dry-runs `call` and shows all calls made in it.
        fn trace_call(
            origin: AccountId,
            dest: H160,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            data: Vec<u8>,
        ) -> TracedV2<OutputV1, Balance>;

        /// Dry-runs `instantiate` or `instantiate_with_code` and shows all calls made in it.
        fn trace_instantiate(
            origin: AccountId,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            code: CodeV1,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> TracedV2<InstantiatedV1, Balance>;

        /// Dry-runs `call` and tells what state it leads to.
        fn effect_of_call(
            origin: AccountId,
            dest: H160,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            data: Vec<u8>,
        ) -> EffectV2<OutputV1, Balance>;

        /// Dry-runs `instantiate` or `instantiate_with_code` and tells what state it leads to.
        fn effect_of_instantiate(
            origin: AccountId,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            code: CodeV1,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> EffectV2<InstantiatedV1, Balance>;

        /// How gas becomes weight. An authority asks whether it has to compile; a runtime without this function asks nothing
        /// of it.
        #[api_version(5)]
        fn pricing() -> PricingV1;
    }
}
