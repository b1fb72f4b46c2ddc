//! A contract's interface: the arguments and results of its messages, its events and its errors.
//!
//! Read from a file ([`Interface::read`]: a Solidity ABI, a compiler's artifact with one in it, or the metadata of an ink!
//! contract) or from a signature on the command line ([`call_data`]). Its inputs are text from a user and data chosen by
//! contracts; neither is trusted.

mod ink;
pub mod revert;
mod solidity;

pub(crate) use solidity::by_signature;
pub use solidity::{call_data, constructor_data};

use crate::{error::Error, money::Units, output::progress, plain};
use serde_json::{Map, Value as Json, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Maximum length of an interface file, in bytes.
const FILE_LIMIT: u64 = 16 << 20;

/// A call of a message or constructor, found by name, with its arguments encoded.
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
    /// The result of an ink! message, by the number of its type in the metadata.
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
    /// Reads an interface file: JSON that is an ABI, has one under `abi`, or is an ink! contract's metadata.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is none of these.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |reason: io::Error| Error::File { path: path.into(), reason };
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > FILE_LIMIT {
            return Err(Error::Usage(format!("{} has {length} bytes, the limit is {FILE_LIMIT}", path.display())));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|reason| Error::Usage(format!("{}: {reason}", path.display())))
    }

    /// Parses the text of such a file.
    ///
    /// # Errors
    ///
    /// The reason why it is none of these.
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
        let abi = serde_json::from_value(complete(abi)).map_err(|error| format!("no Solidity ABI: {error}"))?;
        Ok(Self::Solidity(Box::new(abi)))
    }

    /// Reads all interfaces at some paths: a folder stands for its files that end with `.json` or `.abi`.
    ///
    /// # Errors
    ///
    /// If a path or an `.abi` file cannot be read or is not an interface, or there are none.
    pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        for path in paths {
            if !path.is_dir() {
                all.push(Self::read(path)?);
                continue;
            }
            let before = all.len();
            for file in files(path)? {
                match Self::read(&file) {
                    Ok(interface) => all.push(interface),
                    // Compilers write other JSON files to the same folder.
                    Err(Error::Usage(_)) if file.extension().is_some_and(|it| it == "json") => {
                        progress!("{} is no interface", file.display());
                    }
                    Err(error) => return Err(error),
                }
            }
            if all.len() == before {
                let reason = "no .abi or .json file with a contract's interface is in this folder";
                return Err(Error::Usage(format!("{}: {reason}", path.display())));
            }
        }
        Ok(all)
    }

    /// Returns the messages, as they are named on the command line.
    pub fn messages(&self) -> Vec<String> {
        match self {
            Self::Solidity(abi) => solidity::messages(abi),
            Self::Ink(metadata) => metadata.messages(),
        }
    }

    /// Encodes a call of a message, named as in the interface; in Solidity also by its full signature, which
    /// distinguishes functions of the same name.
    ///
    /// # Errors
    ///
    /// If there is no such message, with the list of messages; or if the arguments do not fit.
    pub fn message(&self, name: &str, arguments: &[String], units: Units<'_>) -> Result<Encoded, Error> {
        match self {
            Self::Solidity(abi) => solidity::message(abi, name, arguments, units),
            Self::Ink(metadata) => metadata.message(name, arguments),
        }
    }

    /// Encodes the call of a constructor: Solidity's only one, or ink!'s with this name, which may be omitted if there
    /// is only one.
    ///
    /// # Errors
    ///
    /// As [`Interface::message`].
    pub fn constructor(&self, name: Option<&str>, arguments: &[String], units: Units<'_>) -> Result<Encoded, Error> {
        match self {
            Self::Solidity(abi) => solidity::constructor(abi, name, arguments, units),
            Self::Ink(metadata) => metadata.constructor(name, arguments),
        }
    }

    /// Decodes call data to the message and its arguments; `None` if it is not a call of this contract.
    pub fn call(&self, data: &[u8]) -> Option<Json> {
        match self {
            Self::Solidity(abi) => solidity::call(abi, data),
            Self::Ink(metadata) => metadata.call(data),
        }
    }

    /// Decodes the result of the message with this name; `None` if the data does not fit.
    ///
    /// # Errors
    ///
    /// If there is no such message.
    pub fn result(&self, message: &str, data: &[u8]) -> Result<Option<Json>, Error> {
        match self {
            Self::Solidity(abi) => Ok(solidity::output(solidity::find(abi, message)?, data).map(|it| it.json)),
            Self::Ink(metadata) => metadata.result(message, data),
        }
    }

    /// Decodes the result of the call with this data; `None` if it is not a call of this contract, or has no result.
    pub fn result_of(&self, input: &[u8], data: &[u8]) -> Option<Decoded> {
        match self {
            Self::Solidity(abi) => {
                solidity::output(solidity::called(abi, input).filter(|function| !function.outputs.is_empty())?, data)
            }
            Self::Ink(metadata) => metadata.result_of(input, data).map(Decoded::of),
        }
    }

    /// Decodes the data of a constructor; `None` if it does not fit.
    pub fn construction(&self, data: &[u8]) -> Option<Json> {
        match self {
            Self::Solidity(abi) => solidity::construction(abi, data),
            Self::Ink(metadata) => metadata.call(data),
        }
    }

    /// Decodes an event; `None` if it is not one of this contract's.
    pub fn event(&self, topics: &[[u8; 32]], data: &[u8]) -> Option<Json> {
        match self {
            Self::Solidity(abi) => solidity::event(abi, topics, data),
            Self::Ink(metadata) => metadata.event(topics, data),
        }
    }

    /// Decodes an error with which the contract reverted; `None` if it is not one of this contract's.
    pub fn error(&self, data: &[u8]) -> Option<Json> {
        match self {
            Self::Solidity(abi) => solidity::error(abi, data),
            // ink! returns errors as values.
            Self::Ink(_) => None,
        }
    }
}

/// A decoded value, for programs and as a line of text for people.
#[derive(Debug)]
pub struct Decoded {
    /// For programs.
    pub json: Json,
    /// For people.
    pub text: String,
}

impl Decoded {
    /// Makes a value whose text follows from its JSON.
    pub fn of(json: Json) -> Self {
        Self { text: plain::text(&json), json }
    }

    /// Combines named values in the declared order, which a JSON object does not keep.
    fn named(values: Vec<(String, Self)>) -> Self {
        let text = line(&values);
        let json: Map<String, Json> = values.into_iter().map(|(name, value)| (name, value.json)).collect();
        Self { json: Json::Object(json), text }
    }
}

/// Formats values with their names, in order. A name that is only a position is left out.
fn line(values: &[(String, Decoded)]) -> String {
    let shown = |(name, value): &(String, Decoded)| match name.starts_with(|first: char| first.is_ascii_digit()) {
        true => value.text.clone(),
        false => format!("{name}: {}", value.text),
    };
    values.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Describes a decoded call, event or error: its signature and arguments, and `text` with the arguments in the declared
/// order.
fn described(kind: &str, signature: &str, arguments: Vec<(String, Decoded)>) -> Json {
    let name = signature.split('(').next().unwrap_or(signature);
    let Decoded { json, text } = Decoded::named(arguments);
    json!({ kind: signature, "arguments": json, "text": format!("{name}({text})") })
}

/// Returns the name of a parameter, or its position, as names are optional in Solidity.
fn name_of(name: &str, position: usize) -> String {
    if name.is_empty() { position.to_string() } else { name.to_owned() }
}

/// Adds the fields of a Solidity ABI that some compilers omit, with their default values.
fn complete(mut abi: Json) -> Json {
    for item in abi.as_array_mut().into_iter().flatten().filter_map(Json::as_object_mut) {
        let kind = item.get("type").and_then(Json::as_str).unwrap_or("function").to_owned();
        let defaults: &[(&str, Json)] = match kind.as_str() {
            "event" => &[("anonymous", json!(false)), ("inputs", json!([]))],
            "function" => &[
                ("type", json!("function")),
                ("inputs", json!([])),
                ("outputs", json!([])),
                ("stateMutability", json!("nonpayable")),
            ],
            "constructor" => &[("inputs", json!([])), ("stateMutability", json!("nonpayable"))],
            "error" => &[("inputs", json!([]))],
            _ => &[],
        };
        for (name, value) in defaults {
            item.entry(*name).or_insert_with(|| value.clone());
        }
        let is_event = kind == "event";
        for input in item.get_mut("inputs").and_then(Json::as_array_mut).into_iter().flatten() {
            let Some(input) = input.as_object_mut() else { continue };
            input.entry("name").or_insert_with(|| json!(""));
            if is_event {
                input.entry("indexed").or_insert_with(|| json!(false));
            }
        }
    }
    abi
}

/// Returns the files in a folder that may be interfaces, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |reason: io::Error| Error::File { path: folder.into(), reason };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "json" || extension == "abi") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Decoder of results, events and errors whose types are known.
#[derive(Debug)]
pub struct Reader {
    /// The interfaces: that of the called contract first, then those of others.
    interfaces: Vec<Interface>,
    returns: Returns,
}

impl Reader {
    /// Makes a decoder from the known interfaces, and the type of the message's result.
    pub fn new(interfaces: Vec<Interface>, returns: Returns) -> Self {
        Self { interfaces, returns }
    }

    /// Adds interfaces of other contracts.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or is not an interface.
    pub fn add(&mut self, files: &[PathBuf]) -> Result<(), Error> {
        self.interfaces.extend(Interface::read_all(files)?);
        Ok(())
    }

    /// Decodes a result; `None` if the data does not fit.
    pub fn output(&self, data: &[u8]) -> Option<Decoded> {
        match (&self.returns, self.interfaces.first()) {
            (Returns::Solidity(function), _) => solidity::output(function, data),
            (Returns::Ink(id), Some(Interface::Ink(metadata))) => metadata.value(*id, data).map(Decoded::of),
            _ => None,
        }
    }

    /// Decodes the data of a call to any of the contracts.
    pub fn call(&self, data: &[u8]) -> Option<Json> {
        self.interfaces.iter().find_map(|interface| interface.call(data))
    }

    /// Decodes the data of a constructor: that of the first interface, as nothing distinguishes constructors.
    pub fn construction(&self, data: &[u8]) -> Option<Json> {
        self.interfaces.first()?.construction(data)
    }

    /// Decodes the result of a call to any of the contracts.
    pub fn result_of(&self, input: &[u8], data: &[u8]) -> Option<Decoded> {
        self.interfaces.iter().find_map(|interface| interface.result_of(input, data))
    }

    /// Decodes an event; `None` if it is not one of these contracts'.
    pub fn event(&self, topics: &[[u8; 32]], data: &[u8]) -> Option<Json> {
        self.interfaces.iter().find_map(|interface| interface.event(topics, data))
    }

    /// Decodes an error with which a contract reverted: one of these contracts', or one that all Solidity contracts
    /// have.
    pub fn error(&self, data: &[u8]) -> Option<Json> {
        let error = self.interfaces.iter().find_map(|interface| interface.error(data));
        // An ink! message that returns an `Err` reverts with exactly this data.
        let returned = || matches!(self.returns, Returns::Ink(_)).then(|| Some(self.output(data)?.json))?;
        error.or_else(returned).or_else(|| revert::decoded(data))
    }
}

/// Parses exactly `N` bytes in hex, with or without `0x`.
pub fn bytes<const N: usize>(argument: &str) -> Option<[u8; N]> {
    hex::decode(argument.strip_prefix("0x").unwrap_or(argument)).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_a_compiler_leaves_out_have_the_values_that_this_means() {
        let text = r#"[
            { "type": "event", "name": "Moved", "inputs": [{ "name": "by", "type": "uint256" }] },
            { "name": "move", "inputs": [{ "type": "uint256" }] },
            { "type": "constructor" },
            { "type": "error", "name": "Stuck" }
        ]"#;
        let interface = Interface::parse(text).unwrap();
        assert_eq!(interface.messages(), ["move(uint256)"]);
        let topic = sp_crypto_hashing::keccak_256(b"Moved(uint256)");
        assert_eq!(interface.event(&[topic], &[0; 32]).unwrap()["text"], "Moved(by: 0)");
        let stuck = sp_crypto_hashing::keccak_256(b"Stuck()");
        assert_eq!(interface.error(&stuck[..4]).unwrap()["text"], "Stuck()");
    }

    #[test]
    fn a_folder_stands_for_the_interfaces_in_it() {
        let folder = std::env::temp_dir().join(format!("pvm-contract-abi-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write("notes.txt", "no interface");
        let none = Interface::read_all(std::slice::from_ref(&folder)).unwrap_err().to_string();
        assert!(none.contains("no .abi or .json file"), "{none}");
        write("A.abi", r#"[{ "type": "function", "name": "a" }]"#);
        write("B.json", r#"{ "abi": [{ "type": "error", "name": "Bad" }] }"#);
        write("other.json", "{}");
        let all = Interface::read_all(std::slice::from_ref(&folder)).unwrap();
        assert_eq!(all.len(), 2);
        let reader = Reader::new(all, Returns::Unknown);
        let bad = sp_crypto_hashing::keccak_256(b"Bad()");
        assert_eq!(reader.error(&bad[..4]).unwrap()["text"], "Bad()");
        assert!(reader.call(&sp_crypto_hashing::keccak_256(b"a()")[..4]).is_some());
        write("broken.abi", "{}");
        assert!(Interface::read_all(std::slice::from_ref(&folder)).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
