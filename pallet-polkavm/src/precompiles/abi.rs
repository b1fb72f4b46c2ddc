//! The parts of Solidity's ABI that precompiles need: selectors, words, and byte strings.

use crate::{
    Config, Error,
    types::{Failure, Output},
};
use alloc::{format, vec, vec::Vec};
use pallet_revive_uapi::ReturnFlags;
use sp_core::{H160, U256};
use sp_io::hashing::keccak_256;

/// Length of a word in bytes.
pub const WORD: usize = 32;

/// Solidity's `Error(string)`.
const ERROR_SELECTOR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];

/// The selector of a function, from its signature.
pub fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak_256(signature.as_bytes());
    [a, b, c, d]
}

/// Encodes a number as a word.
pub fn uint(number: impl Into<U256>) -> Vec<u8> {
    number.into().to_big_endian().to_vec()
}

/// Encodes a byte string among return values: the offset, then length and padded bytes.
pub fn bytes(data: &[u8]) -> Vec<u8> {
    let mut encoded = uint(WORD as u64);
    encoded.extend(uint(data.len() as u64));
    encoded.extend_from_slice(data);
    encoded.resize(encoded.len().next_multiple_of(WORD), 0);
    encoded
}

/// Makes a revert with a reason, as Solidity's `revert("...")` does.
pub fn revert(reason: &str) -> Output {
    let mut data = ERROR_SELECTOR.to_vec();
    data.extend(bytes(reason.as_bytes()));
    Output { flags: ReturnFlags::REVERT, data }
}

/// The arguments of a call, after its selector.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    /// Splits call data into selector and arguments. `None` if there is no selector.
    pub fn split(input: &'a [u8]) -> Option<([u8; 4], Self)> {
        let (selector, rest) = input.split_first_chunk::<4>()?;
        Some((*selector, Self(rest)))
    }

    /// Returns the word at an index.
    ///
    /// # Errors
    ///
    /// [`Error::PrecompileFailed`] if the data ends before it.
    pub fn word<T: Config>(&self, index: usize) -> Result<[u8; WORD], Failure> {
        self.0.get(index * WORD..).and_then(|rest| rest.first_chunk()).copied().ok_or_else(|| {
            Failure::new::<T>(Error::PrecompileFailed, format!("argument word {index} is missing from the call data"))
        })
    }

    /// Decodes a number of at most 32 bits.
    ///
    /// # Errors
    ///
    /// [`Error::PrecompileFailed`] also if it is larger.
    pub fn uint32<T: Config>(&self, index: usize) -> Result<u32, Failure> {
        let number = U256::from_big_endian(&self.word::<T>(index)?);
        number.try_into().map_err(|_| too_large::<T>(index))
    }

    /// Decodes a boolean.
    ///
    /// # Errors
    ///
    /// As [`Self::uint32`].
    pub fn boolean<T: Config>(&self, index: usize) -> Result<bool, Failure> {
        match self.uint32::<T>(index)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(too_large::<T>(index)),
        }
    }

    /// Decodes an address.
    ///
    /// # Errors
    ///
    /// As [`Self::uint32`].
    pub fn address<T: Config>(&self, index: usize) -> Result<H160, Failure> {
        let word = self.word::<T>(index)?;
        let (zeros, address) = word.split_at(12);
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(too_large::<T>(index));
        }
        Ok(H160::from_slice(address))
    }

    /// Decodes `N` bytes that occupy a word each (`uint8[N]`).
    ///
    /// # Errors
    ///
    /// As [`Self::uint32`].
    pub fn byte_array<T: Config, const N: usize>(&self, index: usize) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        for (offset, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from(self.uint32::<T>(index + offset)?).map_err(|_| too_large::<T>(index + offset))?;
        }
        Ok(bytes)
    }

    /// Decodes a byte string, whose offset is at an index.
    ///
    /// # Errors
    ///
    /// As [`Self::uint32`]; also if the string is not inside the data.
    pub fn bytes<T: Config>(&self, index: usize) -> Result<&'a [u8], Failure> {
        let outside = || {
            Failure::new::<T>(
                Error::PrecompileFailed,
                format!("the bytes at argument {index} lead out of the call data"),
            )
        };
        let offset = self.uint32::<T>(index)? as usize;
        let tail = self.0.get(offset..).ok_or_else(outside)?;
        let len = Arguments(tail).uint32::<T>(0).map_err(|_| outside())? as usize;
        tail.get(WORD..).and_then(|data| data.get(..len)).ok_or_else(outside)
    }
}

fn too_large<T: Config>(index: usize) -> Failure {
    Failure::new::<T>(Error::PrecompileFailed, format!("argument word {index} is too large for its type"))
}

/// Encodes fixed bytes as return value: they come first in a word.
pub fn fixed(data: &[u8]) -> Vec<u8> {
    let mut word = vec![0; WORD];
    let len = data.len().min(WORD);
    word[..len].copy_from_slice(&data[..len]);
    word
}
