//! A contract's interface: the arguments and results of its messages, its events and its errors.
//!
//! Read from a file ([`Interface::read`]: a Solidity ABI, a compiler's artifact with one in it, or the metadata of an ink!
//! contract) or from a signature on the command line ([`call_data`]). Its inputs are text from a user and data chosen by
//! contracts; neither is trusted.

mod ink;
mod solidity;

pub(crate) use solidity::by_signature;
pub use solidity::{call_data, constructor_data};

use crate::error::Error;
use serde_json::Value as Json;
use std::{fs, io, path::Path};

/// Maximum length of an interface file, in bytes.
const FILE_LIMIT: u64 = 16 << 20;

/// A message or constructor that was found by name, with its arguments encoded.
#[derive(Debug)]
pub struct Encoded {
    /// The call data.
    pub data: Vec<u8>,
    /// The type of the result.
    pub returns: Returns,
}

/// The type of a message's result.
#[derive(Debug, Clone)]
pub enum Returns {
    /// Unknown.
    Unknown,
    /// The result of this function of a Solidity ABI.
    Solidity(Box<alloy_json_abi::Function>),
    /// Type of an ink! contract, by its number in the metadata.
    Ink(u32),
}

/// A contract's interface.
#[derive(Debug)]
pub enum Interface {
    /// Solidity's ABI.
    Solidity(Box<alloy_json_abi::JsonAbi>),
    /// ink! metadata.
    Ink(Box<ink::Metadata>),
}

impl Interface {
    /// Reads a file: JSON that is an ABI, has one under `abi`, or is an ink! contract's metadata.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none of these.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |reason: io::Error| Error::File { path: path.into(), reason };
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > FILE_LIMIT {
            return Err(Error::Usage(format!("{} has {length} bytes, the limit is {FILE_LIMIT}", path.display())));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|reason| Error::Usage(format!("{}: {reason}", path.display())))
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// The reason for which it is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        // ink!'s metadata has a specification and a registry of types.
        if json.get("spec").is_some() && json.get("types").is_some() {
            return ink::Metadata::parse(json).map(|metadata| Self::Ink(Box::new(metadata)));
        }
        let abi = match json.get("abi") {
            Some(abi) => abi.clone(),
            None => json,
        };
        if !abi.is_array() {
            return Err(
                "neither a Solidity ABI (a JSON list, or an object with one named `abi`) nor ink! metadata (an \
                        object with `spec` and `types`)"
                    .into(),
            );
        }
        let abi = serde_json::from_value(abi).map_err(|error| format!("no Solidity ABI: {error}"))?;
        Ok(Self::Solidity(Box::new(abi)))
    }

    /// Encodes a call of a message, named as in the interface; in Solidity also by its whole signature, which tells
    /// functions of the same name apart.
    ///
    /// # Errors
    ///
    /// When there is no such message, with those that there are; or the arguments do not fit.
    pub fn message(&self, name: &str, arguments: &[String]) -> Result<Encoded, Error> {
        match self {
            Self::Solidity(abi) => solidity::message(abi, name, arguments),
            Self::Ink(metadata) => metadata.message(name, arguments),
        }
    }

    /// Encodes the call of a constructor: Solidity's only one, or ink!'s of this name, which may be left out if there is
    /// one alone.
    ///
    /// # Errors
    ///
    /// As [`Interface::message`].
    pub fn constructor(&self, name: Option<&str>, arguments: &[String]) -> Result<Encoded, Error> {
        match self {
            Self::Solidity(abi) => solidity::constructor(abi, name, arguments),
            Self::Ink(metadata) => metadata.constructor(name, arguments),
        }
    }

    /// Decodes call data: the message and its arguments; `None` if it is no call of this contract.
    pub fn call(&self, data: &[u8]) -> Option<Json> {
        match self {
            Self::Solidity(abi) => solidity::call(abi, data),
            Self::Ink(metadata) => metadata.call(data),
        }
    }

    /// Decodes the result of the message of this name; `None` if the data does not fit.
    ///
    /// # Errors
    ///
    /// When there is no such message.
    pub fn result(&self, message: &str, data: &[u8]) -> Result<Option<Json>, Error> {
        match self {
            Self::Solidity(abi) => Ok(solidity::output(solidity::find(abi, message)?, data)),
            Self::Ink(metadata) => metadata.result(message, data),
        }
    }

    /// Decodes an event; `None` if it is none of this contract's.
    pub fn event(&self, topics: &[[u8; 32]], data: &[u8]) -> Option<Json> {
        match self {
            Self::Solidity(abi) => solidity::event(abi, topics, data),
            Self::Ink(metadata) => metadata.event(topics, data),
        }
    }

    /// Decodes an error that the contract reverted with; `None` if it is none of this contract's.
    pub fn error(&self, data: &[u8]) -> Option<Json> {
        match self {
            Self::Solidity(abi) => solidity::error(abi, data),
            // ink! returns errors as values.
            Self::Ink(_) => None,
        }
    }
}

/// A decoder of a contract's results, events and errors, as far as their types are known.
#[derive(Debug)]
pub struct Reader {
    interface: Option<Interface>,
    returns: Returns,
}

impl Reader {
    /// A reader with an interface, if there is one, and the type of the message's result.
    pub fn new(interface: Option<Interface>, returns: Returns) -> Self {
        Self { interface, returns }
    }

    /// Decodes a result; `None` if the data does not fit.
    pub fn output(&self, data: &[u8]) -> Option<Json> {
        match (&self.returns, &self.interface) {
            (Returns::Solidity(function), _) => solidity::output(function, data),
            (Returns::Ink(id), Some(Interface::Ink(metadata))) => metadata.value(*id, data),
            _ => None,
        }
    }

    /// Decodes an event; `None` if it is none of this contract's.
    pub fn event(&self, topics: &[[u8; 32]], data: &[u8]) -> Option<Json> {
        self.interface.as_ref()?.event(topics, data)
    }

    /// Decodes an error that the contract reverted with; `None` if it is none of this contract's.
    pub fn error(&self, data: &[u8]) -> Option<Json> {
        let error = self.interface.as_ref()?.error(data);
        // A message of ink! that returns an `Err` reverts with just that.
        error.or_else(|| matches!(self.returns, Returns::Ink(_)).then(|| self.output(data))?)
    }
}

/// Exactly `N` bytes in hex, with or without `0x`.
pub fn bytes<const N: usize>(argument: &str) -> Option<[u8; N]> {
    hex::decode(argument.strip_prefix("0x").unwrap_or(argument)).ok()?.try_into().ok()
}
