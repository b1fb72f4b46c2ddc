//! Tests of storage migrations.

use super::puppet::puppet;
use crate::{ContractInfoOf, TrieCount, migrations::V1ToV2, mock::*};
use frame_support::traits::{Get, GetStorageVersion, OnRuntimeUpgrade, StorageVersion};

#[test]
fn a_chain_of_version_1_numbers_its_tries_anew_once() {
    run(|| {
        let contracts: Vec<_> = (0..3).map(|_| deploy(puppet())).collect();
        // The old state: no count, and ids derived in another way.
        TrieCount::<Test>::kill();
        StorageVersion::new(1).put::<Polkavm>();

        let took = V1ToV2::<Test>::on_runtime_upgrade();
        assert_eq!(Polkavm::on_chain_storage_version(), 2);
        assert_eq!(Polkavm::on_chain_storage_version(), Polkavm::in_code_storage_version());
        assert_eq!(TrieCount::<Test>::get(), 1 << 32);
        // Independent of the number of contracts: the version is read and written, and a number written.
        assert!(took.all_lte(<Test as frame_system::Config>::DbWeight::get().reads_writes(1, 2)), "{took:?}");
        crate::integrity::check_state::<Test>().unwrap();

        // New contracts get ids of their own, and a second run does nothing.
        deploy(puppet());
        V1ToV2::<Test>::on_runtime_upgrade();
        assert_eq!(TrieCount::<Test>::get(), (1 << 32) + 1);
        let mut ids: Vec<_> = ContractInfoOf::<Test>::iter_values().map(|info| info.trie_id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), contracts.len() + 1);
    });
}

#[test]
fn a_new_chain_has_the_latest_version_and_nothing_to_do() {
    run(|| {
        deploy(puppet());
        StorageVersion::new(2).put::<Polkavm>();
        let before = root();
        V1ToV2::<Test>::on_runtime_upgrade();
        assert_eq!(root(), before);
    });
}

#[cfg(feature = "try-runtime")]
#[test]
fn the_upgrade_checks_itself() {
    run(|| {
        deploy(puppet());
        TrieCount::<Test>::kill();
        StorageVersion::new(1).put::<Polkavm>();
        let state = V1ToV2::<Test>::pre_upgrade().unwrap();
        V1ToV2::<Test>::on_runtime_upgrade();
        V1ToV2::<Test>::post_upgrade(state).unwrap();
    });
}
