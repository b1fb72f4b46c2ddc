//! The storage deposit meter: what storage an execution took or freed, and who pays for it.
//!
//! A frame collects the changes to its contract's trie in a [`Diff`]. When it ends, the diff is
//! priced ([`Diff::apply`]), the contract's counters are updated and the net amount becomes a
//! charge between the origin and the contract. Charges are only carried out when the whole stack
//! has ended ([`DepositMeter::settle`]), refunds first, so that a call may pay for what it takes
//! with what it frees.
//!
//! A deposit is balance of the origin, moved to the contract's account and held there under
//! [`HoldReason::StorageDepositReserve`]. A refund goes to the origin of the call that frees the
//! storage, whoever paid for it.

use crate::{
    BalanceOf, Config, ContractInfo, Error, Event, HoldReason, Pallet,
    types::{Deposit, Failure},
};
use alloc::{format, vec::Vec};
use frame_support::{
    DebugNoBound,
    traits::{
        Get,
        fungible::MutateHold,
        tokens::{Fortitude, Precision, Preservation, Restriction},
    },
};
use sp_core::U256;
use sp_runtime::{
    Saturating,
    traits::{Bounded, Zero},
};

/// A change in how much a contract stores.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Diff {
    /// Bytes that came.
    pub bytes_added: u32,
    /// Bytes that went.
    pub bytes_removed: u32,
    /// Items that came.
    pub items_added: u32,
    /// Items that went.
    pub items_removed: u32,
}

impl Diff {
    /// What replacing a value by another does. `key_len` counts for items that come or go.
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

    /// Prices the change and books it in the contract's counters.
    ///
    /// What comes is paid at today's price. What goes is refunded pro rata of what was paid for all
    /// the contract stores, rounded down; so a change of the price never pays out more than was
    /// paid in, and the last byte to go takes the rest with it.
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

/// `amount * part / whole`, rounded down, and all of it where the part is the whole or more.
fn share<Balance: Copy + Into<U256> + TryFrom<U256>>(amount: Balance, part: u32, whole: u32) -> Balance {
    if part >= whole {
        return amount;
    }
    // A balance has at most 128 bits, so the product has at most 160. The quotient is at most the amount.
    let share = amount.into().saturating_mul(part.into()) / U256::from(whole);
    share.try_into().unwrap_or(amount)
}

/// Counts storage deposit up to a limit. See the module's text.
#[derive(DebugNoBound)]
pub struct DepositMeter<T: Config> {
    limit: BalanceOf<T>,
    /// Net of all that was recorded, paid or still to be paid.
    total: Deposit<BalanceOf<T>>,
    /// Still to be paid: contract, and what moves between it and the origin.
    charges: Vec<(T::AccountId, Deposit<BalanceOf<T>>)>,
    /// Changes to the frame's own contract that have no price yet.
    diff: Diff,
}

impl<T: Config> DepositMeter<T> {
    /// A meter that allows `limit`, or everything.
    pub fn new(limit: Option<BalanceOf<T>>) -> Self {
        Self {
            limit: limit.unwrap_or_else(Bounded::max_value),
            total: Deposit::default(),
            charges: Vec::new(),
            diff: Diff::default(),
        }
    }

    /// A meter of a frame that may use all that is left.
    pub fn nested(&self) -> Self {
        let left = match self.total {
            Deposit::Charge(used) => self.limit.saturating_sub(used),
            Deposit::Refund(freed) => self.limit.saturating_add(freed),
        };
        Self::new(Some(left))
    }

    /// Takes over what a frame recorded. The frame must have been finalized.
    pub fn absorb(&mut self, frame: Self) {
        self.total = self.total.saturating_add(&frame.total);
        self.charges.extend(frame.charges);
    }

    /// The net of all that was recorded, without changes that have no price yet.
    pub fn total(&self) -> Deposit<BalanceOf<T>> {
        self.total
    }

    /// Records a change of what the frame's contract stores.
    pub fn record(&mut self, diff: &Diff) {
        self.diff.add(diff);
    }

    /// Records something the origin has paid already, such as the existential deposit of a new account.
    pub fn record_paid(&mut self, amount: BalanceOf<T>) {
        self.total = self.total.saturating_add(&Deposit::Charge(amount));
    }

    /// Records a charge to be paid to `contract` at the end.
    pub fn charge_to(&mut self, contract: &T::AccountId, amount: BalanceOf<T>) {
        self.record_charge(contract, Deposit::Charge(amount));
    }

    /// Ends a frame: prices what its contract stored and freed, and checks the limit.
    ///
    /// # Errors
    ///
    /// [`Error::StorageDepositLimitExhausted`].
    pub fn finalize(&mut self, contract: &T::AccountId, info: &mut ContractInfo<T>) -> Result<(), Failure> {
        let deposit = core::mem::take(&mut self.diff).apply(info);
        self.record_charge(contract, deposit);
        self.ensure_within_limit()
    }

    /// Checks the limit.
    ///
    /// # Errors
    ///
    /// [`Error::StorageDepositLimitExhausted`].
    pub fn ensure_within_limit(&self) -> Result<(), Failure> {
        let charge = self.total.charge_or_zero();
        if charge > self.limit {
            return Err(Failure::new::<T>(
                Error::StorageDepositLimitExhausted,
                format!("a storage deposit of {charge:?} is needed, the limit is {:?}", self.limit),
            ));
        }
        Ok(())
    }

    /// Ends the whole stack: moves the balance.
    ///
    /// # Errors
    ///
    /// [`Error::StorageDepositNotEnoughFunds`] when the origin can't pay,
    /// [`Error::StorageRefundNotEnoughFunds`] when a contract holds less than its counters say (a bug).
    pub fn settle(&mut self, origin: &T::AccountId) -> Result<Deposit<BalanceOf<T>>, Failure> {
        self.ensure_within_limit()?;
        let charges = self.net_per_contract();
        let refunds_first = charges
            .iter()
            .filter(|(_, deposit)| matches!(deposit, Deposit::Refund(_)))
            .chain(charges.iter().filter(|(_, deposit)| matches!(deposit, Deposit::Charge(_))));
        for (contract, deposit) in refunds_first {
            match deposit {
                _ if deposit.amount().is_zero() => (),
                Deposit::Charge(amount) => charge::<T>(origin, contract, *amount)?,
                Deposit::Refund(amount) => refund::<T>(contract, origin, *amount)?,
            }
        }
        Ok(self.total)
    }

    fn record_charge(&mut self, contract: &T::AccountId, deposit: Deposit<BalanceOf<T>>) {
        if !deposit.amount().is_zero() {
            self.total = self.total.saturating_add(&deposit);
            self.charges.push((contract.clone(), deposit));
        }
    }

    /// One entry per contract, in the order of first appearance.
    fn net_per_contract(&mut self) -> Vec<(T::AccountId, Deposit<BalanceOf<T>>)> {
        let mut net: Vec<(T::AccountId, Deposit<BalanceOf<T>>)> = Vec::new();
        for (contract, deposit) in core::mem::take(&mut self.charges) {
            match net.iter_mut().find(|(known, _)| *known == contract) {
                Some((_, sum)) => *sum = sum.saturating_add(&deposit),
                None => net.push((contract, deposit)),
            }
        }
        net
    }
}

fn charge<T: Config>(origin: &T::AccountId, contract: &T::AccountId, amount: BalanceOf<T>) -> Result<(), Failure> {
    T::Currency::transfer_and_hold(
        &HoldReason::StorageDepositReserve.into(),
        origin,
        contract,
        amount,
        Precision::Exact,
        Preservation::Preserve,
        Fortitude::Polite,
    )
    .map_err(|error| {
        Failure::new::<T>(
            Error::StorageDepositNotEnoughFunds,
            format!("the origin can't pay a storage deposit of {amount:?}: {error:?}"),
        )
    })?;
    Pallet::<T>::deposit_event(Event::StorageDepositTransferredAndHeld {
        from: origin.clone(),
        to: contract.clone(),
        amount,
    });
    Ok(())
}

fn refund<T: Config>(contract: &T::AccountId, origin: &T::AccountId, amount: BalanceOf<T>) -> Result<(), Failure> {
    T::Currency::transfer_on_hold(
        &HoldReason::StorageDepositReserve.into(),
        contract,
        origin,
        amount,
        Precision::Exact,
        Restriction::Free,
        Fortitude::Polite,
    )
    .map_err(|error| {
        Failure::new::<T>(
            Error::StorageRefundNotEnoughFunds,
            format!("the contract can't refund a storage deposit of {amount:?}: {error:?}"),
        )
    })?;
    Pallet::<T>::deposit_event(Event::StorageDepositTransferredAndReleased {
        from: contract.clone(),
        to: origin.clone(),
        amount,
    });
    Ok(())
}
