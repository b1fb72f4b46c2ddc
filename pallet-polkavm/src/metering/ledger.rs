//! The ledger of a transaction: the contracts that it touched, and the storage deposit that results.
//!
//! A pure state machine: it reads prices and nothing else, and moves no balance. The records of contracts are kept here
//! from their first use to the end of the transaction, so that all frames share one record per contract, however
//! contracts call each other. Changes of a contract's storage are summed up over the whole transaction and priced once,
//! relative to the contract's storage before it: the order of calls, re-entries and reverts makes no difference, and
//! storage that is added and removed in one transaction costs nothing.
//!
//! A frame opens a layer ([`Ledger::begin`]) with the deposit that it may use. It is closed by [`Ledger::commit`],
//! which checks that limit, or undone by [`Ledger::rollback`]. The state changes only in [`crate::exec`]'s settlement,
//! from the result of [`Ledger::close`].

use super::{deposit::Diff, layers::Layered};
use crate::{
    BalanceOf, Config, ContractInfo, Error,
    types::{Deposit, Failure},
};
use alloc::{format, vec::Vec};
use frame_support::{CloneNoBound, DebugNoBound, DefaultNoBound};
use sp_core::{H160, H256};
use sp_runtime::traits::{Bounded, Saturating, Zero};

/// A requested termination of a contract, and its condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termination {
    /// The recipient of the contract's balance.
    pub beneficiary: H160,
    /// Whether the contract ends even if it wasn't instantiated in this transaction (EIP-6780).
    pub always: bool,
}

/// A contract that the transaction touched.
#[derive(CloneNoBound, DebugNoBound)]
pub struct Entry<T: Config> {
    /// The record before the transaction; `None` for a contract instantiated in it.
    pub before: Option<ContractInfo<T>>,
    /// The current record, except for the counters of storage: those are as before, and `diff` is relative to them.
    pub info: ContractInfo<T>,
    /// The change of the contract's storage.
    pub diff: Diff,
    /// Whether its constructor is still running.
    pub constructing: bool,
    /// The termination requested, if any.
    pub termination: Option<Termination>,
}

impl<T: Config> Entry<T> {
    /// The contract's part of the transaction's storage deposit.
    fn deposit(&self) -> Deposit<BalanceOf<T>> {
        let held = self.before.as_ref().map_or_else(Zero::zero, |before| before.base_deposit);
        let base = if self.info.base_deposit >= held {
            Deposit::Charge(self.info.base_deposit.saturating_sub(held))
        } else {
            Deposit::Refund(held.saturating_sub(self.info.base_deposit))
        };
        self.diff.price(&self.info).saturating_add(&base)
    }

    /// True if the contract ends with the transaction.
    pub fn ends(&self) -> bool {
        self.termination.is_some_and(|termination| termination.always || self.before.is_none())
    }
}

/// The deposit limit of an open layer.
#[derive(CloneNoBound, DebugNoBound)]
struct Layer<T: Config> {
    /// The total when the layer was opened.
    start: Deposit<BalanceOf<T>>,
    limit: BalanceOf<T>,
}

/// The ledger; see the module's documentation.
#[derive(DebugNoBound, DefaultNoBound)]
pub struct Ledger<T: Config> {
    entries: Layered<H160, Entry<T>>,
    total: Deposit<BalanceOf<T>>,
    /// The highest charge at any check of a limit.
    required: BalanceOf<T>,
    /// The open layers: one of the transaction itself and one per frame.
    layers: Vec<Layer<T>>,
}

/// The deposit that moves between the origin and one contract, and the contract's record after the transaction.
#[derive(CloneNoBound, DebugNoBound)]
pub struct Settled<T: Config> {
    /// The contract.
    pub address: H160,
    /// The deposit that moves.
    pub deposit: Deposit<BalanceOf<T>>,
    /// Its record: the one to be stored, or the last one if the contract ends.
    pub info: ContractInfo<T>,
    /// The program that it ran before, if it no longer runs it.
    pub left_code: Option<H256>,
    /// Whether the record differs from what is stored.
    pub changed: bool,
    /// The termination, if the contract ends.
    pub termination: Option<Termination>,
}

impl<T: Config> Ledger<T> {
    /// Makes the empty ledger of a transaction that may use `limit`, or everything.
    pub fn new(limit: Option<BalanceOf<T>>) -> Self {
        let mut ledger = Self::default();
        ledger.layers.push(Layer { start: Deposit::default(), limit: limit.unwrap_or_else(Bounded::max_value) });
        ledger
    }

    /// The net deposit of all records so far.
    pub fn total(&self) -> Deposit<BalanceOf<T>> {
        self.total
    }

    /// The minimum limit with which all checks so far would have had the same results.
    ///
    /// Higher than the net if storage is added in one frame and removed in a later one. Frames that were undone count
    /// too: with less they would have ended differently, which their callers might have observed.
    pub fn required(&self) -> BalanceOf<T> {
        self.required
    }

    /// Opens a layer, which may use `limit`, and at most what is left to the layer below.
    pub fn begin(&mut self, limit: Option<BalanceOf<T>>) {
        let left = self.left();
        let limit = limit.map_or(left, |limit| limit.min(left));
        self.layers.push(Layer { start: self.total, limit });
        self.entries.begin();
    }

    /// Closes the last layer and keeps its changes.
    ///
    /// # Errors
    ///
    /// [`Error::StorageDepositLimitExhausted`]; the layer is then still open, to be undone.
    pub fn commit(&mut self) -> Result<(), Failure> {
        self.ensure_within_limit()?;
        self.layers.pop();
        self.entries.commit(|_, _| ());
        Ok(())
    }

    /// Closes the last layer and undoes its changes.
    pub fn rollback(&mut self) {
        if let Some(layer) = self.layers.pop() {
            self.total = layer.start;
        }
        self.entries.rollback();
    }

    /// Checks the last layer's limit.
    ///
    /// # Errors
    ///
    /// [`Error::StorageDepositLimitExhausted`].
    pub fn ensure_within_limit(&mut self) -> Result<(), Failure> {
        let used = self.used().charge_or_zero();
        let limit = self.layers.last().map_or_else(Zero::zero, |layer| layer.limit);
        if used > limit {
            return Err(Failure::new::<T>(
                Error::StorageDepositLimitExhausted,
                format!("a storage deposit of {used:?} is needed, the limit is {limit:?}"),
            ));
        }
        // A layer that needs nothing passes with any limit.
        if !used.is_zero() {
            self.required = self.required.max(self.total.charge_or_zero());
        }
        Ok(())
    }

    /// The deposit that the last layer has used.
    pub fn used(&self) -> Deposit<BalanceOf<T>> {
        let start = self.layers.last().map_or_else(Deposit::default, |layer| layer.start);
        self.total.saturating_add(&start.negated())
    }

    /// The deposit left to the last layer.
    fn left(&self) -> BalanceOf<T> {
        let limit = self.layers.last().map_or_else(Zero::zero, |layer| layer.limit);
        match self.used() {
            Deposit::Charge(used) => limit.saturating_sub(used),
            Deposit::Refund(freed) => limit.saturating_add(freed),
        }
    }

    /// The contract at an address, in the transaction's current state.
    pub fn get(&self, address: &H160) -> Option<&Entry<T>> {
        self.entries.get(address)
    }

    /// Adds a contract that is stored, unless it is known already.
    pub fn enter(&mut self, address: H160, info: ContractInfo<T>) {
        if self.entries.get(&address).is_none() {
            let entry = Entry {
                before: Some(info.clone()),
                info,
                diff: Diff::default(),
                constructing: false,
                termination: None,
            };
            self.entries.set(address, Some(entry));
        }
    }

    /// Adds a contract whose constructor is about to run.
    pub fn create(&mut self, address: H160, info: ContractInfo<T>) {
        let entry = Entry { before: None, info, diff: Diff::default(), constructing: true, termination: None };
        self.entries.set(address, Some(entry));
    }

    /// Changes an entry and updates the total. Does nothing if the entry is unknown.
    pub fn change(&mut self, address: &H160, change: impl FnOnce(&mut Entry<T>)) {
        let Some(entry) = self.entries.get(address) else { return };
        let mut entry = entry.clone();
        let old = entry.deposit();
        change(&mut entry);
        let new = entry.deposit();
        self.total = self.total.saturating_add(&old.negated()).saturating_add(&new);
        self.entries.set(*address, Some(entry));
    }

    /// Records a change in the amount that a contract stores.
    pub fn record(&mut self, address: &H160, diff: &Diff) {
        if !diff.is_none() {
            self.change(address, |entry| entry.diff.add(diff));
        }
    }

    /// Records the termination of a contract; an earlier one stays in effect as far as it goes further.
    pub fn terminate(&mut self, address: &H160, termination: Termination) {
        self.change(address, |entry| {
            let always = termination.always || entry.termination.is_some_and(|earlier| earlier.always);
            entry.termination = Some(Termination { always, ..termination });
        });
    }

    /// Records an amount that the origin has already paid, such as the existential deposit of a new account.
    pub fn record_paid(&mut self, amount: BalanceOf<T>) {
        self.total = self.total.saturating_add(&Deposit::Charge(amount));
    }

    /// Records an amount that was already returned to the origin.
    pub fn record_returned(&mut self, amount: BalanceOf<T>) {
        self.total = self.total.saturating_add(&Deposit::Refund(amount));
    }

    /// Closes the ledger; returns the deposits that have to move, by address. From then on the total includes contracts
    /// that end.
    pub fn close(&mut self) -> Vec<Settled<T>> {
        let mut total = self.total;
        let settled = self.entries.iter().map(|(address, entry)| {
            let code_before = entry.before.as_ref().map(|before| before.code_hash);
            if entry.ends() {
                let held = entry.before.as_ref().map_or_else(Zero::zero, ContractInfo::total_deposit);
                let deposit = Deposit::Refund(held);
                total = total.saturating_add(&entry.deposit().negated()).saturating_add(&deposit);
                return Settled {
                    address: *address,
                    deposit,
                    info: entry.info.clone(),
                    left_code: code_before,
                    changed: false,
                    termination: entry.termination,
                };
            }
            let mut info = entry.info.clone();
            entry.diff.apply(&mut info);
            Settled {
                address: *address,
                deposit: entry.deposit(),
                left_code: code_before.filter(|before| *before != info.code_hash),
                changed: entry.before.as_ref() != Some(&info),
                info,
                termination: None,
            }
        });
        let settled = settled.collect();
        self.total = total;
        settled
    }
}
