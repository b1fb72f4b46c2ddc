//! Metering of an execution: weight ([`gas`]) and storage deposit ([`ledger`]).
//!
//! Every frame of a call stack has its own gas meter, derived from its caller's and returned to it: the weight used by
//! a frame counts whether it succeeded or not. Deposits are kept in one ledger for the whole stack, in layers that are
//! undone with their frames.

pub mod cost;
pub mod deposit;
pub mod ethereum;
pub mod gas;
pub mod layers;
pub mod ledger;
