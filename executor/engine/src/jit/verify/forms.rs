//! Tables of the verifier: the instruction forms that the compiler's rules emit, from the manual (Intel SDM, volume 2).
//!
//! Shares nothing with the assembler. A form here is an opcode, what its ModRM byte may say, and the length of what
//! follows. Forms that need more than their opcode and ModRM (a SIB byte, other prefixes, control flow) are in `decode`.

use super::{RSP, is_operand};
use pvm_zygote::protocol::NATIVE_SCRATCH;

/// Operands of a form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operands {
    /// Two registers.
    Registers,
    /// Two registers, that in ModRM.rm as a byte.
    RegisterAndByte,
    /// A register as a byte, the digit in ModRM.reg zero.
    Byte,
    /// A register, with one of these digits in ModRM.reg: a set of bits.
    Digits(u8),
    /// The scratch register, with such a digit.
    ScratchDigits(u8),
    /// A register and an address that is not accessed.
    Address,
    /// A register and guest memory.
    Memory,
    /// A register as a byte and guest memory.
    ByteAndMemory,
    /// Guest memory, the digit in ModRM.reg zero.
    MemoryAlone,
}

/// REX.W that a form has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wide {
    Either,
    Yes,
    No,
}

/// Forms that differ in nothing but their opcodes.
struct Shape {
    operands: Operands,
    /// Bytes of its immediate.
    imm: u8,
    wide: Wide,
    /// Numbers of opcodes, see [`opcode`].
    opcodes: &'static [u16],
}

/// Flags of an opcode's number: `0F` comes before it; it accesses memory by a 32-bit address (prefix `67`).
const ESCAPED: u16 = 0x100;
const MEMORY: u16 = 0x200;
/// Numbers of opcodes.
const OPCODES: usize = 0x400;

/// The number of an opcode.
pub(super) const fn opcode(memory: bool, escaped: bool, code: u8) -> usize {
    code as usize | (escaped as usize) << 8 | (memory as usize) << 9
}

/// Conditions: all but those of overflow, sign and parity.
macro_rules! conditional {
    ($($base:expr),*) => {
        &[$($base | 2, $base | 3, $base | 4, $base | 5, $base | 6, $base | 7,
            $base | 0xc, $base | 0xd, $base | 0xe, $base | 0xf),*]
    };
}

const SHAPES: [Shape; 20] = {
    use Operands::*;
    use Wide::*;
    const fn shape(operands: Operands, imm: u8, wide: Wide, opcodes: &'static [u16]) -> Shape {
        Shape { operands, imm, wide, opcodes }
    }
    [
        // add, or, adc, and, sub, xor, cmp, test, mov; imul, movzx and movsx of two bytes.
        shape(
            Registers,
            0,
            Either,
            &[0x01, 0x09, 0x11, 0x21, 0x29, 0x31, 0x39, 0x85, 0x89, ESCAPED | 0xaf, ESCAPED | 0xb7, ESCAPED | 0xbf],
        ),
        shape(Registers, 0, Either, conditional!(ESCAPED | 0x40)),
        // movsxd, xchg.
        shape(Registers, 0, Yes, &[0x63, 0x87]),
        // imul by a constant.
        shape(Registers, 1, Either, &[0x6b]),
        shape(Registers, 4, Either, &[0x69]),
        // movzx and movsx of a byte, setcc.
        shape(RegisterAndByte, 0, Either, &[ESCAPED | 0xb6, ESCAPED | 0xbe]),
        shape(Byte, 0, No, conditional!(ESCAPED | 0x90)),
        // add, or, adc, and, xor, cmp with a constant; not sub.
        shape(Digits(0b1101_0111), 1, Either, &[0x83]),
        shape(Digits(0b1101_0111), 4, Either, &[0x81]),
        // not, neg, mul, imul, div, idiv.
        shape(Digits(0b1111_1100), 0, Either, &[0xf7]),
        // shl, shr, sar by a constant and by one.
        shape(Digits(0b1011_0000), 1, Either, &[0xc1]),
        shape(Digits(0b1011_0000), 0, Either, &[0xd1]),
        // rol, ror by cl.
        shape(ScratchDigits(0b0000_0011), 0, Either, &[0xd3]),
        // mov of a constant, sign-extended.
        shape(Digits(0b0000_0001), 4, Yes, &[0xc7]),
        // lea.
        shape(Address, 0, Either, &[0x8d]),
        // Loads and stores; those that extend four bytes, and of a byte.
        shape(
            Memory,
            0,
            Either,
            &[
                MEMORY | 0x8b,
                MEMORY | 0x89,
                MEMORY | ESCAPED | 0xb6,
                MEMORY | ESCAPED | 0xb7,
                MEMORY | ESCAPED | 0xbe,
                MEMORY | ESCAPED | 0xbf,
            ],
        ),
        shape(Memory, 0, Yes, &[MEMORY | 0x63]),
        shape(ByteAndMemory, 0, No, &[MEMORY | 0x88]),
        // Stores of constants.
        shape(MemoryAlone, 1, No, &[MEMORY | 0xc6]),
        shape(MemoryAlone, 4, Either, &[MEMORY | 0xc7]),
    ]
};

/// REX prefixes as rows of [`LENGTHS`]: none, the eight without REX.X, and the others, which no form has that is read by
/// this table.
const PREFIXES: usize = 10;

/// By first byte its row: zero for one that is no REX prefix.
static PREFIX: [u8; 256] = {
    let mut rows = [0; 256];
    let mut rex = 0x40;
    while rex < 0x50 {
        let (w, r, b) = (rex >> 3 & 1, rex >> 2 & 1, rex & 1);
        rows[rex as usize] = if rex & 2 != 0 { 9 } else { 1 + (w << 2 | r << 1 | b) };
        rex += 1;
    }
    rows
};

/// By number of an opcode its shape, counted from one; zero if no form has it.
static SHAPE_OF: [u8; OPCODES] = {
    let mut shapes = [0; OPCODES];
    let mut index = 0;
    while index < SHAPES.len() {
        let mut at = 0;
        while at < SHAPES[index].opcodes.len() {
            shapes[SHAPES[index].opcodes[at] as usize] = index as u8 + 1;
            at += 1;
        }
        index += 1;
    }
    shapes
};

/// By shape, REX prefix and ModRM byte: the bytes from the ModRM byte on, zero if it is not permitted.
static LENGTHS: [[[u8; 256]; PREFIXES]; SHAPES.len() + 1] = {
    let mut lengths = [[[0; 256]; PREFIXES]; SHAPES.len() + 1];
    let mut index = 0;
    while index < SHAPES.len() {
        let mut prefix = 0;
        // Not the last one, which has REX.X.
        while prefix < PREFIXES - 1 {
            let mut modrm = 0;
            while modrm < 256 {
                lengths[index + 1][prefix][modrm] = length(&SHAPES[index], prefix as u8, modrm as u8);
                modrm += 1;
            }
            prefix += 1;
        }
        index += 1;
    }
    lengths
};

/// An entry of [`LENGTHS`].
const fn length(shape: &Shape, prefix: u8, modrm: u8) -> u8 {
    let has_rex = prefix != 0;
    let bits = prefix.saturating_sub(1);
    let (w, r, b) = (bits >> 2, bits >> 1 & 1, bits & 1);
    let (mode, digit) = (modrm >> 6, modrm >> 3 & 7);
    let (reg, rm) = (digit | r << 3, modrm & 7 | b << 3);
    let is_wide_enough = match shape.wide {
        Wide::Either => true,
        Wide::Yes => w == 1,
        Wide::No => w == 0,
    };
    if !is_wide_enough {
        return 0;
    }
    let is_permitted = match shape.operands {
        Operands::Registers => mode == 3 && is_operand(reg) && is_operand(rm),
        Operands::RegisterAndByte => mode == 3 && is_operand(reg) && is_byte_operand(has_rex, rm),
        Operands::Byte => mode == 3 && reg == 0 && is_byte_operand(has_rex, rm),
        Operands::Digits(digits) => mode == 3 && r == 0 && digits >> digit & 1 == 1 && is_operand(rm),
        Operands::ScratchDigits(digits) => mode == 3 && r == 0 && digits >> digit & 1 == 1 && rm == NATIVE_SCRATCH,
        Operands::Address => is_base(mode, modrm, rm) && is_operand(reg),
        Operands::Memory => is_base(mode, modrm, rm) && rm != NATIVE_SCRATCH && is_operand(reg),
        Operands::ByteAndMemory => is_base(mode, modrm, rm) && rm != NATIVE_SCRATCH && is_byte_operand(has_rex, reg),
        Operands::MemoryAlone => is_base(mode, modrm, rm) && rm != NATIVE_SCRATCH && reg == 0,
    };
    let displacement = match mode {
        1 => 1,
        2 => 4,
        _ => 0,
    };
    if is_permitted { 1 + displacement + shape.imm } else { 0 }
}

/// Returns whether a register can be named as a byte: without REX, numbers from four on are ah, ch, dh and bh.
const fn is_byte_operand(has_rex: bool, reg: u8) -> bool {
    is_operand(reg) && (has_rex || reg < 4)
}

/// Returns whether a ModRM byte says that the address is a register and a displacement: no SIB byte, not relative to the
/// instruction.
const fn is_base(mode: u8, modrm: u8, rm: u8) -> bool {
    mode != 3 && modrm & 7 != RSP && !(mode == 0 && modrm & 7 == 5) && is_operand(rm)
}

/// Returns whether any form has this opcode.
pub(super) fn is_known(opcode: usize) -> bool {
    SHAPE_OF.get(opcode).is_some_and(|shape| *shape != 0)
}

/// The row of a first byte that is a REX prefix, else zero.
#[inline(always)]
pub(super) fn prefix(first: u8) -> u8 {
    PREFIX[first as usize]
}

/// Bytes from the ModRM byte on, by number of opcode, row of the REX prefix, and ModRM byte; zero if that is none of the
/// forms.
#[inline(always)]
pub(super) fn length_from_modrm(opcode: usize, prefix: u8, modrm: u8) -> usize {
    let shape = SHAPE_OF.get(opcode).copied().unwrap_or(0);
    let row = LENGTHS.get(shape as usize).and_then(|rows| rows.get(prefix as usize));
    row.map_or(0, |row| row[modrm as usize] as usize)
}
