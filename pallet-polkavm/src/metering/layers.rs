//! A map with layers of changes that can be undone, like the storage transactions of the state.
//!
//! Each open layer keeps, for every key changed in it, the value before the first change in that layer. So undoing
//! costs as much as was changed, committing moves the entries that the layer below doesn't have, and each key is kept
//! once per layer, however often it is written.

use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    vec::Vec,
};

/// The map. Changes are made in the last open layer; without open layers they are final.
#[derive(Debug, Clone)]
pub struct Layered<K, V> {
    current: BTreeMap<K, V>,
    /// For each open layer, the previous values.
    before: Vec<BTreeMap<K, Option<V>>>,
}

/// The effect of a change, for counting bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed<V> {
    /// The previous value.
    pub old: Option<V>,
    /// True if this change was the first of the key in its layer.
    pub first: bool,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self { current: BTreeMap::new(), before: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Layered<K, V> {
    /// The value under a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.current.get(key)
    }

    /// All entries, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.current.iter()
    }

    /// Writes a value under a key, or removes it.
    pub fn set(&mut self, key: K, value: Option<V>) -> Changed<V> {
        let old = match value {
            Some(value) => self.current.insert(key.clone(), value),
            None => self.current.remove(&key),
        };
        let mut first = false;
        if let Some(layer) = self.before.last_mut() {
            layer.entry(key).or_insert_with(|| {
                first = true;
                old.clone()
            });
        }
        Changed { old, first }
    }

    /// Opens a layer.
    pub fn begin(&mut self) {
        self.before.push(BTreeMap::new());
    }

    /// Closes the last layer and keeps its changes. `forgotten` is called for each previous value that is no longer
    /// kept.
    pub fn commit(&mut self, mut forgotten: impl FnMut(&K, Option<&V>)) {
        let Some(layer) = self.before.pop() else { return };
        let Some(below) = self.before.last_mut() else {
            layer.iter().for_each(|(key, value)| forgotten(key, value.as_ref()));
            return;
        };
        for (key, value) in layer {
            match below.entry(key) {
                Entry::Occupied(known) => forgotten(known.key(), value.as_ref()),
                Entry::Vacant(room) => {
                    room.insert(value);
                }
            }
        }
    }

    /// Closes the last layer and undoes its changes.
    pub fn rollback(&mut self) {
        for (key, value) in self.before.pop().unwrap_or_default() {
            match value {
                Some(value) => self.current.insert(key, value),
                None => self.current.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Set(u8, Option<u16>),
        Begin,
        Commit,
        Rollback,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..6, proptest::option::of(any::<u16>())).prop_map(|(key, value)| Step::Set(key, value)),
            2 => Just(Step::Begin),
            1 => Just(Step::Commit),
            1 => Just(Step::Rollback),
        ]
    }

    proptest! {
        /// Layers behave as a stack of full copies would, and the values kept are those that `forgotten` was not called
        /// for.
        #[test]
        fn layers_are_copies(steps in proptest::collection::vec(step(), 0..200)) {
            let mut layered = Layered::<u8, u16>::default();
            let mut copies = vec![BTreeMap::new()];
            let mut remembered = 0usize;
            for step in steps {
                match step {
                    Step::Set(key, value) => {
                        let changed = layered.set(key, value);
                        remembered += usize::from(changed.first);
                        let top = copies.last_mut().unwrap();
                        let old = match value {
                            Some(value) => top.insert(key, value),
                            None => top.remove(&key),
                        };
                        prop_assert_eq!(changed.old, old);
                    }
                    Step::Begin => {
                        layered.begin();
                        copies.push(copies.last().unwrap().clone());
                    }
                    Step::Commit => {
                        layered.commit(|_, _| remembered -= 1);
                        if copies.len() > 1 {
                            let top = copies.pop().unwrap();
                            *copies.last_mut().unwrap() = top;
                        }
                    }
                    Step::Rollback => {
                        remembered -= layered.before.last().map_or(0, BTreeMap::len);
                        layered.rollback();
                        if copies.len() > 1 {
                            copies.pop();
                        }
                    }
                }
                prop_assert_eq!(&layered.current, copies.last().unwrap());
                prop_assert_eq!(remembered, layered.before.iter().map(BTreeMap::len).sum::<usize>());
            }
        }
    }
}
