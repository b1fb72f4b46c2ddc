//! Metering of an execution: weight ([`gas`]) and storage deposit ([`ledger`]).
//!
//! Every frame of a call stack has a gas meter of its own, made from its caller's and handed back
//! to it: what a frame used in weight is used whether it succeeded or not. Deposits are kept in one
//! ledger for the whole stack, in layers that are undone with their frames.

pub mod cost;
pub mod deposit;
pub mod ethereum;
pub mod gas;
pub mod layers;
pub mod ledger;
