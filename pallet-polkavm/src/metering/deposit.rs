//! The price of storage: the deposit or refund for a change in the amount that a contract stores.
//!
//! Changes are counted in a [`Diff`] and priced by [`Diff::price`], relative to the contract's storage and deposits
//! before. Called by the [`super::ledger`], which sums them up per transaction.

use crate::{BalanceOf, Config, ContractInfo, types::Deposit};
use frame_support::traits::Get;
use sp_core::U256;
use sp_runtime::Saturating;

/// A change in the amount that a contract stores.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Diff {
    /// Bytes added.
    pub bytes_added: u32,
    /// Bytes removed.
    pub bytes_removed: u32,
    /// Items added.
    pub items_added: u32,
    /// Items removed.
    pub items_removed: u32,
}

impl Diff {
    /// The change of replacing a value. `key_len` counts for items that are added or removed.
    pub fn of_write(key_len: u32, old: Option<u32>, new: Option<u32>) -> Self {
        match (old, new) {
            (None, None) => Self::default(),
            (Some(old), Some(new)) => Self {
                bytes_added: new.saturating_sub(old),
                bytes_removed: old.saturating_sub(new),
                ..Default::default()
            },
            (None, Some(new)) => {
                Self { bytes_added: new.saturating_add(key_len), items_added: 1, ..Default::default() }
            }
            (Some(old), None) => {
                Self { bytes_removed: old.saturating_add(key_len), items_removed: 1, ..Default::default() }
            }
        }
    }

    /// Adds another change to this one.
    pub fn add(&mut self, other: &Self) {
        self.bytes_added = self.bytes_added.saturating_add(other.bytes_added);
        self.bytes_removed = self.bytes_removed.saturating_add(other.bytes_removed);
        self.items_added = self.items_added.saturating_add(other.items_added);
        self.items_removed = self.items_removed.saturating_add(other.items_removed);
    }

    /// True if nothing changes.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The price of the change, for a contract whose record has these counters.
    pub fn price<T: Config>(&self, info: &ContractInfo<T>) -> Deposit<BalanceOf<T>> {
        if self.is_none() { Deposit::default() } else { self.apply(&mut info.clone()) }
    }

    /// Prices the change and updates the contract's counters.
    ///
    /// Added storage is paid at the current price. Removed storage is refunded pro rata of the deposit for all the
    /// contract's storage, rounded down; so a change of the price never refunds more than was paid, and removing the
    /// last byte refunds the rest.
    pub fn apply<T: Config>(&self, info: &mut ContractInfo<T>) -> Deposit<BalanceOf<T>> {
        let bytes = Self::apply_one::<T>(
            (self.bytes_added, self.bytes_removed),
            T::DepositPerByte::get(),
            &mut info.storage_bytes,
            &mut info.storage_byte_deposit,
        );
        let items = Self::apply_one::<T>(
            (self.items_added, self.items_removed),
            T::DepositPerChildTrieItem::get(),
            &mut info.storage_items,
            &mut info.storage_item_deposit,
        );
        bytes.saturating_add(&items)
    }

    fn apply_one<T: Config>(
        (added, removed): (u32, u32),
        price: BalanceOf<T>,
        count: &mut u32,
        paid: &mut BalanceOf<T>,
    ) -> Deposit<BalanceOf<T>> {
        if added >= removed {
            let net = added - removed;
            let charge = price.saturating_mul(net.into());
            *count = count.saturating_add(net);
            *paid = paid.saturating_add(charge);
            Deposit::Charge(charge)
        } else {
            let net = removed - added;
            let refund = share::<BalanceOf<T>>(*paid, net, *count);
            *count = count.saturating_sub(net);
            *paid = paid.saturating_sub(refund);
            Deposit::Refund(refund)
        }
    }
}

/// `amount * part / whole`, rounded down; all of it if the part is at least the whole.
fn share<Balance: Copy + Into<U256> + TryFrom<U256>>(amount: Balance, part: u32, whole: u32) -> Balance {
    if part >= whole {
        return amount;
    }
    // A balance has at most 128 bits, so the product has at most 160. The quotient is at most the amount.
    let share = amount.into().saturating_mul(part.into()) / U256::from(whole);
    share.try_into().unwrap_or(amount)
}
