//! Support for the benchmarks of gas: the measurements shared by the accuracy table, the fit of the calibrated cost
//! model, and the search for the programs that it prices worst.
//!
//! A perfect cost model would give every program the same number of nanoseconds per gas. A model's error is the worst
//! program's number over the median.

pub mod corpus;
pub mod genome;
pub mod micro;
pub mod nnls;
pub mod run;
pub mod svg;

/// The folder of the package's workspace.
pub fn benches_folder() -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The middle value, or the lower of the two in the middle; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}
