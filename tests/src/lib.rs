//! Test support for the demo and the end-to-end tests: a real node on a temporary base path, and the real command line.
//!
//! Nothing here depends on the pallet's internals; everything goes through the programs that users run.

pub mod chain;
pub mod contract;
pub mod node;
pub mod paths;
pub mod shown;
pub mod words;
pub mod workers;
