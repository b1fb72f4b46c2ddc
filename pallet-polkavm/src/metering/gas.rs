//! The weight meter: converts a weight limit to the VM's gas and back.
//!
//! The VM counts gas (one unit per instruction in the first cost model), the chain counts weight. The chain's
//! [`Config::Pricing`] gives the picoseconds of `ref_time` per unit of a program's cost model. Before the VM runs it is
//! given all the remaining time, as gas, rounded down; when it stops, the gas used is charged here exactly. So the time
//! used by the VM is always gas times price, and the remainder of the rounding stays with the meter. `proof_size` is
//! only used by host functions.
//!
//! A frame lends its callee all but a 64th of its remaining weight (EIP-150), so that it can continue after a callee
//! that has used up everything. Ethereum's storage writes are paid when they are done; here the first one in a
//! transaction also pays for moving the contract's deposit. A frame that may still have to pay that keeps it besides.

use super::cost::Cost;
use crate::{Config, Error, code::CostModel};
use core::marker::PhantomData;
use frame_support::{DebugNoBound, traits::Get, weights::Weight};
use sp_runtime::DispatchError;
use vm_core::gas::CostModelKind;

/// A charge that may be lowered once the true cost is known.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged(Weight);

/// The share of its remaining weight that a frame keeps when it calls another, as a divisor: a 64th (EIP-150).
const RESERVE: u64 = 64;

/// The largest share, in 64ths, that a frame keeps with what its settlement costs, so that a frame with little weight
/// can still call others.
const MOST_RESERVED: u64 = 5;

/// Counts weight up to a limit; see the module's documentation.
#[derive(DebugNoBound)]
pub struct GasMeter<T: Config> {
    limit: Weight,
    consumed: Weight,
    /// The highest consumption at any time, which is what the limit has to allow.
    required: Weight,
    /// Gas last given to the VM.
    given: i64,
    /// Weight that the frame that lent the limit kept for its settlement, besides a 64th of its remaining weight; `None` if
    /// no frame lent it.
    lender_kept: Option<Weight>,
    _config: PhantomData<T>,
}

impl<T: Config> GasMeter<T> {
    /// Makes a meter with a limit.
    pub fn new(limit: Weight) -> Self {
        Self {
            limit,
            consumed: Weight::zero(),
            required: Weight::zero(),
            given: 0,
            lender_kept: None,
            _config: PhantomData,
        }
    }

    /// Makes the meter of a transaction's first frame, which may use all that is left, up to `limit`.
    pub fn first(&self, limit: Weight) -> Self {
        Self::new(self.left().min(limit))
    }

    /// Makes the meter of a frame that this one calls, which may use all but a 64th and `settlement` of what is left,
    /// up to `limit`.
    pub fn nested(&self, limit: Weight, settlement: Weight) -> Self {
        let limit = lendable(self.left(), settlement).min(limit);
        Self { lender_kept: Some(settlement), ..Self::new(limit) }
    }

    /// Fails if this much can't be lent to a callee by a frame that keeps `settlement`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`].
    pub fn ensure_lendable(&mut self, weight: Weight, settlement: Weight) -> Result<(), DispatchError> {
        if lendable(self.left(), settlement).any_lt(weight) {
            return Err(Error::<T>::OutOfGas.into());
        }
        self.required = self.required.max(self.consumed.saturating_add(with_reserve(weight, settlement)));
        Ok(())
    }

    /// Uses up all that is left.
    pub fn consume_all(&mut self) {
        self.consumed = self.limit;
        self.required = self.limit;
    }

    /// Adds the consumption of a frame.
    pub fn absorb(&mut self, frame: Self) {
        let required = match frame.lender_kept {
            Some(settlement) => with_reserve(frame.required, settlement),
            None => frame.required,
        };
        self.required = self.required.max(self.consumed.saturating_add(required));
        self.consumed = self.consumed.saturating_add(frame.consumed);
    }

    /// The remaining weight.
    pub fn left(&self) -> Weight {
        self.limit.saturating_sub(self.consumed)
    }

    /// The weight used.
    pub fn consumed(&self) -> Weight {
        self.consumed
    }

    /// A limit with which everything so far would have succeeded: the minimum, except under cost models whose branches
    /// refund gas, where it may be up to one refund above the minimum.
    pub fn required(&self) -> Weight {
        self.required
    }

    /// Charges for an operation before it is done.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`] if the limit doesn't allow it; nothing is charged then.
    pub fn charge(&mut self, cost: Cost) -> Result<Charged, DispatchError> {
        let weight = cost.weight::<T::WeightInfo>();
        self.charge_weight(weight)?;
        Ok(Charged(weight))
    }

    /// Charges a weight that is no [`Cost`], such as that of a runtime's own precompile.
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

    /// Gives a charge back, because its operation was not done.
    pub fn give_back(&mut self, charged: Charged) {
        self.consumed = self.consumed.saturating_sub(charged.0);
    }

    /// Lowers a charge to the actual cost. Never raises one.
    pub fn adjust(&mut self, charged: Charged, actual: Cost) {
        let unused = charged.0.saturating_sub(actual.weight::<T::WeightInfo>());
        self.consumed = self.consumed.saturating_sub(unused);
    }

    /// The gas that the VM may use from now on, in units of a cost model.
    pub fn to_vm(&mut self, model: CostModel) -> i64 {
        let gas = self.left().ref_time() / T::Pricing::get().ref_time_per_gas(model);
        self.given = i64::try_from(gas).unwrap_or(i64::MAX);
        self.given
    }

    /// Charges the gas that the VM used of the gas it was last given, of which it returned `left`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`] if it used more than it was given.
    pub fn from_vm(&mut self, model: CostModel, left: i64) -> Result<(), DispatchError> {
        let used = self.given.saturating_sub(left.min(self.given));
        self.given = left;
        let used = u64::try_from(used).unwrap_or_default();
        let price = T::Pricing::get().ref_time_per_gas(model);
        self.charge_weight(Weight::from_parts(used.saturating_mul(price), 0))?;
        // Before a branch refunds a part of its block's cost, the gas must cover that part on top of the gas used.
        let refund = u64::from(CostModelKind::from(model).branch_refund());
        let peak = self.consumed.saturating_add(Weight::from_parts(refund.saturating_mul(price), 0));
        self.required = self.required.max(peak.min(self.limit));
        Ok(())
    }
}

/// The weight for a callee of a frame that has `left` and keeps `settlement`: all but a 64th and that, where these are
/// no more than [`MOST_RESERVED`].
fn lendable(left: Weight, settlement: Weight) -> Weight {
    let part = |left: u64, settlement: u64| {
        let kept = (left / RESERVE).saturating_add(settlement);
        let most = u128::from(left) * u128::from(MOST_RESERVED) / u128::from(RESERVE);
        left.saturating_sub(kept.min(most as u64))
    };
    Weight::from_parts(part(left.ref_time(), settlement.ref_time()), part(left.proof_size(), settlement.proof_size()))
}

/// The minimum remaining weight for lending this much to a callee: the inverse of [`lendable`].
fn with_reserve(weight: Weight, settlement: Weight) -> Weight {
    // The least `left` of which all but `kept` 64ths, rounded down, are `lent`.
    let inverse = |lent: u64, kept: u64| {
        let extra = u128::from(lent.saturating_sub(1)) * u128::from(kept) / u128::from(RESERVE - kept);
        lent.saturating_add(u64::try_from(extra).unwrap_or(u64::MAX))
    };
    let part =
        |lent: u64, settlement: u64| inverse(lent.saturating_add(settlement), 1).min(inverse(lent, MOST_RESERVED));
    Weight::from_parts(
        part(weight.ref_time(), settlement.ref_time()),
        part(weight.proof_size(), settlement.proof_size()),
    )
}
