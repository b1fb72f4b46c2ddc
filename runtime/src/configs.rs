//! Parameters of every pallet, with the reasons for their values.

use crate::constants::{BLOCK_HASH_COUNT, EXISTENTIAL_DEPOSIT, MICRO_UNIT, MILLI_UNIT, SLOT_DURATION};
use crate::{
    AccountId, Aura, Balance, Balances, Block, BlockNumber, Hash, Nonce, PalletInfo, Runtime, RuntimeCall,
    RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason, RuntimeOrigin, RuntimeTask, System, Timestamp,
    TransactionPayment, TxExtension, VERSION,
};
use frame_support::{
    derive_impl,
    dispatch::{DispatchClass, DispatchInfo},
    parameter_types,
    traits::{ConstBool, ConstU8, ConstU32, ConstU64, ConstU128, FindAuthor, VariantCountOf},
    weights::{
        ConstantMultiplier, Weight, WeightToFeeCoefficient, WeightToFeeCoefficients, WeightToFeePolynomial,
        constants::{BlockExecutionWeight, ExtrinsicBaseWeight, ParityDbWeight, WEIGHT_REF_TIME_PER_SECOND},
    },
};
use frame_system::limits::{BlockLength, BlockWeights};
use pallet_transaction_payment::{FungibleAdapter, Multiplier};
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_runtime::{ConsensusEngineId, Perbill, generic::Era, traits::One};

/// Share of a block's weight that ordinary transactions may fill.
const NORMAL_DISPATCH_RATIO: Perbill = Perbill::from_percent(75);
/// A block may take half of its slot to execute, which leaves the other half for the network. A solochain has no
/// validation proof, so the proof size is unlimited.
const MAXIMUM_BLOCK_WEIGHT: Weight = Weight::from_parts(WEIGHT_REF_TIME_PER_SECOND, u64::MAX);
/// Maximum encoded length of a block's body in bytes.
const MAXIMUM_BLOCK_LENGTH: u32 = 5 * 1024 * 1024;
/// Share of a block's weight assumed to go to inherents and hooks.
const AVERAGE_ON_INITIALIZE_RATIO: Perbill = Perbill::from_percent(10);

parameter_types! {
    /// Number of blocks whose hashes are stored.
    pub const BlockHashCount: BlockNumber = BLOCK_HASH_COUNT;
    /// Version of this runtime.
    pub const Version: sp_version::RuntimeVersion = VERSION;
    /// The generic prefix of addresses.
    pub const SS58Prefix: u8 = 42;
    /// Weight limits of a block.
    pub RuntimeBlockWeights: BlockWeights = BlockWeights::builder()
        .base_block(BlockExecutionWeight::get())
        .for_class(DispatchClass::all(), |weights| weights.base_extrinsic = ExtrinsicBaseWeight::get())
        .for_class(DispatchClass::Normal, |weights| {
            weights.max_total = Some(NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_WEIGHT);
        })
        .for_class(DispatchClass::Operational, |weights| {
            weights.max_total = Some(MAXIMUM_BLOCK_WEIGHT);
            weights.reserved = Some(MAXIMUM_BLOCK_WEIGHT - NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_WEIGHT);
        })
        .avg_block_initialization(AVERAGE_ON_INITIALIZE_RATIO)
        .build_or_panic();
    /// Length limit of a block: 5 MiB, three quarters of which are for ordinary transactions.
    pub RuntimeBlockLength: BlockLength =
        BlockLength::builder()
            .max_length(MAXIMUM_BLOCK_LENGTH)
            .modify_max_length_for_class(DispatchClass::Normal, |length| *length = NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_LENGTH)
            .build();
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type Block = Block;
    type BlockWeights = RuntimeBlockWeights;
    type BlockLength = RuntimeBlockLength;
    type AccountId = AccountId;
    type Nonce = Nonce;
    type Hash = Hash;
    type BlockHashCount = BlockHashCount;
    type DbWeight = ParityDbWeight;
    type Version = Version;
    type AccountData = pallet_balances::AccountData<Balance>;
    type SS58Prefix = SS58Prefix;
    type MaxConsumers = ConstU32<16>;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = Aura;
    type MinimumPeriod = ConstU64<{ SLOT_DURATION / 2 }>;
    type WeightInfo = ();
}

impl pallet_aura::Config for Runtime {
    type AuthorityId = AuraId;
    type DisabledValidators = ();
    type MaxAuthorities = ConstU32<32>;
    type AllowMultipleBlocksPerSlot = ConstBool<false>;
    type SlotDuration = pallet_aura::MinimumPeriodTimesTwo<Runtime>;
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = ConstU32<32>;
    type MaxNominators = ConstU32<0>;
    type MaxSetIdSessionEntries = ConstU64<0>;
    type KeyOwnerProof = sp_core::Void;
    type EquivocationReportSystem = ();
}

impl pallet_balances::Config for Runtime {
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ();
    type ReserveIdentifier = [u8; 8];
    type Balance = Balance;
    type RuntimeEvent = RuntimeEvent;
    type DustRemoval = ();
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type AccountStore = System;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type DoneSlashHandler = ();
}

/// Fee for the base weight of a transaction.
const BASE_FEE: Balance = 100 * MICRO_UNIT;

/// The price of execution: linear in `ref_time`.
pub struct WeightToFee;

impl WeightToFeePolynomial for WeightToFee {
    type Balance = Balance;

    /// The base weight of a transaction costs [`BASE_FEE`].
    fn polynomial() -> WeightToFeeCoefficients<Balance> {
        let price = BASE_FEE;
        let base = Balance::from(ExtrinsicBaseWeight::get().ref_time());
        [WeightToFeeCoefficient {
            degree: 1,
            negative: false,
            coeff_frac: Perbill::from_rational(price % base, base),
            coeff_integer: price / base,
        }]
        .into_iter()
        .collect()
    }
}

parameter_types! {
    /// The fee does not depend on the load of the chain.
    pub FeeMultiplier: Multiplier = Multiplier::one();
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = FungibleAdapter<Balances, ()>;
    type WeightToFee = WeightToFee;
    type LengthToFee = ConstantMultiplier<Balance, ConstU128<{ MICRO_UNIT / 100 }>>;
    type FeeMultiplierUpdate = pallet_transaction_payment::ConstFeeMultiplier<FeeMultiplier>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
}

impl pallet_sudo::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WeightInfo = pallet_sudo::weights::SubstrateWeight<Runtime>;
}

/// Contracts use units of 10^-18, as Solidity does; the chain uses units of 10^-12.
const NATIVE_TO_ETH_RATIO: u32 = 1_000_000;

parameter_types! {
    /// A third of a program's deposit, held by each contract that runs it.
    pub const CodeHashLockupDepositPercent: Perbill = Perbill::from_percent(30);
    /// Authorities compile contracts, and prices are those of compiled code. Nodes that only import blocks may
    /// interpret.
    pub const Pricing: pallet_polkavm::Pricing = match cfg!(feature = "in-runtime-interpreter") {
        true => pallet_polkavm::Pricing::INTERPRETED,
        false => pallet_polkavm::Pricing::COMPILED,
    };
    /// The cost model of new code.
    pub const CostModel: pallet_polkavm::CostModel = match cfg!(feature = "in-runtime-interpreter") {
        true => pallet_polkavm::CostModel::Naive,
        false => pallet_polkavm::CostModel::CalibratedV1,
    };
    /// The fee for a picosecond of execution, in the contracts' unit.
    pub const GasPrice: u64 =
        (BASE_FEE as u64) * (NATIVE_TO_ETH_RATIO as u64) / ExtrinsicBaseWeight::get().ref_time();
}

/// The account of the block's author: the account of the authority's key.
pub struct AuraAuthor;

impl FindAuthor<AccountId> for AuraAuthor {
    fn find_author<'a, I>(digests: I) -> Option<AccountId>
    where
        I: 'a + IntoIterator<Item = (ConsensusEngineId, &'a [u8])>,
    {
        let index = Aura::find_author(digests)?;
        let authorities = pallet_aura::Authorities::<Runtime>::get();
        authorities.get(index as usize).map(|key| AccountId::new(key.clone().into_inner().0))
    }
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
    type WeightInfo = pallet_polkavm::weights::SubstrateWeight<Runtime>;
    type AddressMapper = pallet_polkavm::AccountId32Mapper<Runtime>;
    // The nodes of this chain have the host functions. `InRuntimeInterpreter` would do without them: the contents of
    // blocks are the same.
    #[cfg(not(feature = "in-runtime-interpreter"))]
    type Executor = pallet_polkavm::HostFunctions;
    #[cfg(feature = "in-runtime-interpreter")]
    type Executor = pallet_polkavm::InRuntimeInterpreter;
    type Precompiles = pallet_polkavm::precompiles::Builtins;
    // Accounts are mapped only at the request and expense of their owners.
    type AutoMap = ConstBool<false>;
    type FindAuthor = AuraAuthor;
    type Pricing = Pricing;
    type CostModel = CostModel;
    // A block has ten million units.
    type RefTimePerEthGas = ConstU64<100_000>;
    type DepositPerByte = ConstU128<{ 10 * MICRO_UNIT }>;
    type DepositPerItem = ConstU128<{ 10 * MILLI_UNIT }>;
    type DepositPerChildTrieItem = ConstU128<{ 2 * MILLI_UNIT }>;
    type CodeHashLockupDepositPercent = CodeHashLockupDepositPercent;
    type ChainId = ConstU64<1337>;
    type NativeToEthRatio = ConstU32<NATIVE_TO_ETH_RATIO>;
    type GasPrice = GasPrice;
}

/// Conversion of Ethereum's transactions into this runtime's extrinsics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ethereum;

impl pallet_polkavm::ethereum::EthereumRuntime for Ethereum {
    type Config = Runtime;
    type Extension = TxExtension;

    fn extension(nonce: Nonce, tip: Balance) -> TxExtension {
        (
            frame_system::AuthorizeCall::new(),
            frame_system::CheckNonZeroSender::new(),
            frame_system::CheckSpecVersion::new(),
            frame_system::CheckTxVersion::new(),
            frame_system::CheckGenesis::new(),
            frame_system::CheckEra::from(Era::Immortal),
            frame_system::CheckNonce::from(nonce),
            frame_system::CheckWeight::new(),
            pallet_transaction_payment::ChargeTransactionPayment::from(tip),
            frame_system::WeightReclaim::new(),
        )
    }

    fn fee(length: u32, info: &DispatchInfo) -> Balance {
        TransactionPayment::compute_fee(length, info, 0)
    }
}
