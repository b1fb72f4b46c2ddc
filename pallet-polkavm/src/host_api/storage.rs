//! A contract's own storage: `set_storage`, `set_storage_or_clear`, `get_storage`, `get_storage_or_zero`.
//!
//! The flags select persistent or transient storage. A key length of [`SENTINEL`] means a fixed key of 32 bytes. Reads
//! and writes are first charged for the longest possible value; the difference is given back once the true length is
//! known.

use super::{Args, Halt, Host, HostResult, SENTINEL, low, too_long};
use crate::{Config, Error, contract::Key, limits, metering::cost::Cost};
use alloc::vec::Vec;
use pallet_revive_uapi::{ReturnErrorCode, StorageFlags};

/// `set_storage(flags, key_ptr, key_len, value_ptr, value_len) -> u32`: writes a value under a key. Returns the length
/// of the previous value, or [`SENTINEL`] if there was none.
pub(super) fn set_storage<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [flags, key_ptr, key_len] = [low(args[0]), low(args[1]), low(args[2])];
    let [value_ptr, value_len] = [low(args[3]), low(args[4])];
    write_value(host, flags, value_len, |host| {
        let key = read_key(host, key_ptr, key_len)?;
        if value_len > limits::STORAGE_VALUE_BYTES {
            let limit = limits::STORAGE_VALUE_BYTES;
            return Err(too_long::<T>(Error::ValueTooLarge, "storage value", value_len, limit));
        }
        Ok((key, Some(host.read(value_ptr, value_len)?)))
    })
}

/// `set_storage_or_clear(flags, key_ptr, value_ptr) -> u32`: writes a 32-byte value under a fixed key, or removes the
/// key if the value is all zeros. Returns as [`set_storage`] does.
pub(super) fn set_storage_or_clear<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [flags, key_ptr, value_ptr] = [low(args[0]), low(args[1]), low(args[2])];
    write_value(host, flags, 32, |host| {
        let value: [u8; 32] = host.read_array(value_ptr)?;
        let key = read_key(host, key_ptr, SENTINEL)?;
        Ok((key, (value != [0; 32]).then(|| value.to_vec())))
    })
}

/// Charges for a write of up to `len` bytes, reads key and value by `arguments`, and writes.
fn write_value<T: Config>(
    host: &mut Host<'_, T>,
    flags: u32,
    len: u32,
    arguments: impl FnOnce(&mut Host<'_, T>) -> Result<(Key, Option<Vec<u8>>), Halt>,
) -> HostResult {
    let transient = is_transient::<T>(flags)?;
    let old = if transient {
        let _ = host.charge(Cost::SetTransient(len))?;
        host.stack.ensure_may_write()?;
        let (key, value) = arguments(host)?;
        host.stack.write_transient(&key, value)?.map(|old| old.len() as u32)
    } else {
        let charged = host.charge(Cost::SetStorage { old: limits::STORAGE_VALUE_BYTES, new: len })?;
        host.stack.ensure_may_store()?;
        let settled = host.stack.charge_settlement()?;
        let (key, value) = arguments(host)?;
        let old = host.stack.write_storage(&key, value.as_deref());
        let new = value.map_or(0, |value| value.len() as u32);
        host.adjust(charged, Cost::SetStorage { old: old.unwrap_or(0), new });
        host.stack.adjust_settlement(settled);
        old
    };
    Ok(Some(old.unwrap_or(SENTINEL).into()))
}

/// `get_storage(flags, key_ptr, key_len, out_ptr, out_len_ptr) -> error code`: the value under a key, as much as fits;
/// `KeyNotFound` if there is none.
pub(super) fn get_storage<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [flags, key_ptr, key_len] = [low(args[0]), low(args[1]), low(args[2])];
    let [out_ptr, out_len_ptr] = [low(args[3]), low(args[4])];
    let code = match read_value(host, flags, key_ptr, key_len)? {
        Some(value) => {
            host.write_buffer(out_ptr, out_len_ptr, &value, false, |_, _| Ok(()))?;
            ReturnErrorCode::Success
        }
        None => ReturnErrorCode::KeyNotFound,
    };
    Ok(Some(code.into()))
}

/// `get_storage_or_zero(flags, key_ptr, out_ptr)`: the first 32 bytes of the value under a fixed key, padded with
/// zeros; all zeros if there is none.
pub(super) fn get_storage_or_zero<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [flags, key_ptr, out_ptr] = [low(args[0]), low(args[1]), low(args[2])];
    let value = read_value(host, flags, key_ptr, SENTINEL)?.unwrap_or_default();
    let mut word = [0; 32];
    let len = value.len().min(word.len());
    word[..len].copy_from_slice(&value[..len]);
    host.write(out_ptr, &word)?;
    Ok(None)
}

fn read_value<T: Config>(
    host: &mut Host<'_, T>,
    flags: u32,
    key_ptr: u32,
    key_len: u32,
) -> Result<Option<Vec<u8>>, Halt> {
    if is_transient::<T>(flags)? {
        let _ = host.charge(Cost::GetTransient(limits::STORAGE_VALUE_BYTES))?;
        let key = read_key(host, key_ptr, key_len)?;
        return Ok(host.stack.read_transient(&key).map(<[u8]>::to_vec));
    }
    let charged = host.charge(Cost::GetStorage(limits::STORAGE_VALUE_BYTES))?;
    let key = read_key(host, key_ptr, key_len)?;
    let value = host.stack.read_storage(&key);
    let len = value.as_ref().map_or(0, Vec::len) as u32;
    host.adjust(charged, Cost::GetStorage(len));
    Ok(value)
}

fn read_key<T: Config>(host: &mut Host<'_, T>, pointer: u32, len: u32) -> Result<Key, Halt> {
    if len == SENTINEL {
        return Ok(Key::Fixed(host.read_array(pointer)?));
    }
    let refused = || too_long::<T>(Error::KeyTooLarge, "storage key", len, limits::STORAGE_KEY_BYTES);
    if len > limits::STORAGE_KEY_BYTES {
        return Err(refused());
    }
    Key::variable(host.read(pointer, len)?).ok_or_else(refused)
}

/// True if the flags select the transient storage. Refuses unknown flags.
fn is_transient<T: Config>(flags: u32) -> Result<bool, Halt> {
    let flags = StorageFlags::from_bits(flags).ok_or(Error::<T>::InvalidStorageFlags)?;
    Ok(flags.contains(StorageFlags::TRANSIENT))
}
