//! The data a contract was called with: `call_data_size`, `call_data_copy`, `call_data_load`.

use super::{Args, Host, HostResult, low};
use crate::{Config, Error, metering::cost::Cost};
use alloc::vec::Vec;

/// `call_data_size() -> u64`: the length of the call data; zero after it was forwarded.
pub(super) fn call_data_size<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    let len = host.stack.top().input.as_ref().map_or(0, Vec::len);
    Ok(Some(len as u64))
}

/// `call_data_copy(out_ptr, out_len, offset)`: fills the whole buffer with the call data from `offset` on, and with
/// zeros after its end.
pub(super) fn call_data_copy<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [out_ptr, out_len, offset] = [low(args[0]), low(args[1]), low(args[2])];
    let _ = host.charge(Cost::CopyIn(out_len))?;
    let data = {
        let input = host.stack.top().input.as_ref().ok_or(Error::<T>::InputForwarded)?;
        let from = (offset as usize).min(input.len());
        let to = from.saturating_add(out_len as usize).min(input.len());
        input[from..to].to_vec()
    };
    let copied = data.len() as u32;
    host.write(out_ptr, &data)?;
    if copied < out_len {
        host.zero(out_ptr.saturating_add(copied), out_len - copied)?;
    }
    Ok(None)
}

/// `call_data_load(out_ptr, offset)`: the 32 bytes of call data at `offset`, read as a big-endian number (with zeros
/// after the end of the data) and written least significant byte first.
pub(super) fn call_data_load<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [out_ptr, offset] = [low(args[0]), low(args[1])];
    let _ = host.charge(Cost::CopyIn(32))?;
    let mut word = [0; 32];
    {
        let input = host.stack.top().input.as_ref().ok_or(Error::<T>::InputForwarded)?;
        let data = input.get(offset as usize..).unwrap_or_default();
        let len = data.len().min(word.len());
        word[..len].copy_from_slice(&data[..len]);
    }
    word.reverse();
    host.write(out_ptr, &word)?;
    Ok(None)
}
