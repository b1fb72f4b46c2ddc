//! Memory operands. Made by the caller of a form, encoded by `encode`. Every value can be encoded.

use crate::operand::{IndexReg, Reg, Scale};

/// A memory operand: an address as the processor computes it. The form decides the access size.
///
/// Constructors ending in `32` compute the address modulo 2^32 (prefix 67): registers are read as their low halves and
/// the sum wraps, so nothing above 4 GiB can be addressed, whatever the registers hold. The others compute modulo 2^64,
/// with the displacement sign-extended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem {
    pub(crate) address: Address,
    pub(crate) disp: i32,
    pub(crate) is_32: bool,
}

/// Base that a displacement is added to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Address {
    Base(Reg),
    BaseIndex(Reg, IndexReg, Scale),
    Index(IndexReg, Scale),
    Absolute,
    Rip,
}

impl Mem {
    /// `[base + disp]`.
    #[inline(always)]
    pub const fn base(base: Reg, disp: i32) -> Mem {
        Mem { address: Address::Base(base), disp, is_32: false }
    }

    /// `[base + disp]` modulo 2^32.
    #[inline(always)]
    pub const fn base32(base: Reg, disp: i32) -> Mem {
        Mem { address: Address::Base(base), disp, is_32: true }
    }

    /// `[base + index * scale + disp]`.
    #[inline(always)]
    pub const fn base_index(base: Reg, index: IndexReg, scale: Scale, disp: i32) -> Mem {
        Mem { address: Address::BaseIndex(base, index, scale), disp, is_32: false }
    }

    /// `[base + index * scale + disp]` modulo 2^32.
    #[inline(always)]
    pub const fn base_index32(base: Reg, index: IndexReg, scale: Scale, disp: i32) -> Mem {
        Mem { address: Address::BaseIndex(base, index, scale), disp, is_32: true }
    }

    /// `[index * scale + disp]`. With a scale of one it is `[base + disp]`, which is shorter.
    #[inline(always)]
    pub const fn index(index: IndexReg, scale: Scale, disp: i32) -> Mem {
        Mem { address: index_alone(index, scale), disp, is_32: false }
    }

    /// `[index * scale + disp]` modulo 2^32. With a scale of one it is `[base + disp]`, which is shorter.
    #[inline(always)]
    pub const fn index32(index: IndexReg, scale: Scale, disp: i32) -> Mem {
        Mem { address: index_alone(index, scale), disp, is_32: true }
    }

    /// `[address]`, sign-extended: the lowest and the highest 2 GiB.
    #[inline(always)]
    pub const fn absolute(address: i32) -> Mem {
        Mem { address: Address::Absolute, disp: address, is_32: false }
    }

    /// `[address]` in the lowest 4 GiB. Below 2 GiB it is the same as [`Mem::absolute`], which is a byte shorter.
    #[inline(always)]
    pub const fn absolute32(address: u32) -> Mem {
        Mem { address: Address::Absolute, disp: address.cast_signed(), is_32: true }
    }

    /// `[rip + disp]`, relative to the end of the instruction. For a position in the same code use
    /// [`Assembler::push_rip`](crate::Assembler::push_rip), which computes `disp` from a label.
    #[inline(always)]
    pub const fn rip(disp: i32) -> Mem {
        Mem { address: Address::Rip, disp, is_32: false }
    }
}

#[inline(always)]
const fn index_alone(index: IndexReg, scale: Scale) -> Address {
    match scale {
        Scale::X1 => Address::Base(index.reg()),
        _ => Address::Index(index, scale),
    }
}
