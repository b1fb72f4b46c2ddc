//! The functions that a contract can call: those of `pallet-revive-uapi` 0.15, with its names, registers, flags, error
//! codes and sentinel values.
//!
//! The macro `host_functions!` contains the only table. A program's imports are looked up in it once, at upload, and
//! stored as [`HostFunction`] numbers; a running program calls by number. Each function is in the file of its theme,
//! charges its cost before it does its work, and returns a value for register A0, nothing, or the end of the contract
//! ([`Halt`]).
//!
//! Arguments are passed in registers A0 to A5. Pointers and lengths have 32 bits: the low half of their register. A
//! pointer outside of the contract's memory ends the contract.

mod accounts;
mod balance;
mod block;
mod calls;
mod context;
mod crypto;
mod events;
mod immutable;
mod input;
mod memory;
mod output;
mod reads;
mod storage;

use crate::{
    Config, Error,
    exec::Stack,
    executor::Executor,
    metering::{cost::Cost, gas::Charged},
    types::Failure,
};
use alloc::{format, string::String, vec::Vec};
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::DispatchError;

/// Stands for "none" in lengths and pointers.
pub const SENTINEL: u32 = u32::MAX;

/// The argument registers A0 to A5.
type Args = [u64; 6];

/// Result of a host function: a value for A0, nothing, or the end of the contract.
type HostResult = Result<Option<u64>, Halt>;

/// The end of a contract inside a host function.
#[derive(Debug)]
pub enum Halt {
    /// It called `seal_return`.
    Return {
        /// The flags as given; not checked yet.
        flags: u32,
        /// The data.
        data: Vec<u8>,
    },
    /// It terminated itself, and returns no data.
    Ended,
    /// The host function failed.
    Failed(Failure),
}

impl Halt {
    /// The failure of a host function, with an explanation.
    pub fn failed<T: Config>(error: Error<T>, detail: impl Into<String>) -> Self {
        Self::Failed(Failure::new::<T>(error, detail))
    }
}

/// The failure because `what` is longer than its limit.
fn too_long<T: Config>(error: Error<T>, what: &str, len: u32, limit: u32) -> Halt {
    Halt::failed::<T>(error, format!("the {what} has {len} bytes, the limit is {limit}"))
}

impl<E: Into<Failure>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Context of a host function: the call stack, whose top frame is the caller, and the caller's memory.
pub struct Host<'a, T: Config> {
    stack: &'a mut Stack<T>,
    instance: &'a mut <T::Executor as Executor>::Instance,
}

impl<'a, T: Config> Host<'a, T> {
    /// Serves the top frame of `stack`, which runs in `instance`.
    pub fn new(stack: &'a mut Stack<T>, instance: &'a mut <T::Executor as Executor>::Instance) -> Self {
        Self { stack, instance }
    }

    fn charge(&mut self, cost: Cost) -> Result<Charged, DispatchError> {
        self.stack.top_mut().gas.charge(cost)
    }

    fn adjust(&mut self, charged: Charged, actual: Cost) {
        self.stack.top_mut().gas.adjust(charged, actual);
    }
}

/// Generates the enum of host functions, the table of their names and the dispatch, from one list of `number name =>
/// Variant: implementation`. Numbers are stored with programs: never change or reuse one.
macro_rules! host_functions {
    ($($index:literal $name:literal => $variant:ident: $function:path,)*) => {
        /// A host function, identified by the number it is stored under.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
        pub enum HostFunction {
            $(#[doc = concat!("`", $name, "`")] #[codec(index = $index)] $variant,)*
        }

        impl HostFunction {
            /// All host functions, with the names under which programs import them.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($name, Self::$variant),)*];

            /// Executes the function for the top frame of the host's stack.
            ///
            /// # Errors
            ///
            /// [`Halt`] if the contract ends here.
            pub fn call<T: Config>(self, host: &mut Host<'_, T>, args: Args) -> HostResult {
                match self {
                    $(Self::$variant => $function(host, args),)*
                }
            }
        }
    };
}

host_functions! {
    0 "call_data_size" => CallDataSize: input::call_data_size,
    1 "call_data_copy" => CallDataCopy: input::call_data_copy,
    2 "call_data_load" => CallDataLoad: input::call_data_load,
    3 "seal_return" => SealReturn: output::seal_return,
    4 "return_data_size" => ReturnDataSize: output::return_data_size,
    5 "return_data_copy" => ReturnDataCopy: output::return_data_copy,
    6 "set_storage" => SetStorage: storage::set_storage,
    7 "set_storage_or_clear" => SetStorageOrClear: storage::set_storage_or_clear,
    8 "get_storage" => GetStorage: storage::get_storage,
    9 "get_storage_or_zero" => GetStorageOrZero: storage::get_storage_or_zero,
    10 "caller" => Caller: context::caller,
    11 "origin" => Origin: context::origin,
    12 "address" => Address: context::address,
    13 "value_transferred" => ValueTransferred: context::value_transferred,
    14 "now" => Now: context::now,
    15 "block_number" => BlockNumber: context::block_number,
    16 "ref_time_left" => RefTimeLeft: context::ref_time_left,
    17 "gas_limit" => GasLimit: context::gas_limit,
    18 "gas_price" => GasPrice: context::gas_price,
    19 "base_fee" => BaseFee: context::base_fee,
    20 "chain_id" => ChainId: context::chain_id,
    21 "balance" => Balance: balance::balance,
    22 "balance_of" => BalanceOf: balance::balance_of,
    23 "code_hash" => CodeHash: accounts::code_hash,
    24 "code_size" => CodeSize: accounts::code_size,
    25 "hash_keccak_256" => HashKeccak256: crypto::hash_keccak_256,
    26 "deposit_event" => DepositEvent: events::deposit_event,
    27 "get_immutable_data" => GetImmutableData: immutable::get_immutable_data,
    28 "set_immutable_data" => SetImmutableData: immutable::set_immutable_data,
    29 "call" => Call: calls::call,
    30 "call_evm" => CallEvm: calls::call_evm,
    31 "delegate_call" => DelegateCall: calls::delegate_call,
    32 "delegate_call_evm" => DelegateCallEvm: calls::delegate_call_evm,
    33 "instantiate" => Instantiate: calls::instantiate,
    34 "terminate" => Terminate: calls::terminate,
    35 "consume_all_gas" => ConsumeAllGas: calls::consume_all_gas,
    36 "block_hash" => BlockHash: block::block_hash,
    37 "block_author" => BlockAuthor: block::block_author,
    38 "ecdsa_to_eth_address" => EcdsaToEthAddress: crypto::ecdsa_to_eth_address,
    39 "sr25519_verify" => Sr25519Verify: crypto::sr25519_verify,
}

impl HostFunction {
    /// Number of host functions.
    pub const COUNT: u32 = Self::ALL.len() as u32;

    /// The function that a program imports under this symbol.
    pub fn by_name(symbol: &[u8]) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| name.as_bytes() == symbol).map(|(_, function)| *function)
    }
}

/// A 32-bit argument: the low half of its register.
fn low(register: u64) -> u32 {
    register as u32
}

/// The second of two 32-bit arguments in one register: its high half.
fn high(register: u64) -> u32 {
    (register >> 32) as u32
}
