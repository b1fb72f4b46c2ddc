//! The node's side of a RISC-V runtime's heap: host functions allocate their results in the guest's own heap.
//!
//! `docs/runtime.md#the-heap` describes the guest's side and the layout that both share. Every number is written by the
//! guest and may have any value: an access to an address outside the guest's memory is an error.

use pvm_engine::RawInstance;
use sc_executor::error::Error;

/// Number of size classes.
const CLASSES: usize = 104;

/// Alignment of blocks: sizes and addresses are multiples of this.
const ALIGNMENT: u64 = 16;

/// Size of a field of the state, in bytes.
const FIELD: u32 = 8;

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
    const NEXT: u32 = 0;
    const END: u32 = 1;
    const FREE: u32 = 2;

    /// Creates the heap from the address of its state, which the runtime returned.
    pub fn new(address: u64) -> Result<Heap, HeapError> {
        let size = (Heap::FREE as usize + CLASSES) as u64 * u64::from(FIELD);
        match u32::try_from(address) {
            Ok(state) if address + size <= 1 << 32 && address.is_multiple_of(u64::from(FIELD)) => Ok(Heap { state }),
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
        if class as usize >= CLASSES {
            return Err(HeapError::Exhausted { size });
        }
        let list = Heap::FREE + class;
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

    fn field(&self, instance: &RawInstance, index: u32) -> Result<u64, HeapError> {
        let address = self.state + index * FIELD;
        let mut bytes = [0; 8];
        let read = instance.read_memory(address, &mut bytes);
        read.map_err(|_| HeapError::Corrupt { address: address.into() })?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn set_field(&self, instance: &mut RawInstance, index: u32, value: u64) -> Result<(), HeapError> {
        let address = self.state + index * FIELD;
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

/// Returns the class of a size, and the size of the class's blocks (`docs/runtime.md#the-heap`).
fn class_of(size: u64) -> (u32, u64) {
    if size <= 64 {
        let class = size.saturating_sub(1) / ALIGNMENT;
        return (class as u32, (class + 1) * ALIGNMENT);
    }
    let last = size - 1;
    let power = last.ilog2();
    let quarter = (last >> (power - 2)) & 3;
    ((power - 6) * 4 + quarter as u32 + 4, (5 + quarter) << (power - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_by_a_quarter_at_most_and_cover_every_size() {
        let (mut class, mut size) = class_of(0);
        assert_eq!((class, size), (0, 16));
        loop {
            assert_eq!(class_of(size), (class, size));
            assert!(size.is_multiple_of(ALIGNMENT) && class < CLASSES as u32);
            if size >= 1 << 31 {
                break;
            }
            let (next, larger) = class_of(size + 1);
            assert_eq!(next, class + 1, "{size}");
            assert!(larger > size && (larger - size <= 16 || (larger - size) * 4 <= size));
            (class, size) = (next, larger);
        }
        // The last class; larger sizes have none.
        assert_eq!((class, size), (CLASSES as u32 - 1, 1 << 31));
    }

    #[test]
    fn a_state_outside_of_memory_is_refused() {
        assert!(Heap::new(0x10000).is_ok());
        for address in [0x10001, 1 << 32, (1 << 32) - 8, u64::MAX] {
            assert_eq!(Heap::new(address), Err(HeapError::Corrupt { address }));
        }
    }
}
