//! Gas budget of a transaction: the weight and the deposits that its gas buys.
//!
//! A unit of gas is [`Config::RefTimePerEthGas`] of weight, and costs what that weight costs ([`gas_price`]). All that a
//! transaction costs its sender apart from its value is counted in that unit: the fee of the extrinsic, the weight it uses,
//! the storage deposit it takes. So the number that a wallet shows, gas times price, is never exceeded.

use super::EthereumRuntime;
use crate::{BalanceOf, Config};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{
    dispatch::{DispatchClass, DispatchInfo, Pays},
    traits::Get,
    weights::Weight,
};
use scale_info::TypeInfo;
use sp_core::U256;
use sp_runtime::traits::{Bounded, Saturating};

/// The gas over which the price of one unit is measured, so that the fee's rounding makes no difference.
const PROBE: u64 = 1 << 16;

/// Funds of a transaction after the extrinsic's own fee. Weight and deposit are taken from it together:
/// each number is what all of it buys of the one, if nothing is used of the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Budget<Balance> {
    /// Picoseconds of weight. May be more than an extrinsic can have.
    pub ref_time: u64,
    /// Storage deposit.
    pub deposit: Balance,
}

impl<Balance: Into<U256> + Copy> Budget<Balance> {
    /// Returns true if it covers this weight and this deposit together.
    pub fn covers(&self, weight: Weight, deposit: Balance) -> bool {
        // As shares of the whole: neither price is needed. A time has 64 bits and a balance 128.
        let (time, all) = (U256::from(self.ref_time), self.deposit.into());
        let used = U256::from(weight.ref_time()).saturating_mul(all);
        let used = used.saturating_add(deposit.into().saturating_mul(time));
        used <= time.saturating_mul(all)
    }
}

/// The price of a unit of gas, in the contracts' unit. Never zero.
pub fn gas_price<E: EthereumRuntime>() -> U256 {
    let time = PROBE.saturating_mul(<E::Config as Config>::RefTimePerEthGas::get());
    let with = E::fee(0, &info(Weight::from_parts(time, 0)));
    let fee = crate::Pallet::<E::Config>::to_contract_value(with.saturating_sub(E::fee(0, &info(Weight::zero()))));
    // Rounded up: what gas buys must not cost more than the gas.
    (fee.saturating_add((PROBE - 1).into()) / PROBE).max(U256::one())
}

/// An extrinsic of the normal class, for its fee.
pub(super) fn info(weight: Weight) -> DispatchInfo {
    DispatchInfo {
        call_weight: weight,
        extension_weight: Weight::zero(),
        class: DispatchClass::Normal,
        pays_fee: Pays::Yes,
    }
}

/// The balance that an amount of gas is worth, rounded down; the largest there is where it doesn't fit.
pub(super) fn balance_of_gas<T: Config>(gas: U256, price: U256) -> BalanceOf<T> {
    let ratio = T::NativeToEthRatio::get().max(1);
    let balance = gas.saturating_mul(price) / ratio;
    balance.try_into().unwrap_or_else(|_| Bounded::max_value())
}

/// The gas that a balance is worth, rounded up.
pub(super) fn gas_of_balance<T: Config>(balance: BalanceOf<T>, price: U256) -> u64 {
    let amount = crate::Pallet::<T>::to_contract_value(balance);
    let gas = amount.saturating_add(price.saturating_sub(U256::one())) / price.max(U256::one());
    gas.try_into().unwrap_or(u64::MAX)
}

/// The budget of `balance`.
pub(super) fn budget<T: Config>(balance: BalanceOf<T>, price: U256) -> Budget<BalanceOf<T>> {
    let gas = crate::Pallet::<T>::to_contract_value(balance) / price.max(U256::one());
    let ref_time = gas.saturating_mul(T::RefTimePerEthGas::get().into());
    Budget { ref_time: ref_time.try_into().unwrap_or(u64::MAX), deposit: balance }
}
