//! Networks of nodes on this machine that run contracts on different backends, and must agree on every block.
//!
//! A [`network::Network`] is validators and full nodes of one chain ([`spec`]), all on loopback. A [`load::Load`] deploys
//! contracts and keeps calling them: calls that succeed, revert, trap, run out of gas at odd places. A scenario
//! ([`scenarios`]) kills or restarts nodes or workers meanwhile, and ends with [`agreement`]: every node has the same state
//! root at every height. Its result is a [`report::Report`].

pub mod agreement;
pub mod load;
pub mod network;
pub mod report;
pub mod scenarios;
pub mod spec;
