//! The weight meter: a weight limit, turned into the VM's gas and back.
//!
//! The VM counts gas (one unit per instruction in the first cost model), the chain counts weight.
//! What one unit of a program's cost model is in picoseconds of `ref_time` is what the chain's
//! [`Config::Pricing`] says. Before the VM runs it is given all the time that is left, as gas, rounded
//! down; when it stops, what it used is charged here exactly. So the time the VM used is always gas
//! times price, and the remainder of the rounding stays with the meter. `proof_size` is only used by
//! host functions.
//!
//! A frame lends its callee all but a 64th of what it has left (EIP-150), so that it can go on when
//! the callee has used up all it was lent.

use super::cost::Cost;
use crate::{Config, Error, code::CostModel};
use core::marker::PhantomData;
use frame_support::{DebugNoBound, traits::Get, weights::Weight};
use sp_runtime::DispatchError;
use vm_core::gas::CostModelKind;

/// A cost that was charged and may be lowered once the true one is known.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged(Weight);

/// The part of what is left that a frame keeps when it calls another, as a divisor: a 64th (EIP-150).
const RESERVE: u64 = 64;

/// Counts weight up to a limit. See the module's text.
#[derive(DebugNoBound)]
pub struct GasMeter<T: Config> {
    limit: Weight,
    consumed: Weight,
    /// The most that was ever consumed at once, which is what the limit has to allow.
    required: Weight,
    /// Gas last given to the VM.
    given: i64,
    /// Whether the limit was lent by another frame, which kept a 64th of what it had.
    lent: bool,
    _config: PhantomData<T>,
}

impl<T: Config> GasMeter<T> {
    /// A meter that allows `limit`.
    pub fn new(limit: Weight) -> Self {
        Self { limit, consumed: Weight::zero(), required: Weight::zero(), given: 0, lent: false, _config: PhantomData }
    }

    /// The meter of a transaction's first frame, which may use all that is left, up to `limit`.
    pub fn first(&self, limit: Weight) -> Self {
        Self::new(self.left().min(limit))
    }

    /// The meter of a frame that this one calls, which may use all but a 64th of what is left, up to `limit`.
    pub fn nested(&self, limit: Weight) -> Self {
        Self { lent: true, ..Self::new(self.lendable().min(limit)) }
    }

    /// The gas for a callee: all but a 64th of the gas left (EIP-150).
    fn lendable(&self) -> Weight {
        let left = self.left();
        left.saturating_sub(left.div(RESERVE))
    }

    /// Fails where a callee can't be lent this much.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`].
    pub fn ensure_lendable(&mut self, weight: Weight) -> Result<(), DispatchError> {
        if self.lendable().any_lt(weight) {
            return Err(Error::<T>::OutOfGas.into());
        }
        self.required = self.required.max(self.consumed.saturating_add(with_reserve(weight)));
        Ok(())
    }

    /// Uses up all that is left.
    pub fn consume_all(&mut self) {
        self.consumed = self.limit;
        self.required = self.limit;
    }

    /// Counts what a frame used.
    pub fn absorb(&mut self, frame: Self) {
        let required = if frame.lent { with_reserve(frame.required) } else { frame.required };
        self.required = self.required.max(self.consumed.saturating_add(required));
        self.consumed = self.consumed.saturating_add(frame.consumed);
    }

    /// The weight left.
    pub fn left(&self) -> Weight {
        self.limit.saturating_sub(self.consumed)
    }

    /// The weight used.
    pub fn consumed(&self) -> Weight {
        self.consumed
    }

    /// A limit with which all that happened so far could have happened: the least one, but for cost models that give back
    /// a part of a block's cost, under which it may be up to one such part above the least.
    pub fn required(&self) -> Weight {
        self.required
    }

    /// Takes the price of something that is about to be done.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`] when the limit doesn't allow it; then nothing is taken.
    pub fn charge(&mut self, cost: Cost) -> Result<Charged, DispatchError> {
        let weight = cost.weight::<T::WeightInfo>();
        self.charge_weight(weight)?;
        Ok(Charged(weight))
    }

    /// Takes a weight that has no name among the costs, such as that of a runtime's own precompile.
    ///
    /// # Errors
    ///
    /// As [`Self::charge`].
    pub fn charge_weight(&mut self, weight: Weight) -> Result<(), DispatchError> {
        let consumed = self.consumed.checked_add(&weight).ok_or(Error::<T>::OutOfGas)?;
        if consumed.any_gt(self.limit) {
            return Err(Error::<T>::OutOfGas.into());
        }
        self.consumed = consumed;
        self.required = self.required.max(consumed);
        Ok(())
    }

    /// Gives a charge back, as what it is for has not happened.
    pub fn give_back(&mut self, charged: Charged) {
        self.consumed = self.consumed.saturating_sub(charged.0);
    }

    /// Lowers a charge to what it turned out to be. Never raises one.
    pub fn adjust(&mut self, charged: Charged, actual: Cost) {
        let unused = charged.0.saturating_sub(actual.weight::<T::WeightInfo>());
        self.consumed = self.consumed.saturating_sub(unused);
    }

    /// The gas the VM may use from here on, in units of a cost model.
    pub fn to_vm(&mut self, model: CostModel) -> i64 {
        let gas = self.left().ref_time() / T::Pricing::get().ref_time_per_gas(model);
        self.given = i64::try_from(gas).unwrap_or(i64::MAX);
        self.given
    }

    /// Charges what the VM used of the gas it was last given; `left` is what it gave back.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`] when it used more than it was given.
    pub fn from_vm(&mut self, model: CostModel, left: i64) -> Result<(), DispatchError> {
        let used = self.given.saturating_sub(left.min(self.given));
        self.given = left;
        let used = u64::try_from(used).unwrap_or_default();
        let price = T::Pricing::get().ref_time_per_gas(model);
        self.charge_weight(Weight::from_parts(used.saturating_mul(price), 0))?;
        // Before a branch gives some of its block's cost back, that much more has to be there than the run uses.
        let refund = u64::from(CostModelKind::from(model).branch_refund());
        let peak = self.consumed.saturating_add(Weight::from_parts(refund.saturating_mul(price), 0));
        self.required = self.required.max(peak.min(self.limit));
        Ok(())
    }
}

/// The least that has to be left for a callee to be lent this much.
fn with_reserve(weight: Weight) -> Weight {
    let part = |lent: u64| lent.saturating_add(lent.saturating_sub(1) / (RESERVE - 1));
    Weight::from_parts(part(weight.ref_time()), part(weight.proof_size()))
}
