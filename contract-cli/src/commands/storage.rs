//! `storage`: a contract's storage value under a key.

use crate::{api::StorageAccessError, chain::Chain, error::Error, output::Report};
use serde_json::Value as Json;
use vm_core::limits::STORAGE_KEY_BYTES;

/// Looks up a value; there being none is no error.
pub async fn storage(chain: &Chain, address: [u8; 20], key: &[u8], variable: bool) -> Result<Report, Error> {
    let found = chain.at_best(async |at| chain.storage(at, address, key, variable).await).await?;
    let report = Report::new("storage").with_hex("address", &address).with_hex("key", key);
    match found {
        Ok(Some(value)) => Ok(report.with_hex("value", &value)),
        Ok(None) => Ok(report.with("value", Json::Null)),
        Err(StorageAccessError::ContractNotFound) => {
            Err(Error::NotFound(format!("there is no contract at 0x{}", hex::encode(address))))
        }
        Err(StorageAccessError::KeyTooLarge) => {
            Err(Error::NotFound(format!("a key has at most {STORAGE_KEY_BYTES} bytes, this one has {}", key.len())))
        }
    }
}
