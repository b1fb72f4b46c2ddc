//! Small types that several parts of the pallet share.

use crate::{Config, Error, exec::trace::CallTrace};
use alloc::string::String;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::weights::Weight;
use pallet_revive_uapi::ReturnFlags;
use scale_info::TypeInfo;
use sp_core::{H160, H256};
use sp_runtime::{
    DispatchError,
    traits::{Saturating, Zero},
};

/// The entry point of a contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum EntryPoint {
    /// `deploy`: the constructor, once in a contract's life.
    Deploy,
    /// `call`: every later message.
    Call,
}

impl EntryPoint {
    /// The name under which a program exports the entry point.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Call => "call",
        }
    }
}

/// The code of a new contract.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum Code {
    /// A program to upload first (no change if it is already stored).
    Upload(Vec<u8>),
    /// The hash of a stored program.
    Existing(H256),
}

/// The output of a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    /// The flags given to `seal_return`, or none.
    pub flags: ReturnFlags,
    /// The data given to `seal_return`, or nothing.
    pub data: Vec<u8>,
}

impl Default for Output {
    fn default() -> Self {
        Self { flags: ReturnFlags::empty(), data: Vec::new() }
    }
}

impl Output {
    /// Data without flags.
    pub fn data(data: Vec<u8>) -> Self {
        Self { flags: ReturnFlags::empty(), data }
    }

    /// True if the contract reverted.
    pub fn did_revert(&self) -> bool {
        self.flags.contains(ReturnFlags::REVERT)
    }
}

/// Balance that moves because of storage that was added or removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Deposit<Balance> {
    /// The origin pays this much.
    Charge(Balance),
    /// The origin is refunded this much.
    Refund(Balance),
}

impl<Balance: Zero> Default for Deposit<Balance> {
    fn default() -> Self {
        Self::Charge(Zero::zero())
    }
}

impl<Balance: Zero + Saturating + Ord + Copy> Deposit<Balance> {
    /// The amount, of a charge or a refund.
    pub fn amount(&self) -> Balance {
        match self {
            Self::Charge(amount) | Self::Refund(amount) => *amount,
        }
    }

    /// The amount to pay, zero for a refund.
    pub fn charge_or_zero(&self) -> Balance {
        match self {
            Self::Charge(amount) => *amount,
            Self::Refund(_) => Zero::zero(),
        }
    }

    /// Returns the amount with the opposite sign.
    pub fn negated(&self) -> Self {
        match *self {
            Self::Charge(amount) if !amount.is_zero() => Self::Refund(amount),
            Self::Charge(amount) | Self::Refund(amount) => Self::Charge(amount),
        }
    }

    /// The net of both.
    pub fn saturating_add(&self, other: &Self) -> Self {
        use Deposit::{Charge, Refund};
        match (*self, *other) {
            (Charge(a), Charge(b)) => Charge(a.saturating_add(b)),
            (Refund(a), Refund(b)) => Refund(a.saturating_add(b)),
            (Charge(charge), Refund(refund)) | (Refund(refund), Charge(charge)) => {
                if charge >= refund {
                    Charge(charge.saturating_sub(refund))
                } else {
                    Refund(refund.saturating_sub(charge))
                }
            }
        }
    }
}

/// An error with an explanation for developers.
///
/// Only the error goes on the chain. The detail goes to the log and the dry run; nothing may depend on it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct Failure {
    /// The error with which the extrinsic fails.
    pub error: DispatchError,
    /// The details: limit and value, name, address. May be empty.
    pub detail: String,
}

impl Failure {
    /// A failure of this pallet with an explanation.
    pub fn new<T: Config>(error: Error<T>, detail: impl Into<String>) -> Self {
        Self { error: error.into(), detail: detail.into() }
    }
}

impl<E: Into<DispatchError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), detail: String::new() }
    }
}

/// An event of a contract, as a dry run reports it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ContractEvent {
    /// The contract that emitted it.
    pub contract: H160,
    /// The topics to find it by.
    pub topics: Vec<H256>,
    /// Its data, in an encoding of the contract's choice.
    pub data: Vec<u8>,
}

/// The result of a call or an instantiation, with its costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Execution<R, Balance> {
    /// The result. A contract that reverted is `Ok` here, with the flag in its output.
    pub result: Result<R, Failure>,
    /// Weight used, without the extrinsic's base weight.
    pub gas_consumed: Weight,
    /// The minimum `gas_limit` with which the same execution succeeds. Higher than [`Self::gas_consumed`] if a charge
    /// was partly refunded.
    pub gas_required: Weight,
    /// The storage deposit that the origin pays or is refunded. Meaningless if the execution was undone.
    pub storage_deposit: Deposit<Balance>,
    /// The minimum `storage_deposit_limit` with which the same execution succeeds. Higher than the charge in
    /// [`Self::storage_deposit`] if storage was added first and removed later.
    pub storage_deposit_required: Balance,
    /// The events the contracts emitted; only collected by a dry run.
    pub events: Vec<ContractEvent>,
    /// The call trace; only collected on request.
    pub trace: Option<CallTrace>,
}

/// The result of an instantiation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instantiated {
    /// The constructor's output.
    pub output: Output,
    /// The new contract's address.
    pub address: H160,
    /// The code it runs.
    pub code_hash: H256,
}

/// The result of an upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uploaded<Balance> {
    /// The key under which the code is stored.
    pub code_hash: H256,
    /// The deposit held on the uploader's account for it; zero if the code was stored already.
    pub deposit: Balance,
}
