//! The builtin at `0x901`: storage functions that are not host functions (`IStorage.sol` of pallet-revive-uapi).
//!
//! Only for delegate calls, so that the storage is the calling contract's.

use super::{
    Env,
    abi::{self, Arguments},
};
use crate::{
    Config,
    contract::Key,
    limits,
    metering::cost::Cost,
    types::{Failure, Output},
};
use alloc::vec::Vec;
use pallet_revive_uapi::StorageFlags;

/// Calls the function whose selector the input begins with.
pub(super) fn storage<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let _ = env.charge(Cost::CopyIn(input.len() as u32))?;
    if !env.is_delegated() {
        return Ok(abi::revert("the storage builtin is only for delegate calls"));
    }
    let Some((selector, arguments)) = Arguments::split(input) else { return Ok(abi::revert("no function selector")) };
    let functions: [(&str, Function<T>); 3] = [
        ("clearStorage(uint32,bool,bytes)", clear::<T>),
        ("containsStorage(uint32,bool,bytes)", contains::<T>),
        ("takeStorage(uint32,bool,bytes)", take::<T>),
    ];
    let Some((_, function)) = functions.into_iter().find(|(signature, _)| abi::selector(signature) == selector) else {
        return Ok(abi::revert("the storage builtin has no such function"));
    };
    let Some(flags) = StorageFlags::from_bits(arguments.uint32::<T>(0)?) else {
        return Ok(abi::revert("unknown storage flags"));
    };
    let bytes = arguments.bytes::<T>(2)?;
    let key = if arguments.boolean::<T>(1)? {
        bytes.try_into().ok().map(Key::Fixed)
    } else {
        Some(bytes)
            .filter(|key| key.len() <= limits::STORAGE_KEY_BYTES as usize)
            .and_then(|key| Key::variable(key.to_vec()))
    };
    match key {
        Some(key) => function(&key, flags.contains(StorageFlags::TRANSIENT), env),
        None => Ok(abi::revert("a storage key of a wrong length")),
    }
}

type Function<T> = fn(&Key, bool, &mut Env<'_, T>) -> Result<Output, Failure>;

/// Removes a value; returns true if there was one, and its length.
fn clear<T: Config>(key: &Key, transient: bool, env: &mut Env<'_, T>) -> Result<Output, Failure> {
    env.ensure_may_write()?;
    let old = if transient {
        let _ = env.charge(Cost::SetTransient(0))?;
        env.stack().write_transient(key, None)?.map(|old| old.len() as u32)
    } else {
        env.stack().ensure_may_store()?;
        let charged = env.charge(Cost::SetStorage { old: limits::STORAGE_VALUE_BYTES, new: 0 })?;
        let settled = env.stack().charge_settlement()?;
        let old = env.stack().write_storage(key, None);
        env.adjust(charged, Cost::SetStorage { old: old.unwrap_or(0), new: 0 });
        env.stack().adjust_settlement(settled);
        old
    };
    Ok(presence(old))
}

/// Returns true if there is a value, and its length.
fn contains<T: Config>(key: &Key, transient: bool, env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let len = if transient {
        let _ = env.charge(Cost::GetTransient(0))?;
        env.stack().read_transient(key).map(|value| value.len() as u32)
    } else {
        let charged = env.charge(Cost::GetStorage(limits::STORAGE_VALUE_BYTES))?;
        let len = env.stack().storage_len(key);
        env.adjust(charged, Cost::GetStorage(len.unwrap_or(0)));
        len
    };
    Ok(presence(len))
}

/// Removes a value and returns it; empty if there was none.
fn take<T: Config>(key: &Key, transient: bool, env: &mut Env<'_, T>) -> Result<Output, Failure> {
    env.ensure_may_write()?;
    let value = if transient {
        let _ = env.charge(Cost::GetTransient(limits::STORAGE_VALUE_BYTES))?;
        let _ = env.charge(Cost::SetTransient(0))?;
        env.stack().write_transient(key, None)?
    } else {
        env.stack().ensure_may_store()?;
        let read = env.charge(Cost::GetStorage(limits::STORAGE_VALUE_BYTES))?;
        let written = env.charge(Cost::SetStorage { old: limits::STORAGE_VALUE_BYTES, new: 0 })?;
        let value = env.stack().read_storage(key);
        let len = value.as_ref().map_or(0, Vec::len) as u32;
        let settled = env.stack().charge_settlement()?;
        env.stack().write_storage(key, None);
        env.adjust(read, Cost::GetStorage(len));
        env.adjust(written, Cost::SetStorage { old: len, new: 0 });
        env.stack().adjust_settlement(settled);
        value
    };
    Ok(Output::data(abi::bytes(&value.unwrap_or_default())))
}

fn presence(len: Option<u32>) -> Output {
    let mut words = abi::uint(u32::from(len.is_some()));
    words.extend(abi::uint(len.unwrap_or(0)));
    Output::data(words)
}
