//! Decoded instruction, the same for every instruction set.
//!
//! Made by the decoder from bytes, and directly by tests, linkers and assemblers; read by cost models, the
//! interpreter's translation and the encoder. It is a flat record: the opcode's [`Format`] tells which fields are used;
//! the others are zero.

use super::{Format, GasClass, Opcode, Reg};

/// An instruction with its operands.
///
/// Fields by format: `r1`, `r2`, `r3` are the register operands in the order of their code fields, so for
/// [`Format::RegRegReg`] `r1`, `r2` are the sources and `r3` the destination, and for the two-register formats `r1` is
/// the destination (or, in stores, the value).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Instruction {
    /// Its operation.
    pub opcode: Opcode,
    /// First register field.
    pub r1: Reg,
    /// Second register field.
    pub r2: Reg,
    /// Third register field.
    pub r3: Reg,
    /// First immediate, sign-extended to 64 bits; in [`Format::RegImm64`] a full 64-bit value.
    pub imm: i64,
    /// Second immediate.
    pub imm2: i32,
    /// Jump target: a code offset as decoded; for [`super::assemble`] the index of an instruction.
    pub target: u32,
}

impl Instruction {
    const fn blank(opcode: Opcode) -> Self {
        Instruction { opcode, r1: Reg::RA, r2: Reg::RA, r3: Reg::RA, imm: 0, imm2: 0, target: 0 }
    }

    /// [`Format::None`].
    pub const fn none(opcode: Opcode) -> Self {
        Self::blank(opcode)
    }

    /// [`Format::Imm`].
    pub const fn i(opcode: Opcode, imm: i32) -> Self {
        Instruction { imm: imm as i64, ..Self::blank(opcode) }
    }

    /// [`Format::Offset`].
    pub const fn o(opcode: Opcode, target: u32) -> Self {
        Instruction { target, ..Self::blank(opcode) }
    }

    /// [`Format::ImmImm`].
    pub const fn ii(opcode: Opcode, imm: i32, imm2: i32) -> Self {
        Instruction { imm: imm as i64, imm2, ..Self::blank(opcode) }
    }

    /// [`Format::RegImm`].
    pub const fn ri(opcode: Opcode, r1: Reg, imm: i32) -> Self {
        Instruction { r1, imm: imm as i64, ..Self::blank(opcode) }
    }

    /// [`Format::RegImmImm`].
    pub const fn rii(opcode: Opcode, r1: Reg, imm: i32, imm2: i32) -> Self {
        Instruction { r1, imm: imm as i64, imm2, ..Self::blank(opcode) }
    }

    /// [`Format::RegImmOffset`].
    pub const fn rio(opcode: Opcode, r1: Reg, imm: i32, target: u32) -> Self {
        Instruction { r1, imm: imm as i64, target, ..Self::blank(opcode) }
    }

    /// [`Format::RegReg`]: destination, source.
    pub const fn rr(opcode: Opcode, r1: Reg, r2: Reg) -> Self {
        Instruction { r1, r2, ..Self::blank(opcode) }
    }

    /// [`Format::RegRegImm`]: destination (or stored value), source (or base), immediate.
    pub const fn rri(opcode: Opcode, r1: Reg, r2: Reg, imm: i32) -> Self {
        Instruction { r1, r2, imm: imm as i64, ..Self::blank(opcode) }
    }

    /// [`Format::RegRegOffset`].
    pub const fn rro(opcode: Opcode, r1: Reg, r2: Reg, target: u32) -> Self {
        Instruction { r1, r2, target, ..Self::blank(opcode) }
    }

    /// [`Format::RegRegReg`]: destination first, as in assembly; it becomes `r3`.
    pub const fn rrr(opcode: Opcode, destination: Reg, r1: Reg, r2: Reg) -> Self {
        Instruction { r1, r2, r3: destination, ..Self::blank(opcode) }
    }

    /// [`Format::RegRegImmImm`].
    pub const fn rrii(opcode: Opcode, r1: Reg, r2: Reg, imm: i32, imm2: i32) -> Self {
        Instruction { r1, r2, imm: imm as i64, imm2, ..Self::blank(opcode) }
    }

    /// [`Format::RegImm64`].
    pub const fn rx(opcode: Opcode, r1: Reg, imm: i64) -> Self {
        Instruction { r1, imm, ..Self::blank(opcode) }
    }

    /// The form of its operands.
    pub const fn format(&self) -> Format {
        self.opcode.spec().format
    }

    /// The register that it writes; `None` for `memset`, which writes two.
    pub fn destination(&self) -> Option<Reg> {
        let spec = self.opcode.spec();
        match spec.format {
            Format::RegRegReg => Some(self.r3),
            Format::RegReg | Format::RegImm64 | Format::RegRegImmImm => Some(self.r1),
            Format::RegRegImm | Format::RegImm => match spec.gas_class {
                GasClass::Store | GasClass::StoreIndirect | GasClass::JumpIndirect => None,
                _ => Some(self.r1),
            },
            Format::RegImmOffset => (self.opcode == Opcode::LoadImmAndJump).then_some(self.r1),
            Format::None | Format::Imm | Format::Offset | Format::ImmImm | Format::RegImmImm | Format::RegRegOffset => {
                None
            }
        }
    }
}
