//! What must hold of a runtime's configuration ([`check`], run by the runtime's own tests) and of
//! the pallet's state between blocks ([`check_state`], run by try-runtime and after each of the
//! pallet's tests).

use crate::{Config, Pallet, host_api::HostFunction, limits, metering::cost::Cost};
use alloc::collections::BTreeSet;
use frame_support::{dispatch::DispatchClass, traits::Get};

#[cfg(any(test, feature = "try-runtime"))]
pub(crate) use state::check as check_state;

/// Panics where the configuration can't work, which is what an integrity test does.
pub(crate) fn check<T: Config>() {
    assert!(T::RefTimePerGas::get() > 0, "RefTimePerGas must not be zero: the VM's gas would cost nothing");
    assert!(T::NativeToEthRatio::get() > 0, "NativeToEthRatio must not be zero: contracts would see no balances");

    let names: BTreeSet<_> = HostFunction::ALL.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), HostFunction::ALL.len(), "two host functions have the same name");

    // The longest program must be loadable within the gas an extrinsic can have, or it could be
    // stored but never run.
    let load = Cost::LoadCode(limits::BLOB_BYTES).weight::<T::WeightInfo>();
    let max = Pallet::<T>::max_gas_limit();
    assert!(load.all_lte(max), "loading the longest program takes {load:?}, an extrinsic has at most {max:?}");

    // It must fit an extrinsic, too, with its call data.
    let longest = limits::BLOB_BYTES.saturating_add(limits::CALLDATA_BYTES);
    let room = *T::BlockLength::get().max.get(DispatchClass::Normal);
    assert!(longest < room, "the longest program and call data have {longest} bytes, an extrinsic at most {room}");
}

#[cfg(any(test, feature = "try-runtime"))]
mod state {
    use crate::{
        AddressMapper, BalanceOf, CodeInfoOf, Config, ContractInfoOf, DeletionQueue, DeletionQueueBounds, HoldReason,
        ImmutableDataOf, OriginalAccount, PristineCode, TrieCount, code::code_hash, contract::child_trie,
        precompiles::Precompiles,
    };
    use alloc::{
        collections::{BTreeMap, BTreeSet},
        vec::Vec,
    };
    use frame_support::{ensure, storage::child, traits::fungible::InspectHold};
    use sp_core::H256;
    use sp_runtime::{Saturating, TryRuntimeError};

    /// Code, contracts, mappings and the balance on hold for them agree with each other.
    pub(crate) fn check<T: Config>() -> Result<(), TryRuntimeError> {
        let mut uses: BTreeMap<H256, u64> = BTreeMap::new();
        let mut tries = BTreeSet::new();
        for (address, info) in ContractInfoOf::<T>::iter() {
            *uses.entry(info.code_hash).or_default() += 1;
            let account = T::AddressMapper::to_fallback_account_id(&address);
            let held = T::Currency::balance_on_hold(&HoldReason::StorageDepositReserve.into(), &account);
            ensure!(held == info.total_deposit(), "a contract's account holds another deposit than its record says");
            let (items, bytes) = trie_size(&info.trie_id);
            ensure!(
                items == u64::from(info.storage_items),
                "a contract's trie has more or fewer items than its record says"
            );
            ensure!(
                bytes == u64::from(info.storage_bytes),
                "a contract's trie has more or fewer bytes than its record says"
            );
            ensure!(tries.insert(info.trie_id), "two contracts have the same trie");
            ensure!(frame_system::Pallet::<T>::consumers(&account) > 0, "a contract's account could be reaped");
            ensure!(T::Precompiles::find(&address).is_none(), "there is a contract where a precompile is");
            let immutable = ImmutableDataOf::<T>::get(address).map_or(0, |data| data.len() as u32);
            ensure!(immutable == info.immutable_data_len, "a contract has other immutable data than its record says");
        }
        for address in ImmutableDataOf::<T>::iter_keys() {
            ensure!(ContractInfoOf::<T>::contains_key(address), "there is immutable data without a contract");
        }

        let mut deposits: BTreeMap<T::AccountId, BalanceOf<T>> = BTreeMap::new();
        for (hash, info) in CodeInfoOf::<T>::iter() {
            ensure!(uses.remove(&hash).unwrap_or_default() == info.use_count, "a program's use count is wrong");
            let deposit = deposits.entry(info.owner).or_default();
            *deposit = deposit.saturating_add(info.deposit);
            let code = PristineCode::<T>::get(hash).ok_or("a program has a record but no code")?;
            ensure!(code_hash(&code) == hash, "a program is stored under another hash than its own");
            ensure!(code.len() as u64 == u64::from(info.code_len), "a program's recorded length is wrong");
        }
        ensure!(uses.is_empty(), "a contract runs code that isn't stored");
        for hash in PristineCode::<T>::iter_keys() {
            ensure!(CodeInfoOf::<T>::contains_key(hash), "a program has code but no record");
        }
        for (owner, deposit) in deposits {
            let held = T::Currency::balance_on_hold(&HoldReason::CodeUploadDepositReserve.into(), &owner);
            ensure!(held == deposit, "an uploader's account holds another deposit than its programs' records say");
        }

        let queue = DeletionQueueBounds::<T>::get();
        for (number, trie_id) in DeletionQueue::<T>::iter() {
            ensure!((queue.first..queue.end).contains(&number), "a trie is queued outside of the queue");
            ensure!(tries.insert(trie_id), "a trie is queued that is in use or queued already");
        }
        ensure!(tries.len() as u64 <= TrieCount::<T>::get(), "there are more tries than were ever made");

        for (address, account) in OriginalAccount::<T>::iter() {
            ensure!(T::AddressMapper::to_address(&account) == address, "an account is mapped to another's address");
        }
        Ok(())
    }

    /// Items of a trie, and the bytes of their keys and values.
    fn trie_size(trie_id: &H256) -> (u64, u64) {
        let trie = child_trie(trie_id);
        let (mut items, mut bytes) = (0, 0);
        let mut key = Vec::new();
        while let Some(next) = sp_io::default_child_storage::next_key(trie.storage_key(), &key) {
            items += 1;
            bytes += next.len() as u64 + u64::from(child::len(&trie, &next).unwrap_or_default());
            key = next;
        }
        (items, bytes)
    }
}
