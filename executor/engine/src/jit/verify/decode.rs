//! The verifier's decoder: the length of an instruction that goes on to the next one, if it is a form of the rules.
//!
//! First by the tables of `forms`; what needs more than opcode and ModRM byte comes after them, by hand. Source: Intel SDM,
//! volume 2, chapter 2 and the pages of the instructions.

use super::{RSP, Verifier, forms, is_operand};
use crate::error::CodeRule;

/// Prefix: addresses have 32 bits.
const ADDRESS_SIZE: u8 = 0x67;
/// Prefix: operands have 16 bits.
const OPERAND_SIZE: u8 = 0x66;

/// An instruction up to its opcode, and the bytes behind that.
struct Head {
    is_memory: bool,
    /// `66`, `F3`, or none: zero.
    prefix: u8,
    /// Zero: none.
    rex: u8,
    is_escaped: bool,
    code: u8,
    /// Bytes up to the opcode, that included.
    length: usize,
    /// Operands and immediates that follow the opcode.
    rest: u64,
}

impl Head {
    fn read(mut rest: u64) -> Head {
        let mut length = 0;
        let mut take = |condition: fn(u8) -> bool| {
            let byte = rest as u8;
            let is_it = condition(byte);
            if is_it {
                rest >>= 8;
                length += 1;
            }
            if is_it { byte } else { 0 }
        };
        let is_memory = take(|byte| byte == ADDRESS_SIZE) != 0;
        let prefix = take(|byte| byte == OPERAND_SIZE || byte == 0xf3);
        let rex = take(|byte| byte & 0xf0 == 0x40);
        let is_escaped = take(|byte| byte == 0x0f) != 0;
        let code = take(|_| true);
        Head { is_memory, prefix, rex, is_escaped, code, length, rest }
    }

    fn is_wide(&self) -> bool {
        self.rex & 8 != 0
    }

    /// The register whose number is in the opcode.
    fn register_in_opcode(&self) -> u8 {
        self.code & 7 | (self.rex & 1) << 3
    }

    /// Of ModRM.
    fn reg(&self) -> u8 {
        self.rest as u8 >> 3 & 7 | (self.rex & 4) << 1
    }

    fn rm(&self) -> u8 {
        self.rest as u8 & 7 | (self.rex & 1) << 3
    }

    fn mode(&self) -> u8 {
        self.rest as u8 >> 6
    }

    fn sib(&self) -> u8 {
        (self.rest >> 8) as u8
    }

    fn is_of_registers(&self) -> bool {
        self.mode() == 3 && is_operand(self.reg()) && is_operand(self.rm()) && self.rex & 2 == 0
    }

    /// Bytes behind the opcode, if it is one of the forms.
    fn rest_length(&self) -> Option<usize> {
        let Head { is_memory, prefix, rex, is_escaped, code, .. } = *self;
        match (is_memory, prefix, is_escaped) {
            (true, 0 | OPERAND_SIZE, _) => self.guest_memory(),
            // popcnt, tzcnt, lzcnt
            (false, 0xf3, true) => (matches!(code, 0xb8 | 0xbc | 0xbd) && self.is_of_registers()).then_some(1),
            // bswap
            (false, 0, true) => {
                (code & 0xf8 == 0xc8 && rex & 6 == 0 && is_operand(self.register_in_opcode())).then_some(0)
            }
            (false, 0, false) => match code {
                // mov of a constant
                0xb8..=0xbf if rex & 6 == 0 && is_operand(self.register_in_opcode()) => {
                    Some(if self.is_wide() { 8 } else { 4 })
                }
                // xchg with rax
                0x90..=0x97 if rex & 0xe == 8 => {
                    let reg = self.register_in_opcode();
                    (reg != 0 && is_operand(reg)).then_some(0)
                }
                // cdq, cqo
                0x99 => matches!(rex, 0 | 0x48).then_some(0),
                0x8d => self.sum_of_registers(),
                0xc4 if rex == 0 => self.vex(),
                _ => None,
            },
            _ => None,
        }
    }

    /// An access to guest memory that the tables do not have: of 16 bits, to an absolute address, or through r12.
    fn guest_memory(&self) -> Option<usize> {
        let modrm = self.rest as u8;
        let is_short = self.prefix == OPERAND_SIZE;
        if is_short && (self.is_escaped || !matches!(self.code, 0x89 | 0xc7) || self.is_wide()) || self.rex & 2 != 0 {
            return None;
        }
        let opcode = forms::opcode(true, self.is_escaped, self.code);
        let known = |rex: u8, modrm: u8| match forms::length_from_modrm(opcode, forms::prefix(rex), modrm) {
            0 => None,
            length => Some(length),
        };
        // With a SIB byte as if the base were rax.
        let through_rax = || known(self.rex & !1, modrm & !7);
        let length = if modrm & 7 != RSP {
            known(self.rex, modrm)?
        } else if self.sib() == 0x24 && self.rex & 1 == 1 {
            // r12 and no index
            through_rax()? + 1
        } else if self.sib() == 0x25 && self.rex & 1 == 0 && self.mode() == 0 {
            // an address and nothing else
            through_rax()? + 5
        } else {
            return None;
        };
        Some(if is_short && self.code == 0xc7 { length - 2 } else { length })
    }

    /// `lea` of two registers, or of r12.
    fn sum_of_registers(&self) -> Option<usize> {
        let index = self.sib() >> 3 & 7 | (self.rex & 2) << 2;
        let base = self.sib() & 7 | (self.rex & 1) << 3;
        let is_permitted = self.rest as u8 & 7 == RSP
            && is_operand(self.reg())
            && is_operand(base)
            && (index == RSP || is_operand(index))
            && self.sib() >> 6 == 0;
        match self.mode() {
            0 if is_permitted && base & 7 != 5 => Some(2),
            1 if is_permitted => Some(3),
            2 if is_permitted => Some(6),
            _ => None,
        }
    }

    /// Three operands: shifts, mulx, andn, rorx.
    fn vex(&self) -> Option<usize> {
        let [first, second, code, modrm] = (self.rest as u32).to_le_bytes();
        // R, X, B and vvvv are inverted. No X, no L.
        let (map, other) = (first & 0x1f, !second >> 3 & 15);
        let (reg, rm) = (modrm >> 3 & 7 | (!first >> 7) << 3, modrm & 7 | (!first >> 5 & 1) << 3);
        if first & 0x40 == 0 || second & 4 != 0 || modrm >> 6 != 3 || !is_operand(reg) || !is_operand(rm) {
            return None;
        }
        match (map, code, second & 3) {
            (2, 0xf7, 1..) | (2, 0xf6, 3) | (2, 0xf2, 0) => is_operand(other).then_some(4),
            (3, 0xf0, 3) => (other == 0).then_some(5),
            _ => None,
        }
    }
}

impl Verifier<'_> {
    /// Bytes of the instruction at an offset by the tables of `forms`; zero if they do not have it.
    #[inline(always)]
    pub(super) fn regular(&self, at: usize) -> usize {
        let mut word = self.word(at);
        let is_memory = word as u8 == ADDRESS_SIZE;
        word >>= 8 * u32::from(is_memory);
        let prefix = forms::prefix(word as u8);
        let has_rex = prefix != 0;
        word >>= 8 * u32::from(has_rex);
        let is_escaped = word as u8 == 0x0f;
        word >>= 8 * u32::from(is_escaped);
        let opcode = forms::opcode(is_memory, is_escaped, word as u8);
        match forms::length_from_modrm(opcode, prefix, (word >> 8) as u8) {
            0 => 0,
            length => length + 1 + usize::from(is_memory) + usize::from(has_rex) + usize::from(is_escaped),
        }
    }

    /// Bytes of the instruction at an offset that the tables do not have and that is no control flow; `None` if it is no
    /// form of the rules.
    pub(super) fn irregular(&self, at: usize) -> Option<usize> {
        let head = Head::read(self.word(at));
        head.rest_length().map(|rest| head.length + rest)
    }

    /// The rule that an instruction violates which is no form of the rules.
    #[cold]
    pub(super) fn rule_of(&self, at: usize) -> CodeRule {
        let head = Head::read(self.word(at));
        let is_short_store = head.is_memory && head.prefix == OPERAND_SIZE && matches!(head.code, 0x89 | 0xc7);
        let known = |is_memory| forms::is_known(forms::opcode(is_memory, head.is_escaped, head.code));
        match (head.is_memory, head.mode() == 3) {
            _ if head.prefix != 0 && !is_short_store => CodeRule::Form,
            (true, false) if known(true) => CodeRule::Address,
            (false, false) if known(true) => CodeRule::Address,
            (false, _) if known(false) => CodeRule::Register,
            _ => CodeRule::Form,
        }
    }
}
