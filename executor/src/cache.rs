//! The module cache: keeps loaded programs for later calls, and evicts the least recently used.
//!
//! A cache of compiled code is consensus code: a single wrong program would fork the chain. So an entry is looked up by
//! hash, and returned only if its code equals the given code byte for byte. The cache never loads anything itself; an
//! eviction costs time and nothing else.

use crate::module::Loaded;
use pvm_host_interface::ProgramRules;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The key of a program: the Keccak-256 hash of its code, and the ids of its cost model and semantics version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub hash: [u8; 32],
    pub cost_model: u16,
    pub semantics: u16,
}

impl Key {
    pub fn new(hash: &[u8; 32], rules: ProgramRules) -> Key {
        Key { hash: *hash, cost_model: rules.cost_model.id(), semantics: rules.semantics.id() }
    }
}

/// The result of a lookup.
pub(crate) enum Lookup {
    /// The program.
    Hit(Arc<Loaded>),
    /// The cached program has other code, so the given code does not have the hash.
    HashMismatch,
    /// Not in the cache.
    Miss,
}

struct Entry {
    loaded: Arc<Loaded>,
    bytes: usize,
    used: u64,
}

/// An LRU cache with a limit in bytes.
pub(crate) struct Cache {
    limit: usize,
    bytes: usize,
    /// Number of uses so far: the time of the LRU order.
    clock: u64,
    entries: HashMap<Key, Entry>,
    /// Keys by the time of their last use.
    by_use: BTreeMap<u64, Key>,
}

impl Cache {
    /// Makes an empty cache.
    pub fn new(limit: usize) -> Cache {
        Cache { limit, bytes: 0, clock: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// Looks up a program.
    pub fn get(&mut self, key: &Key, code: &[u8]) -> Lookup {
        let Some(entry) = self.entries.get_mut(key) else { return Lookup::Miss };
        if entry.loaded.blob.as_bytes() != code {
            return Lookup::HashMismatch;
        }
        self.clock += 1;
        self.by_use.remove(&entry.used);
        self.by_use.insert(self.clock, *key);
        entry.used = self.clock;
        Lookup::Hit(entry.loaded.clone())
    }

    /// Looks up a program without counting it as a use, for callers that must not influence evictions.
    pub fn peek(&self, key: &Key, code: &[u8]) -> Lookup {
        match self.entries.get(key) {
            None => Lookup::Miss,
            Some(entry) if entry.loaded.blob.as_bytes() != code => Lookup::HashMismatch,
            Some(entry) => Lookup::Hit(entry.loaded.clone()),
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Cache::new(self.limit);
    }

    /// Inserts a program, whose code must have the key's hash, unless one exists already or it exceeds the limit.
    /// Returns the number of evictions.
    pub fn insert(&mut self, key: Key, loaded: &Arc<Loaded>) -> usize {
        let bytes = loaded.bytes();
        if bytes > self.limit || self.entries.contains_key(&key) {
            return 0;
        }
        let evicted = self.evict(bytes);
        self.clock += 1;
        self.bytes += bytes;
        self.by_use.insert(self.clock, key);
        self.entries.insert(key, Entry { loaded: loaded.clone(), bytes, used: self.clock });
        evicted
    }

    /// Updates the size of a program that has grown since it was inserted. Returns the number of evictions.
    pub fn measure_again(&mut self, key: &Key) -> usize {
        let Some(entry) = self.entries.get_mut(key) else { return 0 };
        let bytes = entry.loaded.bytes();
        self.bytes = self.bytes - entry.bytes + bytes;
        entry.bytes = bytes;
        self.evict(0)
    }

    /// Evicts the least recently used programs until `wanted` bytes fit; returns their number.
    fn evict(&mut self, wanted: usize) -> usize {
        let mut evicted = 0;
        while self.bytes + wanted > self.limit {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.bytes -= entry.bytes;
                evicted += 1;
            }
        }
        evicted
    }

    /// Total size of all entries in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
