//! Solidity's ABI, as much of it as contracts with fixed-size arguments need.
//!
//! Used by the contracts to read call data ([`Arguments`]) and to write what they return ([`Reply`], [`Revert`]).
//! Layout: a function call is a four-byte selector, then one 32-byte word for each argument; a constructor call has no
//! selector. Like Solidity's own decoder it refuses words with stray bits (an address above 160 bits, a bool above 1)
//! and call data that is too short, and accepts anything after the last argument.

use core::fmt;

use crate::{Address, Selector, U256, Word, hash::selector};

/// Length in bytes of the selector before a function's arguments.
pub const SELECTOR_LEN: usize = 4;
/// Length in bytes of one argument.
pub const WORD_LEN: usize = 32;

/// Error of decoding call data. A contract answers it with an empty revert, as Solidity's decoder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AbiError {
    /// The call data ends before the argument does.
    TooShort {
        /// Bytes needed to hold all arguments up to this one.
        needed: usize,
        /// Bytes available.
        actual: usize,
    },
    /// An address whose upper 12 bytes are not zero.
    AddressOutOfRange {
        /// Index of the argument, from 0.
        index: usize,
    },
    /// A bool that is neither 0 nor 1.
    BoolOutOfRange {
        /// Index of the argument, from 0.
        index: usize,
    },
}

impl fmt::Display for AbiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { needed, actual } => {
                write!(f, "arguments need {needed} bytes, the call data has {actual}")
            }
            Self::AddressOutOfRange { index } => {
                write!(f, "argument {index} is no address: it has more than 160 bits")
            }
            Self::BoolOutOfRange { index } => {
                write!(f, "argument {index} is no bool: it is neither 0 nor 1")
            }
        }
    }
}

impl core::error::Error for AbiError {}

/// The arguments of a call, one word each, still encoded.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a> {
    words: &'a [u8],
}

impl<'a> Arguments<'a> {
    /// The arguments of a constructor: the whole call data.
    pub const fn of_constructor(call_data: &'a [u8]) -> Self {
        Self { words: call_data }
    }

    /// Splits a function call into selector and arguments; `None` when it is shorter than a selector.
    pub fn of_call(call_data: &'a [u8]) -> Option<(Selector, Self)> {
        let (selector, words) = call_data.split_first_chunk()?;
        Some((Selector::from_be_bytes(*selector), Self { words }))
    }

    /// True if there is no argument data.
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Returns the word of the argument at `index`, from 0, undecoded.
    pub fn word(&self, index: usize) -> Result<&'a Word, AbiError> {
        // Saturates instead of wrapping; contracts pass constants here.
        let start = index.saturating_mul(WORD_LEN);
        self.words
            .get(start..)
            .and_then(<[u8]>::first_chunk)
            .ok_or(AbiError::TooShort { needed: start.saturating_add(WORD_LEN), actual: self.words.len() })
    }

    /// Decodes the argument at `index` as a `uint256`.
    pub fn uint256(&self, index: usize) -> Result<U256, AbiError> {
        self.word(index).map(|word| U256::from_be_bytes(*word))
    }

    /// Decodes the argument at `index` as an `address`.
    pub fn address(&self, index: usize) -> Result<Address, AbiError> {
        let word = self.word(index)?;
        match word.split_last_chunk() {
            Some((padding, address)) if padding.iter().all(|byte| *byte == 0) => Ok(*address),
            _ => Err(AbiError::AddressOutOfRange { index }),
        }
    }

    /// Decodes the argument at `index` as a `bool`.
    pub fn boolean(&self, index: usize) -> Result<bool, AbiError> {
        let value = self.uint256(index)?;
        if value > U256::ONE {
            return Err(AbiError::BoolOutOfRange { index });
        }
        Ok(!value.is_zero())
    }
}

/// Encodes a `uint256` as a word.
pub const fn encode_uint256(value: U256) -> Word {
    value.to_be_bytes()
}

/// Encodes a small number as a word.
pub const fn encode_u8(value: u8) -> Word {
    let mut word = [0; WORD_LEN];
    word[WORD_LEN - 1] = value;
    word
}

/// Encodes a `bool` as a word.
pub const fn encode_bool(value: bool) -> Word {
    encode_u8(value as u8)
}

/// Encodes an `address` as a word.
pub fn encode_address(address: &Address) -> Word {
    let mut word = [0; WORD_LEN];
    word[WORD_LEN - address.len()..].copy_from_slice(address);
    word
}

/// A text of at most 32 bytes, so that its encoding has a fixed size. Too long a text does not compile when the
/// value is a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortText(&'static str);

impl ShortText {
    /// Wraps `text`.
    ///
    /// # Panics
    /// If it is longer than 32 bytes. Use it in constants.
    pub const fn new(text: &'static str) -> Self {
        assert!(text.len() <= WORD_LEN, "a ShortText has at most 32 bytes");
        Self(text)
    }

    /// Encodes the text as a dynamic `string` that is the only result: its offset, its length, and its bytes padded to a
    /// word. An empty text has no third word.
    fn encode(self, buffer: &mut Encoded) {
        buffer.push(&encode_u8(WORD_LEN as u8));
        // At most 32, see `new`.
        buffer.push(&encode_u8(self.0.len() as u8));
        if !self.0.is_empty() {
            let mut padded = [0; WORD_LEN];
            padded[..self.0.len()].copy_from_slice(self.0.as_bytes());
            buffer.push(&padded);
        }
    }
}

/// Result of a function that succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// No data.
    Empty,
    /// A value of fixed size.
    Word(Word),
    /// A `string`.
    Text(ShortText),
}

/// Result of a function that fails, returned with the revert flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revert {
    /// No data: invalid call data, an unknown selector, or value sent to a function that takes none.
    Empty,
    /// `Error(string)`, as Solidity's `require` gives it.
    Reason(ShortText),
    /// `Panic(uint256)`, as Solidity gives it for a broken rule of the language; the code says which.
    Panic(u8),
}

impl Revert {
    /// `Panic(0x11)`: an arithmetic operation overflowed.
    pub const OVERFLOW: Self = Self::Panic(0x11);
}

impl From<AbiError> for Revert {
    fn from(_: AbiError) -> Self {
        Self::Empty
    }
}

const ERROR: Selector = selector("Error(string)");
const PANIC: Selector = selector("Panic(uint256)");

/// Maximum length of a reply or a revert: a selector and three words.
const ENCODED_MAX: usize = SELECTOR_LEN + 3 * WORD_LEN;

/// An encoded [`Reply`] or [`Revert`].
#[derive(Debug, Clone, Copy)]
pub struct Encoded {
    bytes: [u8; ENCODED_MAX],
    len: usize,
}

impl Default for Encoded {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoded {
    /// Creates an empty encoder.
    pub const fn new() -> Self {
        Self { bytes: [0; ENCODED_MAX], len: 0 }
    }

    /// Appends `data`; [`ENCODED_MAX`] is the maximum that the callers in this file append in total.
    fn push(&mut self, data: &[u8]) {
        let end = self.len + data.len();
        self.bytes[self.len..end].copy_from_slice(data);
        self.len = end;
    }

    /// The bytes to return to the caller.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Reply {
    /// Writes its encoding into `buffer`, which must be empty.
    pub fn encode(&self, buffer: &mut Encoded) {
        match self {
            Self::Empty => {}
            Self::Word(word) => buffer.push(word),
            Self::Text(text) => text.encode(buffer),
        }
    }
}

impl Revert {
    /// Writes its encoding into `buffer`, which must be empty.
    pub fn encode(&self, buffer: &mut Encoded) {
        match self {
            Self::Empty => {}
            Self::Reason(text) => {
                buffer.push(&ERROR.to_be_bytes());
                text.encode(buffer);
            }
            Self::Panic(code) => {
                buffer.push(&PANIC.to_be_bytes());
                buffer.push(&encode_u8(*code));
            }
        }
    }
}

#[cfg(test)]
mod tests;
