//! A contract's own state: its record, its trie and the keys in it.
//!
//! Called by the call stack. The record ([`ContractInfo`]) is kept in the transaction's ledger and written back at its
//! end; the trie is written immediately, inside the frame's storage transaction.

use crate::{BalanceOf, Config, TrieCount, limits, metering::deposit::Diff};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{
    Blake2_128Concat, BoundedVec, CloneNoBound, DebugNoBound, PartialEqNoBound, StorageHasher,
    storage::child::{self, ChildInfo},
    traits::{ConstU32, Get},
};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_io::hashing::blake2_256;
use sp_runtime::{Saturating, traits::Zero};

/// Data that a constructor stores for later calls.
pub type ImmutableData = BoundedVec<u8, ConstU32<{ limits::IMMUTABLE_BYTES }>>;

/// Domain separator of the ids of contracts' tries.
const TRIE_ID_DOMAIN: &[u8] = b"pallet-polkavm trie v2";

/// The record of a contract.
#[derive(Encode, Decode, CloneNoBound, PartialEqNoBound, DebugNoBound, TypeInfo, MaxEncodedLen)]
#[codec(mel_bound())]
#[scale_info(skip_type_params(T))]
pub struct ContractInfo<T: Config> {
    /// Identifies the contract's child trie. Never reused, not even for the same address.
    pub trie_id: H256,
    /// The code the contract runs.
    pub code_hash: H256,
    /// Bytes of keys and values in the trie.
    pub storage_bytes: u32,
    /// Items in the trie.
    pub storage_items: u32,
    /// Deposit held for [`Self::storage_bytes`].
    pub storage_byte_deposit: BalanceOf<T>,
    /// Deposit held for [`Self::storage_items`].
    pub storage_item_deposit: BalanceOf<T>,
    /// Deposit held for the contract itself: this record, its immutable data, and a share of its code's deposit.
    pub base_deposit: BalanceOf<T>,
    /// Length of the contract's immutable data; zero if it has none.
    pub immutable_data_len: u32,
}

impl<T: Config> ContractInfo<T> {
    /// Makes the record of a new contract. Writes only the count of tries, from which the trie's id is derived: it
    /// differs from that of every other contract, even of an earlier one at the same address.
    pub fn new(code_hash: H256) -> Self {
        let number = TrieCount::<T>::mutate(|count| {
            *count = count.saturating_add(1);
            *count
        });
        Self {
            trie_id: H256((TRIE_ID_DOMAIN, number).using_encoded(blake2_256)),
            code_hash,
            storage_bytes: 0,
            storage_items: 0,
            storage_byte_deposit: Zero::zero(),
            storage_item_deposit: Zero::zero(),
            base_deposit: Zero::zero(),
            immutable_data_len: 0,
        }
    }

    /// The value under a key.
    pub fn read(&self, key: &Key) -> Option<Vec<u8>> {
        read(&self.trie_id, key)
    }

    /// Computes and records the deposit for the contract itself; `code_deposit` is that of its program.
    ///
    /// It pays for the record and the immutable data, and locks up a share of the code's deposit
    /// ([`Config::CodeHashLockupDepositPercent`]), as the contract keeps the code from being removed.
    pub fn set_base_deposit(&mut self, code_deposit: BalanceOf<T>) {
        let bytes = (Self::max_encoded_len() as u32).saturating_add(self.immutable_data_len);
        let items: u32 = if self.immutable_data_len == 0 { 1 } else { 2 };
        let own = T::DepositPerByte::get()
            .saturating_mul(bytes.into())
            .saturating_add(T::DepositPerItem::get().saturating_mul(items.into()));
        let lockup = T::CodeHashLockupDepositPercent::get().mul_ceil(code_deposit);
        self.base_deposit = own.saturating_add(lockup);
    }

    /// Total storage deposit held on the contract's account.
    pub fn total_deposit(&self) -> BalanceOf<T> {
        self.base_deposit.saturating_add(self.storage_byte_deposit).saturating_add(self.storage_item_deposit)
    }
}

/// The child trie with an id.
pub fn child_trie(trie_id: &H256) -> ChildInfo {
    ChildInfo::new_default(trie_id.as_bytes())
}

/// The value under a key of a trie.
pub fn read(trie_id: &H256, key: &Key) -> Option<Vec<u8>> {
    child::get_raw(&child_trie(trie_id), &key.hash())
}

/// The length of the value under a key of a trie, without reading it.
pub fn value_len(trie_id: &H256, key: &Key) -> Option<u32> {
    child::len(&child_trie(trie_id), &key.hash())
}

/// Writes a value under a key of a trie, or removes it.
///
/// Returns the length of the previous value, and the change in the amount stored.
pub fn write(trie_id: &H256, key: &Key, value: Option<&[u8]>) -> (Option<u32>, Diff) {
    let trie = child_trie(trie_id);
    let hashed = key.hash();
    let old = child::len(&trie, &hashed);
    match value {
        Some(value) => child::put_raw(&trie, &hashed, value),
        None => child::kill(&trie, &hashed),
    }
    let diff = Diff::of_write(hashed.len() as u32, old, value.map(|value| value.len() as u32));
    (old, diff)
}

/// A key in a contract's trie, as given by the contract.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// The 32-byte keys of Solidity.
    Fixed([u8; 32]),
    /// Keys of any length up to [`limits::STORAGE_KEY_BYTES`].
    Variable(BoundedVec<u8, ConstU32<{ limits::STORAGE_KEY_BYTES }>>),
}

impl Key {
    /// Makes a key of variable length; `None` if it is too long.
    pub fn variable(bytes: Vec<u8>) -> Option<Self> {
        BoundedVec::try_from(bytes).ok().map(Self::Variable)
    }

    /// The key in the trie: hashed, so that no contract can unbalance its trie. For a variable key the plain bytes
    /// follow the hash. Keys of the two kinds are equal only if 128 bits of hash collide.
    pub fn hash(&self) -> Vec<u8> {
        match self {
            Self::Fixed(key) => blake2_256(key).to_vec(),
            Self::Variable(key) => Blake2_128Concat::hash(key),
        }
    }
}
