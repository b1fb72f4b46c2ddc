//! Encoded instruction, a small value that stays in processor registers. Made by `encode`, consumed by
//! `Assembler::push`, which writes it with two 8-byte stores.

/// Maximum length of any form here: a memory operand with every prefix, displacement and an immediate.
pub(crate) const MAX_LEN: usize = 15;

/// An encoded instruction. Cheap to make and to copy; made by the functions in [`forms`](crate::forms).
#[derive(Clone, Copy, Debug)]
pub struct Inst {
    /// Prefixes, opcode, ModRM and SIB (and, if there is no displacement, also the immediate), the first byte lowest.
    /// Bytes past `head_len` are unspecified.
    pub(crate) head: u64,
    /// Displacement and immediate. Bytes past `tail_len` are unspecified.
    pub(crate) tail: u64,
    /// Length of the head, at most 7.
    pub(crate) head_len: u8,
    /// Length of the tail, at most 8.
    pub(crate) tail_len: u8,
    /// True if there may be a tail: a compile-time constant for each form, even if `tail_len` isn't.
    pub(crate) has_tail: bool,
    /// True if the tail begins with a displacement from `rip`, so that a label can fill it in.
    pub(crate) is_rip: bool,
}

impl Inst {
    /// An instruction without a tail. `len` is at most 7.
    #[inline(always)]
    pub(crate) const fn short(head: u64, len: u8) -> Inst {
        Inst { head, tail: 0, head_len: len, tail_len: 0, has_tail: false, is_rip: false }
    }

    /// Length in bytes, 1 to 15.
    #[inline(always)]
    #[allow(clippy::len_without_is_empty, reason = "an instruction is never empty")]
    pub const fn len(&self) -> usize {
        self.head_len as usize + self.tail_len as usize
    }

    /// Returns `self` if `condition` holds, else `other`, without a branch: for unpredictable choices.
    #[inline(always)]
    pub const fn when(self, condition: bool, other: Inst) -> Inst {
        let mask = (condition as u64).wrapping_neg();
        let small = mask as u8;
        Inst {
            head: self.head & mask | other.head & !mask,
            tail: self.tail & mask | other.tail & !mask,
            head_len: self.head_len & small | other.head_len & !small,
            tail_len: self.tail_len & small | other.tail_len & !small,
            has_tail: self.has_tail | other.has_tail,
            is_rip: self.is_rip & condition | other.is_rip & !condition,
        }
    }

    /// Writes the bytes; those after the first [`len`](Inst::len) are unspecified.
    #[inline(always)]
    pub(crate) fn write(&self, window: &mut [u8; 16]) {
        // The mask tells the compiler that the slice below is in bounds; it has no effect (`head_len` <= 7).
        let at = (self.head_len & 7) as usize;
        window[..8].copy_from_slice(&self.head.to_le_bytes());
        // Constant once inlined: no test remains, and the second store only for forms that have a tail, even an empty
        // one.
        if self.has_tail {
            window[at..at + 8].copy_from_slice(&self.tail.to_le_bytes());
        }
    }
}
