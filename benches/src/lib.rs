//! Support for the benches: the programs, the engines they run on, and the measurement.
//!
//! Figures are the least of several rounds, in which the engines take turns, so that other load on the machine hits all
//! of them. Ratios within one run are comparable; milliseconds of two runs are not. Every result is compared with that
//! of the same source compiled for the host: a wrong one is an error, not a figure.

pub mod engines;
pub mod measure;
pub mod programs;
pub mod table;
