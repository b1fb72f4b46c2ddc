//! The operand space: every register by the disassembler's names, every address, boundary values of numbers.

use super::Address;
use crate::mem::Mem;
use crate::operand::{Cond, Reg, RegSize, Scale};
use iced_x86::Register;
use iced_x86::Register::*;
// `None` is also the name of a register.
use core::option::Option::None;
use std::vec::Vec;

pub(super) const SIZES: [RegSize; 2] = [RegSize::R32, RegSize::R64];

const BYTES: [Register; 16] = [AL, CL, DL, BL, SPL, BPL, SIL, DIL, R8L, R9L, R10L, R11L, R12L, R13L, R14L, R15L];
const WORDS: [Register; 16] = [AX, CX, DX, BX, SP, BP, SI, DI, R8W, R9W, R10W, R11W, R12W, R13W, R14W, R15W];
const DOUBLE_WORDS: [Register; 16] =
    [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, R8D, R9D, R10D, R11D, R12D, R13D, R14D, R15D];
const QUAD_WORDS: [Register; 16] = [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15];

/// No register, under a name that isn't `Option`'s.
const NO_REGISTER: Register = Register::None;

/// The names of the conditions in mnemonics, in the order of their numbers.
const CONDITIONS: [(Cond, &str); 16] = [
    (Cond::Overflow, "o"),
    (Cond::NotOverflow, "no"),
    (Cond::Below, "b"),
    (Cond::AboveOrEqual, "ae"),
    (Cond::Equal, "e"),
    (Cond::NotEqual, "ne"),
    (Cond::BelowOrEqual, "be"),
    (Cond::Above, "a"),
    (Cond::Sign, "s"),
    (Cond::NotSign, "ns"),
    (Cond::Parity, "p"),
    (Cond::NotParity, "np"),
    (Cond::Less, "l"),
    (Cond::GreaterOrEqual, "ge"),
    (Cond::LessOrEqual, "le"),
    (Cond::Greater, "g"),
];

/// Displacements and 32-bit immediates: around the limits of every width, and one whose bytes all differ.
pub(super) const EDGES: [i32; 11] = [0, 1, -1, 127, 128, -128, -129, 0x1234_5678, i32::MAX, i32::MIN, 255];

pub(super) fn conditions() -> impl Iterator<Item = (Cond, &'static str)> {
    CONDITIONS.into_iter()
}

/// The register's name at this width in bits.
pub(super) fn name(reg: Reg, bits: u8) -> Register {
    let names = match bits {
        8 => &BYTES,
        16 => &WORDS,
        32 => &DOUBLE_WORDS,
        _ => &QUAD_WORDS,
    };
    names[reg as usize]
}

pub(super) fn bits(size: RegSize) -> u8 {
    match size {
        RegSize::R32 => 32,
        RegSize::R64 => 64,
    }
}

/// Returns true for r8 to r15.
pub(super) fn is_high(reg: Reg) -> bool {
    reg as u8 >= 8
}

/// Length of the REX prefix: one byte if any reason for it holds.
pub(super) fn rex(size: RegSize, high: impl IntoIterator<Item = Reg>) -> usize {
    usize::from(size == RegSize::R64 || high.into_iter().any(is_high))
}

/// Length of an immediate or displacement: one byte if it fits.
pub(super) fn width(value: i32) -> usize {
    if i8::try_from(value).is_ok() { 1 } else { 4 }
}

/// Every address: each kind, base, index and scale, with each boundary value as displacement, of both sizes.
pub(super) fn addresses() -> Vec<(Mem, Address)> {
    let mut all = Vec::new();
    let scales = [(Scale::X1, 1), (Scale::X2, 2), (Scale::X4, 4), (Scale::X8, 8)];
    for is_32 in [false, true] {
        let bits = if is_32 { 32 } else { 64 };
        let expect = |base: Option<Reg>, index: Option<(Reg, u8)>, disp: i32| {
            // Requirements of a base: a SIB byte for rsp and r12, a displacement for rbp and r13.
            let needs_sib = index.is_some() || base.is_none_or(|base| matches!(base, Reg::Rsp | Reg::R12));
            let needs_disp = base.is_some_and(|base| matches!(base, Reg::Rbp | Reg::R13));
            let disp_len = match base {
                None => 4,
                Some(_) if disp == 0 && !needs_disp => 0,
                Some(_) => width(disp),
            };
            Address {
                base: base.map_or(NO_REGISTER, |base| name(base, bits)),
                index: index.map_or(NO_REGISTER, |(index, _)| name(index, bits)),
                scale: index.map_or(1, |(_, scale)| scale),
                disp,
                is_32,
                len: u8::from(is_32) + 1 + u8::from(needs_sib) + disp_len as u8,
                needs_rex: base.is_some_and(is_high) || index.is_some_and(|(index, _)| is_high(index)),
            }
        };
        for disp in EDGES {
            let absolute = if is_32 { Mem::absolute32(disp.cast_unsigned()) } else { Mem::absolute(disp) };
            all.push((absolute, expect(None, None, disp)));
            for base in Reg::ALL {
                let mem = if is_32 { Mem::base32(base, disp) } else { Mem::base(base, disp) };
                all.push((mem, expect(Some(base), None, disp)));
            }
            for (reg, index) in Reg::ALL.into_iter().filter_map(|reg| Some((reg, reg.index()?))) {
                for (scale, factor) in scales {
                    let mem = if is_32 { Mem::index32(index, scale, disp) } else { Mem::index(index, scale, disp) };
                    let expected = if factor == 1 {
                        expect(Some(reg), None, disp)
                    } else {
                        expect(None, Some((reg, factor)), disp)
                    };
                    all.push((mem, expected));
                    for base in Reg::ALL {
                        let mem = if is_32 {
                            Mem::base_index32(base, index, scale, disp)
                        } else {
                            Mem::base_index(base, index, scale, disp)
                        };
                        all.push((mem, expect(Some(base), Some((reg, factor)), disp)));
                    }
                }
            }
        }
    }
    for disp in EDGES {
        let address = Address { base: RIP, index: NO_REGISTER, scale: 1, disp, is_32: false, len: 5, needs_rex: false };
        all.push((Mem::rip(disp), address));
    }
    all
}
