//! Dust: the balance of accounts below one unit of the chain.
//!
//! Contracts use a smaller unit of money than the chain ([`Config::NativeToEthRatio`]). The currency moves whole units
//! of the chain; the rest of an amount is moved here, between entries of [`DustOf`]. If an account has too little dust,
//! one of its units is burned and converted to dust; if it has a whole unit of dust, that unit is minted. So an account
//! never has a whole unit of dust, and the sum of all dust is exactly the number of units burned for it
//! ([`UnitsInDust`]): no amount is rounded.
//!
//! Called by the transfers of the call stack, inside their storage transaction.

use crate::{BalanceOf, Config, DustOf, UnitsInDust, metering::cost::Cost};
use frame_support::{
    traits::{
        Get,
        fungible::Mutate,
        tokens::{Fortitude, Precision, Preservation},
    },
    weights::Weight,
};
use sp_core::U256;
use sp_runtime::{DispatchResult, Saturating, traits::One};

/// Bytes of proof for an entry of [`DustOf`]: an account and a number, and the trie's nodes above.
const PROOF: u64 = 2_600;

/// Contracts' units per unit of the chain. Never zero: the integrity test refuses that, but divisions must not depend
/// on it.
fn ratio<T: Config>() -> u64 {
    T::NativeToEthRatio::get().max(1).into()
}

/// Splits an amount in the contracts' unit into the chain's balance and dust. `None` if it exceeds the type of
/// balances.
pub(crate) fn split<T: Config>(amount: U256) -> Option<(BalanceOf<T>, u64)> {
    let (balance, rest) = amount.div_mod(ratio::<T>().into());
    Some((balance.try_into().ok()?, rest.low_u64()))
}

/// True if an amount is not a whole number of the chain's units.
fn is_in<T: Config>(amount: U256) -> bool {
    !(amount % ratio::<T>()).is_zero()
}

/// Moves dust (less than a unit of balance) between accounts that have balance.
///
/// # Errors
///
/// The currency's, if `from` has neither the dust nor a unit to spare.
pub(crate) fn transfer<T: Config>(from: &T::AccountId, to: &T::AccountId, amount: u64) -> DispatchResult {
    if amount == 0 || from == to {
        return Ok(());
    }
    let unit = ratio::<T>();
    let mut left = u64::from(DustOf::<T>::get(from));
    if left < amount {
        let one = BalanceOf::<T>::one();
        T::Currency::burn_from(from, one, Preservation::Preserve, Precision::Exact, Fortitude::Polite)?;
        UnitsInDust::<T>::mutate(|units| *units = units.saturating_add(One::one()));
        left = left.saturating_add(unit);
    }
    put::<T>(from, left.saturating_sub(amount));
    let mut theirs = u64::from(DustOf::<T>::get(to)).saturating_add(amount);
    if theirs >= unit {
        T::Currency::mint_into(to, One::one())?;
        UnitsInDust::<T>::mutate(|units| *units = units.saturating_sub(One::one()));
        theirs = theirs.saturating_sub(unit);
    }
    put::<T>(to, theirs);
    Ok(())
}

/// Sets the dust of an account, which is less than a unit and so fits 32 bits.
fn put<T: Config>(account: &T::AccountId, dust: u64) {
    match u32::try_from(dust).unwrap_or(u32::MAX) {
        0 => DustOf::<T>::remove(account),
        dust => DustOf::<T>::insert(account, dust),
    }
}

/// The weight of reading an account's dust, on top of reading its balance.
pub(crate) fn read_weight<T: Config>() -> Weight {
    T::DbWeight::get().reads(1).saturating_add(Weight::from_parts(0, PROOF))
}

/// The weight of transferring a value, on top of a call.
pub(crate) fn value_weight<T: Config>(value: U256) -> Weight {
    let transfer = Cost::CallTransfer.weight::<T::WeightInfo>();
    if is_in::<T>(value) { transfer_weight::<T>(transfer).saturating_add(transfer) } else { transfer }
}

/// The weight of moving dust, on top of a transfer: three entries, a unit burned and one minted. At most that of a
/// second transfer, which is given by `transfer`.
pub(crate) fn transfer_weight<T: Config>(transfer: Weight) -> Weight {
    T::DbWeight::get().reads_writes(3, 3).saturating_add(Weight::from_parts(0, 3 * PROOF)).saturating_add(transfer)
}
