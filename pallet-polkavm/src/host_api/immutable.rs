//! Immutable data, which a constructor stores for later calls: `get_immutable_data`, `set_immutable_data`.

use super::{Args, Host, HostResult, low, too_long};
use crate::{Config, Error, ImmutableDataOf, contract::ImmutableData, limits, metering::cost::Cost, types::EntryPoint};

/// `get_immutable_data(out_ptr, out_len_ptr)`: the data, as much as fits. Fails in the constructor, and if the
/// constructor stored none.
pub(super) fn get_immutable_data<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let frame = host.stack.top();
    let (entry, address) = (frame.entry, frame.code_address);
    // It belongs to the program: in a delegate call it is that of the contract whose program runs.
    let len = host.stack.contract(&address).map_or(0, |contract| contract.info.immutable_data_len);
    let _ = host.charge(Cost::GetImmutableData(len))?;
    if entry == EntryPoint::Deploy {
        return Err(Error::<T>::InvalidImmutableAccess.into());
    }
    let data = ImmutableDataOf::<T>::get(address).ok_or(Error::<T>::InvalidImmutableAccess)?;
    host.write_buffer(low(args[0]), low(args[1]), &data, false, |_, _| Ok(()))?;
    Ok(None)
}

/// `set_immutable_data(ptr, len)`: stores the data. Fails outside the constructor, and for empty data. A second call
/// replaces the data.
pub(super) fn set_immutable_data<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [pointer, len] = [low(args[0]), low(args[1])];
    let _ = host.charge(Cost::SetImmutableData(len))?;
    let refused = || too_long::<T>(Error::ImmutableDataTooLarge, "immutable data", len, limits::IMMUTABLE_BYTES);
    if len > limits::IMMUTABLE_BYTES {
        return Err(refused());
    }
    if host.stack.top().entry != EntryPoint::Deploy || len == 0 {
        return Err(Error::<T>::InvalidImmutableAccess.into());
    }
    let data = ImmutableData::try_from(host.read(pointer, len)?).map_err(|_| refused())?;
    host.stack.set_immutable_len(len);
    ImmutableDataOf::<T>::insert(host.stack.top().address, data);
    Ok(None)
}
