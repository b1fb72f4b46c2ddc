//! Implementation of the runtime API's functions, so that a runtime needs only one line for each.
//!
//! Only for states that are discarded: a dry run increments the origin's nonce, as dispatching its extrinsic would, and
//! does not undo its changes.

use crate::{
    BalanceOf, Config, Pallet,
    address::AddressMapper,
    bare::Limits,
    contract::Key,
    exec::ExecConfig,
    runtime_api::{
        CodeV1, ContractInfoV1, EffectV2, ExecutionV2, FailureV1, InstantiatedV1, OutputV1, PricingV1,
        StorageAccessErrorV1, TracedV2, UploadedV1,
    },
};
use alloc::vec::Vec;
use frame_support::{traits::Get, weights::Weight};
use sp_core::{H160, H256};
use sp_io::hashing::blake2_256;
use sp_runtime::StateVersion;

impl<T: Config> Pallet<T> {
    /// [`crate::runtime_api::PolkavmApi::call`].
    pub fn dry_run_call(
        origin: T::AccountId,
        dest: H160,
        value: BalanceOf<T>,
        gas_limit: Option<Weight>,
        storage_deposit_limit: Option<BalanceOf<T>>,
        data: Vec<u8>,
    ) -> ExecutionV2<OutputV1, BalanceOf<T>> {
        let limits = Self::dry_run_limits(gas_limit, storage_deposit_limit);
        frame_system::Pallet::<T>::inc_account_nonce(&origin);
        Self::bare_call(origin, dest, value, limits, data, ExecConfig::dry_run()).into()
    }

    /// [`crate::runtime_api::PolkavmApi::instantiate`].
    pub fn dry_run_instantiate(
        origin: T::AccountId,
        value: BalanceOf<T>,
        gas_limit: Option<Weight>,
        storage_deposit_limit: Option<BalanceOf<T>>,
        code: CodeV1,
        data: Vec<u8>,
        salt: Option<[u8; 32]>,
    ) -> ExecutionV2<InstantiatedV1, BalanceOf<T>> {
        let limits = Self::dry_run_limits(gas_limit, storage_deposit_limit);
        frame_system::Pallet::<T>::inc_account_nonce(&origin);
        Self::bare_instantiate(origin, value, limits, code.into(), data, salt, ExecConfig::dry_run()).into()
    }

    /// [`crate::runtime_api::PolkavmApi::trace_call`].
    pub fn trace_call(
        origin: T::AccountId,
        dest: H160,
        value: BalanceOf<T>,
        gas_limit: Option<Weight>,
        storage_deposit_limit: Option<BalanceOf<T>>,
        data: Vec<u8>,
    ) -> TracedV2<OutputV1, BalanceOf<T>> {
        let limits = Self::dry_run_limits(gas_limit, storage_deposit_limit);
        frame_system::Pallet::<T>::inc_account_nonce(&origin);
        Self::bare_call(origin, dest, value, limits, data, ExecConfig::tracing()).into()
    }

    /// [`crate::runtime_api::PolkavmApi::trace_instantiate`].
    pub fn trace_instantiate(
        origin: T::AccountId,
        value: BalanceOf<T>,
        gas_limit: Option<Weight>,
        storage_deposit_limit: Option<BalanceOf<T>>,
        code: CodeV1,
        data: Vec<u8>,
        salt: Option<[u8; 32]>,
    ) -> TracedV2<InstantiatedV1, BalanceOf<T>> {
        let limits = Self::dry_run_limits(gas_limit, storage_deposit_limit);
        frame_system::Pallet::<T>::inc_account_nonce(&origin);
        Self::bare_instantiate(origin, value, limits, code.into(), data, salt, ExecConfig::tracing()).into()
    }

    /// [`crate::runtime_api::PolkavmApi::effect_of_call`].
    pub fn effect_of_call(
        origin: T::AccountId,
        dest: H160,
        value: BalanceOf<T>,
        gas_limit: Option<Weight>,
        storage_deposit_limit: Option<BalanceOf<T>>,
        data: Vec<u8>,
    ) -> EffectV2<OutputV1, BalanceOf<T>> {
        let execution = Self::dry_run_call(origin, dest, value, gas_limit, storage_deposit_limit, data);
        EffectV2 { execution, state: state() }
    }

    /// [`crate::runtime_api::PolkavmApi::effect_of_instantiate`].
    pub fn effect_of_instantiate(
        origin: T::AccountId,
        value: BalanceOf<T>,
        gas_limit: Option<Weight>,
        storage_deposit_limit: Option<BalanceOf<T>>,
        code: CodeV1,
        data: Vec<u8>,
        salt: Option<[u8; 32]>,
    ) -> EffectV2<InstantiatedV1, BalanceOf<T>> {
        let execution = Self::dry_run_instantiate(origin, value, gas_limit, storage_deposit_limit, code, data, salt);
        EffectV2 { execution, state: state() }
    }

    /// [`crate::runtime_api::PolkavmApi::upload_code`].
    pub fn dry_run_upload_code(
        origin: T::AccountId,
        code: Vec<u8>,
        storage_deposit_limit: Option<BalanceOf<T>>,
    ) -> Result<UploadedV1<BalanceOf<T>>, FailureV1> {
        Self::bare_upload_code(origin, code, storage_deposit_limit).map(Into::into).map_err(Into::into)
    }

    /// [`crate::runtime_api::PolkavmApi::get_storage`].
    pub fn view_storage(address: H160, key: [u8; 32]) -> Result<Option<Vec<u8>>, StorageAccessErrorV1> {
        Self::contract_storage(address, &Key::Fixed(key)).ok_or(StorageAccessErrorV1::ContractNotFound)
    }

    /// [`crate::runtime_api::PolkavmApi::get_storage_var_key`].
    pub fn view_storage_var_key(address: H160, key: Vec<u8>) -> Result<Option<Vec<u8>>, StorageAccessErrorV1> {
        let key = Key::variable(key).ok_or(StorageAccessErrorV1::KeyTooLarge)?;
        Self::contract_storage(address, &key).ok_or(StorageAccessErrorV1::ContractNotFound)
    }

    /// [`crate::runtime_api::PolkavmApi::contract_info`].
    pub fn view_contract_info(address: H160) -> Option<ContractInfoV1<T::AccountId, BalanceOf<T>>> {
        Self::contract_info(address).map(|info| ContractInfoV1 {
            account: T::AddressMapper::to_account_id(&address),
            code_hash: info.code_hash,
            trie_id: info.trie_id,
            storage_bytes: info.storage_bytes,
            storage_items: info.storage_items,
            storage_deposit: info.total_deposit(),
            immutable_data_len: info.immutable_data_len,
        })
    }

    /// [`crate::runtime_api::PolkavmApi::address`].
    pub fn view_address(account: &T::AccountId) -> H160 {
        T::AddressMapper::to_address(account)
    }

    /// [`crate::runtime_api::PolkavmApi::account_id`].
    pub fn view_account_id(address: &H160) -> T::AccountId {
        T::AddressMapper::to_account_id(address)
    }

    /// [`crate::runtime_api::PolkavmApi::pricing`].
    pub fn view_pricing() -> PricingV1 {
        T::Pricing::get().into()
    }

    /// The limits of a dry run: those given by the client, with at most the gas that an extrinsic can have. Anybody can
    /// request dry runs, so a block's weight bounds each.
    fn dry_run_limits(gas: Option<Weight>, deposit: Option<BalanceOf<T>>) -> Limits<BalanceOf<T>> {
        let most = Self::max_gas_limit();
        Limits { gas: gas.map_or(most, |gas| gas.min(most)), deposit }
    }
}

/// A hash of the whole state.
fn state() -> H256 {
    H256(blake2_256(&sp_io::storage::root(StateVersion::V1)))
}
