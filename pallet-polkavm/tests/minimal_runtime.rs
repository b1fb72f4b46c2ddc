//! The runtime of the guide `docs/add-the-pallet.md`: the minimal configuration for contracts on a chain.
//!
//! The guide shows what is between the ANCHOR comments; this test keeps it true. It builds a chain's state from its genesis,
//! and deploys and calls a contract by the runtime API and by extrinsics.

#![allow(missing_docs, reason = "FRAME's macros generate undocumented items")]
#![allow(clippy::unwrap_used, reason = "tests")]

use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstBool, ConstU32, ConstU64, ConstU128, VariantCountOf},
    weights::Weight,
};
use pallet_polkavm::runtime_api::{
    CodeV1, ContractInfoV1, DepositV1, EffectV2, ExecutionV2, FailureV1, InstantiatedV1, OutputV1, PricingV1,
    StorageAccessErrorV1, TracedV2, UploadedV1, runtime_decl_for_polkavm_api::PolkavmApiV5,
};
use sp_core::{H160, H256, U256};
use sp_runtime::{
    AccountId32, BuildStorage, MultiAddress, MultiSignature, Perbill, generic,
    traits::{AccountIdLookup, BlakeTwo256, Block as BlockT},
};
use sp_version::RuntimeVersion;

pub type Balance = u128;
pub type AccountId = AccountId32;
pub type Header = generic::Header<u32, BlakeTwo256>;
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<MultiAddress<AccountId, ()>, RuntimeCall, MultiSignature, TxExtension>;
pub type TxExtension = (frame_system::CheckNonce<Runtime>, frame_system::CheckWeight<Runtime>);

// ANCHOR: runtime
#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeTask
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system::Pallet<Runtime>;
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp::Pallet<Runtime>;
    #[runtime::pallet_index(2)]
    pub type Balances = pallet_balances::Pallet<Runtime>;
    #[runtime::pallet_index(3)]
    pub type Polkavm = pallet_polkavm::Pallet<Runtime>;
}
// ANCHOR_END: runtime

pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: std::borrow::Cow::Borrowed("minimal"),
    impl_name: std::borrow::Cow::Borrowed("minimal"),
    authoring_version: 1,
    spec_version: 1,
    impl_version: 1,
    apis: RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

parameter_types! {
    pub const Version: RuntimeVersion = VERSION;
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type Block = Block;
    type AccountId = AccountId;
    type Hash = H256;
    type Nonce = u32;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type AccountData = pallet_balances::AccountData<Balance>;
    type Version = Version;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = ();
    type MinimumPeriod = ConstU64<1000>;
    type WeightInfo = ();
}

// ANCHOR: balances
impl pallet_balances::Config for Runtime {
    // What the pallet asks for: balance can be put on hold for its reasons.
    type RuntimeHoldReason = RuntimeHoldReason;
    // The rest as you have it.
    type RuntimeEvent = RuntimeEvent;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<1_000_000>;
    type AccountStore = System;
    type DustRemoval = ();
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ();
    type ReserveIdentifier = [u8; 8];
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type DoneSlashHandler = ();
    type WeightInfo = ();
}
// ANCHOR_END: balances

// ANCHOR: config
parameter_types! {
    pub const CodeHashLockupDepositPercent: Perbill = Perbill::from_percent(30);
    pub const Pricing: pallet_polkavm::Pricing = pallet_polkavm::Pricing::INTERPRETED;
    pub const CostModel: pallet_polkavm::CostModel = pallet_polkavm::CostModel::Naive;
}

impl pallet_polkavm::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeCall = RuntimeCall;
    type UploadOrigin = frame_system::EnsureSigned<AccountId>;
    type InstantiateOrigin = frame_system::EnsureSigned<AccountId>;
    type Balance = Balance;
    type Currency = Balances;
    type Time = Timestamp;
    type AddressMapper = pallet_polkavm::AccountId32Mapper<Runtime>;
    // The runtime runs contracts itself, which needs nothing of the node.
    type Executor = pallet_polkavm::InRuntimeInterpreter;
    type Precompiles = pallet_polkavm::precompiles::Builtins;
    type AutoMap = ConstBool<false>;
    type FindAuthor = ();
    type WeightInfo = pallet_polkavm::weights::SubstrateWeight<Runtime>;
    // Any node can build blocks, as the runtime runs contracts itself.
    type Pricing = Pricing;
    type CostModel = CostModel;
    type RefTimePerEthGas = ConstU64<100_000>;
    type DepositPerByte = ConstU128<10>;
    type DepositPerItem = ConstU128<1_000>;
    type DepositPerChildTrieItem = ConstU128<200>;
    type CodeHashLockupDepositPercent = CodeHashLockupDepositPercent;
    type ChainId = ConstU64<4242>;
    type NativeToEthRatio = ConstU32<1>;
    type GasPrice = ConstU64<1>;
}
// ANCHOR_END: config

// ANCHOR: executive
/// Changes of the storage's layout since the version of the pallet that your chain began with.
pub type Migrations = (pallet_polkavm::migrations::V1ToV2<Runtime>,);

pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
    Migrations,
>;
// ANCHOR_END: executive

sp_api::impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block);
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> sp_runtime::ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    // ANCHOR: api
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
    // ANCHOR_END: api
}

const ALICE: AccountId = AccountId::new([1; 32]);

/// Runs `f` and undoes its changes of the state, as a node does after a call of the runtime API.
fn asked<R>(f: impl FnOnce() -> R) -> R {
    let mut answer = None;
    let _ = frame_support::storage::with_transaction(|| {
        answer = Some(f());
        sp_runtime::TransactionOutcome::Rollback(Ok::<_, sp_runtime::DispatchError>(()))
    });
    answer.unwrap()
}

/// A contract's life cycle on a chain with the minimal configuration. FRAME adds another test,
/// `runtime_integrity_tests`.
#[test]
fn a_contract_lives_on_the_minimal_chain() {
    let mut storage = frame_system::GenesisConfig::<Runtime>::default().build_storage().unwrap();
    pallet_balances::GenesisConfig::<Runtime> { balances: vec![(ALICE, 1_000_000_000_000)], ..Default::default() }
        .assimilate_storage(&mut storage)
        .unwrap();
    sp_io::TestExternalities::new(storage).execute_with(|| {
        let alice = || RuntimeOrigin::signed(ALICE);
        Polkavm::map_account(alice()).unwrap();

        // Estimate, then submit with the estimate.
        let (code, salt) = (answer(), Some([1; 32]));
        let estimate = asked(|| Runtime::instantiate(ALICE, 0, None, None, CodeV1::Upload(code.clone()), vec![], salt));
        let contract = estimate.result.unwrap().address;
        let DepositV1::Charge(deposit) = estimate.storage_deposit else { panic!("it costs a deposit") };
        let gas = estimate.gas_required;
        Polkavm::instantiate_with_code(alice(), 0, gas, deposit, code, vec![], salt).unwrap();
        assert!(Runtime::contract_info(contract).is_some());

        let called = asked(|| Runtime::call(ALICE, contract, 0, None, None, vec![]));
        assert_eq!(called.result.unwrap().data, [42]);
        Polkavm::call(alice(), contract, 0, called.gas_required, 0, vec![]).unwrap();
        let traced = asked(|| Runtime::trace_call(ALICE, contract, 0, None, None, vec![]));
        assert_eq!(traced.trace.unwrap().to, contract);
    });
}

/// A contract that answers every call with the byte 42.
fn answer() -> Vec<u8> {
    use vm_core::{
        blob::BlobBuilder,
        isa::{Instruction, Isa, Opcode, Reg},
    };
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.stack_size(4096).rw_data(4096, &[42]);
    builder.import(b"seal_return").export(b"deploy", 0).export(b"call", 1);
    builder.instructions(vec![
        Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
        Instruction::rx(Opcode::LoadImm64, Reg::A0, 0),
        Instruction::rx(Opcode::LoadImm64, Reg::A1, 0x2_0000),
        Instruction::rx(Opcode::LoadImm64, Reg::A2, 1),
        Instruction::i(Opcode::Ecalli, 0),
        Instruction::none(Opcode::Trap),
    ]);
    builder.build().unwrap()
}
