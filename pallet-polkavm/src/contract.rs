//! A contract's own state: its record, its trie and the keys in it.
//!
//! Called by the call stack and the storage host functions. The record ([`ContractInfo`]) is
//! written back by the call stack when a frame ends well; the trie is written at once, inside the
//! frame's storage transaction.

use crate::{BalanceOf, CodeInfo, Config, ContractInfoOf, Error, limits, metering::deposit::Diff};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{
    Blake2_128Concat, BoundedVec, CloneNoBound, DebugNoBound, PartialEqNoBound, StorageHasher,
    storage::child::{self, ChildInfo},
    traits::{ConstU32, Get},
};
use scale_info::TypeInfo;
use sp_core::{H160, H256};
use sp_io::hashing::blake2_256;
use sp_runtime::{Saturating, traits::Zero};

/// Data a constructor leaves for every later call.
pub type ImmutableData = BoundedVec<u8, ConstU32<{ limits::IMMUTABLE_BYTES }>>;

/// Separates the ids of contracts' tries from other hashes.
const TRIE_ID_DOMAIN: &[u8] = b"pallet-polkavm trie v1";

/// The record of a contract.
#[derive(Encode, Decode, CloneNoBound, PartialEqNoBound, DebugNoBound, TypeInfo, MaxEncodedLen)]
#[codec(mel_bound())]
#[scale_info(skip_type_params(T))]
pub struct ContractInfo<T: Config> {
    /// Identifies the contract's child trie. Never used again, not even for the same address.
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
    /// Length of the contract's immutable data, zero where it has none.
    pub immutable_data_len: u32,
}

impl<T: Config> ContractInfo<T> {
    /// The record of a contract that is about to be made. Writes nothing.
    ///
    /// `nonce` is the deployer's; it makes the trie's id differ from that of any earlier contract at the address.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateContract`] when there is a contract at the address.
    pub fn new(address: &H160, nonce: u64, code_hash: H256) -> Result<Self, Error<T>> {
        if ContractInfoOf::<T>::contains_key(address) {
            return Err(Error::DuplicateContract);
        }
        let trie_id = H256((TRIE_ID_DOMAIN, address, nonce).using_encoded(blake2_256));
        Ok(Self {
            trie_id,
            code_hash,
            storage_bytes: 0,
            storage_items: 0,
            storage_byte_deposit: Zero::zero(),
            storage_item_deposit: Zero::zero(),
            base_deposit: Zero::zero(),
            immutable_data_len: 0,
        })
    }

    /// The contract's child trie.
    pub fn child_trie(&self) -> ChildInfo {
        ChildInfo::new_default(self.trie_id.as_bytes())
    }

    /// The value under a key.
    pub fn read(&self, key: &Key) -> Option<Vec<u8>> {
        child::get_raw(&self.child_trie(), &key.hash())
    }

    /// The length of the value under a key, without reading it.
    pub fn value_len(&self, key: &Key) -> Option<u32> {
        child::len(&self.child_trie(), &key.hash())
    }

    /// Puts a value under a key, or removes it.
    ///
    /// Returns the length of the value that was there, and the change in what is stored.
    pub fn write(&self, key: &Key, value: Option<&[u8]>) -> (Option<u32>, Diff) {
        let trie = self.child_trie();
        let hashed = key.hash();
        let old = child::len(&trie, &hashed);
        match value {
            Some(value) => child::put_raw(&trie, &hashed, value),
            None => child::kill(&trie, &hashed),
        }
        let diff = Diff::of_write(hashed.len() as u32, old, value.map(|value| value.len() as u32));
        (old, diff)
    }

    /// Computes, books and returns the deposit for the contract itself.
    ///
    /// It pays for the record and the immutable data, and locks a share of the code's deposit
    /// ([`Config::CodeHashLockupDepositPercent`]), as the contract keeps the code from being removed.
    pub fn set_base_deposit(&mut self, code: &CodeInfo<T>) -> BalanceOf<T> {
        let bytes = (Self::max_encoded_len() as u32).saturating_add(self.immutable_data_len);
        let items: u32 = if self.immutable_data_len == 0 { 1 } else { 2 };
        let own = T::DepositPerByte::get()
            .saturating_mul(bytes.into())
            .saturating_add(T::DepositPerItem::get().saturating_mul(items.into()));
        let lockup = T::CodeHashLockupDepositPercent::get().mul_ceil(code.deposit);
        self.base_deposit = own.saturating_add(lockup);
        self.base_deposit
    }

    /// All that is held on the contract's account as storage deposit.
    pub fn total_deposit(&self) -> BalanceOf<T> {
        self.base_deposit.saturating_add(self.storage_byte_deposit).saturating_add(self.storage_item_deposit)
    }
}

/// A key in a contract's trie, as the contract gives it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// The 32-byte keys of Solidity.
    Fixed([u8; 32]),
    /// Keys of any length up to [`limits::STORAGE_KEY_BYTES`].
    Variable(BoundedVec<u8, ConstU32<{ limits::STORAGE_KEY_BYTES }>>),
}

impl Key {
    /// A key of variable length; `None` when it is too long.
    pub fn variable(bytes: Vec<u8>) -> Option<Self> {
        BoundedVec::try_from(bytes).ok().map(Self::Variable)
    }

    /// The key in the trie: hashed, so that no contract can unbalance its trie. The plain bytes
    /// stay readable behind the hash of a variable key. A key of one kind that meets one of the
    /// other would take a collision of 128 bits.
    pub fn hash(&self) -> Vec<u8> {
        match self {
            Self::Fixed(key) => blake2_256(key).to_vec(),
            Self::Variable(key) => Blake2_128Concat::hash(key),
        }
    }
}
