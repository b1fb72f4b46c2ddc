//! Support for the benches: the programs, the engines they run on, and the measurement.
//!
//! Figures are the least of several rounds, in which the engines take turns, so that whatever else the machine does
//! hits all of them. Ratios of one run can be compared; milliseconds of two runs cannot. Every result is compared with
//! that of the same source compiled for the host: a wrong one is an error, not a figure.

pub mod engines;
pub mod measure;
pub mod programs;
pub mod table;
