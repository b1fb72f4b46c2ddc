//! Checks of a runtime's configuration ([`check`], run by the runtime's own tests) and of the pallet's state between
//! blocks (`check_state`, run by try-runtime and after each of the pallet's tests).

use crate::{Config, Pallet, executor::Executor, host_api::HostFunction, limits, metering::cost::Cost};
use alloc::collections::BTreeSet;
use frame_support::{dispatch::DispatchClass, traits::Get};

#[cfg(any(test, feature = "try-runtime"))]
pub(crate) use state::check as check_state;

/// Panics if the configuration can't work, as integrity tests do.
pub(crate) fn check<T: Config>() {
    let pricing = T::Pricing::get();
    let crate::GasPrices { naive, pipeline, calibrated_v1 } = *pricing.prices();
    assert!(
        [naive, pipeline, calibrated_v1].iter().all(|price| *price > 0),
        "Pricing: a unit of gas must not cost nothing, as it does with {pricing:?}"
    );
    assert!(T::RefTimePerEthGas::get() > 0, "RefTimePerEthGas must not be zero: Ethereum's gas would buy nothing");
    assert!(T::NativeToEthRatio::get() > 0, "NativeToEthRatio must not be zero: contracts would see no balances");

    let names: BTreeSet<_> = HostFunction::ALL.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), HostFunction::ALL.len(), "two host functions have the same name");

    assert!(
        !pricing.requires_compiler() || T::Executor::NODE_RUNS_PROGRAMS,
        "Pricing: nobody compiles contracts with this Executor, so nobody could build blocks at the price of compiled code"
    );

    check_memory::<T>();

    // The longest program must be loadable within the gas of an extrinsic, or it could be stored but never run.
    let load = Cost::LoadCode(limits::BLOB_BYTES).weight::<T::WeightInfo>();
    let max = Pallet::<T>::max_gas_limit();
    assert!(load.all_lte(max), "loading the longest program takes {load:?}, an extrinsic has at most {max:?}");

    // It must also fit an extrinsic, with its call data.
    let longest = limits::BLOB_BYTES.saturating_add(limits::CALLDATA_BYTES);
    let room = *T::BlockLength::get().max.get(DispatchClass::Normal);
    assert!(longest < room, "the longest program and call data have {longest} bytes, an extrinsic at most {room}");
}

/// Memory that a runtime has for a transaction, in bytes: the executor's default limit is 128 MiB, of which 12 are for
/// everything else, such as the body of a block (usually up to 5 MiB), of which there are two copies while it is
/// decoded.
const RUNTIME_MEMORY: u64 = 116 * 1024 * 1024;

/// Bytes of a frame itself, and of the runtime's own stack for it: host function, call stack, executor. Measured frames
/// take less than 2 KiB.
const FRAME_BYTES: u64 = 4 * 1024;

/// Checks that the deepest call stack fits into the runtime's memory, whatever its contracts do.
///
/// The runtime's allocator rounds each size up to a power of two, and never merges or splits free blocks. So it is the
/// extent of the heap that counts, not the memory held at a time. The worst case is a stack of [`limits::CALL_DEPTH`]
/// frames above the first, each of a different contract with the largest possible program, in the worst order.
///
/// 1. *Instances*, with the call data and return data of their frames, blobs as they are read from the state,
///    translated code, and transient storage: as declared by the executor ([`Executor::STACK_BYTES`]). Interpreted in
///    the runtime this is [`limits::TRANSACTION_MEMORY_BYTES`], which a test of vm-core checks with such an allocator.
///    If the node runs programs, guest memory and programs are in the node.
/// 2. *The frame* itself, [`FRAME_BYTES`].
/// 3. *A precompile's input and output*, of the innermost frame: twice the call data. `modexp` has numbers of at most 1
///    KiB, a pairing 192 bytes and a few kilobytes of state for each pair of its input.
/// 4. *The ledger*: one entry for each contract that was touched, twice if a frame keeps the earlier one, and again per
///    open frame in which it changed. Touching a contract takes the weight of a call, so their number is bounded by the
///    weight of a transaction; an entry has less than 512 bytes.
///
/// Storage changes, events and their overlay are in the node's memory, not the runtime's.
fn check_memory<T: Config>() {
    let contracts = T::Executor::STACK_BYTES;
    let frames = (u64::from(limits::CALL_DEPTH) + 1) * FRAME_BYTES;
    let precompile = 2 * u64::from(limits::CALLDATA_BYTES);

    const ENTRY: u64 = 512;
    let call = Cost::Call.weight::<T::WeightInfo>().ref_time().max(1);
    let calls = Pallet::<T>::max_gas_limit().ref_time() / call;
    // Only the deepest frame can have touched all of them; those below have at most the entries that it committed.
    let ledger = calls.saturating_mul(2 * ENTRY);

    let worst = contracts + frames + precompile + ledger;
    assert!(
        worst <= RUNTIME_MEMORY,
        "the deepest stack of calls needs {worst} bytes of memory ({contracts} for its contracts, {frames} for its frames, \
         {precompile} for a precompile, {ledger} for the ledger), the runtime has {RUNTIME_MEMORY}"
    );
}

#[cfg(any(test, feature = "try-runtime"))]
mod state {
    use crate::{
        AddressMapper, BalanceOf, CodeInfoOf, Config, ContractInfoOf, DeletionQueue, DeletionQueueBounds, DustOf,
        HoldReason, ImmutableDataOf, OriginalAccount, PristineCode, TiedCode, TrieCount, UnitsInDust, code::code_hash,
        contract::child_trie, precompiles::Precompiles,
    };
    use alloc::{
        collections::{BTreeMap, BTreeSet},
        vec::Vec,
    };
    use frame_support::{
        ensure,
        storage::child,
        traits::{Get, fungible::InspectHold},
    };
    use sp_core::{H256, U256};
    use sp_runtime::{Saturating, TryRuntimeError};

    /// Checks that code, contracts, mappings and the balance on hold for them are consistent.
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
        for hash in TiedCode::<T>::iter_keys() {
            let used = CodeInfoOf::<T>::get(hash).is_some_and(|info| info.use_count > 0);
            ensure!(used, "a program is tied to contracts that are not there");
        }
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

        let unit = T::NativeToEthRatio::get();
        let mut all = U256::zero();
        for (_, dust) in DustOf::<T>::iter() {
            ensure!(0 < dust && dust < unit, "an account has no dust in its entry, or a whole unit");
            all += dust.into();
        }
        let burned = crate::Pallet::<T>::to_contract_value(UnitsInDust::<T>::get());
        ensure!(all == burned, "there is more or less dust than units were burned for it");
        Ok(())
    }

    /// Number of items of a trie, and of bytes of their keys and values.
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
