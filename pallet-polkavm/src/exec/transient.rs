//! Transient storage, which lasts as long as the transaction: Ethereum's `TSTORE` and `TLOAD` (EIP-1153).
//!
//! Used by the storage host functions through the [`super::Stack`]. It is kept in memory and undone with the frames, so
//! both the stored values and those kept for undoing count against [`limits::TRANSIENT_STORAGE_BYTES`].

use crate::{Config, Error, contract::Key, limits, metering::layers::Layered, types::Failure};
use alloc::{format, vec::Vec};
use sp_core::H160;

/// Bytes that an entry counts beside its key and value: for the address and the maps.
const ENTRY_BYTES: u32 = 32;

/// The values of all contracts of one transaction.
#[derive(Debug, Default)]
pub struct TransientStorage {
    values: Layered<(H160, Key), Vec<u8>>,
    /// Bytes counted against the limit.
    used: u32,
    /// The value of `used` before each open layer.
    used_before: Vec<u32>,
}

impl TransientStorage {
    /// The value under a key of a contract.
    pub fn get(&self, address: H160, key: &Key) -> Option<&[u8]> {
        self.values.get(&(address, key.clone())).map(Vec::as_slice)
    }

    /// Writes a value under a key of a contract, or removes it. Returns the old one.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfTransientStorage`]; nothing has changed then.
    pub fn set<T: Config>(
        &mut self,
        address: H160,
        key: &Key,
        value: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let key = (address, key.clone());
        let old_size = self.values.get(&key).map_or(0, |old| size(&key.1, Some(old)));
        let new_size = value.as_ref().map_or(0, |new| size(&key.1, Some(new)));
        // Counted as if it had to be kept for undoing; subtracted below if it is kept already.
        let remembered = size(&key.1, self.values.get(&key));
        let used = self.used.saturating_sub(old_size).saturating_add(new_size).saturating_add(remembered);
        if used > limits::TRANSIENT_STORAGE_BYTES {
            return Err(Failure::new::<T>(
                Error::OutOfTransientStorage,
                format!(
                    "{used} bytes of transient storage are needed, the limit is {}",
                    limits::TRANSIENT_STORAGE_BYTES
                ),
            ));
        }
        let changed = self.values.set(key, value);
        self.used = if changed.first { used } else { used.saturating_sub(remembered) };
        Ok(changed.old)
    }

    /// Opens a layer.
    pub fn begin(&mut self) {
        self.values.begin();
        self.used_before.push(self.used);
    }

    /// Closes the last layer and keeps its changes.
    pub fn commit(&mut self) {
        let used = &mut self.used;
        self.values.commit(|key, value| *used = used.saturating_sub(size(&key.1, value)));
        self.used_before.pop();
    }

    /// Closes the last layer and undoes its changes.
    pub fn rollback(&mut self) {
        self.values.rollback();
        self.used = self.used_before.pop().unwrap_or_default();
    }
}

/// Bytes that an entry counts.
fn size(key: &Key, value: Option<&Vec<u8>>) -> u32 {
    let key = match key {
        Key::Fixed(key) => key.len(),
        Key::Variable(key) => key.len(),
    };
    ENTRY_BYTES + (key + value.map_or(0, Vec::len)) as u32
}
