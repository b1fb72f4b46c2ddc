//! Access of host functions to the contract's memory.
//!
//! Used by the other files of this folder. All addresses and lengths come from the contract. A range that isn't
//! entirely in its memory ends the contract with [`Error::OutOfBounds`]; an impossible length is refused before
//! anything is allocated for it. An empty range is valid at any address: compilers give empty slices dangling pointers.

use super::{Halt, Host, SENTINEL};
use crate::{Config, Error, executor::GuestInstance, executor::OutOfBounds, limits};
use alloc::{format, vec, vec::Vec};
use sp_core::{H160, U256};

impl<T: Config> Host<'_, T> {
    /// Reads `len` bytes.
    pub(super) fn read(&mut self, pointer: u32, len: u32) -> Result<Vec<u8>, Halt> {
        // No contract has more memory than this, so a longer range can't be inside it.
        if len > limits::STATIC_MEMORY_BYTES {
            return Err(out_of_bounds::<T>("read", pointer, len));
        }
        let mut bytes = vec![0; len as usize];
        if bytes.is_empty() {
            return Ok(bytes);
        }
        self.instance
            .read_memory(pointer, &mut bytes)
            .map_err(|OutOfBounds| out_of_bounds::<T>("read", pointer, len))?;
        Ok(bytes)
    }

    /// Reads a fixed number of bytes.
    pub(super) fn read_array<const N: usize>(&mut self, pointer: u32) -> Result<[u8; N], Halt> {
        let mut bytes = [0; N];
        self.instance
            .read_memory(pointer, &mut bytes)
            .map_err(|OutOfBounds| out_of_bounds::<T>("read", pointer, N as u32))?;
        Ok(bytes)
    }

    /// Reads an address.
    pub(super) fn read_address(&mut self, pointer: u32) -> Result<H160, Halt> {
        self.read_array(pointer).map(H160)
    }

    /// Reads 32 bytes as a number, least significant first.
    pub(super) fn read_u256(&mut self, pointer: u32) -> Result<U256, Halt> {
        Ok(U256::from_little_endian(&self.read_array::<32>(pointer)?))
    }

    /// Writes bytes.
    pub(super) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Halt> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.instance
            .write_memory(pointer, bytes)
            .map_err(|OutOfBounds| out_of_bounds::<T>("write", pointer, bytes.len() as u32))
    }

    /// Writes a number as 32 bytes, least significant first.
    pub(super) fn write_u256(&mut self, pointer: u32, number: U256) -> Result<(), Halt> {
        self.write(pointer, &number.to_little_endian())
    }

    /// Writes zeros.
    pub(super) fn zero(&mut self, pointer: u32, len: u32) -> Result<(), Halt> {
        if len == 0 {
            return Ok(());
        }
        self.instance.zero_memory(pointer, len).map_err(|OutOfBounds| out_of_bounds::<T>("write", pointer, len))
    }

    /// Writes `bytes`, truncated to the length of the buffer, which is stored at `len_pointer`; then stores the length
    /// written.
    ///
    /// The buffer's length is a `u32`, read before and written after. If `pointer` is [`SENTINEL`] nothing is written,
    /// if the function allows that.
    pub(super) fn write_buffer(
        &mut self,
        pointer: u32,
        len_pointer: u32,
        bytes: &[u8],
        may_skip: bool,
        charge: impl FnOnce(&mut Self, u32) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        if may_skip && pointer == SENTINEL {
            return Ok(());
        }
        let room = u32::from_le_bytes(self.read_array(len_pointer)?);
        let fits = &bytes[..bytes.len().min(room as usize)];
        charge(self, fits.len() as u32)?;
        self.write(pointer, fits)?;
        self.write(len_pointer, &(fits.len() as u32).to_le_bytes())
    }
}

fn out_of_bounds<T: Config>(verb: &str, pointer: u32, len: u32) -> Halt {
    Halt::failed::<T>(
        Error::OutOfBounds,
        format!("a host function can't {verb} {len} bytes of the contract's memory at {pointer:#x}"),
    )
}
