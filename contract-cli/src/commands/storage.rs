//! `storage`: a contract's storage value under a key.

use crate::{
    api::StorageAccessError,
    args::hex_bytes,
    chain::Chain,
    error::Error,
    output::{Report, progress},
};
use alloy_primitives::U256;
use serde_json::Value as Json;
use vm_core::limits::STORAGE_KEY_BYTES;

/// Parses a key: bytes in hex, or a decimal number, which is a slot of Solidity's.
pub fn key(text: &str) -> Result<Vec<u8>, Error> {
    // Sixty-four digits are a full key in hex, even if all are decimal digits.
    if !text.is_empty() && text.len() != 64 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let slot: U256 = text.parse().map_err(|_| Error::Usage(format!("the slot {text} has more than 256 bits")))?;
        return Ok(slot.to_be_bytes::<32>().to_vec());
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() % 2 == 1 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let reason = "a key in hex has two digits for each byte; a slot is a decimal number, such as 3";
        return Err(Error::Usage(format!("the key {text}: {reason}")));
    }
    hex_bytes(text).map_err(|error| Error::Usage(format!("the key {text}: {error}")))
}

/// Looks up a value; a missing one is not an error.
pub async fn storage(chain: &Chain, address: [u8; 20], key: &[u8], variable: bool) -> Result<Report, Error> {
    let found = chain.at_best(async |at| chain.storage(at, address, key, variable).await).await?;
    let report = Report::new("storage").with_hex("address", &address).with_hex("key", key);
    match found {
        Ok(Some(value)) => Ok(report.with_hex("value", &value)),
        Ok(None) => {
            if !key.is_empty() && key.len() < 32 {
                progress!(
                    "nothing is under this key of {} bytes; Solidity's slots are keys of 32, which a decimal number is \
                     padded to",
                    key.len()
                );
            }
            Ok(report.with("value", Json::Null))
        }
        Err(StorageAccessError::ContractNotFound) => {
            Err(Error::NotFound(format!("there is no contract at 0x{}", hex::encode(address))))
        }
        Err(StorageAccessError::KeyTooLarge) => {
            Err(Error::NotFound(format!("a key has at most {STORAGE_KEY_BYTES} bytes, this one has {}", key.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_is_a_slot_and_hex_is_the_key_itself() {
        let mut slot = vec![0; 32];
        slot[31] = 3;
        assert_eq!(key("3").unwrap(), slot);
        assert_eq!(key(&format!("0x{}", hex::encode(&slot))).unwrap(), slot);
        assert_eq!(key("0x62616c").unwrap(), b"bal");
        assert_eq!(key("0x").unwrap(), b"");
        assert!(key("0x0").unwrap_err().to_string().contains("two digits for each byte"));
        assert!(key("0xzz").unwrap_err().to_string().contains("not hex"));
        assert!(key(&"9".repeat(80)).is_err());
        assert_eq!(key(&"11".repeat(32)).unwrap(), [0x11; 32]);
    }
}
