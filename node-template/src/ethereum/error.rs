//! RPC errors: numbers and words are those of Ethereum's nodes, as clients search for them.

use jsonrpsee::types::{ErrorObjectOwned, error::INVALID_PARAMS_CODE};
use pallet_polkavm::runtime_api::FailureV1;
use sp_core::Bytes;
use std::fmt::Display;

/// The code of a request that the node can't serve.
const SERVER_ERROR: i32 = -32000;
/// The code of a request that asks for more than a limit allows (EIP-1474).
const LIMIT_EXCEEDED: i32 = -32005;
/// The code of a call that reverted.
const REVERTED: i32 = 3;

/// Longest part of an error's data that is in its text, too.
const REASON_LEN: usize = 1024;

/// A request that can't be served, for a reason of the chain's or the transaction's.
pub fn server(message: impl Display) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(SERVER_ERROR, message.to_string(), None::<()>)
}

/// A request that makes no sense.
pub fn invalid(message: impl Display) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_PARAMS_CODE, message.to_string(), None::<()>)
}

/// A request that asks for too much.
pub fn limit(message: impl Display) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(LIMIT_EXCEEDED, message.to_string(), None::<()>)
}

/// A call that reverted, with what it gave back.
pub fn reverted(data: Vec<u8>) -> ErrorObjectOwned {
    let message = match reason(&data) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".into(),
    };
    ErrorObjectOwned::owned(REVERTED, message, Some(Bytes(data)))
}

/// A call that failed otherwise: it trapped, it used up its gas, it could not pay.
pub fn failed(failure: &FailureV1) -> ErrorObjectOwned {
    server(match failure.detail.as_str() {
        "" => format!("execution failed: {}", name(&failure.error)),
        // Refusals have the words of Ethereum's nodes already.
        detail if detail.starts_with("intrinsic gas too low") => detail.into(),
        detail => format!("execution failed: {}: {detail}", name(&failure.error)),
    })
}

/// The name of an error, where it is the pallet's own.
fn name(error: &sp_runtime::DispatchError) -> String {
    let sp_runtime::DispatchError::Module(module) = error else { return format!("{error:?}") };
    let mut code = &module.error[..];
    let own = usize::from(module.index) == POLKAVM_INDEX;
    match <pallet_polkavm::Error<runtime::Runtime> as codec::Decode>::decode(&mut code) {
        Ok(error) if own => format!("{error:?}"),
        _ => format!("{module:?}"),
    }
}

/// The pallet's index in the runtime.
const POLKAVM_INDEX: usize = 7;

/// The text of Solidity's `Error(string)`.
fn reason(data: &[u8]) -> Option<String> {
    const SELECTOR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
    let rest = data.strip_prefix(&SELECTOR)?;
    let length: [u8; 8] = rest.get(56..64)?.try_into().ok()?;
    let length = usize::try_from(u64::from_be_bytes(length)).ok()?.min(REASON_LEN);
    let text = rest.get(64..64_usize.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_out_of_a_revert_and_nothing_out_of_other_data() {
        let mut data = vec![0x08, 0xc3, 0x79, 0xa0];
        data.extend([0; 31]);
        data.push(0x20);
        data.extend([0; 31]);
        data.push(4);
        data.extend(b"nope");
        assert_eq!(reason(&data), Some("nope".into()));
        assert_eq!(reverted(data.clone()).message(), "execution reverted: nope");
        assert_eq!(reverted(data.clone()).code(), 3);
        for length in 0..data.len() {
            assert_eq!(reason(&data[..length]), None, "{length} bytes");
        }
        data[60..68].fill(0xff);
        assert_eq!(reason(&data), None, "a length beyond the data");
    }
}
