//! The runtime API: dry runs, and views of contracts and code.
//!
//! Called by clients through the node's RPC (`state_call`), on a state that is discarded. Every type of this interface
//! carries its version in its name: a later version adds types and raises the API's version, and never changes these.
//! The types convert from the pallet's own, so that a runtime implements each function in one line (see the crate's
//! documentation).

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

/// The error of a failed dry run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct FailureV1 {
    /// The error with which the extrinsic would fail.
    pub error: DispatchError,
    /// A sentence with the details: limit and value, name, address. For people, not for programs.
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
    /// The hash of a stored program.
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

/// Balance that moves because of storage added or removed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum DepositV1<Balance> {
    /// The origin pays this much.
    Charge(Balance),
    /// The origin is refunded this much.
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

/// The output of a contract.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct OutputV1 {
    /// The flags given to `seal_return`; bit 0 is set if the contract reverted.
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
    /// The output of its constructor.
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
    /// The hash under which it is stored.
    pub code_hash: H256,
    /// The deposit held on the uploader's account; zero if it was already stored.
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

/// The result of a dry run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ExecutionV2<R, Balance> {
    /// The result. A contract that reverted is `Ok` with bit 0 of its flags set; the extrinsic would fail with
    /// `ContractReverted`.
    pub result: Result<R, FailureV1>,
    /// Weight used, without the extrinsic's base weight.
    pub gas_consumed: Weight,
    /// The minimum `gas_limit` with which the same execution succeeds.
    pub gas_required: Weight,
    /// The origin's cost of storage added or removed.
    pub storage_deposit: DepositV1<Balance>,
    /// The minimum `storage_deposit_limit` with which the same execution succeeds: the highest charge at any time.
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

/// The result of a dry run, with a hash of the resulting state.
///
/// Two dry runs on one state with the same hash have made the same changes. Clients compare these hashes to find the
/// minimum limit with which a call has the same effect as with a larger one.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EffectV2<R, Balance> {
    /// The result.
    pub execution: ExecutionV2<R, Balance>,
    /// A hash of the whole state.
    pub state: H256,
}

/// The kind of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum CallKindV1 {
    /// A call.
    Call,
    /// A read-only call.
    StaticCall,
    /// A call that runs another contract's program on the caller's state.
    DelegateCall,
    /// An instantiation whose address depends on the deployer's nonce.
    Create,
    /// An instantiation whose address depends on a salt.
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
    /// The kind of the call.
    pub kind: CallKindV1,
    /// The caller.
    pub from: H160,
    /// The callee; in a delegate call, the contract whose program ran.
    pub to: H160,
    /// The value transferred, in the contracts' unit; none in a delegate call.
    pub value: Option<U256>,
    /// Its weight limit.
    pub gas_limit: Weight,
    /// The weight it used.
    pub gas_used: Weight,
    /// The data it was called with.
    pub input: Vec<u8>,
    /// The output, or the error.
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
            // At most as deep as the call stack.
            calls: trace.calls.into_iter().map(Into::into).collect(),
        }
    }
}

/// The result of a dry run, with its call trace.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct TracedV2<R, Balance> {
    /// The result.
    pub execution: ExecutionV2<R, Balance>,
    /// The first call. `None` if it did not start.
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
    /// Total storage deposit held on its account.
    pub storage_deposit: Balance,
    /// Length of its immutable data.
    pub immutable_data_len: u32,
}

/// The price of a cost model's gas.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct GasPriceV1 {
    /// The permanent number of the cost model.
    pub cost_model: u16,
    /// Picoseconds of weight per unit of its gas.
    pub ref_time: u64,
}

/// The conversion of gas to weight, and the kind of nodes that can build blocks at that price.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum PricingV1 {
    /// Any node can build blocks.
    Interpreted(Vec<GasPriceV1>),
    /// Nodes that compile can build blocks.
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

/// Error of reading a contract's storage.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum StorageAccessErrorV1 {
    /// There is no contract at the address.
    ContractNotFound,
    /// The key exceeds the maximum length of keys.
    KeyTooLarge,
}

sp_api::decl_runtime_apis! {
    /// Dry runs of the pallet's extrinsics, and views of its state.
    ///
    /// A missing limit stands for the maximum that an extrinsic can use (gas) or the origin can pay (deposit). A larger
    /// gas limit is lowered to that maximum. A dry run acts as the extrinsic would, on the state of the given block,
    /// but accepts any account as origin: an unmapped one counts as mapped, and it may be a contract's account.
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

        /// The balance that the account behind an address could send while staying alive, in the contracts' unit.
        fn balance(address: H160) -> U256;

        /// Dry-runs `call` and returns its call trace.
        fn trace_call(
            origin: AccountId,
            dest: H160,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            data: Vec<u8>,
        ) -> TracedV2<OutputV1, Balance>;

        /// Dry-runs `instantiate` or `instantiate_with_code` and returns its call trace.
        fn trace_instantiate(
            origin: AccountId,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            code: CodeV1,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> TracedV2<InstantiatedV1, Balance>;

        /// Dry-runs `call` and returns a hash of the resulting state.
        fn effect_of_call(
            origin: AccountId,
            dest: H160,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            data: Vec<u8>,
        ) -> EffectV2<OutputV1, Balance>;

        /// Dry-runs `instantiate` or `instantiate_with_code` and returns a hash of the resulting state.
        fn effect_of_instantiate(
            origin: AccountId,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            code: CodeV1,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> EffectV2<InstantiatedV1, Balance>;

        /// The conversion of gas to weight. Authorities use it to check whether they have to compile; a runtime without
        /// this function does not require that.
        #[api_version(5)]
        fn pricing() -> PricingV1;
    }
}
