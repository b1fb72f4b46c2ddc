//! Output of a contract and of its last call: `seal_return`, `return_data_size`, `return_data_copy`.

use super::{Args, Halt, Host, HostResult, low};
use crate::{Config, Error, limits, metering::cost::Cost};
use alloc::format;

/// `seal_return(flags, data_ptr, data_len)`: ends the contract with these flags and this data.
///
/// Flags are those of [`pallet_revive_uapi::ReturnFlags`]; any other bit fails the contract with
/// [`Error::InvalidReturnFlags`].
pub(super) fn seal_return<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [flags, data_ptr, data_len] = [low(args[0]), low(args[1]), low(args[2])];
    let _ = host.charge(Cost::CopyOut(data_len))?;
    if data_len > limits::CALLDATA_BYTES {
        return Err(Halt::failed::<T>(
            Error::ReturnDataTooLarge,
            format!("the contract returns {data_len} bytes, the limit is {}", limits::CALLDATA_BYTES),
        ));
    }
    let data = host.read(data_ptr, data_len)?;
    Err(Halt::Return { flags, data })
}

/// `return_data_size() -> u64`: the length of the output of the latest call.
pub(super) fn return_data_size<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    let _ = host.charge(Cost::Basic)?;
    Ok(Some(host.stack.top().last_output.data.len() as u64))
}

/// `return_data_copy(out_ptr, out_len_ptr, offset)`: the output of the latest call from `offset` on, as much as fits.
/// An offset behind the end fails the contract.
pub(super) fn return_data_copy<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [out_ptr, out_len_ptr, offset] = [low(args[0]), low(args[1]), low(args[2])];
    let _ = host.charge(Cost::Basic)?;
    let output = core::mem::take(&mut host.stack.top_mut().last_output);
    let result = match output.data.get(offset as usize..) {
        Some(rest) => host.write_buffer(out_ptr, out_len_ptr, rest, false, |host, len| {
            let _ = host.charge(Cost::CopyIn(len))?;
            Ok(())
        }),
        None => Err(Halt::failed::<T>(
            Error::OutOfBounds,
            format!("return_data_copy from offset {offset}, the data has {} bytes", output.data.len()),
        )),
    };
    host.stack.top_mut().last_output = output;
    result.map(|()| None)
}
