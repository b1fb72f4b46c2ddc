//! Code view: iterates over instructions, and finds instruction starts, basic blocks and valid jump targets.
//!
//! Used by limits, cost models, the interpreter and tools. Works on any bytes: whatever is no instruction is decoded as
//! an invalid one, which acts as a trap. Every query takes constant time, except for iteration. Spec:
//! `docs/spec/encoding.md#length` and the sections after it.

use super::encoded::Bytes;
use super::table::{NO_OPERATION, Operations};
use super::{Encoded, Instruction, Isa};

/// Maximum length of an instruction in bytes.
pub const MAX_INSTRUCTION_LENGTH: u32 = 25;

/// Borrowed code with its bitmask of instruction starts.
#[derive(Clone, Copy, Debug)]
pub struct CodeView<'a> {
    isa: Isa,
    length: u32,
    code: &'a [u8],
    bitmask: &'a [u8],
}

/// A decoded instruction, or invalid bytes, with its extent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// Its code offset.
    pub offset: u32,
    /// Offset of the next one, or the code length.
    pub next: u32,
    /// The instruction; `None` for an invalid one (undefined opcode or bytes that belong to no instruction), which
    /// acts as a trap.
    pub instruction: Option<Instruction>,
}

impl Decoded {
    /// True if a basic block ends here.
    pub fn ends_block(&self) -> bool {
        self.instruction.is_none_or(|instruction| instruction.opcode.spec().ends_block)
    }

    /// True if control can reach the next instruction.
    pub fn can_fall_through(&self) -> bool {
        self.instruction.is_some_and(|instruction| instruction.opcode.spec().can_fall_through)
    }
}

impl<'a> CodeView<'a> {
    /// Bit `i` of `bitmask` (least significant first) is set if an instruction starts at `code[i]`. Missing mask bytes
    /// count as zero; code beyond 4 GiB is ignored.
    pub fn new(isa: Isa, code: &'a [u8], bitmask: &'a [u8]) -> Self {
        CodeView { isa, length: u32::try_from(code.len()).unwrap_or(u32::MAX), code, bitmask }
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Code length in bytes.
    #[inline(always)]
    pub fn len(&self) -> u32 {
        self.length
    }

    /// True if there is no code.
    pub fn is_empty(&self) -> bool {
        self.code.is_empty()
    }

    /// True if the bitmask has a bit at `offset`.
    #[inline]
    pub fn bit(&self, offset: u32) -> bool {
        offset < self.len() && self.bitmask.get(offset as usize / 8).is_some_and(|byte| byte >> (offset % 8) & 1 == 1)
    }

    /// Returns the mask bits from `offset` on as the low bits of a word, at least 32 of them (zero beyond the mask).
    #[inline]
    fn bits_from(&self, offset: u32) -> u64 {
        let byte = offset as usize / 8;
        let word = match self.bitmask.get(byte..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => {
                let mut bytes = [0; 8];
                for (to, from) in bytes.iter_mut().zip(self.bitmask.get(byte..).unwrap_or_default()) {
                    *to = *from;
                }
                u64::from_le_bytes(bytes)
            }
        };
        word >> (offset % 8)
    }

    /// Returns the nearest mask bit before `offset` that is at most 25 away.
    #[inline]
    fn bit_before(&self, offset: u32) -> Option<u32> {
        let first = offset.saturating_sub(MAX_INSTRUCTION_LENGTH);
        let count = offset - first;
        let bits = self.bits_from(first) & ((1 << count) - 1);
        (bits != 0).then(|| first + 63 - bits.leading_zeros())
    }

    /// Returns the number of bytes that follow the opcode of the instruction at `offset` (0..=24). Assumes `offset <
    /// len`.
    #[inline]
    fn skip(&self, offset: u32) -> u32 {
        let zeros = self.bits_from(offset + 1).trailing_zeros();
        zeros.min(MAX_INSTRUCTION_LENGTH - 1).min(self.len() - offset - 1)
    }

    /// Returns the code byte at `offset`, whether or not it is part of an instruction.
    pub fn byte(&self, offset: u32) -> Option<u8> {
        self.code.get(offset as usize).copied()
    }

    /// Returns the sixteen code bytes from `offset`, zero beyond the end.
    #[inline]
    fn window(&self, offset: u32) -> Bytes {
        let rest = self.code.get(offset as usize..).unwrap_or_default();
        match rest.first_chunk::<16>() {
            Some(bytes) => Bytes::new(bytes),
            None => {
                let mut bytes = [0; 16];
                for (to, from) in bytes.iter_mut().zip(rest) {
                    *to = *from;
                }
                Bytes::new(&bytes)
            }
        }
    }

    /// True if an instruction, valid or not, starts at `offset` (`docs/spec/encoding.md#invalid-instructions`).
    #[inline]
    pub fn is_instruction_start(&self, offset: u32) -> bool {
        offset < self.len()
            && (offset == 0
                || self.bit(offset)
                || self.bit_before(offset).is_some_and(|before| offset - before == MAX_INSTRUCTION_LENGTH))
    }

    /// True if `offset` is a valid jump target, that is, starts a basic block
    /// (`docs/spec/encoding.md#blocks-and-targets`).
    #[inline]
    pub fn is_jump_target(&self, offset: u32) -> bool {
        self.is_instruction_start(offset)
            && match self.bit_before(offset) {
                None => true,
                Some(before) => self.code.get(before as usize).is_none_or(|byte| self.isa.byte_ends_block(*byte)),
            }
    }

    /// Returns the start of the basic block that contains the instruction at `offset`; `None` if no instruction starts
    /// there. Takes time linear in the distance.
    pub fn block_start(&self, offset: u32) -> Option<u32> {
        if !self.is_instruction_start(offset) {
            return None;
        }
        let mut start = offset;
        while !self.is_jump_target(start) {
            // There is one: an instruction that is no jump target follows directly on an instruction that does not end
            // a block.
            start = self.bit_before(start)?;
        }
        Some(start)
    }

    /// Returns the start of the basic block that contains the trap past the end of the code, if there is such a trap.
    pub(crate) fn last_block_start(&self) -> Option<u32> {
        self.block_start(self.bit_before(self.len())?)
    }

    /// Decodes the instruction at `offset`, and its length in bytes; `None` for an invalid one, whose extent is not
    /// computed. Assumes that [`Self::is_instruction_start`] holds.
    #[inline(always)]
    pub(crate) fn fetch(&self, offset: u32) -> Option<(Instruction, u32)> {
        if !self.bit(offset) {
            return None;
        }
        let (length, bytes) = (self.skip(offset) + 1, self.window(offset));
        let encoded = Encoded::new(self.isa.operations(), bytes.operation(), offset, offset + length, bytes);
        encoded.is_valid().then(|| (encoded.instruction(), length))
    }

    /// Decodes the instruction at `offset`; `None` if none starts there. Takes time linear in the length of an invalid
    /// instruction.
    pub fn decode(&self, offset: u32) -> Option<Decoded> {
        self.is_instruction_start(offset).then(|| self.encoded_at(self.isa.operations(), offset).decode())
    }

    /// Reads the instruction at `offset`. Assumes that one starts there.
    #[inline(always)]
    fn encoded_at(&self, operations: &Operations, offset: u32) -> Encoded {
        let (next, bytes, operation) = match self.read_fast(offset) {
            Some((next, bytes)) => (next, bytes, bytes.operation()),
            None => self.read_slow(offset),
        };
        Encoded::new(operations, operation, offset, next, bytes)
    }

    /// Returns the end of the instruction at `offset`, and its bytes, with one read each of code and mask; `None` near
    /// their ends and where no instruction is.
    #[inline(always)]
    fn read_fast(&self, offset: u32) -> Option<(u32, Bytes)> {
        let (at, mask_at) = (offset as usize, offset as usize / 8);
        let mask = self.bitmask.get(mask_at..mask_at + 8)?.first_chunk()?;
        let bytes = self.code.get(at..at + 16)?.first_chunk()?;
        let bits = u64::from_le_bytes(*mask) >> (offset % 8);
        if bits & 1 == 0 {
            return None;
        }
        let length = (bits >> 1 | 1 << (MAX_INSTRUCTION_LENGTH - 1)).trailing_zeros() + 1;
        Some((offset + length.min(self.length - offset), Bytes::new(bytes)))
    }

    /// Slow path of [`Self::read_fast`], for any offset; also returns the index of the operation.
    #[cold]
    #[inline(never)]
    fn read_slow(&self, offset: u32) -> (u32, Bytes, usize) {
        let bytes = self.window(offset);
        match self.bit(offset) {
            true => (offset + 1 + self.skip(offset), bytes, bytes.operation()),
            false => (self.next_bit(offset), bytes, NO_OPERATION),
        }
    }

    /// True if an instruction traps because of its position: a branch or fallthrough with nothing after it, taken or
    /// not, and a branch or jump to an offset where no block starts (`docs/spec/encoding.md#blocks-and-targets`). Only
    /// its write to the link register is performed.
    #[inline]
    pub fn traps_instead(&self, decoded: &Decoded) -> bool {
        let Some(instruction) = decoded.instruction else { return false };
        let spec = instruction.opcode.spec();
        let falls_to = (spec.ends_block && spec.can_fall_through).then_some(decoded.next);
        let target = spec.format.has_target().then_some(instruction.target);
        self.leads_nowhere(falls_to, target)
    }

    /// As [`Self::traps_instead`], for an instruction that ends a block and may continue at `falls_to` and `target`.
    #[inline]
    pub fn leads_nowhere(&self, falls_to: Option<u32>, target: Option<u32>) -> bool {
        falls_to.is_some_and(|next| next >= self.len()) || target.is_some_and(|target| !self.is_jump_target(target))
    }

    /// Returns the first set mask bit after `offset`, or the code length.
    fn next_bit(&self, offset: u32) -> u32 {
        let mut position = offset + 1;
        while position < self.len() {
            let zeros = self.bits_from(position).trailing_zeros();
            if zeros < 32 {
                return (position + zeros).min(self.len());
            }
            position += 32;
        }
        self.len()
    }

    /// Iterates over all instructions from offset 0, invalid ones included. Leaves out the virtual trap after code that
    /// can run off its end.
    pub fn instructions(&self) -> Instructions<'a> {
        self.instructions_from(0)
    }

    /// Iterates from `offset`, which should be the start of an instruction; the iterator is empty otherwise.
    pub fn instructions_from(&self, offset: u32) -> Instructions<'a> {
        Instructions(self.encoded_instructions_from(offset))
    }

    /// As [`Self::instructions_from`], without decoding operands.
    pub fn encoded_instructions_from(&self, offset: u32) -> EncodedInstructions<'a> {
        let offset = if self.is_instruction_start(offset) { offset } else { self.len() };
        EncodedInstructions { code: *self, operations: self.isa.operations(), offset }
    }
}

/// Iterator over instructions; see [`CodeView::instructions`].
#[derive(Clone, Debug)]
pub struct Instructions<'a>(EncodedInstructions<'a>);

impl Iterator for Instructions<'_> {
    type Item = Decoded;

    #[inline(always)]
    fn next(&mut self) -> Option<Decoded> {
        self.0.next().map(|encoded| encoded.decode())
    }
}

/// Iterator over encoded instructions; see [`CodeView::encoded_instructions_from`].
#[derive(Clone, Debug)]
pub struct EncodedInstructions<'a> {
    code: CodeView<'a>,
    operations: &'static Operations,
    /// Offset of an instruction, or the code length.
    offset: u32,
}

impl Iterator for EncodedInstructions<'_> {
    type Item = Encoded;

    #[inline(always)]
    fn next(&mut self) -> Option<Encoded> {
        if self.offset >= self.code.len() {
            return None;
        }
        let encoded = self.code.encoded_at(self.operations, self.offset);
        self.offset = encoded.next();
        Some(encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Opcode;
    use alloc::{vec, vec::Vec};

    fn starts(view: &CodeView<'_>) -> Vec<(u32, bool)> {
        view.instructions().map(|decoded| (decoded.offset, decoded.instruction.is_some())).collect()
    }

    #[test]
    fn a_clear_first_bit_gives_an_invalid_instruction_up_to_the_first_set_one() {
        let code = [1; 40];
        let view = CodeView::new(Isa::ReviveV1, &code, &[0, 0, 0, 0, 0b1000_0001]);
        assert_eq!(starts(&view), [(0, false), (32, true), (39, true)]);
        assert!(view.is_jump_target(0));
        assert!(!view.is_jump_target(25), "inside the invalid one");
        assert!(view.is_jump_target(32));
    }

    #[test]
    fn bytes_behind_the_longest_instruction_are_a_trap_of_their_own() {
        let code = [100; 60];
        let view = CodeView::new(Isa::ReviveV1, &code, &[1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(starts(&view), [(0, true), (25, false), (56, true)]);
        assert!(view.is_instruction_start(25));
        assert!(!view.is_jump_target(25), "the instruction before it does not end a block");
        assert!(view.is_jump_target(56));
        assert_eq!(view.block_start(25), Some(0));
    }

    #[test]
    fn no_trap_is_injected_when_the_next_bit_or_the_end_is_right_behind() {
        let view = CodeView::new(Isa::ReviveV1, &[100; 30], &[1, 0, 0, 2]);
        assert_eq!(starts(&view), [(0, true), (25, true)]);
        let view = CodeView::new(Isa::ReviveV1, &[100; 25], &[1, 0, 0, 0]);
        assert_eq!(starts(&view), [(0, true)]);
    }

    #[test]
    fn blocks_start_behind_block_ending_instructions_only() {
        // add_32 (3 bytes), fallthrough, undefined opcode, move_reg (2 bytes)
        let code = [190, 0, 0, 1, 255, 100, 0];
        let view = CodeView::new(Isa::ReviveV1, &code, &[0b0011_1001]);
        let targets: Vec<u32> = (0..10).filter(|&offset| view.is_jump_target(offset)).collect();
        assert_eq!(targets, [0, 4, 5]);
        assert_eq!(view.block_start(3), Some(0));
        assert_eq!(view.block_start(1), None);
        assert_eq!(view.block_start(7), None);
    }

    #[test]
    fn empty_code_has_no_instructions() {
        let view = CodeView::new(Isa::ReviveV1, &[], &[]);
        assert_eq!(view.instructions().count(), 0);
        assert!(!view.is_jump_target(0));
        assert_eq!(view.decode(0), None);
    }

    #[test]
    fn walking_covers_every_byte_exactly_once() {
        for seed in 0..64u8 {
            let code: Vec<u8> = (0..200u8).map(|i| i.wrapping_mul(31).wrapping_add(seed)).collect();
            let mask: Vec<u8> = (0..25u8).map(|i| if i % 3 == 0 { 0 } else { i.wrapping_mul(seed) }).collect();
            let view = CodeView::new(Isa::ReviveV1, &code, &mask);
            let mut position = 0;
            for decoded in view.instructions() {
                assert_eq!(decoded.offset, position);
                assert!(decoded.next > position);
                position = decoded.next;
            }
            assert_eq!(position, 200);
        }
    }

    #[test]
    fn opcode_numbers_are_those_of_the_instruction_set() {
        for (isa, opcode) in
            [(Isa::ReviveV1, None), (Isa::Latest32, Some(Opcode::Memset)), (Isa::JamV1, Some(Opcode::Unlikely))]
        {
            let code = vec![2];
            let decoded = CodeView::new(isa, &code, &[1]).decode(0);
            assert_eq!(decoded.map(|decoded| decoded.instruction.map(|i| i.opcode)), Some(opcode));
        }
    }
}
