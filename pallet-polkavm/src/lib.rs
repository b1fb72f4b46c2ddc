#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod address;
pub mod bare;
pub mod code;
pub mod contract;
pub mod deletion;
mod dry_run;
mod dust;
pub mod ethereum;
pub mod exec;
pub mod executor;
pub mod host_api;
mod integrity;
pub mod limits;
pub mod metering;
pub mod migrations;
pub mod precompiles;
pub mod pricing;
pub mod runtime_api;
mod storage_layer;
pub mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(any(test, feature = "runtime-benchmarks"))]
mod program;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use address::{AccountId32Mapper, AddressMapper, AutoMapper};
pub use bare::Limits;
pub use code::{CodeInfo, CostModel};
pub use contract::{ContractInfo, ImmutableData};
pub use exec::ExecConfig;
pub use executor::{HostFunctions, InRuntimeInterpreter};
pub use pallet::*;
pub use pricing::{GasPrices, Pricing};
pub use weights::WeightInfo;

use alloc::{boxed::Box, vec::Vec};
use ethereum::Budget;
use frame_support::{
    dispatch::{
        DispatchErrorWithPostInfo, DispatchResultWithPostInfo, GetDispatchInfo, PostDispatchInfo, extract_actual_weight,
    },
    weights::Weight,
};
use sp_core::{H160, H256, U256};
use types::{Code, Deposit, Execution, Failure, Output};

/// The balance of [`Config::Currency`].
pub type BalanceOf<T> = <T as Config>::Balance;

/// The log target of this crate.
pub const LOG_TARGET: &str = "runtime::polkavm";

#[frame_support::pallet]
#[allow(missing_docs, reason = "FRAME's macros generate undocumented items")]
pub mod pallet {
    use super::*;
    use frame_support::{
        pallet_prelude::*,
        traits::{
            FindAuthor, OriginTrait, Time,
            fungible::{Inspect, Mutate, MutateHold},
            tokens::Balance,
        },
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::{Perbill, traits::Dispatchable};

    /// The version of the storage layout.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(2);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config(with_default)]
    pub trait Config: frame_system::Config {
        /// The overarching event type.
        #[pallet::no_default_bounds]
        #[allow(deprecated)]
        type RuntimeEvent: From<Event<Self>> + IsType<<Self as frame_system::Config>::RuntimeEvent>;

        /// The overarching hold reason.
        #[pallet::no_default_bounds]
        type RuntimeHoldReason: From<HoldReason>;

        /// The overarching call, for [`Pallet::dispatch_as_fallback_account`].
        #[pallet::no_default_bounds]
        type RuntimeCall: Parameter
            + Dispatchable<RuntimeOrigin = Self::RuntimeOrigin, PostInfo = PostDispatchInfo>
            + GetDispatchInfo;

        /// Origins that may upload code, by itself or with a contract: `EnsureSigned`, or a subset.
        #[pallet::no_default_bounds]
        type UploadOrigin: EnsureOrigin<OriginFor<Self>, Success = Self::AccountId>;

        /// Origins that may instantiate contracts by an extrinsic: `EnsureSigned`, or a subset. Contracts may always
        /// instantiate stored code.
        #[pallet::no_default_bounds]
        type InstantiateOrigin: EnsureOrigin<OriginFor<Self>, Success = Self::AccountId>;

        /// The balance of [`Self::Currency`], which has to fit in 128 bits.
        #[pallet::no_default]
        type Balance: Balance + Into<U256> + TryFrom<U256>;

        /// The currency of values and deposits.
        #[pallet::no_default]
        type Currency: Inspect<Self::AccountId, Balance = Self::Balance>
            + Mutate<Self::AccountId>
            + MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

        /// The clock that contracts see, in milliseconds since the Unix epoch.
        #[pallet::no_default]
        type Time: Time<Moment: Into<U256>>;

        /// Weights of extrinsics and host functions.
        #[pallet::no_default]
        type WeightInfo: WeightInfo;

        /// The mapping between accounts and addresses: [`AccountId32Mapper`].
        #[pallet::no_default]
        type AddressMapper: AddressMapper<Self>;

        /// Automatic mapping: accounts are mapped to their addresses without a deposit. New ones are mapped by
        /// [`AutoMapper`], which the runtime has to set as `OnNewAccount` and `OnKilledAccount` of `frame_system`;
        /// older ones when they first call or instantiate a contract.
        ///
        /// With it, whatever a contract sends to an account's address reaches that account. Otherwise this holds only
        /// after the account was mapped; anything sent before is available through
        /// [`Pallet::dispatch_as_fallback_account`].
        #[pallet::constant]
        type AutoMap: Get<bool>;

        /// The executor of programs: [`InRuntimeInterpreter`], or the node through its [`HostFunctions`].
        #[pallet::no_default_bounds]
        type Executor: executor::Executor;

        /// The precompiles: [`precompiles::Builtins`], and a runtime's own.
        #[pallet::no_default_bounds]
        type Precompiles: precompiles::Precompiles<Self>;

        /// Finds the author of the block for contracts. `()` finds none.
        #[pallet::no_default_bounds]
        type FindAuthor: FindAuthor<Self::AccountId>;

        /// The conversion of gas to weight, which decides which nodes can build blocks: [`Pricing::INTERPRETED`] or
        /// [`Pricing::COMPILED`], or prices of the chain's own.
        ///
        /// A change reprices every stored program; the cost model itself is fixed per program.
        #[pallet::constant]
        type Pricing: Get<Pricing>;

        /// The gas cost model of code uploaded from now on. Stored code keeps its own.
        #[pallet::constant]
        type CostModel: Get<CostModel>;

        /// Picoseconds of weight per unit of Ethereum's gas, for contracts that limit a call to a number of such units.
        ///
        /// Should be chosen so that such numbers suffice for the same operations as on Ethereum: 2,300 for an event,
        /// 30,000 for a query of another contract, 100,000 for a few storage writes. See [`metering::ethereum`]. Not
        /// zero.
        #[pallet::constant]
        type RefTimePerEthGas: Get<u64>;

        /// Deposit for one byte of state.
        ///
        /// May change at any time: refunds are a share of the amount that was paid.
        #[pallet::constant]
        #[pallet::no_default]
        type DepositPerByte: Get<BalanceOf<Self>>;

        /// Deposit for one item of the pallet's own state: a program, a contract, a mapping.
        #[pallet::constant]
        #[pallet::no_default]
        type DepositPerItem: Get<BalanceOf<Self>>;

        /// Deposit for one item in a contract's own storage.
        #[pallet::constant]
        #[pallet::no_default]
        type DepositPerChildTrieItem: Get<BalanceOf<Self>>;

        /// The share of a program's deposit that each contract running it has to hold as well, as it keeps the program
        /// from being removed.
        #[pallet::constant]
        type CodeHashLockupDepositPercent: Get<Perbill>;

        /// The chain's EIP-155 id, as contracts see it.
        #[pallet::constant]
        type ChainId: Get<u64>;

        /// Number of the contracts' units (wei) in one unit of the chain's balance. Not zero.
        ///
        /// Contracts see every balance and value multiplied by this. Amounts below one unit of the chain are kept for
        /// each account ([`DustOf`]), exactly: nothing is rounded.
        ///
        /// Must not change on a chain whose accounts have dust.
        #[pallet::constant]
        type NativeToEthRatio: Get<u32>;

        /// The result of the host functions `gas_price` and `base_fee`, in the contracts' unit.
        #[pallet::constant]
        type GasPrice: Get<u64>;
    }

    /// Defaults for the items of [`Config`] that don't depend on the runtime.
    pub mod config_preludes {
        use super::*;
        use frame_support::{
            derive_impl, parameter_types,
            traits::{ConstBool, ConstU32, ConstU64},
        };

        parameter_types! {
            /// Three tenths: four contracts together hold more than the code's deposit.
            pub const CodeHashLockupDepositPercent: Perbill = Perbill::from_percent(30);
            /// Any node can build blocks.
            pub const InterpretedPricing: Pricing = Pricing::INTERPRETED;
            /// An instruction is one unit of gas.
            pub const NaiveCostModel: CostModel = CostModel::Naive;
        }

        /// Defaults for tests.
        pub struct TestDefaultConfig;

        #[derive_impl(frame_system::config_preludes::TestDefaultConfig, no_aggregated_types)]
        impl frame_system::DefaultConfig for TestDefaultConfig {}

        #[frame_support::register_default_impl(TestDefaultConfig)]
        impl DefaultConfig for TestDefaultConfig {
            #[inject_runtime_type]
            type RuntimeEvent = ();
            #[inject_runtime_type]
            type RuntimeHoldReason = ();
            #[inject_runtime_type]
            type RuntimeCall = ();
            type AutoMap = ConstBool<false>;
            type UploadOrigin = frame_system::EnsureSigned<Self::AccountId>;
            type InstantiateOrigin = frame_system::EnsureSigned<Self::AccountId>;
            type Executor = InRuntimeInterpreter;
            type Precompiles = precompiles::Builtins;
            type FindAuthor = ();
            type Pricing = InterpretedPricing;
            type CostModel = NaiveCostModel;
            type RefTimePerEthGas = ConstU64<100_000>;
            type CodeHashLockupDepositPercent = CodeHashLockupDepositPercent;
            type ChainId = ConstU64<42>;
            type NativeToEthRatio = ConstU32<1>;
            type GasPrice = ConstU64<1>;
        }
    }

    /// Programs, by the Keccak-256 hash of their bytes. At most [`limits::BLOB_BYTES`] long.
    #[pallet::storage]
    #[pallet::unbounded]
    pub type PristineCode<T: Config> = StorageMap<_, Identity, H256, Vec<u8>>;

    /// Information about each program in [`PristineCode`].
    #[pallet::storage]
    pub type CodeInfoOf<T: Config> = StorageMap<_, Identity, H256, CodeInfo<T>>;

    /// Programs that were uploaded with a contract: they are removed with the last contract that runs them.
    #[pallet::storage]
    pub type TiedCode<T: Config> = StorageMap<_, Identity, H256, ()>;

    /// Contracts, by address.
    #[pallet::storage]
    pub type ContractInfoOf<T: Config> = StorageMap<_, Identity, H160, ContractInfo<T>>;

    /// Immutable data, which constructors store for later calls of their contracts.
    #[pallet::storage]
    pub type ImmutableDataOf<T: Config> = StorageMap<_, Identity, H160, ImmutableData>;

    /// Number of contracts ever instantiated; the ids of their tries are derived from it.
    #[pallet::storage]
    pub type TrieCount<T: Config> = StorageValue<_, u64, ValueQuery>;

    /// Tries of terminated contracts that still have to be removed.
    #[pallet::storage]
    pub type DeletionQueue<T: Config> = StorageMap<_, Twox64Concat, u64, H256>;

    /// First and next number in [`DeletionQueue`].
    #[pallet::storage]
    pub type DeletionQueueBounds<T: Config> = StorageValue<_, deletion::QueueBounds, ValueQuery>;

    /// The accounts behind addresses that are hashes of them.
    #[pallet::storage]
    pub type OriginalAccount<T: Config> = StorageMap<_, Identity, H160, T::AccountId>;

    /// Balance of accounts below one unit of the chain's balance, in the contracts' unit.
    #[pallet::storage]
    pub type DustOf<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

    /// Units of balance that were burned for the existing dust ([`DustOf`]).
    #[pallet::storage]
    pub type UnitsInDust<T: Config> = StorageValue<_, BalanceOf<T>, ValueQuery>;

    /// The reason for which balance of an account is on hold.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// For a program, on the account of its uploader.
        CodeUploadDepositReserve,
        /// For a contract and its storage, on the account of the contract.
        StorageDepositReserve,
        /// For the mapping of an account to its address, on that account.
        AddressMapping,
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A program was stored.
        CodeStored {
            /// Its hash.
            code_hash: H256,
            /// The deposit held on the uploader's account for it.
            deposit_held: BalanceOf<T>,
            /// The uploader.
            uploader: T::AccountId,
        },
        /// A program was removed.
        CodeRemoved {
            /// Its hash.
            code_hash: H256,
            /// The deposit returned to its owner.
            deposit_released: BalanceOf<T>,
            /// The account that removed it.
            remover: T::AccountId,
        },
        /// A contract was instantiated.
        Instantiated {
            /// The deployer.
            deployer: H160,
            /// Its address.
            contract: H160,
            /// The program it runs.
            code_hash: H256,
        },
        /// A contract was called by a transaction, with success.
        Called {
            /// The caller.
            caller: H160,
            /// The contract.
            contract: H160,
        },
        /// A contract was terminated and removed.
        Terminated {
            /// The contract.
            contract: H160,
            /// The recipient of its balance.
            beneficiary: H160,
        },
        /// A contract runs another program from its next call on.
        ContractCodeUpdated {
            /// The contract.
            contract: H160,
            /// The program it runs from now on.
            code_hash: H256,
            /// The program it ran before.
            old_code_hash: H256,
        },
        /// A contract emitted an event of its own.
        ContractEmitted {
            /// The contract.
            contract: H160,
            /// Data in an encoding of the contract's choice.
            data: Vec<u8>,
            /// Topics to find the event by, at most [`limits::EVENT_TOPICS`].
            topics: Vec<H256>,
        },
        /// Balance was moved to a contract and put on hold for its storage.
        StorageDepositTransferredAndHeld {
            /// The account that paid.
            from: T::AccountId,
            /// The contract's account.
            to: T::AccountId,
            /// The amount.
            amount: BalanceOf<T>,
        },
        /// Balance held for a contract's storage was refunded.
        StorageDepositTransferredAndReleased {
            /// The contract's account.
            from: T::AccountId,
            /// The account that received it.
            to: T::AccountId,
            /// The amount.
            amount: BalanceOf<T>,
        },
        /// An account was mapped to its address.
        AccountMapped {
            /// The account.
            account: T::AccountId,
            /// Its address.
            address: H160,
            /// The deposit held on the account for the mapping.
            deposit: BalanceOf<T>,
        },
        /// An account's mapping was removed.
        AccountUnmapped {
            /// The account.
            account: T::AccountId,
            /// Its address.
            address: H160,
            /// The deposit returned to the account.
            released: BalanceOf<T>,
        },
        /// An Ethereum transaction has done what it was to do.
        EthereumTransactionExecuted {
            /// The storage deposit that its sender paid or got back, existential deposits of new accounts included.
            storage_deposit: Deposit<BalanceOf<T>>,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The `gas_limit` was not enough for the execution.
        OutOfGas,
        /// The contract stopped at a trap, an invalid jump, or an access outside its memory.
        ContractTrapped,
        /// The contract reverted: it ended by requesting that its changes be undone. A dry run shows the data that it
        /// returned as a reason.
        ContractReverted,
        /// A pointer passed to a host function is outside the contract's memory, or an offset is outside of the data.
        OutOfBounds,
        /// The program called an import that it doesn't have.
        InvalidImport,
        /// A stored program could not be loaded. Programs are checked at upload, so this is a bug.
        ExecutionFailed,
        /// The call stack has reached its maximum depth.
        MaxCallDepthReached,

        /// The contract may not be called while it waits for a call of its own.
        ReentranceDenied,
        /// A state change in a read-only call.
        StateChangeDenied,
        /// A contract made a call with flags that don't exist, or that are invalid for this kind of call.
        InvalidCallFlags,
        /// A precompile was called with invalid data.
        PrecompileFailed,
        /// The contract may not terminate itself, or change its program, in this context.
        TerminationDenied,

        /// There is already a contract at the address.
        DuplicateContract,
        /// No program is stored under the hash.
        CodeNotFound,
        /// The program can't be removed while contracts run it.
        CodeInUse,
        /// The number of contracts that run the program would overflow.
        UseCountOverflow,

        /// The program exceeds the maximum length of programs.
        BlobTooLarge,
        /// The bytes are not a well-formed program.
        InvalidBlob,
        /// The program's instruction set is not supported for contracts.
        UnsupportedIsa,
        /// The program imports a function that this chain doesn't have. A dry run of the upload
        /// names it.
        UnknownImport,
        /// The program has more imports than there are host functions.
        TooManyImports,
        /// The program has no export `deploy`.
        NoDeployExport,
        /// The program has no export `call`.
        NoCallExport,
        /// The program exceeds the maximum memory of contracts.
        MemoryTooLarge,
        /// A basic block of the program exceeds the maximum number of instructions.
        BasicBlockTooLarge,
        /// The program has an instruction that doesn't exist or is not allowed for contracts.
        InvalidInstruction,
        /// The program exceeds another limit on programs. A dry run of the upload names it.
        CodeLimitExceeded,

        /// The call data exceeds its maximum length.
        CallDataTooLarge,
        /// The data returned by the contract exceeds its maximum length.
        ReturnDataTooLarge,
        /// The contract returned flags that don't exist.
        InvalidReturnFlags,
        /// The contract's input is no longer available: it was forwarded to another contract.
        InputForwarded,
        /// A storage value exceeds its maximum length.
        ValueTooLarge,
        /// A storage key exceeds its maximum length.
        KeyTooLarge,
        /// A storage host function was called with flags that don't exist.
        InvalidStorageFlags,
        /// The transaction has used up its transient storage.
        OutOfTransientStorage,
        /// An event exceeds the maximum number of topics.
        TooManyTopics,
        /// An event's data exceeds its maximum length.
        EventTooLarge,
        /// Immutable data was read in a constructor or though there is none, or was set outside a constructor or to
        /// nothing.
        InvalidImmutableAccess,
        /// Immutable data exceeds its maximum length.
        ImmutableDataTooLarge,

        /// A value could not be transferred: the sender's free balance is too low.
        TransferFailed,
        /// The storage used needs a larger deposit than the limit allows.
        StorageDepositLimitExhausted,
        /// The origin can't pay the deposit.
        StorageDepositNotEnoughFunds,
        /// A contract can't refund the deposit of freed storage. This is a bug.
        StorageRefundNotEnoughFunds,

        /// The account has to be mapped to its address first, with `map_account`.
        AccountUnmapped,
        /// The account is already mapped, or needs no mapping.
        AccountAlreadyMapped,
        /// The account has no mapping that could be removed.
        AccountNotMapped,
        /// Accounts are mapped automatically, so no mapping can be removed.
        AutoMapped,
        /// There is a contract at the origin's address, so it may not act (EIP-3607).
        OriginIsContract,
        /// A precompile of the runtime tried to start a call or instantiation outside of the running call stack.
        ReenteredPallet,
        /// There is no contract at the address.
        ContractNotFound,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_idle(_: BlockNumberFor<T>, limit: Weight) -> Weight {
            deletion::process::<T>(limit)
        }

        fn integrity_test() {
            integrity::check::<T>();
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            integrity::check_state::<T>()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Calls the account at `dest`, with a value.
        ///
        /// If there is a contract, its export `call` runs with `data`. Any other account only receives the value, and
        /// is created if necessary.
        ///
        /// - `gas_limit`: the weight that the call may use, on top of the base weight. Unused weight is refunded.
        /// - `storage_deposit_limit`: the maximum that the origin pays for storage.
        ///
        /// If the call fails or the contract reverts, all changes but the fee are undone.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::call(data.len() as u32).saturating_add(*gas_limit))]
        pub fn call(
            origin: OriginFor<T>,
            dest: H160,
            #[pallet::compact] value: BalanceOf<T>,
            gas_limit: Weight,
            #[pallet::compact] storage_deposit_limit: BalanceOf<T>,
            data: Vec<u8>,
        ) -> DispatchResultWithPostInfo {
            let origin = ensure_signed(origin)?;
            let base = T::WeightInfo::call(data.len() as u32);
            let limits = Limits { gas: gas_limit, deposit: Some(storage_deposit_limit) };
            let execution = Self::bare_call(origin, dest, value, limits, data, ExecConfig::extrinsic());
            post_dispatch::<T, _>(execution, base, Output::did_revert)
        }

        /// Instantiates a contract from a stored program, and runs its export `deploy` with `data`.
        ///
        /// With a `salt`, the address depends on the deployer, the salt, the program and the data (`CREATE2`); without
        /// one, on the deployer and a nonce (`CREATE`): that of the transaction if the deployer signed it, else the
        /// next one that no contract was created with. The origin pays the new account's existential deposit and the
        /// deposit of its storage.
        ///
        /// Limits are as in [`Pallet::call`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::instantiate(data.len() as u32).saturating_add(*gas_limit))]
        pub fn instantiate(
            origin: OriginFor<T>,
            #[pallet::compact] value: BalanceOf<T>,
            gas_limit: Weight,
            #[pallet::compact] storage_deposit_limit: BalanceOf<T>,
            code_hash: H256,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> DispatchResultWithPostInfo {
            let origin = T::InstantiateOrigin::ensure_origin(origin)?;
            let base = T::WeightInfo::instantiate(data.len() as u32);
            let limits = Limits { gas: gas_limit, deposit: Some(storage_deposit_limit) };
            let code = Code::Existing(code_hash);
            let execution = Self::bare_instantiate(origin, value, limits, code, data, salt, ExecConfig::extrinsic());
            post_dispatch::<T, _>(execution, base, |made| made.output.did_revert())
        }

        /// Combines [`Pallet::upload_code`] and [`Pallet::instantiate`].
        ///
        /// The deposit for the program counts towards `storage_deposit_limit`. A program stored by this call is removed
        /// with the last contract that runs it, unless its owner uploads it separately.
        #[pallet::call_index(2)]
        #[pallet::weight(
            T::WeightInfo::instantiate_with_code(code.len() as u32, data.len() as u32).saturating_add(*gas_limit)
        )]
        #[allow(clippy::too_many_arguments, reason = "an extrinsic takes what it takes")]
        pub fn instantiate_with_code(
            origin: OriginFor<T>,
            #[pallet::compact] value: BalanceOf<T>,
            gas_limit: Weight,
            #[pallet::compact] storage_deposit_limit: BalanceOf<T>,
            code: Vec<u8>,
            data: Vec<u8>,
            salt: Option<[u8; 32]>,
        ) -> DispatchResultWithPostInfo {
            T::UploadOrigin::ensure_origin(origin.clone())?;
            let origin = T::InstantiateOrigin::ensure_origin(origin)?;
            let base = T::WeightInfo::instantiate_with_code(code.len() as u32, data.len() as u32);
            let limits = Limits { gas: gas_limit, deposit: Some(storage_deposit_limit) };
            let code = Code::Upload(code);
            let execution = Self::bare_instantiate(origin, value, limits, code, data, salt, ExecConfig::extrinsic());
            post_dispatch::<T, _>(execution, base, |made| made.output.did_revert())
        }

        /// Checks and stores a program, against a deposit held on the origin's account.
        ///
        /// Does nothing if the program is already stored.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::upload_code(code.len() as u32))]
        pub fn upload_code(
            origin: OriginFor<T>,
            code: Vec<u8>,
            #[pallet::compact] storage_deposit_limit: BalanceOf<T>,
        ) -> DispatchResult {
            let origin = T::UploadOrigin::ensure_origin(origin)?;
            Self::bare_upload_code(origin, code, Some(storage_deposit_limit)).map_err(|failure| failure.error)?;
            Ok(())
        }

        /// Removes a program that no contract runs, and releases its deposit. Only for its uploader.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::remove_code())]
        pub fn remove_code(origin: OriginFor<T>, code_hash: H256) -> DispatchResult {
            let origin = ensure_signed(origin)?;
            code::remove::<T>(&origin, code_hash)
        }

        /// Maps the origin's account to its address, against a deposit, so that it can use contracts. Accounts derived
        /// from an Ethereum address need no mapping and are refused.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::map_account())]
        pub fn map_account(origin: OriginFor<T>) -> DispatchResult {
            let origin = ensure_signed(origin)?;
            bare::ensure_no_contract::<T>(&origin).map_err(|failure| failure.error)?;
            T::AddressMapper::map(&origin)
        }

        /// Removes the mapping of the origin's account and releases its deposit.
        ///
        /// From then on, whatever contracts send to the account's address goes to another account, to which nobody has
        /// a key.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::unmap_account())]
        pub fn unmap_account(origin: OriginFor<T>) -> DispatchResult {
            let origin = ensure_signed(origin)?;
            ensure!(!T::AutoMap::get(), Error::<T>::AutoMapped);
            T::AddressMapper::unmap(&origin)
        }

        /// Makes a contract run another stored program from its next call on. Only for root.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::host_set_code_hash().saturating_add(T::WeightInfo::remove_code()))]
        pub fn set_code(origin: OriginFor<T>, dest: H160, code_hash: H256) -> DispatchResult {
            ensure_root(origin)?;
            Self::replace_code(dest, code_hash)
        }

        /// Dispatches a call as the origin's fallback account.
        ///
        /// That is the account that receives whatever is sent to the origin's address while the origin isn't mapped.
        /// Nobody has a key to it; this call gives access to its balance and other assets.
        #[pallet::call_index(7)]
        #[pallet::weight({
            let info = call.get_dispatch_info();
            (T::WeightInfo::map_account().saturating_add(info.call_weight), info.class)
        })]
        pub fn dispatch_as_fallback_account(
            origin: OriginFor<T>,
            call: Box<<T as Config>::RuntimeCall>,
        ) -> DispatchResultWithPostInfo {
            let account = ensure_signed(origin.clone())?;
            let address = T::AddressMapper::to_address(&account);
            ensure!(!ContractInfoOf::<T>::contains_key(address), Error::<T>::OriginIsContract);
            let fallback = T::AddressMapper::to_fallback_account_id(&address);
            let mut origin = origin;
            // Filters of the origin stay in effect.
            origin.set_caller_from(frame_system::RawOrigin::Signed(fallback));
            let info = call.get_dispatch_info();
            let result = call.dispatch(origin);
            let weight = T::WeightInfo::map_account().saturating_add(extract_actual_weight(&result, &info));
            let post_info = |inner: PostDispatchInfo| PostDispatchInfo { actual_weight: Some(weight), ..inner };
            match result {
                Ok(inner) => Ok(post_info(inner)),
                Err(failed) => Err(DispatchErrorWithPostInfo { post_info: post_info(failed.post_info), ..failed }),
            }
        }

        /// Carries an Ethereum transaction, as its client has signed it.
        ///
        /// Not to be signed: [`ethereum::UncheckedExtrinsic`] takes the signature inside for the extrinsic's and
        /// dispatches one of the two calls below. This one is never dispatched, and fails where somebody tries to.
        #[pallet::call_index(9)]
        #[pallet::weight(Weight::MAX)]
        pub fn eth_transact(origin: OriginFor<T>, payload: Vec<u8>) -> DispatchResultWithPostInfo {
            let _ = (origin, payload);
            Err(DispatchError::BadOrigin.into())
        }

        /// [`Pallet::call`] as an Ethereum transaction means it: with a value in the contracts' unit, and one budget for
        /// weight and deposit together.
        #[pallet::call_index(10)]
        #[pallet::weight(ethereum::call_weight::<T>(data.len()).saturating_add(*gas_limit))]
        pub fn eth_call(
            origin: OriginFor<T>,
            dest: H160,
            value: U256,
            gas_limit: Weight,
            budget: Budget<BalanceOf<T>>,
            data: Vec<u8>,
        ) -> DispatchResultWithPostInfo {
            let origin = ensure_signed(origin)?;
            let base = ethereum::call_weight::<T>(data.len());
            let config = ExecConfig::extrinsic();
            let execution = Self::ethereum_call(origin, dest, value, gas_limit, budget, data, config);
            post_dispatch::<T, _>(execution, base, Output::did_revert)
        }

        /// [`Pallet::instantiate_with_code`] as an Ethereum transaction means it.
        #[pallet::call_index(11)]
        #[pallet::weight(ethereum::instantiate_weight::<T>(code.len(), data.len()).saturating_add(*gas_limit))]
        pub fn eth_instantiate_with_code(
            origin: OriginFor<T>,
            value: U256,
            gas_limit: Weight,
            budget: Budget<BalanceOf<T>>,
            code: Vec<u8>,
            data: Vec<u8>,
        ) -> DispatchResultWithPostInfo {
            T::UploadOrigin::ensure_origin(origin.clone())?;
            let origin = T::InstantiateOrigin::ensure_origin(origin)?;
            let base = ethereum::instantiate_weight::<T>(code.len(), data.len());
            let config = ExecConfig::extrinsic();
            let execution = Self::ethereum_instantiate(origin, value, gas_limit, budget, code, data, config);
            post_dispatch::<T, _>(execution, base, |made| made.output.did_revert())
        }
    }
}

/// Converts an execution to an extrinsic's result: with the weight actually used, and a revert as an error.
fn post_dispatch<T: Config, R>(
    execution: Execution<R, BalanceOf<T>>,
    base: Weight,
    did_revert: impl FnOnce(&R) -> bool,
) -> DispatchResultWithPostInfo {
    let post_info = PostDispatchInfo {
        actual_weight: Some(base.saturating_add(execution.gas_consumed)),
        pays_fee: Default::default(),
    };
    let failed = |failure: Failure| DispatchErrorWithPostInfo { post_info, error: failure.error };
    match execution.result {
        Ok(result) if did_revert(&result) => Err(failed(Error::<T>::ContractReverted.into())),
        Ok(_) => Ok(post_info),
        Err(failure) => Err(failed(failure)),
    }
}
