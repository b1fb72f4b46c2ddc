//! What an execution may use and has used: weight ([`gas`]) and storage deposit ([`deposit`]).
//!
//! Every frame of a call stack has its own [`Meters`], made with [`Meters::nested`] from those of
//! its caller and handed back with one of the two `absorb` functions: what a frame used in weight
//! is used whether it succeeded or not, its deposits only count if its changes stay.

pub mod cost;
pub mod deposit;
pub mod gas;

use crate::{BalanceOf, Config};
use deposit::DepositMeter;
use frame_support::{DebugNoBound, weights::Weight};
use gas::GasMeter;

/// The two meters of a frame, or of a whole transaction.
#[derive(DebugNoBound)]
pub struct Meters<T: Config> {
    /// Weight.
    pub gas: GasMeter<T>,
    /// Storage deposit.
    pub deposit: DepositMeter<T>,
}

impl<T: Config> Meters<T> {
    /// Meters of a transaction with these limits. `None` is a deposit without limit.
    pub fn new(gas_limit: Weight, deposit_limit: Option<BalanceOf<T>>) -> Self {
        Self { gas: GasMeter::new(gas_limit), deposit: DepositMeter::new(deposit_limit) }
    }

    /// Meters of a frame that may use all that is left here.
    pub fn nested(&self) -> Self {
        Self { gas: self.gas.nested(), deposit: self.deposit.nested() }
    }

    /// Takes back the meters of a frame whose changes stay.
    pub fn absorb(&mut self, frame: Self) {
        self.gas.absorb(frame.gas);
        self.deposit.absorb(frame.deposit);
    }

    /// Takes back the meters of a frame that was undone: its weight was used nonetheless.
    pub fn absorb_undone(&mut self, frame: Self) {
        self.gas.absorb(frame.gas);
    }
}
