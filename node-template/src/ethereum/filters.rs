//! Filters (`eth_newFilter` and its siblings), for clients that poll.
//!
//! Any client can make some, and none has to remove them. So there is a limit to their number, and one that nobody has asked
//! for during [`LIFE`] is forgotten.

use super::{chain::Answer, error, types::Filter};
use runtime::BlockNumber;
use sp_core::U256;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lifetime of a filter after its last poll.
const LIFE: Duration = Duration::from_secs(300);

/// Kind of a filter.
#[derive(Clone, Debug)]
pub enum FilterKind {
    /// The hashes of new blocks.
    Blocks,
    /// New logs.
    Logs(Box<Filter>),
}

struct Entry {
    kind: FilterKind,
    /// The last block whose news the client has got.
    last: BlockNumber,
    asked: Instant,
}

/// The filters.
pub struct Filters {
    limit: usize,
    entries: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<U256, Entry>,
    last_id: u64,
}

impl Filters {
    /// None, and at most so many.
    pub fn new(limit: usize) -> Self {
        Self { limit, entries: Mutex::default() }
    }

    /// Makes a filter for what comes after a block.
    pub fn add(&self, kind: FilterKind, last: BlockNumber) -> Answer<U256> {
        self.add_at(kind, last, Instant::now())
    }

    fn add_at(&self, kind: FilterKind, last: BlockNumber, now: Instant) -> Answer<U256> {
        let mut state = self.state();
        state.entries.retain(|_, entry| now.saturating_duration_since(entry.asked) < LIFE);
        if state.entries.len() >= self.limit {
            return Err(error::limit(format!("too many filters, limit {} (--eth-max-filters)", self.limit)));
        }
        state.last_id += 1;
        let id = U256::from(state.last_id);
        state.entries.insert(id, Entry { kind, last, asked: now });
        Ok(id)
    }

    /// Returns a filter's kind and the last block that its client was told of.
    pub fn look(&self, id: U256) -> Answer<(FilterKind, BlockNumber)> {
        let mut state = self.state();
        let entry = state.entries.get_mut(&id).filter(|entry| entry.asked.elapsed() < LIFE);
        let entry = entry.ok_or_else(not_found)?;
        entry.asked = Instant::now();
        Ok((entry.kind.clone(), entry.last))
    }

    /// Sets the last block that a filter's client was told of.
    pub fn advance(&self, id: U256, last: BlockNumber) {
        if let Some(entry) = self.state().entries.get_mut(&id) {
            entry.last = last.max(entry.last);
        }
    }

    /// Returns a filter's kind.
    pub fn get(&self, id: U256) -> Answer<FilterKind> {
        let mut state = self.state();
        let entry = state.entries.get_mut(&id).ok_or_else(not_found)?;
        entry.asked = Instant::now();
        Ok(entry.kind.clone())
    }

    /// Removes a filter; returns true if it existed.
    pub fn remove(&self, id: U256) -> bool {
        self.state().entries.remove(&id).is_some()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_found() -> jsonrpsee::types::ErrorObjectOwned {
    error::server("filter not found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_bounded_and_forgotten() {
        let filters = Filters::new(2);
        let now = Instant::now();
        let add = |at| filters.add_at(FilterKind::Blocks, 5, at).map_err(|error| error.code());
        let first = add(now);
        assert_eq!((first, add(now), add(now)), (Ok(1.into()), Ok(2.into()), Err(-32005)));
        assert_eq!(add(now + LIFE), Ok(3.into()), "the others are forgotten");
        assert!(!filters.remove(1.into()));
        let last = || filters.look(3.into()).map(|(_, last)| last).ok();
        assert!(filters.look(2.into()).is_err());
        assert_eq!(last(), Some(5));
        filters.advance(3.into(), 9);
        assert_eq!(last(), Some(9));
        filters.advance(3.into(), 7);
        assert_eq!(last(), Some(9), "never back");
        assert!(filters.remove(3.into()));
    }
}
