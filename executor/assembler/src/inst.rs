//! One encoded instruction, as a small value that lives in processor registers. Made by `encode`, consumed by
//! `Assembler::push`, which writes it with two 8-byte stores.

/// Most bytes that any form here has: a memory operand with every prefix, displacement and an immediate.
pub(crate) const MAX_LEN: usize = 15;

/// An encoded instruction. Cheap to make and to copy; made by the functions in [`forms`](crate::forms).
#[derive(Clone, Copy, Debug)]
pub struct Inst {
    /// Prefixes, opcode, ModRM and SIB (and, where no displacement follows, the immediate too), first byte lowest.
    /// Bytes past `head_len` are anything.
    pub(crate) head: u64,
    /// Displacement and immediate. Bytes past `tail_len` are anything.
    pub(crate) tail: u64,
    /// At most 7.
    pub(crate) head_len: u8,
    /// At most 8.
    pub(crate) tail_len: u8,
    /// Whether the tail begins with a displacement from `rip`, so that a label can fill it in.
    pub(crate) is_rip: bool,
}

impl Inst {
    /// An instruction without a tail. `len` is at most 7.
    #[inline(always)]
    pub(crate) const fn short(head: u64, len: u8) -> Inst {
        Inst { head, tail: 0, head_len: len, tail_len: 0, is_rip: false }
    }

    /// Length in bytes, 1 to 15.
    #[inline(always)]
    #[allow(clippy::len_without_is_empty, reason = "an instruction is never empty")]
    pub const fn len(&self) -> usize {
        self.head_len as usize + self.tail_len as usize
    }

    /// The bytes; only the first [`len`](Inst::len) count, the rest is anything.
    #[inline(always)]
    pub(crate) fn write(&self, window: &mut [u8; 16]) {
        // The mask tells the compiler that the slice below is in bounds; it changes nothing (`head_len` <= 7).
        let at = (self.head_len & 7) as usize;
        window[..8].copy_from_slice(&self.head.to_le_bytes());
        // Constant for most forms once inlined: then there is no second store, or no test.
        if self.tail_len != 0 {
            window[at..at + 8].copy_from_slice(&self.tail.to_le_bytes());
        }
    }
}
