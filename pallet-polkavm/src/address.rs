//! 20-byte addresses: their mapping to the chain's accounts, and the derivation of the addresses of new contracts.
//!
//! Used by the extrinsics, the call stack and the host functions that return an address. The rules are those of
//! pallet-revive, so that a key or a contract has the same address on both.

use crate::{BalanceOf, Config, Error, Event, HoldReason, OriginalAccount, Pallet};
use alloc::vec::Vec;
use core::marker::PhantomData;
use frame_support::{
    ensure,
    traits::{
        Get, OnKilledAccount, OnNewAccount,
        fungible::{InspectHold, MutateHold},
        tokens::Precision,
    },
};
use sp_core::H160;
use sp_io::hashing::keccak_256;
use sp_runtime::{AccountId32, DispatchResult, Saturating, traits::Zero};

/// The byte that fills the last twelve bytes of an account derived from an Ethereum address.
const ETHEREUM_MARK: u8 = 0xEE;

/// Bytes of state that a mapping takes: the address and the account.
const MAPPING_BYTES: u32 = 20 + 32;

/// Translates between the chain's accounts and the addresses that contracts see.
pub trait AddressMapper<T: Config> {
    /// The address of an account. Total: every account has one.
    fn to_address(account: &T::AccountId) -> H160;

    /// The account behind an address: the mapped one if there is one, else the fallback account.
    fn to_account_id(address: &H160) -> T::AccountId;

    /// The fallback account of an address, which needs no state. It is the right one for addresses that are not hashes
    /// of a key's account, such as those of contracts.
    fn to_fallback_account_id(address: &H160) -> T::AccountId;

    /// Stores the account behind its address, against a deposit held on the account.
    ///
    /// # Errors
    ///
    /// [`Error::AccountAlreadyMapped`], or the currency's error if the deposit can't be held.
    fn map(account: &T::AccountId) -> DispatchResult;

    /// Stores the account behind its address without a deposit, unless it is mapped or needs no mapping.
    fn map_without_deposit(account: &T::AccountId);

    /// Removes a mapping and releases its deposit, if it has one.
    ///
    /// # Errors
    ///
    /// [`Error::AccountNotMapped`] if there is no mapping.
    fn unmap(account: &T::AccountId) -> DispatchResult;

    /// True if the account can be recovered from its address, and so may act as an origin.
    fn is_mapped(account: &T::AccountId) -> bool;
}

/// The mapper for chains whose accounts are [`AccountId32`].
///
/// - An account whose last twelve bytes are all `0xEE` came from an Ethereum address: its first
///   twenty bytes are the address, and no state is needed.
/// - Any other account is hashed: the address is the last twenty bytes of `keccak256(account)`.
///   The way back needs an entry in [`OriginalAccount`].
pub struct AccountId32Mapper<T>(PhantomData<T>);

impl<T> AccountId32Mapper<T> {
    fn is_ethereum_derived(account: &AccountId32) -> bool {
        let bytes: &[u8; 32] = account.as_ref();
        bytes[20..].iter().all(|byte| *byte == ETHEREUM_MARK)
    }
}

impl<T> AddressMapper<T> for AccountId32Mapper<T>
where
    T: Config + frame_system::Config<AccountId = AccountId32>,
{
    fn to_address(account: &AccountId32) -> H160 {
        let bytes: &[u8; 32] = account.as_ref();
        if Self::is_ethereum_derived(account) {
            H160::from_slice(&bytes[..20])
        } else {
            H160::from_slice(&keccak_256(bytes)[12..])
        }
    }

    fn to_account_id(address: &H160) -> AccountId32 {
        OriginalAccount::<T>::get(address).unwrap_or_else(|| Self::to_fallback_account_id(address))
    }

    fn to_fallback_account_id(address: &H160) -> AccountId32 {
        let mut bytes = [ETHEREUM_MARK; 32];
        bytes[..20].copy_from_slice(address.as_bytes());
        AccountId32::new(bytes)
    }

    fn map(account: &AccountId32) -> DispatchResult {
        ensure!(!Self::is_mapped(account), Error::<T>::AccountAlreadyMapped);
        let deposit = mapping_deposit::<T>();
        T::Currency::hold(&HoldReason::AddressMapping.into(), account, deposit)?;
        let address = Self::to_address(account);
        OriginalAccount::<T>::insert(address, account);
        Pallet::<T>::deposit_event(Event::AccountMapped { account: account.clone(), address, deposit });
        Ok(())
    }

    fn map_without_deposit(account: &AccountId32) {
        if !Self::is_mapped(account) {
            let address = Self::to_address(account);
            OriginalAccount::<T>::insert(address, account);
            let deposit = Zero::zero();
            Pallet::<T>::deposit_event(Event::AccountMapped { account: account.clone(), address, deposit });
        }
    }

    fn unmap(account: &AccountId32) -> DispatchResult {
        let address = Self::to_address(account);
        ensure!(OriginalAccount::<T>::contains_key(address), Error::<T>::AccountNotMapped);
        OriginalAccount::<T>::remove(address);
        let reason = HoldReason::AddressMapping.into();
        let held = T::Currency::balance_on_hold(&reason, account);
        let released = T::Currency::release(&reason, account, held, Precision::BestEffort)?;
        Pallet::<T>::deposit_event(Event::AccountUnmapped { account: account.clone(), address, released });
        Ok(())
    }

    fn is_mapped(account: &AccountId32) -> bool {
        Self::is_ethereum_derived(account) || OriginalAccount::<T>::contains_key(Self::to_address(account))
    }
}

/// Maps accounts when they are created, and removes their mapping when they are reaped.
///
/// For runtimes with [`Config::AutoMap`]: `OnNewAccount` and `OnKilledAccount` of `frame_system`. Takes no deposit, as
/// an account already costs its existential deposit.
pub struct AutoMapper<T>(PhantomData<T>);

impl<T: Config> OnNewAccount<T::AccountId> for AutoMapper<T> {
    fn on_new_account(account: &T::AccountId) {
        if T::AutoMap::get() {
            T::AddressMapper::map_without_deposit(account);
        }
    }
}

impl<T: Config> OnKilledAccount<T::AccountId> for AutoMapper<T> {
    fn on_killed_account(account: &T::AccountId) {
        // An account with a deposit on hold can't be reaped, so there is no deposit to release.
        if T::AutoMap::get() && T::AddressMapper::unmap(account).is_err() {
            log::trace!(target: crate::LOG_TARGET, "an account is gone that had no mapping");
        }
    }
}

/// The deposit for a mapping: one item of [`MAPPING_BYTES`] bytes.
pub fn mapping_deposit<T: Config>() -> BalanceOf<T> {
    T::DepositPerByte::get().saturating_mul(MAPPING_BYTES.into()).saturating_add(T::DepositPerItem::get())
}

/// The address of a contract that is instantiated without a salt (Ethereum's `CREATE`): the last twenty bytes of
/// `keccak256(rlp([deployer, nonce]))`.
pub fn create1(deployer: &H160, nonce: u64) -> H160 {
    // A list of a 20-byte string and an integer never exceeds 55 bytes, so every RLP header is one byte.
    let mut payload = Vec::with_capacity(30);
    payload.push(0x80 + 20);
    payload.extend_from_slice(deployer.as_bytes());
    match nonce {
        0 => payload.push(0x80),
        1..=0x7f => payload.push(nonce as u8),
        _ => {
            let bytes = nonce.to_be_bytes();
            let significant = &bytes[(nonce.leading_zeros() / 8) as usize..];
            payload.push(0x80 + significant.len() as u8);
            payload.extend_from_slice(significant);
        }
    }
    let mut list = Vec::with_capacity(payload.len() + 1);
    list.push(0xc0 + payload.len() as u8);
    list.append(&mut payload);
    H160::from_slice(&keccak_256(&list)[12..])
}

/// The address of a contract that is instantiated with a salt (Ethereum's `CREATE2`): the last twenty bytes of
/// `keccak256(0xff ++ deployer ++ salt ++ keccak256(code ++ input))`.
pub fn create2(deployer: &H160, code: &[u8], input: &[u8], salt: &[u8; 32]) -> H160 {
    let code_and_input = keccak_256(&[code, input].concat());
    let mut bytes = [0u8; 85];
    bytes[0] = 0xff;
    bytes[1..21].copy_from_slice(deployer.as_bytes());
    bytes[21..53].copy_from_slice(salt);
    bytes[53..].copy_from_slice(&code_and_input);
    H160::from_slice(&keccak_256(&bytes)[12..])
}
