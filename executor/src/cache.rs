//! Loaded programs that are kept for later calls, of this block and others.
//!
//! A cache of compiled code is consensus code: if it once gave the wrong program, the chain would fork. So nothing in
//! here is believed by its name: an entry is found by hash, and taken only if its code is, byte for byte, the code that
//! was given. It never loads anything itself, so it can't do so over and over; what it forgets costs time alone.

use crate::module::Loaded;
use pvm_host_interface::ProgramRules;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a program is found by: the Keccak-256 hash of its code, and the numbers of its cost model and semantics.
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

/// What the cache has under a key.
pub(crate) enum Lookup {
    /// The program.
    Hit(Arc<Loaded>),
    /// A program of another code, so the given code does not have the hash.
    HashMismatch,
    /// Nothing.
    Miss,
}

struct Entry {
    loaded: Arc<Loaded>,
    bytes: usize,
    used: u64,
}

/// Programs by hash, up to a number of bytes. Those used least recently go first.
pub(crate) struct Cache {
    limit: usize,
    bytes: usize,
    /// Counts uses.
    clock: u64,
    entries: HashMap<Key, Entry>,
    /// Which entry was used when.
    by_use: BTreeMap<u64, Key>,
}

impl Cache {
    /// Empty.
    pub fn new(limit: usize) -> Cache {
        Cache { limit, bytes: 0, clock: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// Looks a program up.
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

    /// Looks a program up for somebody who is not to decide what stays: it counts as no use.
    pub fn peek(&self, key: &Key, code: &[u8]) -> Lookup {
        match self.entries.get(key) {
            None => Lookup::Miss,
            Some(entry) if entry.loaded.blob.as_bytes() != code => Lookup::HashMismatch,
            Some(entry) => Lookup::Hit(entry.loaded.clone()),
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Cache::new(self.limit);
    }

    /// Keeps a program whose code has the key's hash, unless there is one already or it is larger than the limit.
    /// Returns how many others had to go.
    pub fn insert(&mut self, key: Key, loaded: &Arc<Loaded>) -> usize {
        let bytes = loaded.bytes();
        if bytes > self.limit || self.entries.contains_key(&key) {
            return 0;
        }
        let mut evicted = 0;
        while self.bytes + bytes > self.limit {
            // There is one: what is left of the limit is less than the limit.
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.bytes -= entry.bytes;
                evicted += 1;
            }
        }
        self.clock += 1;
        self.bytes += bytes;
        self.by_use.insert(self.clock, key);
        self.entries.insert(key, Entry { loaded: loaded.clone(), bytes, used: self.clock });
        evicted
    }

    /// Bytes that are in it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
