//! Layout of the heap of a RISC-V runtime, in which the runtime and the node allocate: `docs/runtime.md#the-heap`.
//!
//! `runtime/src/heap.rs` is the runtime's side, `executor/src/runtime/heap.rs` the node's.

/// Number of size classes.
pub const CLASSES: usize = 104;

/// Alignment of blocks in bytes: sizes and addresses are multiples of this.
pub const ALIGNMENT: u64 = 16;

/// The heap's state. An address is a pointer in the runtime, and 8 bytes in little-endian order for the node.
#[repr(C)]
pub struct HeapState<Address> {
    /// Start of the memory that was never allocated.
    pub next: Address,
    /// The end of the heap.
    pub end: Address,
    /// Free lists: for each class the block freed last, or null. A free block begins with the address of the next one.
    pub free: [Address; CLASSES],
}

/// Returns the class of a size, and the size of the class's blocks: a multiple of 16 up to 64 bytes, and above that one
/// of four steps from each power of two to the next. Sizes above 2³¹ have no class: their number is [`CLASSES`] or
/// greater.
pub const fn class_of(size: u64) -> (usize, u64) {
    if size <= 64 {
        let class = size.saturating_sub(1) / ALIGNMENT;
        return (class as usize, (class + 1) * ALIGNMENT);
    }
    let last = size - 1;
    let power = last.ilog2();
    let quarter = (last >> (power - 2)) & 3;
    ((power as usize - 6) * 4 + quarter as usize + 4, (5 + quarter) << (power - 2))
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
            assert!(size.is_multiple_of(ALIGNMENT) && class < CLASSES);
            if size >= 1 << 31 {
                break;
            }
            let (next, larger) = class_of(size + 1);
            assert_eq!(next, class + 1, "{size}");
            assert!(larger > size && (larger - size <= 16 || (larger - size) * 4 <= size));
            (class, size) = (next, larger);
        }
        // The last class; larger sizes have none.
        assert_eq!((class, size), (CLASSES - 1, 1 << 31));
    }
}
