//! The contract that a command refers to: an address, or a name given by `deploy`.

use crate::abi;
use std::str::FromStr;

/// An address or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An address.
    Address([u8; 20]),
    /// A name in the folder of deployed contracts.
    Name(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(address) = abi::bytes(text) {
            return Ok(Self::Address(address));
        }
        // A mistyped address is not a name.
        let is_name = text.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && text.chars().all(|char| char.is_alphanumeric() || "_-.".contains(char));
        match is_name {
            true => Ok(Self::Name(text.into())),
            false => Err("an address is 20 bytes in hex, a name begins with a letter".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_address_is_no_name() {
        assert_eq!("Counter".parse(), Ok(Target::Name("Counter".into())));
        assert_eq!(format!("0x{}", "01".repeat(20)).parse(), Ok(Target::Address([1; 20])));
        for wrong in ["0x01", "", "//Bob", "../x", "01"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
