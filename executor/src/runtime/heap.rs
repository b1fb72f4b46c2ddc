//! The node's side of a RISC-V runtime's heap: host functions allocate their results in the guest's own heap.
//!
//! `docs/runtime.md#the-heap` describes the guest's side and the layout that both share. Every number is written by the
//! guest and may have any value: an access to an address outside the guest's memory is an error.

use pvm_engine::RawInstance;
use pvm_host_interface::runtime_heap::{ALIGNMENT, CLASSES, HeapState, class_of};
use sc_executor::error::Error;
use std::mem::offset_of;

/// The state as the node sees it.
type State = HeapState<u64>;

/// Error of an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeapError {
    /// The heap has no room for a block of this size.
    Exhausted { size: u64 },
    /// The state, or an address in it, is invalid.
    Corrupt { address: u64 },
}

impl std::fmt::Display for HeapError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HeapError::Exhausted { size } => {
                write!(
                    f,
                    "the runtime's heap is exhausted: no room for {size} bytes within the heap pages of the chain"
                )
            }
            HeapError::Corrupt { address } => {
                write!(f, "the runtime's heap is corrupt: it refers to the address {address:#x}")
            }
        }
    }
}

impl From<HeapError> for Error {
    fn from(error: HeapError) -> Self {
        Error::Other(error.to_string())
    }
}

/// A runtime's heap, identified by the address of its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heap {
    state: u32,
}

impl Heap {
    const NEXT: u32 = offset_of!(State, next) as u32;
    const END: u32 = offset_of!(State, end) as u32;

    /// Returns the offset of a class's free list in the state.
    const fn free_list(class: usize) -> u32 {
        (offset_of!(State, free) + class * size_of::<u64>()) as u32
    }

    /// Creates the heap from the address of its state, which the runtime returned.
    pub fn new(address: u64) -> Result<Heap, HeapError> {
        match u32::try_from(address) {
            Ok(state) if address + size_of::<State>() as u64 <= 1 << 32 && address.is_multiple_of(8) => {
                Ok(Heap { state })
            }
            _ => Err(HeapError::Corrupt { address }),
        }
    }

    /// Limits the heap to this many bytes; the capacity that the runtime reserved remains a limit too.
    pub fn limit(&self, instance: &mut RawInstance, bytes: u64) -> Result<(), HeapError> {
        let (next, end) = (self.field(instance, Heap::NEXT)?, self.field(instance, Heap::END)?);
        self.set_field(instance, Heap::END, end.min(next.saturating_add(bytes)))
    }

    /// Allocates a block by the same rules as the guest.
    pub fn allocate(&self, instance: &mut RawInstance, size: u32) -> Result<u32, HeapError> {
        let (class, size) = class_of(u64::from(size));
        if class >= CLASSES {
            return Err(HeapError::Exhausted { size });
        }
        let list = Heap::free_list(class);
        let head = self.field(instance, list)?;
        if head != 0 {
            let block = address(head)?;
            let mut next = [0; 8];
            instance.read_memory(block, &mut next).map_err(|_| HeapError::Corrupt { address: head })?;
            self.set_field(instance, list, u64::from_le_bytes(next))?;
            return Ok(block);
        }
        let (next, end) = (self.field(instance, Heap::NEXT)?, self.field(instance, Heap::END)?);
        let block = address(next.next_multiple_of(ALIGNMENT))?;
        match u64::from(block).checked_add(size) {
            Some(new) if new <= end => {
                self.set_field(instance, Heap::NEXT, new)?;
                Ok(block)
            }
            _ => Err(HeapError::Exhausted { size }),
        }
    }

    fn field(&self, instance: &RawInstance, offset: u32) -> Result<u64, HeapError> {
        let address = self.state + offset;
        let mut bytes = [0; 8];
        let read = instance.read_memory(address, &mut bytes);
        read.map_err(|_| HeapError::Corrupt { address: address.into() })?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn set_field(&self, instance: &mut RawInstance, offset: u32, value: u64) -> Result<(), HeapError> {
        let address = self.state + offset;
        let written = instance.write_memory(address, &value.to_le_bytes());
        written.map_err(|_| HeapError::Corrupt { address: address.into() })
    }
}

/// Validates an address in the heap: 32 bits wide and aligned.
fn address(value: u64) -> Result<u32, HeapError> {
    match u32::try_from(value) {
        Ok(address) if value.is_multiple_of(ALIGNMENT) => Ok(address),
        _ => Err(HeapError::Corrupt { address: value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_outside_of_memory_is_refused() {
        assert!(Heap::new(0x10000).is_ok());
        for address in [0x10001, 1 << 32, (1 << 32) - 8, u64::MAX] {
            assert_eq!(Heap::new(address), Err(HeapError::Corrupt { address }));
        }
    }
}
