//! The runtime of the tests, and helpers for common operations.

use crate::{
    self as pallet_polkavm, AccountId32Mapper, AddressMapper as _, AutoMapper, BalanceOf, Config, HostFunctions,
    InRuntimeInterpreter, Limits, code,
    exec::{ExecConfig, nested::CallLimits},
    executor::{Executor, GuestInstance, OutOfBounds, Source, Stop},
    metering::cost::Cost,
    precompiles::{self, Builtins, Precompile, Precompiles, abi},
    types::{Code, Execution, Instantiated, Output},
    weights::SubstrateWeight,
};
use ::executor::{BackendChoice, Flags, PolkaVm, SandboxChoice};
use core::cell::Cell;
use frame_support::{
    derive_impl,
    dispatch::DispatchResultWithPostInfo,
    parameter_types,
    storage::with_storage_layer,
    traits::{ConstU8, ConstU64, FindAuthor, Get, SortedMembers},
    weights::{IdentityFee, RuntimeDbWeight, Weight, WeightToFee, constants::RocksDbWeight},
};
use sp_core::{H160, H256, U256};
use sp_runtime::{AccountId32, BuildStorage, StateVersion, traits::Dispatchable, traits::IdentityLookup};
use std::sync::LazyLock;

pub type Balance = u128;

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
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system::Pallet<Test>;
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp::Pallet<Test>;
    #[runtime::pallet_index(2)]
    pub type Balances = pallet_balances::Pallet<Test>;
    #[runtime::pallet_index(3)]
    pub type Polkavm = pallet_polkavm::Pallet<Test>;
    #[runtime::pallet_index(4)]
    pub type TransactionPayment = pallet_transaction_payment::Pallet<Test>;
}

/// The existential deposit.
pub const ED: Balance = 100;
/// Deposit per byte.
pub const PER_BYTE: Balance = 3;
/// Deposit per item of the pallet.
pub const PER_ITEM: Balance = 50;
/// Deposit per item of a contract's storage.
pub const PER_CHILD_ITEM: Balance = 20;
/// Contracts' units per unit of balance.
pub const RATIO: u32 = 7;

parameter_types! {
    pub const ExistentialDeposit: Balance = ED;
    pub storage DepositPerByte: Balance = PER_BYTE;
    pub static ChainPricing: crate::Pricing = crate::Pricing::INTERPRETED;
    pub static ChainCostModel: crate::CostModel = crate::CostModel::Naive;
    pub const DepositPerItem: Balance = PER_ITEM;
    pub const DepositPerChildTrieItem: Balance = PER_CHILD_ITEM;
    pub const NativeToEthRatio: u32 = RATIO;
    pub storage AutoMap: bool = false;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlock<Self>;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
    type AccountData = pallet_balances::AccountData<Balance>;
    type DbWeight = Database;
    type OnNewAccount = AutoMapper<Self>;
    type OnKilledAccount = AutoMapper<Self>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Balance;
    type ExistentialDeposit = ExistentialDeposit;
    type AccountStore = System;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {}

#[derive_impl(pallet_transaction_payment::config_preludes::TestDefaultConfig)]
impl pallet_transaction_payment::Config for Test {
    type OnChargeTransaction = pallet_transaction_payment::FungibleAdapter<Balances, ()>;
    type WeightToFee = Fee;
    type LengthToFee = IdentityFee<Balance>;
    type OperationalFeeMultiplier = ConstU8<5>;
}

/// A unit for a nanosecond.
pub struct Fee;

impl WeightToFee for Fee {
    type Balance = Balance;

    fn weight_to_fee(weight: &Weight) -> Balance {
        (weight.ref_time() / 1000).into()
    }
}

#[derive_impl(crate::config_preludes::TestDefaultConfig)]
impl Config for Test {
    type Executor = EitherExecutor;
    type Balance = Balance;
    type Currency = Balances;
    type Time = Timestamp;
    type WeightInfo = SubstrateWeight<Self>;
    type AddressMapper = AccountId32Mapper<Self>;
    type Pricing = ChainPricing;
    type CostModel = ChainCostModel;
    type DepositPerByte = DepositPerByte;
    type DepositPerItem = DepositPerItem;
    type DepositPerChildTrieItem = DepositPerChildTrieItem;
    type NativeToEthRatio = NativeToEthRatio;
    type GasPrice = ConstU64<1234>;
    type FindAuthor = Author;
    type Precompiles = (Builtins, Doubler, Reenters, CallsBack);
    type AutoMap = AutoMap;
    type UploadOrigin = frame_system::EnsureSignedBy<Uploaders, AccountId32>;
    type InstantiateOrigin = frame_system::EnsureSignedBy<Deployers, AccountId32>;
}

thread_local! {
    static FREE_DATABASE: Cell<bool> = const { Cell::new(false) };
}

/// Weights of the database: RocksDB's, or zero if a test disables them.
pub struct Database;

impl Database {
    pub fn free(free: bool) {
        FREE_DATABASE.set(free);
    }
}

impl Get<RuntimeDbWeight> for Database {
    fn get() -> RuntimeDbWeight {
        if FREE_DATABASE.get() { RuntimeDbWeight { read: 0, write: 0 } } else { RocksDbWeight::get() }
    }
}

/// May not upload code.
pub const DAVE: AccountId32 = AccountId32::new([4; 32]);
/// May neither upload code nor instantiate contracts.
pub const EVE: AccountId32 = AccountId32::new([5; 32]);

/// Everyone but Dave and Eve.
pub struct Uploaders;

impl SortedMembers<AccountId32> for Uploaders {
    fn sorted_members() -> Vec<AccountId32> {
        unreachable!("all but two")
    }

    fn contains(account: &AccountId32) -> bool {
        ![DAVE, EVE].contains(account)
    }
}

/// Everyone but Eve.
pub struct Deployers;

impl SortedMembers<AccountId32> for Deployers {
    fn sorted_members() -> Vec<AccountId32> {
        unreachable!("all but one")
    }

    fn contains(account: &AccountId32) -> bool {
        *account != EVE
    }
}

/// The address of a test precompile that doubles a number.
pub const DOUBLER: u16 = 0xa001;
/// Its time.
pub const DOUBLER_TIME: u64 = 123_456;

/// Doubles a number.
pub struct Doubler;

impl Precompiles<Test> for Doubler {
    fn find(address: &H160) -> Option<Precompile<Test>> {
        (*address == precompiles::address(DOUBLER)).then_some(Precompile(|input, env| {
            env.charge_weight(Weight::from_parts(DOUBLER_TIME, 0))?;
            let Ok(word) = <[u8; 32]>::try_from(input) else { return Ok(abi::revert("no number")) };
            Ok(Output::data(abi::uint(U256::from_big_endian(&word) * 2)))
        }))
    }
}

/// The address of a test precompile that calls a contract by the extrinsic.
pub const REENTERS: u16 = 0xa002;

/// Calls the contract at the given address, and returns the error.
pub struct Reenters;

impl Precompiles<Test> for Reenters {
    fn find(address: &H160) -> Option<Precompile<Test>> {
        (*address == precompiles::address(REENTERS)).then_some(Precompile(|input, _| {
            let Some(address) = input.get(..20) else { return Ok(abi::revert("no address")) };
            let call = crate::Call::call {
                dest: H160::from_slice(address),
                value: 0,
                gas_limit: GAS,
                storage_deposit_limit: START,
                data: input[20..].to_vec(),
            };
            let error = dispatch(ALICE, call).err().map(|failed| failed.error);
            Ok(Output::data(codec::Encode::encode(&error)))
        }))
    }
}

/// The address of a test precompile that calls back its caller.
pub const CALLS_BACK: u16 = 0xa003;

/// Calls its caller with the input and value that it was given.
pub struct CallsBack;

impl Precompiles<Test> for CallsBack {
    fn find(address: &H160) -> Option<Precompile<Test>> {
        (*address == precompiles::address(CALLS_BACK)).then_some(Precompile(|input, env| {
            let (value, caller) = (env.value(), AccountId32Mapper::<Test>::to_address(env.caller()));
            env.call(caller, value, input.to_vec(), &CallLimits::none(), false)
        }))
    }
}

/// The author of the tests' blocks.
pub const AUTHOR: AccountId32 = AccountId32::new([9; 32]);

pub struct Author;

impl FindAuthor<AccountId32> for Author {
    fn find_author<'a, I>(_: I) -> Option<AccountId32>
    where
        I: 'a + IntoIterator<Item = (sp_runtime::ConsensusEngineId, &'a [u8])>,
    {
        Some(AUTHOR)
    }
}

/// A way to run programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The interpreter in the runtime.
    InRuntime,
    /// The host functions of a node that interprets.
    Interpreter,
    /// The host functions of a node that compiles, if this machine can.
    Compiled,
}

thread_local! {
    static WAY: Cell<Way> = const { Cell::new(Way::InRuntime) };
}

impl Way {
    const ALL: [Self; 3] = [Self::InRuntime, Self::Interpreter, Self::Compiled];

    fn choose(self) {
        WAY.set(self);
    }

    /// The node that runs the programs, if it is not the runtime.
    fn node(self) -> Option<&'static PolkaVm> {
        static INTERPRETER: LazyLock<PolkaVm> = LazyLock::new(|| node(BackendChoice::Interpreter));
        static COMPILED: LazyLock<PolkaVm> = LazyLock::new(|| node(BackendChoice::Auto));
        match self {
            Self::InRuntime => None,
            Self::Interpreter => Some(&INTERPRETER),
            Self::Compiled => Some(&COMPILED),
        }
    }
}

fn node(backend: BackendChoice) -> PolkaVm {
    PolkaVm::new(&Flags { backend, sandbox: SandboxChoice::BestEffort, ..Flags::default() }, None).unwrap()
}

/// The executor selected by the test.
pub struct EitherExecutor;

/// An instance of either executor.
pub enum EitherInstance {
    InRuntime(Box<<InRuntimeInterpreter as Executor>::Instance>),
    Remote(<HostFunctions as Executor>::Instance),
}

impl Executor for EitherExecutor {
    type Instance = EitherInstance;

    const NODE_RUNS_PROGRAMS: bool = true;
    const STACK_BYTES: u64 = InRuntimeInterpreter::STACK_BYTES;

    fn instantiate(source: Source<'_>) -> Result<EitherInstance, String> {
        Ok(match WAY.get() {
            Way::InRuntime => EitherInstance::InRuntime(Box::new(InRuntimeInterpreter::instantiate(source)?)),
            _ => EitherInstance::Remote(HostFunctions::instantiate(source)?),
        })
    }
}

/// Calls the same method on either instance.
macro_rules! on_either {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match $self {
            EitherInstance::InRuntime(instance) => instance.$method($($argument),*),
            EitherInstance::Remote(instance) => GuestInstance::$method(instance, $($argument),*),
        }
    };
}

impl GuestInstance for EitherInstance {
    fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        on_either!(self.run(gas, result))
    }

    fn release(&mut self) {
        on_either!(self.release());
    }

    fn program_counter(&self) -> Option<u32> {
        on_either!(self.program_counter())
    }

    fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), OutOfBounds> {
        on_either!(self.read_memory(address, out))
    }

    fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), OutOfBounds> {
        on_either!(self.write_memory(address, data))
    }

    fn zero_memory(&mut self, address: u32, len: u32) -> Result<(), OutOfBounds> {
        on_either!(self.zero_memory(address, len))
    }
}

/// Mapped, with a large balance.
pub const ALICE: AccountId32 = AccountId32::new([1; 32]);
/// Mapped, with a large balance.
pub const BOB: AccountId32 = AccountId32::new([2; 32]);
/// Not mapped, with a large balance.
pub const CHARLIE: AccountId32 = AccountId32::new([3; 32]);
/// The balance of every account at the start.
pub const START: Balance = 1_000_000_000;
/// Enough weight for everything in the tests.
pub const GAS: Weight = Weight::from_parts(500_000_000_000, 3 * 1024 * 1024);
/// The number of the tests' block.
pub const BLOCK: u64 = 17;
/// Its time in milliseconds.
pub const TIME: u64 = 1_700_000_000_999;

/// An account derived from an Ethereum address.
pub fn ethereum_account(address: H160) -> AccountId32 {
    let mut bytes = [0xEE; 32];
    bytes[..20].copy_from_slice(address.as_bytes());
    AccountId32::new(bytes)
}

/// Runs a test once with each executor, each time on a fresh chain; then checks that the pallet's state is consistent,
/// and that all left the same state, including events.
pub fn run(test: impl Fn()) {
    let roots = Way::ALL.map(|way| run_with(way, &test));
    assert!(roots.iter().all(|root| *root == roots[0]), "the executors leave other states: {roots:?}");
}

/// Runs a test with the interpreter in the runtime only.
pub fn run_in_runtime(test: impl FnOnce()) {
    run_with(Way::InRuntime, test);
}

/// Runs a test with one executor, and returns the root of the resulting state.
fn run_with(way: Way, test: impl FnOnce()) -> Vec<u8> {
    way.choose();
    let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: vec![(ALICE, START), (BOB, START), (CHARLIE, START)],
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut externalities = sp_io::TestExternalities::new(storage);
    if let Some(polkavm) = way.node() {
        externalities.register_extension(pvm_host_interface::PolkavmExt::new(polkavm.session()));
    }
    externalities.execute_with(|| {
        System::set_block_number(BLOCK);
        pallet_timestamp::Now::<Test>::put(TIME);
        for account in [ALICE, BOB] {
            Polkavm::map_account(RuntimeOrigin::signed(account)).unwrap();
        }
        System::reset_events();
        test();
        crate::integrity::check_state::<Test>().unwrap();
        root()
    })
}

/// The root of the whole state.
pub fn root() -> Vec<u8> {
    sp_io::storage::root(StateVersion::V1)
}

/// Runs `f` and checks that the state is the same before and after.
pub fn unchanged<R>(f: impl FnOnce() -> R) -> R {
    let before = root();
    let result = f();
    assert_eq!(root(), before, "the state has changed");
    result
}

/// Runs `f` and undoes its changes of the state, as the node does after a dry run.
pub fn with_rollback<R>(f: impl FnOnce() -> R) -> R {
    let mut result = None;
    let _ = frame_support::storage::with_transaction(|| {
        result = Some(f());
        sp_runtime::TransactionOutcome::Rollback(Ok::<_, sp_runtime::DispatchError>(()))
    });
    result.unwrap()
}

/// Dispatches an extrinsic as a block would, except for fee and nonce.
pub fn dispatch(who: AccountId32, call: crate::Call<Test>) -> DispatchResultWithPostInfo {
    with_storage_layer(|| RuntimeCall::Polkavm(call).dispatch(RuntimeOrigin::signed(who)))
}

/// The pallet's events so far.
pub fn events() -> Vec<crate::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Polkavm(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// Maximum weight, and no limit on the deposit.
pub fn no_limits() -> Limits<Balance> {
    Limits { gas: GAS, deposit: None }
}

/// Calls a contract as Alice without a value.
pub fn call(contract: H160, data: &[u8]) -> Execution<Output, BalanceOf<Test>> {
    call_with_value(contract, 0, data)
}

/// Calls a contract as Alice.
pub fn call_with_value(contract: H160, value: Balance, data: &[u8]) -> Execution<Output, BalanceOf<Test>> {
    Polkavm::bare_call(ALICE, contract, value, no_limits(), data.to_vec(), ExecConfig::extrinsic())
}

/// Instantiates a contract as Alice.
pub fn instantiate(code: Vec<u8>, value: Balance, data: &[u8]) -> Execution<Instantiated, BalanceOf<Test>> {
    let nonce = System::account_nonce(&ALICE);
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&u64::from(nonce).to_le_bytes());
    let code = Code::Upload(code);
    Polkavm::bare_instantiate(ALICE, value, no_limits(), code, data.to_vec(), Some(salt), ExecConfig::extrinsic())
}

/// The weight of loading a program: for its length, its machine code, its memory.
pub fn load_cost(code: &[u8]) -> Weight {
    let code::Footprint { machine_code, memory_pages } = code::check::check::<Test>(code).unwrap().footprint;
    let code_len = code.len() as u32;
    [Cost::LoadCode(code_len), Cost::Compile { code_len, machine_code }, Cost::Memory(memory_pages)]
        .into_iter()
        .map(|cost| cost.weight::<<Test as Config>::WeightInfo>())
        .fold(Weight::zero(), |sum, cost| sum + cost)
}

/// Instantiates a contract as Alice, which must succeed, and returns its address.
pub fn deploy(code: Vec<u8>) -> H160 {
    let made = instantiate(code, 0, &[]).result.unwrap();
    assert!(!made.output.did_revert());
    made.address
}

/// Uploads code as Alice, which must succeed, and returns its hash.
pub fn upload(code: Vec<u8>) -> H256 {
    Polkavm::bare_upload_code(ALICE, code, None).unwrap().code_hash
}

/// Externalities for testing the benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub fn benchmark_externalities() -> sp_io::TestExternalities {
    Way::InRuntime.choose();
    let storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
    let mut externalities = sp_io::TestExternalities::new(storage);
    externalities.register_extension(sp_keystore::KeystoreExt::new(sp_keystore::testing::MemoryKeystore::new()));
    externalities
}
