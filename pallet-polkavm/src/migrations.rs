//! Migrations of a chain's storage from one [`crate::pallet::STORAGE_VERSION`] to the next.
//!
//! A runtime that adopts a new version of the pallet adds the migrations since its own version to its `Executive`:
//!
//! ```ignore
//! type Migrations = (pallet_polkavm::migrations::V1ToV2<Runtime>,);
//! ```
//!
//! Each runs once, if the chain has the version that it starts from, and otherwise only reads that version. To add one:
//! raise the version, describe here the old layout and its conversion, and test both.

use crate::{Config, Pallet, TrieCount};
use core::marker::PhantomData;
use frame_support::{
    migrations::VersionedMigration,
    traits::{Get, UncheckedOnRuntimeUpgrade},
    weights::Weight,
};

#[cfg(feature = "try-runtime")]
use {alloc::vec::Vec, frame_support::ensure, sp_runtime::TryRuntimeError};

/// From version 1, in which the id of a contract's trie was derived from its address and its deployer's nonce, to
/// version 2, in which it is derived from [`TrieCount`].
pub type V1ToV2<T> = VersionedMigration<1, 2, CountTries<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// Makes [`TrieCount`] continue from a number that no chain's contracts have reached.
///
/// It reads no contracts, so its duration does not depend on their number. Contracts keep the ids of their tries, which
/// no new one can have: both kinds are hashes with different prefixes.
pub struct CountTries<T>(PhantomData<T>);

/// More contracts than a chain of version 1 can have: reaching this number takes years at a hundred per second.
const TRIES_OF_V1: u64 = 1 << 32;

impl<T: Config> UncheckedOnRuntimeUpgrade for CountTries<T> {
    fn on_runtime_upgrade() -> Weight {
        TrieCount::<T>::put(TRIES_OF_V1);
        log::info!(target: crate::LOG_TARGET, "numbering tries from {TRIES_OF_V1}");
        T::DbWeight::get().writes(1)
    }

    #[cfg(feature = "try-runtime")]
    fn pre_upgrade() -> Result<Vec<u8>, TryRuntimeError> {
        Ok(Vec::new())
    }

    #[cfg(feature = "try-runtime")]
    fn post_upgrade(_: Vec<u8>) -> Result<(), TryRuntimeError> {
        ensure!(TrieCount::<T>::get() == TRIES_OF_V1, "tries are not numbered from where they should be");
        crate::integrity::check_state::<T>()
    }
}
