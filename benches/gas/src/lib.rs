//! How well gas predicts time: what the measurement, the fit of the calibrated cost model, and the search for the
//! programs that it prices worst have in common.
//!
//! A cost model that knew everything would give every program the same number of nanoseconds per gas. What is shown is
//! how far off it is: the worst program's number over the median.

pub mod corpus;
pub mod genome;
pub mod micro;
pub mod nnls;
pub mod random;
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
