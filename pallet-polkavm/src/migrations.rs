//! Moving a chain's storage from one [`crate::pallet::STORAGE_VERSION`] to the next.
//!
//! A runtime that takes a new version of the pallet puts the migrations since its own among those of its `Executive`:
//!
//! ```ignore
//! type Migrations = (pallet_polkavm::migrations::V1ToV2<Runtime>,);
//! ```
//!
//! Each runs once, where the version on the chain is the one it starts from, and is nothing but a read everywhere else.
//! To add one: raise the version, write down here how the old layout looked and what becomes of it, and test both.

use crate::{Config, ContractInfoOf, Pallet, TrieCount};
use core::marker::PhantomData;
use frame_support::{
    migrations::VersionedMigration,
    traits::{Get, UncheckedOnRuntimeUpgrade},
    weights::Weight,
};

#[cfg(feature = "try-runtime")]
use {alloc::vec::Vec, codec::Encode, frame_support::ensure, sp_runtime::TryRuntimeError};

/// From version 1, in which the id of a contract's trie was made from its address and its deployer's nonce, to version 2,
/// in which it comes from [`TrieCount`].
pub type V1ToV2<T> = VersionedMigration<1, 2, CountTries<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// Begins [`TrieCount`] with the number of contracts there are. Their tries keep their ids, which no new one can have: both
/// kinds are hashes, with different prefixes.
pub struct CountTries<T>(PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for CountTries<T> {
    fn on_runtime_upgrade() -> Weight {
        let contracts = ContractInfoOf::<T>::iter_keys().count() as u64;
        TrieCount::<T>::put(contracts);
        log::info!(target: crate::LOG_TARGET, "counted the tries of {contracts} contracts");
        T::DbWeight::get().reads_writes(contracts.saturating_add(1), 1)
    }

    #[cfg(feature = "try-runtime")]
    fn pre_upgrade() -> Result<Vec<u8>, TryRuntimeError> {
        Ok((ContractInfoOf::<T>::iter_keys().count() as u64).encode())
    }

    #[cfg(feature = "try-runtime")]
    fn post_upgrade(contracts: Vec<u8>) -> Result<(), TryRuntimeError> {
        ensure!(TrieCount::<T>::get().encode() == contracts, "other tries were counted than there are");
        crate::integrity::check_state::<T>()
    }
}
