//! Ethereum's gas: the single number with which contracts written for Ethereum limit a call.
//!
//! Such numbers are constants in sources: 30,000 for `supportsInterface`, 100,000 for a callback, and the stipend of
//! 2,300. A unit is [`Config::RefTimePerEthGas`] of weight, and as much storage deposit as makes a new slot of 32 bytes
//! cost the same as on Ethereum, [`SLOT_GAS`]. A call's use of both counts against the one number ([`used`]).

use crate::{BalanceOf, Config};
use frame_support::{traits::Get, weights::Weight};
use sp_core::U256;
use sp_runtime::Saturating;

/// Maximum gas of an Ethereum transaction (EIP-7825), so no source has a larger number.
pub const MOST: u64 = 1 << 24;

/// The gas given by Solidity's `send` and `transfer`, and with a value.
pub const STIPEND: u64 = 2_300;

/// Ethereum's cost of writing a slot that was zero.
const SLOT_GAS: u64 = 20_000;

/// Bytes of a slot: the hash of its key and its value.
const SLOT_BYTES: u32 = 32 + 32;

/// The weight that an amount of gas buys, if none of it is used for a deposit.
pub fn weight<T: Config>(gas: u64) -> Weight {
    Weight::from_parts(gas.saturating_mul(T::RefTimePerEthGas::get()), u64::MAX)
}

/// The storage deposit that an amount of gas buys, if none of it is used for weight.
pub fn deposit<T: Config>(gas: u64) -> BalanceOf<T> {
    let all = slot_deposit::<T>().saturating_mul(gas.into()) / SLOT_GAS;
    // An amount that doesn't fit the type of balances is more than anybody has.
    all.try_into().unwrap_or_else(|_| sp_runtime::traits::Bounded::max_value())
}

/// The gas equivalent of weight and deposit, rounded up.
pub fn used<T: Config>(weight: Weight, deposit: BalanceOf<T>) -> u64 {
    let time = weight.ref_time().div_ceil(T::RefTimePerEthGas::get().max(1));
    let slot = slot_deposit::<T>();
    let storage: U256 = deposit.into();
    let storage = match slot.is_zero() {
        // If storage is free, it takes no gas.
        true => U256::zero(),
        false => storage.saturating_mul(SLOT_GAS.into()).saturating_add(slot - 1) / slot,
    };
    time.saturating_add(storage.try_into().unwrap_or(u64::MAX))
}

fn slot_deposit<T: Config>() -> U256 {
    let bytes = T::DepositPerByte::get().saturating_mul(SLOT_BYTES.into());
    bytes.saturating_add(T::DepositPerChildTrieItem::get()).into()
}
