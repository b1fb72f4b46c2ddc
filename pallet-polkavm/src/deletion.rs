//! Lazy deletion: removes the tries of terminated contracts bit by bit, with the weight that blocks have left.
//!
//! Terminating a contract only queues its trie ([`queue`]): a trie may have more entries than a block could remove.
//! [`process`] runs in `on_idle` and removes the oldest first. As the id of a trie is never reused, a new contract at
//! the old address doesn't see the remains.

use crate::{Config, DeletionQueue, DeletionQueueBounds, WeightInfo, contract};
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{storage::child, weights::Weight};
use scale_info::TypeInfo;
use sp_core::H256;

/// First and next number in the queue.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct QueueBounds {
    /// The number of the oldest queued trie.
    pub first: u64,
    /// The number of the next trie to be queued.
    pub end: u64,
}

/// Queues a trie.
pub(crate) fn queue<T: Config>(trie_id: H256) {
    DeletionQueueBounds::<T>::mutate(|bounds| {
        DeletionQueue::<T>::insert(bounds.end, trie_id);
        bounds.end = bounds.end.saturating_add(1);
    });
}

/// Removes entries of queued tries within `limit`. Returns the weight used.
pub(crate) fn process<T: Config>(limit: Weight) -> Weight {
    let base = T::WeightInfo::deletion_base();
    let per_trie = T::WeightInfo::deletion(0);
    let per_key = T::WeightInfo::deletion(1).saturating_sub(per_trie);
    let mut used = Weight::zero();
    // Reading the bounds is the minimum.
    if base.any_gt(limit) {
        return used;
    }
    used.saturating_accrue(base);
    let mut bounds = DeletionQueueBounds::<T>::get();
    let before = bounds;
    while bounds.first < bounds.end {
        let left = limit.saturating_sub(used);
        let keys = left.checked_sub(&per_trie).and_then(|left| left.checked_div_per_component(&per_key)).unwrap_or(0);
        if keys == 0 {
            break;
        }
        let keys = u32::try_from(keys).unwrap_or(u32::MAX);
        let Some(trie_id) = DeletionQueue::<T>::get(bounds.first) else {
            bounds.first += 1;
            continue;
        };
        let removed = child::clear_storage(&contract::child_trie(&trie_id), Some(keys), None);
        used.saturating_accrue(per_trie.saturating_add(per_key.saturating_mul(removed.loops.into())));
        if removed.maybe_cursor.is_some() {
            break;
        }
        DeletionQueue::<T>::remove(bounds.first);
        bounds.first += 1;
    }
    if bounds != before {
        DeletionQueueBounds::<T>::put(bounds);
    }
    used
}
