//! The snapshots of a run, within a bound of memory.
//!
//! They lie at multiples of a distance. When they take more memory than they may, every other one is dropped and the
//! distance doubles, so that they stay evenly spread over whatever length the run has.

use std::collections::BTreeMap;
use vm_core::interpreter::Snapshot;

/// The distance that is begun with, in instructions: a tenth of a millisecond or so.
const DISTANCE: u64 = 1 << 17;

/// A state of the machine.
#[derive(Debug)]
pub struct Saved {
    pub snapshot: Snapshot,
    /// Number of the inputs used.
    pub used: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Snapshots {
    kept: BTreeMap<u64, Saved>,
    /// One more, at no particular place.
    near: Option<(u64, Saved)>,
    distance: u64,
    memory: usize,
    most: usize,
}

impl Snapshots {
    pub fn new(most: usize) -> Self {
        Snapshots { kept: BTreeMap::new(), near: None, distance: DISTANCE, memory: 0, most }
    }

    pub fn set_memory(&mut self, most: usize) {
        self.most = most;
        self.thin_out();
    }

    pub fn set_distance(&mut self, distance: u64) {
        self.distance = distance.max(1);
    }

    pub fn memory(&self) -> usize {
        self.memory + self.near.as_ref().map_or(0, |(_, saved)| saved.snapshot.size())
    }

    /// Returns the distance to the position of the next snapshot.
    pub fn distance_from(&self, position: u64) -> u64 {
        self.distance - position % self.distance
    }

    /// True if there is to be a snapshot here, and is none.
    pub fn is_wanted(&self, position: u64) -> bool {
        position.is_multiple_of(self.distance) && !self.kept.contains_key(&position)
    }

    pub fn insert(&mut self, position: u64, saved: Saved) {
        self.memory += saved.snapshot.size();
        self.kept.insert(position, saved);
        self.thin_out();
    }

    /// Keeps one more snapshot, in place of the last such.
    pub fn set_near(&mut self, position: u64, saved: Saved) {
        // It counts, but is not worth that others are dropped for it.
        self.near = (self.memory + saved.snapshot.size() <= self.most).then_some((position, saved));
    }

    fn thin_out(&mut self) {
        while self.memory > self.most && self.kept.len() > 1 {
            self.distance = self.distance.saturating_mul(2);
            let (distance, memory) = (self.distance, &mut self.memory);
            self.kept.retain(|position, saved| {
                let keep = position.is_multiple_of(distance);
                if !keep {
                    *memory -= saved.snapshot.size();
                }
                keep
            });
        }
        if self.memory() > self.most {
            self.near = None;
        }
    }

    /// The last one that is not after a position.
    pub fn before(&self, position: u64) -> Option<(u64, &Saved)> {
        let kept = self.kept.range(..=position).next_back().map(|(position, saved)| (*position, saved));
        let near = self.near.as_ref().filter(|(at, _)| *at <= position).map(|(at, saved)| (*at, saved));
        match (kept, near) {
            (Some(kept), Some(near)) if near.0 > kept.0 => Some(near),
            (None, near) => near,
            (kept, _) => kept,
        }
    }

    /// The last regular one before a position, and not at it.
    pub fn strictly_before(&self, position: u64) -> Option<u64> {
        self.kept.range(..position).next_back().map(|(position, _)| *position)
    }
}
