//! The memory budget: bytes that contracts may take in the whole node process.
//!
//! Loaded programs (cached, in use or waiting for the disk), the logs of running instances, and those waiting for an
//! audit reserve memory here before they grow, and release it when they are dropped. Guest memory is not counted: it is
//! bounded by the number of workers and the programs' memory maps. **Invariant**: off-chain calls never hold more than
//! their share, so that the rest is available to blocks; only [`Budget::force`] exceeds the limit, for memory that a
//! block requires.

use crate::call::CallPurpose;
use crate::metrics::Metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Divisor of the memory: the part that off-chain calls may hold.
const OFF_CHAIN_PART: usize = 4;

/// Limits and counters of reserved bytes.
pub(crate) struct Budget {
    limit: usize,
    /// The limit of off-chain calls.
    off_chain_limit: usize,
    used: AtomicUsize,
    off_chain_used: AtomicUsize,
    metrics: Metrics,
}

impl Budget {
    pub fn new(limit: usize, metrics: &Metrics) -> Arc<Budget> {
        Arc::new(Budget {
            limit,
            off_chain_limit: limit / OFF_CHAIN_PART,
            used: AtomicUsize::new(0),
            off_chain_used: AtomicUsize::new(0),
            metrics: metrics.clone(),
        })
    }

    /// Reserves bytes if they are available.
    pub fn reserve(self: &Arc<Budget>, purpose: CallPurpose, bytes: usize) -> Option<Reservation> {
        let mut reservation = Reservation { budget: self.clone(), purpose, bytes: 0 };
        reservation.grow(bytes).then_some(reservation)
    }

    /// Reserves bytes even beyond the limit: for memory that a block requires.
    pub fn force(self: &Arc<Budget>, purpose: CallPurpose, bytes: usize) -> Reservation {
        self.used.fetch_add(bytes, Relaxed);
        if purpose == CallPurpose::OffChain {
            self.off_chain_used.fetch_add(bytes, Relaxed);
        }
        self.tell();
        Reservation { budget: self.clone(), purpose, bytes }
    }

    /// Bytes that are reserved.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    fn tell(&self) {
        self.metrics.memory_bytes.set(self.used() as u64);
    }
}

/// Adds to a counter unless the sum would exceed a limit.
fn add_within(counter: &AtomicUsize, bytes: usize, limit: usize) -> bool {
    counter.fetch_update(Relaxed, Relaxed, |used| used.checked_add(bytes).filter(|sum| *sum <= limit)).is_ok()
}

/// Bytes that are reserved until this is dropped.
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    purpose: CallPurpose,
    bytes: usize,
}

impl Reservation {
    /// Reserves more bytes if they are available; otherwise changes nothing.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let budget = &*self.budget;
        if self.purpose == CallPurpose::OffChain && !add_within(&budget.off_chain_used, bytes, budget.off_chain_limit) {
            return false;
        }
        if !add_within(&budget.used, bytes, budget.limit) {
            if self.purpose == CallPurpose::OffChain {
                budget.off_chain_used.fetch_sub(bytes, Relaxed);
            }
            return false;
        }
        self.bytes += bytes;
        budget.tell();
        true
    }

    /// Bytes that this holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
        if self.purpose == CallPurpose::OffChain {
            self.budget.off_chain_used.fetch_sub(self.bytes, Relaxed);
        }
        self.budget.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Arc<Budget> {
        Budget::new(100, &Metrics::new(None).unwrap())
    }

    #[test]
    fn off_chain_calls_never_hold_more_than_their_share() {
        let budget = budget();
        let mut most = budget.reserve(CallPurpose::OffChain, 20).unwrap();
        assert!(!most.grow(6), "a quarter is 25");
        assert!(most.grow(5));
        assert!(budget.reserve(CallPurpose::OffChain, 1).is_none());
        // All the rest is available to blocks, and no more.
        let block = budget.reserve(CallPurpose::OnChain, 75).unwrap();
        assert!(budget.reserve(CallPurpose::OnChain, 1).is_none());
        drop((most, block));
        assert_eq!((budget.used(), budget.off_chain_used.load(Relaxed)), (0, 0));
    }

    #[test]
    fn what_was_refused_takes_nothing() {
        let budget = budget();
        let _block = budget.reserve(CallPurpose::OnChain, 95).unwrap();
        for bytes in [6, 25, usize::MAX] {
            assert!(budget.reserve(CallPurpose::OffChain, bytes).is_none());
            assert!(budget.reserve(CallPurpose::OnChain, bytes).is_none());
        }
        assert_eq!((budget.used(), budget.off_chain_used.load(Relaxed)), (95, 0));
        assert!(budget.reserve(CallPurpose::OffChain, 5).is_some());
    }

    #[test]
    fn what_has_to_be_is_counted_beyond_the_limit_and_given_back() {
        let budget = budget();
        let forced = budget.force(CallPurpose::OffChain, 300);
        assert_eq!((budget.used(), forced.bytes()), (300, 300));
        assert!(budget.reserve(CallPurpose::OnChain, 1).is_none());
        drop(forced);
        assert_eq!((budget.used(), budget.off_chain_used.load(Relaxed)), (0, 0));
    }
}
