//! The pallet's tests, by theme. All contracts in them are real blobs, made by [`blob`].

mod accounts;
mod address;

mod calls;
mod code;
mod creation;
mod deposits;
mod documentation;
mod dry_run;
mod dust;
mod ethereum_gas;
mod ethereum_transactions;
mod failures;
mod host;
mod ledger;
mod lifecycle;
mod metering;
mod migrations;
mod nested;
mod precompiles;
mod pricing;
mod puppet;
mod random;
mod reserve;
mod transient;
mod transitions;
