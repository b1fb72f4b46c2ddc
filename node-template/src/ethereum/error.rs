//! RPC errors: numbers and words are those of Ethereum's nodes, as clients search for them.

use alloy_sol_types::{Panic, Revert, SolError};
use frame_support::traits::PalletInfoAccess;
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

/// Maximum length of a reason in an error's text, in characters.
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
    let own = usize::from(module.index) == <runtime::Polkavm as PalletInfoAccess>::index();
    match <pallet_polkavm::Error<runtime::Runtime> as codec::Decode>::decode(&mut code) {
        Ok(error) if own => format!("{error:?}"),
        _ => format!("{module:?}"),
    }
}

/// The reason in a revert's data, in the words of Ethereum's nodes: the text of Solidity's `Error(string)`, or what its
/// `Panic(uint256)` stands for. `None` for other data.
pub fn reason(data: &[u8]) -> Option<String> {
    if let Ok(revert) = Revert::abi_decode(data) {
        return Some(revert.reason.chars().take(REASON_LEN).collect());
    }
    let panic = Panic::abi_decode(data).ok()?;
    Some(panic.as_geth_str().into_owned())
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
        data.extend([0; 28]);
        assert_eq!(reason(&data), Some("nope".into()));
        assert_eq!(reverted(data.clone()).message(), "execution reverted: nope");
        assert_eq!(reverted(data.clone()).code(), 3);
        for length in 0..data.len() - 28 {
            assert_eq!(reason(&data[..length]), None, "{length} bytes");
        }
        data[60..68].fill(0xff);
        assert_eq!(reason(&data), None, "a length beyond the data");
        let mut panic = vec![0x4e, 0x48, 0x7b, 0x71];
        panic.extend([0; 31]);
        panic.push(0x11);
        assert_eq!(reverted(panic).message(), "execution reverted: arithmetic underflow or overflow");
    }
}
