//! Runtime APIs, for the node and its RPC.

use crate::{
    AccountId, Aura, Balance, Block, Executive, Grandpa, InherentDataExt, Nonce, Polkavm, Runtime, RuntimeCall,
    RuntimeGenesisConfig, System, TransactionPayment, VERSION, configs::Ethereum, genesis, opaque::SessionKeys,
};
use alloc::vec::Vec;
use frame_support::{
    genesis_builder_helper::{build_state, get_preset},
    weights::Weight,
};
use pallet_grandpa::AuthorityId as GrandpaId;
use pallet_polkavm::ethereum::api::{EthereumCallV1, EthereumExecutionV1, EthereumTermsV1, EthereumTraceV1};
use pallet_polkavm::runtime_api::{
    CodeV1, ContractInfoV1, EffectV2, ExecutionV2, FailureV1, InstantiatedV1, OutputV1, PricingV1,
    StorageAccessErrorV1, TracedV2, UploadedV1,
};
use sp_api::impl_runtime_apis;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_core::{H160, H256, OpaqueMetadata, U256, crypto::KeyTypeId};
use sp_runtime::{
    ApplyExtrinsicResult, ExtrinsicInclusionMode,
    traits::{Block as BlockT, NumberFor},
    transaction_validity::{TransactionSource, TransactionValidity},
};
use sp_session::OpaqueGeneratedSessionKeys;
use sp_version::RuntimeVersion;

#[cfg(feature = "runtime-benchmarks")]
frame_benchmarking::define_benchmarks!([pallet_polkavm, Polkavm]);

impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block);
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: sp_inherents::InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            data.create_extrinsics()
        }

        fn check_inherents(
            block: <Block as BlockT>::LazyBlock,
            data: sp_inherents::InherentData,
        ) -> sp_inherents::CheckInherentsResult {
            data.check_extrinsics(&block)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            tx: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, tx, block_hash)
        }
    }

    impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
        fn offchain_worker(header: &<Block as BlockT>::Header) {
            Executive::offchain_worker(header)
        }
    }

    impl sp_consensus_aura::AuraApi<Block, AuraId> for Runtime {
        fn slot_duration() -> sp_consensus_aura::SlotDuration {
            sp_consensus_aura::SlotDuration::from_millis(Aura::slot_duration())
        }

        fn authorities() -> Vec<AuraId> {
            pallet_aura::Authorities::<Runtime>::get().into_inner()
        }
    }

    impl sp_session::SessionKeys<Block> for Runtime {
        fn generate_session_keys(owner: Vec<u8>, seed: Option<Vec<u8>>) -> OpaqueGeneratedSessionKeys {
            SessionKeys::generate(&owner, seed).into()
        }

        fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
            SessionKeys::decode_into_raw_public_keys(&encoded)
        }
    }

    impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
        fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
            Grandpa::grandpa_authorities()
        }

        fn current_set_id() -> sp_consensus_grandpa::SetId {
            Grandpa::current_set_id()
        }

        // There is no session history to prove an equivocation against, so reports are not accepted.
        fn submit_report_equivocation_unsigned_extrinsic(
            _equivocation_proof: sp_consensus_grandpa::EquivocationProof<<Block as BlockT>::Hash, NumberFor<Block>>,
            _key_owner_proof: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            None
        }

        fn generate_key_ownership_proof(
            _set_id: sp_consensus_grandpa::SetId,
            _authority_id: GrandpaId,
        ) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
            None
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(account: AccountId) -> Nonce {
            System::account_nonce(account)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Runtime {
        fn query_info(
            uxt: <Block as BlockT>::Extrinsic,
            len: u32,
        ) -> pallet_transaction_payment_rpc_runtime_api::RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_info(uxt, len)
        }

        fn query_fee_details(
            uxt: <Block as BlockT>::Extrinsic,
            len: u32,
        ) -> pallet_transaction_payment::FeeDetails<Balance> {
            TransactionPayment::query_fee_details(uxt, len)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentCallApi<Block, Balance, RuntimeCall> for Runtime {
        fn query_call_info(
            call: RuntimeCall,
            len: u32,
        ) -> pallet_transaction_payment::RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_call_info(call, len)
        }

        fn query_call_fee_details(call: RuntimeCall, len: u32) -> pallet_transaction_payment::FeeDetails<Balance> {
            TransactionPayment::query_call_fee_details(call, len)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    #[api_version(5)]
    impl pallet_polkavm::runtime_api::PolkavmApi<Block, AccountId, Balance> for Runtime {
        fn call(
            origin: AccountId,
            dest: H160,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            data: Vec<u8>,
        ) -> ExecutionV2<OutputV1, Balance> {
            Polkavm::dry_run_call(origin, dest, value, gas_limit, storage_deposit_limit, data)
        }

        fn instantiate(
            origin: AccountId,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            code: CodeV1,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> ExecutionV2<InstantiatedV1, Balance> {
            Polkavm::dry_run_instantiate(origin, value, gas_limit, storage_deposit_limit, code, data, salt)
        }

        fn upload_code(
            origin: AccountId,
            code: Vec<u8>,
            storage_deposit_limit: Option<Balance>,
        ) -> Result<UploadedV1<Balance>, FailureV1> {
            Polkavm::dry_run_upload_code(origin, code, storage_deposit_limit)
        }

        fn get_storage(address: H160, key: [u8; 32]) -> Result<Option<Vec<u8>>, StorageAccessErrorV1> {
            Polkavm::view_storage(address, key)
        }

        fn get_storage_var_key(address: H160, key: Vec<u8>) -> Result<Option<Vec<u8>>, StorageAccessErrorV1> {
            Polkavm::view_storage_var_key(address, key)
        }

        fn code(code_hash: H256) -> Option<Vec<u8>> {
            Polkavm::code(code_hash)
        }

        fn contract_info(address: H160) -> Option<ContractInfoV1<AccountId, Balance>> {
            Polkavm::view_contract_info(address)
        }

        fn address(account: AccountId) -> H160 {
            Polkavm::view_address(&account)
        }

        fn account_id(address: H160) -> AccountId {
            Polkavm::view_account_id(&address)
        }

        fn balance(address: H160) -> U256 {
            Polkavm::balance(address)
        }

        fn trace_call(
            origin: AccountId,
            dest: H160,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            data: Vec<u8>,
        ) -> TracedV2<OutputV1, Balance> {
            Polkavm::trace_call(origin, dest, value, gas_limit, storage_deposit_limit, data)
        }

        fn trace_instantiate(
            origin: AccountId,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            code: CodeV1,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> TracedV2<InstantiatedV1, Balance> {
            Polkavm::trace_instantiate(origin, value, gas_limit, storage_deposit_limit, code, data, salt)
        }

        fn effect_of_call(
            origin: AccountId,
            dest: H160,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            data: Vec<u8>,
        ) -> EffectV2<OutputV1, Balance> {
            Polkavm::effect_of_call(origin, dest, value, gas_limit, storage_deposit_limit, data)
        }

        fn effect_of_instantiate(
            origin: AccountId,
            value: Balance,
            gas_limit: Option<Weight>,
            storage_deposit_limit: Option<Balance>,
            code: CodeV1,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> EffectV2<InstantiatedV1, Balance> {
            Polkavm::effect_of_instantiate(origin, value, gas_limit, storage_deposit_limit, code, data, salt)
        }

        fn pricing() -> PricingV1 {
            Polkavm::view_pricing()
        }
    }

    impl pallet_polkavm::ethereum::api::EthereumApi<Block> for Runtime {
        fn terms() -> EthereumTermsV1 {
            Polkavm::ethereum_terms::<Ethereum>()
        }

        fn nonce(address: H160) -> u64 {
            Polkavm::ethereum_nonce(&address)
        }

        fn dry_run(call: EthereumCallV1) -> EthereumExecutionV1 {
            Polkavm::ethereum_dry_run::<Ethereum>(call)
        }

        fn trace(call: EthereumCallV1) -> EthereumTraceV1 {
            Polkavm::ethereum_trace::<Ethereum>(call)
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    impl frame_benchmarking::Benchmark<Block> for Runtime {
        fn benchmark_metadata(
            extra: bool,
        ) -> (Vec<frame_benchmarking::BenchmarkList>, Vec<frame_support::traits::StorageInfo>) {
            use frame_benchmarking::BenchmarkList;
            use frame_support::traits::StorageInfoTrait;

            let mut list = Vec::<BenchmarkList>::new();
            list_benchmarks!(list, extra);
            (list, crate::AllPalletsWithSystem::storage_info())
        }

        fn dispatch_benchmark(
            config: frame_benchmarking::BenchmarkConfig,
        ) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
            use frame_benchmarking::BenchmarkBatch;
            use frame_support::traits::{TrackedStorageKey, WhitelistedStorageKeys};

            let whitelist: Vec<TrackedStorageKey> = crate::AllPalletsWithSystem::whitelisted_storage_keys();
            let mut batches = Vec::<BenchmarkBatch>::new();
            let params = (&config, &whitelist);
            add_benchmarks!(params, batches);
            Ok(batches)
        }
    }

    #[cfg(feature = "try-runtime")]
    impl frame_try_runtime::TryRuntime<Block> for Runtime {
        fn on_runtime_upgrade(checks: frame_try_runtime::UpgradeCheckSelect) -> (Weight, Weight) {
            let weight = Executive::try_runtime_upgrade(checks)
                .unwrap_or_else(|error| panic!("the upgrade fails: {error:?}"));
            (weight, crate::configs::RuntimeBlockWeights::get().max_block)
        }

        fn execute_block(
            block: <Block as BlockT>::LazyBlock,
            state_root_check: bool,
            signature_check: bool,
            select: frame_try_runtime::TryStateSelect,
        ) -> Weight {
            Executive::try_execute_block(block, state_root_check, signature_check, select)
                .unwrap_or_else(|error| panic!("the block can't be executed: {error:?}"))
        }
    }

    impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
        fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
            build_state::<RuntimeGenesisConfig>(config)
        }

        fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
            get_preset::<RuntimeGenesisConfig>(id, genesis::get_preset)
        }

        fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
            genesis::preset_names()
        }
    }
}
