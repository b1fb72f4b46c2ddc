//! An encoded instruction, whose operands are decoded on demand.
//!
//! Returned by [`super::CodeView`] iterators. A compiler matches on the opcode once, and then reads only the operands
//! that this opcode has; [`Encoded::decode`] gives all of them in one record. The operand forms are defined here and
//! nowhere else. Total: any bytes and any length from 1 to 25 decode to something. Spec: `docs/spec/encoding.md#forms`.

use super::table::{Operation, Operations};
use super::{Decoded, Format, Instruction, Opcode, Reg};

/// An instruction, or invalid bytes, whose operands are not decoded yet.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    operation: Operation,
    offset: u32,
    next: u32,
    bytes: Bytes,
}

/// Sixteen code bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes {
    low: u64,
    high: u64,
}

impl Bytes {
    /// Packs `bytes`; the first one is the lowest.
    #[inline(always)]
    pub fn new(bytes: &[u8; 16]) -> Self {
        let bytes = u128::from_le_bytes(*bytes);
        Bytes { low: bytes as u64, high: (bytes >> 64) as u64 }
    }

    /// Index in [`Operations`] of the first byte, an opcode.
    #[inline(always)]
    pub fn operation(&self) -> usize {
        self.low as u8 as usize
    }
}

impl Encoded {
    /// `bytes` are the 16 code bytes from `offset`, zero beyond the end; `next` is the start of the next instruction,
    /// and `operation` the index into `operations` for the first byte, or that of the invalid operation.
    #[inline(always)]
    pub(super) fn new(operations: &Operations, operation: usize, offset: u32, next: u32, bytes: Bytes) -> Self {
        let operation = operations.get(operation).copied().unwrap_or(Operation::INVALID);
        Encoded { operation, offset, next, bytes }
    }

    /// Its opcode: [`Opcode::Trap`] for an invalid one.
    #[inline(always)]
    pub fn opcode(&self) -> Opcode {
        self.operation.opcode
    }

    /// Its code offset.
    #[inline(always)]
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Offset of the next one, or the code length.
    #[inline(always)]
    pub fn next(&self) -> u32 {
        self.next
    }

    /// True if a basic block ends here.
    #[inline(always)]
    pub fn ends_block(&self) -> bool {
        self.operation.ends_block
    }

    /// True if its bytes are a valid instruction: they begin with an opcode of the instruction set.
    #[inline(always)]
    pub fn is_valid(&self) -> bool {
        self.operation.is_valid
    }

    /// The twelve bits of its register fields, including fields that its format lacks.
    #[inline(always)]
    pub(crate) fn register_fields(&self) -> u32 {
        (self.bytes.low >> 8) as u32 & 0xfff
    }

    /// Decodes all operands into one record.
    #[inline(always)]
    pub fn decode(&self) -> Decoded {
        Decoded { offset: self.offset, next: self.next, instruction: self.is_valid().then(|| self.instruction()) }
    }

    /// Decodes the operands of any format.
    #[inline(always)]
    pub(super) fn instruction(&self) -> Instruction {
        let opcode = self.opcode();
        match opcode.spec().format {
            Format::None => Instruction::none(opcode),
            Format::Imm => Instruction::i(opcode, self.imm()),
            Format::Offset => Instruction::o(opcode, self.target()),
            Format::ImmImm => {
                let (imm, imm2) = self.imm_imm();
                Instruction::ii(opcode, imm, imm2)
            }
            Format::RegImm => {
                let (r1, imm) = self.reg_imm();
                Instruction::ri(opcode, r1, imm)
            }
            Format::RegImmImm => {
                let (r1, imm, imm2) = self.reg_imm_imm();
                Instruction::rii(opcode, r1, imm, imm2)
            }
            Format::RegImmOffset => {
                let (r1, imm, target) = self.reg_imm_target();
                Instruction::rio(opcode, r1, imm, target)
            }
            Format::RegReg => {
                let (r1, r2) = self.reg_reg();
                Instruction::rr(opcode, r1, r2)
            }
            Format::RegRegImm => {
                let (r1, r2, imm) = self.reg_reg_imm();
                Instruction::rri(opcode, r1, r2, imm)
            }
            Format::RegRegOffset => {
                let (r1, r2, target) = self.reg_reg_target();
                Instruction::rro(opcode, r1, r2, target)
            }
            Format::RegRegReg => {
                let (r1, r2, r3) = self.reg_reg_reg();
                Instruction::rrr(opcode, r3, r1, r2)
            }
            Format::RegRegImmImm => {
                let (r1, r2, imm, imm2) = self.reg_reg_imm_imm();
                Instruction::rrii(opcode, r1, r2, imm, imm2)
            }
            Format::RegImm64 => {
                let (r1, imm) = self.reg_imm64();
                Instruction::rx(opcode, r1, imm)
            }
        }
    }

    /// The operand of [`Format::Imm`].
    #[inline(always)]
    pub fn imm(&self) -> i32 {
        self.last(self.bytes.low >> 8, 0)
    }

    /// The jump target of [`Format::Offset`].
    #[inline(always)]
    pub fn target(&self) -> u32 {
        self.relative(self.imm())
    }

    /// The operands of [`Format::ImmImm`].
    #[inline(always)]
    pub fn imm_imm(&self) -> (i32, i32) {
        let (size, bytes) = (size_field(self.byte(1)), self.bytes_from_two());
        (sized(bytes, size), self.last(bytes >> (8 * size), size + 1))
    }

    /// The operands of [`Format::RegImm`].
    #[inline(always)]
    pub fn reg_imm(&self) -> (Reg, i32) {
        (self.r1(), self.last(self.bytes.low >> 16, 1))
    }

    /// The operands of [`Format::RegImmImm`].
    #[inline(always)]
    pub fn reg_imm_imm(&self) -> (Reg, i32, i32) {
        let (size, bytes) = (size_field(self.byte(1) >> 4), self.bytes_from_two());
        (self.r1(), sized(bytes, size), self.last(bytes >> (8 * size), size + 1))
    }

    /// The operands of [`Format::RegImmOffset`].
    #[inline(always)]
    pub fn reg_imm_target(&self) -> (Reg, i32, u32) {
        let (r1, imm, distance) = self.reg_imm_imm();
        (r1, imm, self.relative(distance))
    }

    /// The operands of [`Format::RegReg`].
    #[inline(always)]
    pub fn reg_reg(&self) -> (Reg, Reg) {
        (self.r1(), self.r2())
    }

    /// The operands of [`Format::RegRegImm`].
    #[inline(always)]
    pub fn reg_reg_imm(&self) -> (Reg, Reg, i32) {
        (self.r1(), self.r2(), self.last(self.bytes.low >> 16, 1))
    }

    /// The operands of [`Format::RegRegOffset`].
    #[inline(always)]
    pub fn reg_reg_target(&self) -> (Reg, Reg, u32) {
        let (r1, r2, distance) = self.reg_reg_imm();
        (r1, r2, self.relative(distance))
    }

    /// The operands of [`Format::RegRegReg`]: two sources, then the destination.
    #[inline(always)]
    pub fn reg_reg_reg(&self) -> (Reg, Reg, Reg) {
        (self.r1(), self.r2(), Reg::from_field(self.byte(2)))
    }

    /// The operands of [`Format::RegRegImmImm`].
    #[inline(always)]
    pub fn reg_reg_imm_imm(&self) -> (Reg, Reg, i32, i32) {
        let (size, bytes) = (size_field(self.byte(2)), self.bytes.low >> 24 | self.bytes.high << 40);
        (self.r1(), self.r2(), sized(bytes, size), self.last(bytes >> (8 * size), size + 2))
    }

    /// The operands of [`Format::RegImm64`].
    #[inline(always)]
    pub fn reg_imm64(&self) -> (Reg, i64) {
        (self.r1(), self.bytes_from_two() as i64)
    }

    #[inline(always)]
    fn byte(&self, at: u32) -> u8 {
        (self.bytes.low >> (8 * at)) as u8
    }

    #[inline(always)]
    fn r1(&self) -> Reg {
        Reg::from_field(self.byte(1))
    }

    #[inline(always)]
    fn r2(&self) -> Reg {
        Reg::from_field(self.byte(1) >> 4)
    }

    /// Bytes 2 to 9.
    #[inline(always)]
    fn bytes_from_two(&self) -> u64 {
        self.bytes.low >> 16 | self.bytes.high << 48
    }

    /// The last immediate: the rest of the instruction after the opcode and `used` bytes, at most four.
    #[inline(always)]
    fn last(&self, bytes: u64, used: u32) -> i32 {
        let length = self.next.wrapping_sub(self.offset);
        immediate(bytes, UNUSED_BITS[(length.wrapping_sub(used) & 31) as usize])
    }

    #[inline(always)]
    fn relative(&self, distance: i32) -> u32 {
        self.offset.wrapping_add_signed(distance)
    }
}

/// Number of the 32 bits that the last immediate leaves unused. The immediate takes the rest of the instruction, at most
/// four bytes. The index is the number of these bytes plus one for the opcode, modulo 32; as low as -6 counts as 0.
const UNUSED_BITS: [u32; 32] = {
    let mut bits = [0; 32];
    let mut left = 0;
    while left < 32 {
        bits[left] = match left {
            0 | 26.. => 32,
            1..=5 => 40 - 8 * left as u32,
            _ => 0,
        };
        left += 1;
    }
    bits
};

/// Sign-extends the low `32 - unused` bits of `bytes`; `unused` is 0, 8, …, 32.
#[inline(always)]
const fn immediate(bytes: u64, unused: u32) -> i32 {
    // Two shifts each way, because a single shift by 64 overflows.
    (((bytes << 32 << unused) as i64) >> 32 >> unused) as i32
}

/// Returns an immediate whose length in bytes is given by a size field.
#[inline(always)]
const fn sized(bytes: u64, size: u32) -> i32 {
    immediate(bytes, 32 - 8 * size)
}

/// Decodes a size field: values over 4 act as 4.
#[inline(always)]
const fn size_field(bits: u8) -> u32 {
    let size = (bits & 7) as u32;
    if size > 4 { 4 } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    fn decode(opcode: Opcode, offset: u32, bytes: &[u8], length: u32) -> Instruction {
        let mut window = [0; 16];
        window[..bytes.len()].copy_from_slice(bytes);
        let isa = Isa::ALL.into_iter().find(|isa| isa.number(opcode).is_some()).unwrap();
        window[0] = isa.number(opcode).unwrap();
        let bytes = Bytes::new(&window);
        let encoded = Encoded::new(isa.operations(), bytes.operation(), offset, offset.wrapping_add(length), bytes);
        assert!(encoded.is_valid() && encoded.opcode() == opcode);
        encoded.instruction()
    }

    #[test]
    fn the_examples_of_the_specification_decode() {
        let long = decode(Opcode::LoadImm, 0, &[0x33, 0x07, 0x2a], 3);
        assert_eq!(long, Instruction::ri(Opcode::LoadImm, Reg::A0, 42));
        let short = decode(Opcode::LoadImm, 0, &[0x33, 0x07], 2);
        assert_eq!(short, Instruction::ri(Opcode::LoadImm, Reg::A0, 0));
        let add = decode(Opcode::Add64, 0, &[0xc8, 0x87, 0x09], 3);
        assert_eq!(add, Instruction::rrr(Opcode::Add64, Reg::A2, Reg::A0, Reg::A1));
        let branch = decode(Opcode::BranchEqImm, 100, &[0x51, 0x17, 0x21, 0x0a], 4);
        assert_eq!(branch, Instruction::rio(Opcode::BranchEqImm, Reg::A0, 0x21, 110));
    }

    #[test]
    fn immediates_are_sign_extended_from_every_size() {
        for (bytes, count, value) in [
            (0xffff_ffffu32, 0, 0),
            (0x0000_0080, 1, -128),
            (0x0000_7f7f, 1, 0x7f),
            (0x0000_8000, 2, -32768),
            (0x0080_0000, 3, -0x80_0000),
            (0xff7f_ffff, 3, 0x7f_ffff),
            (0x8000_0000, 4, i32::MIN),
        ] {
            let bytes = u64::from(bytes) | 0xa5a5_a5a5 << 32;
            assert_eq!(sized(bytes, count), value, "{bytes:#x} {count}");
        }
    }

    #[test]
    fn only_the_last_immediate_depends_on_the_length() {
        // Two bytes long: the first immediate still reads its four bytes after the instruction.
        let op = decode(Opcode::StoreImmU8, 0, &[30, 4, 1, 2, 3, 4, 9], 2);
        assert_eq!(op, Instruction::ii(Opcode::StoreImmU8, 0x0403_0201, 0));
        let op = decode(Opcode::LoadImm64, 0, &[20, 7, 1, 2, 3, 4, 5, 6, 7, 8], 1);
        assert_eq!(op, Instruction::rx(Opcode::LoadImm64, Reg::A0, 0x0807_0605_0403_0201));
    }

    #[test]
    fn the_last_immediate_takes_what_is_left() {
        for length in 1..=25u32 {
            for used in 0..=6u32 {
                let bytes = length.saturating_sub(used + 1).min(4);
                assert_eq!(UNUSED_BITS[(length.wrapping_sub(used) & 31) as usize], 32 - 8 * bytes, "{length} {used}");
            }
        }
    }

    #[test]
    fn two_immediates_of_full_size_reach_to_the_eleventh_byte() {
        let bytes = [0, 0x87, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let op = decode(Opcode::LoadImmAndJumpIndirect, 0, &bytes, 11);
        assert_eq!(op, Instruction::rrii(Opcode::LoadImmAndJumpIndirect, Reg::A0, Reg::A1, 0x0403_0201, 0x0807_0605));
        let op = decode(Opcode::StoreImmIndirectU32, 0, &[0, 0x47, 1, 2, 3, 4, 5, 6, 7, 8], 10);
        assert_eq!(op, Instruction::rii(Opcode::StoreImmIndirectU32, Reg::A0, 0x0403_0201, 0x0807_0605));
    }

    #[test]
    fn size_fields_over_four_act_as_four_and_register_fields_over_twelve_as_a5() {
        let seven = decode(Opcode::StoreImmU8, 0, &[30, 0xff, 1, 2, 3, 4, 5], 7);
        assert_eq!(seven, Instruction::ii(Opcode::StoreImmU8, 0x0403_0201, 5));
        let regs = decode(Opcode::Add64, 0, &[200, 0xfd, 0xfe], 3);
        assert_eq!(regs, Instruction::rrr(Opcode::Add64, Reg::A5, Reg::A5, Reg::A5));
    }

    #[test]
    fn every_opcode_with_any_length_decodes() {
        for opcode in Opcode::all() {
            for length in 1..=25 {
                decode(opcode, u32::MAX - 25, &[0xff; 16], length);
            }
        }
    }
}
