//! Layouts of instructions: one function per layout, called by the tables in `forms` with an opcode and operands.
//! Nearly free of branches, because an operand's requirements (a REX prefix, a SIB byte, the width of a displacement)
//! are unpredictable. Source of all rules: Intel SDM, volume 2, chapter 2.
//! displacement) is as good as random to a branch predictor. Source of all rules: Intel SDM, volume 2, chapter 2.

use crate::inst::Inst;
use crate::mem::{Address, Mem};
use crate::operand::{Cond, Reg, RegSize, StoreImm, Width};

/// Opcode: a mandatory or size prefix (0: none), whether 0F precedes it, its last byte, and the digit in ModRM.reg if
/// the form has no register there.
#[derive(Clone, Copy)]
pub(crate) struct Op {
    prefix: u8,
    escaped: bool,
    code: u8,
    digit: u8,
}

/// Opcode of one byte.
pub(crate) const fn op(code: u8) -> Op {
    Op { prefix: 0, escaped: false, code, digit: 0 }
}

/// Opcode of one byte with a digit in ModRM.reg, `code /digit` in the manual.
pub(crate) const fn group(code: u8, digit: u8) -> Op {
    Op { prefix: 0, escaped: false, code, digit }
}

/// `0F code`.
pub(crate) const fn op_0f(code: u8) -> Op {
    Op { prefix: 0, escaped: true, code, digit: 0 }
}

/// `F3 0F code`.
pub(crate) const fn op_f3_0f(code: u8) -> Op {
    Op { prefix: 0xf3, escaped: true, code, digit: 0 }
}

impl Op {
    #[inline(always)]
    const fn plus(self, low: u8) -> Op {
        Op { code: self.code + low, ..self }
    }
}

/// Up to eight bytes, the first one lowest; bytes past `len` are unspecified.
#[derive(Clone, Copy)]
struct Bytes {
    bits: u64,
    len: u32,
}

impl Bytes {
    /// Appends `count` bytes of `value`. Everything above `len` must still be zero.
    #[inline(always)]
    const fn then(self, value: u64, count: u32) -> Bytes {
        Bytes { bits: self.bits | value << (8 * self.len), len: self.len + count }
    }

    #[inline(always)]
    const fn inst(self) -> Inst {
        Inst::short(self.bits, self.len as u8)
    }
}

/// Prefix, REX and opcode, then `rest` (of `rest_len` bytes). An empty REX is omitted unless `force_rex` (for spl, bpl,
/// sil and dil).
#[inline(always)]
const fn opcode(op: Op, rex_bits: u8, force_rex: bool, rest: u64, rest_len: u32) -> Bytes {
    let (code, code_len) = if op.escaped { (0x0f | (op.code as u64) << 8, 2) } else { (op.code as u64, 1) };
    // Emits REX first, then shifts everything down over it if it isn't needed: no branch.
    let has_rex = (rex_bits != 0 || force_rex) as u32;
    let whole = (0x40 | rex_bits as u64) | code << 8 | rest << (8 + 8 * code_len);
    let bits = whole >> (8 * (1 - has_rex));
    let len = has_rex + code_len + rest_len;
    if op.prefix == 0 { Bytes { bits, len } } else { Bytes { bits: bits << 8 | op.prefix as u64, len: len + 1 } }
}

#[inline(always)]
const fn rex(w: u8, reg: u8, index: u8, base: u8) -> u8 {
    w << 3 | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3
}

/// ModRM of two registers.
#[inline(always)]
const fn modrm(reg: u8, rm: u8) -> u64 {
    (0xc0 | (reg & 7) << 3 | rm & 7) as u64
}

/// Opcode and ModRM with `rm` a register.
#[inline(always)]
const fn registers(op: Op, w: u8, reg: u8, rm: u8, force_rex: bool) -> Bytes {
    opcode(op, rex(w, reg, 0, rm), force_rex, modrm(reg, rm), 1)
}

/// Returns true if a register needs a REX prefix to be used as a byte (spl to dil; r8 and up have one anyway).
#[inline(always)]
const fn byte_needs_rex(reg: Reg) -> bool {
    reg.number() >= 4
}

#[inline(always)]
const fn fits_i8(value: i32) -> bool {
    value as i8 as i32 == value
}

/// Encodes an instruction with a memory operand, then `imm_len` bytes of `imm`.
#[inline(always)]
const fn memory(op: Op, w: u8, reg: u8, force_rex: bool, mem: Mem, imm: u64, imm_len: u32) -> Inst {
    let reg_field = ((reg & 7) << 3) as u64;
    let disp = mem.disp as u32 as u64;
    let (head, disp_len) = match mem.address {
        Address::Base(base) => {
            let base = base.number();
            let (mode, disp_len) = displacement(base, mem.disp);
            // A base of rsp or r12 requires a SIB byte without an index. If it isn't counted, 0x24 is harmless: the
            // displacement overwrites it.
            let sib_len = (base & 7 == 4) as u32;
            let rest = mode | reg_field | (base & 7) as u64 | 0x24 << 8;
            (opcode(op, rex(w, reg, 0, base), force_rex, rest, 1 + sib_len), disp_len)
        }
        Address::BaseIndex(base, index, scale) => {
            let (base, index) = (base.number(), index.reg().number());
            let (mode, disp_len) = displacement(base, mem.disp);
            let sib = ((scale as u8) << 6 | (index & 7) << 3 | base & 7) as u64;
            (opcode(op, rex(w, reg, index, base), force_rex, mode | reg_field | 4 | sib << 8, 2), disp_len)
        }
        Address::Index(index, scale) => {
            let index = index.reg().number();
            let sib = ((scale as u8) << 6 | (index & 7) << 3 | 5) as u64;
            (opcode(op, rex(w, reg, index, 0), force_rex, reg_field | 4 | sib << 8, 2), 4)
        }
        // A SIB byte with neither base nor index; without it the address would be relative to rip.
        Address::Absolute => (opcode(op, rex(w, reg, 0, 0), force_rex, reg_field | 4 | 0x25 << 8, 2), 4),
        Address::Rip => (opcode(op, rex(w, reg, 0, 0), force_rex, reg_field | 5, 1), 4),
    };
    let head = if mem.is_32 { Bytes { bits: head.bits << 8 | 0x67, len: head.len + 1 } } else { head };
    let tail = if imm_len == 0 { disp } else { disp & ((1 << (8 * disp_len)) - 1) | imm << (8 * disp_len) };
    Inst {
        head: head.bits,
        tail,
        head_len: head.len as u8,
        tail_len: (disp_len + imm_len) as u8,
        has_tail: true,
        is_rip: matches!(mem.address, Address::Rip),
    }
}

/// Returns ModRM.mod, shifted into place, and the length of the displacement that it implies: none, one or four bytes.
/// A base of rbp or r13 always has one, since mod 0 has another meaning there.
#[inline(always)]
const fn displacement(base: u8, disp: i32) -> (u64, u32) {
    let none = (disp == 0 && base & 7 != 5) as u32;
    let mode = 2 - fits_i8(disp) as u32 - none;
    ((mode << 6) as u64, mode + (mode & 2))
}

// ---- Registers ----

/// `op r/m, r`: the destination in ModRM.rm.
#[inline(always)]
pub(crate) const fn mr_registers(op: Op, size: RegSize, dst: Reg, src: Reg) -> Inst {
    registers(op, size.w(), src.number(), dst.number(), false).inst()
}

/// `op r, r/m`: the destination in ModRM.reg.
#[inline(always)]
pub(crate) const fn rm_registers(op: Op, size: RegSize, dst: Reg, src: Reg) -> Inst {
    registers(op, size.w(), dst.number(), src.number(), false).inst()
}

/// `op r, r8`.
#[inline(always)]
pub(crate) const fn rm_byte_register(op: Op, size: RegSize, dst: Reg, src: Reg) -> Inst {
    registers(op, size.w(), dst.number(), src.number(), byte_needs_rex(src)).inst()
}

/// `op r/m`, the digit in ModRM.reg.
#[inline(always)]
pub(crate) const fn one_register(op: Op, size: RegSize, reg: Reg) -> Inst {
    registers(op, size.w(), op.digit, reg.number(), false).inst()
}

/// `op r/m` that is 64 bits wide without REX.W.
#[inline(always)]
pub(crate) const fn one_wide_register(op: Op, reg: Reg) -> Inst {
    one_register(op, RegSize::R32, reg)
}

/// `op + r`, the register in the opcode's last byte.
#[inline(always)]
pub(crate) const fn register_in_opcode(op: Op, size: RegSize, reg: Reg) -> Inst {
    opcode(op.plus(reg.number() & 7), rex(size.w(), 0, 0, reg.number()), false, 0, 0).inst()
}

/// `op + r` that is 64 bits wide without REX.W.
#[inline(always)]
pub(crate) const fn wide_register_in_opcode(op: Op, reg: Reg) -> Inst {
    register_in_opcode(op, RegSize::R32, reg)
}

/// `op r, r/m` under a condition, which is added to the opcode.
#[inline(always)]
pub(crate) const fn conditional_registers(op: Op, cond: Cond, size: RegSize, dst: Reg, src: Reg) -> Inst {
    rm_registers(op.plus(cond.number()), size, dst, src)
}

/// `op r8` under a condition, which is added to the opcode.
#[inline(always)]
pub(crate) const fn conditional_byte_register(op: Op, cond: Cond, dst: Reg) -> Inst {
    registers(op.plus(cond.number()), 0, 0, dst.number(), byte_needs_rex(dst)).inst()
}

/// `xchg`: a single-byte opcode if rax is involved. Not if rax is exchanged with itself: `90` is a nop, which would not
/// clear the upper half as a 32-bit exchange does.
#[inline(always)]
pub(crate) const fn exchange(op: Op, size: RegSize, a: Reg, b: Reg) -> Inst {
    let (x, y) = (a.number(), b.number());
    if (x == 0) != (y == 0) {
        opcode(self::op(0x90 + ((x | y) & 7)), rex(size.w(), 0, 0, x | y), false, 0, 0).inst()
    } else {
        mr_registers(op, size, a, b)
    }
}

// ---- Immediates ----

/// `op r, imm` of the arithmetic group (selected by `op.digit`): 8 bits sign-extended if it fits, else 32. The form for
/// rax is a byte shorter, but not worth the decision.
#[inline(always)]
pub(crate) const fn arithmetic_immediate(op: Op, size: RegSize, dst: Reg, imm: i32) -> Inst {
    let short = fits_i8(imm);
    let code = Op { code: op.code | (short as u8) << 1, ..op };
    let rest = modrm(op.digit, dst.number()) | (imm as u32 as u64) << 8;
    opcode(code, rex(size.w(), 0, 0, dst.number()), false, rest, 5 - 3 * short as u32).inst()
}

/// `test r, imm`: 32 bits.
#[inline(always)]
pub(crate) const fn test_immediate(op: Op, size: RegSize, dst: Reg, imm: i32) -> Inst {
    registers(op, size.w(), op.digit, dst.number(), false).then(imm as u32 as u64, 4).inst()
}

/// `op r, r/m, imm`: 8 bits sign-extended if it fits, else 32.
#[inline(always)]
pub(crate) const fn multiply_immediate(op: Op, size: RegSize, dst: Reg, src: Reg, imm: i32) -> Inst {
    let short = fits_i8(imm);
    let code = Op { code: op.code | (short as u8) << 1, ..op };
    let rest = modrm(dst.number(), src.number()) | (imm as u32 as u64) << 8;
    opcode(code, rex(size.w(), dst.number(), 0, src.number()), false, rest, 5 - 3 * short as u32).inst()
}

/// `op r/m, imm8` of the shift group; a count of one has an opcode of its own.
#[inline(always)]
pub(crate) const fn shift_immediate(op: Op, size: RegSize, dst: Reg, count: u8) -> Inst {
    let once = (count == 1) as u8;
    let code = Op { code: op.code | once << 4, ..op };
    let rest = modrm(op.digit, dst.number()) | (count as u64) << 8;
    opcode(code, rex(size.w(), 0, 0, dst.number()), false, rest, 2 - once as u32).inst()
}

/// `mov r32, imm32`.
#[inline(always)]
pub(crate) const fn load_u32(op: Op, dst: Reg, imm: u32) -> Inst {
    opcode(op.plus(dst.number() & 7), rex(0, 0, 0, dst.number()), false, imm as u64, 4).inst()
}

/// `mov r64, imm32`, sign-extended.
#[inline(always)]
pub(crate) const fn load_i32(op: Op, dst: Reg, imm: i32) -> Inst {
    registers(op, 1, op.digit, dst.number(), false).then(imm as u32 as u64, 4).inst()
}

/// `mov r64, imm64`.
#[inline(always)]
pub(crate) const fn load_u64(op: Op, dst: Reg, imm: u64) -> Inst {
    let head = opcode(op.plus(dst.number() & 7), rex(1, 0, 0, dst.number()), false, 0, 0);
    Inst { head: head.bits, tail: imm, head_len: head.len as u8, tail_len: 8, has_tail: true, is_rip: false }
}

/// `op imm`: 8 bits sign-extended if it fits (opcode with bit 1 set), else 32.
#[inline(always)]
pub(crate) const fn push_immediate(op: Op, imm: i32) -> Inst {
    let short = fits_i8(imm);
    opcode(op.plus((short as u8) << 1), 0, false, imm as u32 as u64, 4 - 3 * short as u32).inst()
}

// ---- Memory ----

/// `op r, m`.
#[inline(always)]
pub(crate) const fn rm_memory(op: Op, size: RegSize, dst: Reg, src: Mem) -> Inst {
    memory(op, size.w(), dst.number(), false, src, 0, 0)
}

/// `op m, r`.
#[inline(always)]
pub(crate) const fn mr_memory(op: Op, size: RegSize, dst: Mem, src: Reg) -> Inst {
    memory(op, size.w(), src.number(), false, dst, 0, 0)
}

/// `op r, m` under a condition, which is added to the opcode.
#[inline(always)]
pub(crate) const fn conditional_memory(op: Op, cond: Cond, size: RegSize, dst: Reg, src: Mem) -> Inst {
    rm_memory(op.plus(cond.number()), size, dst, src)
}

/// `op m` that is 64 bits wide without REX.W, the digit in ModRM.reg.
#[inline(always)]
pub(crate) const fn one_wide_memory(op: Op, mem: Mem) -> Inst {
    memory(op, 0, op.digit, false, mem, 0, 0)
}

/// `op m, imm` of the arithmetic group: 8 bits sign-extended if it fits, else 32.
#[inline(always)]
pub(crate) const fn arithmetic_memory_immediate(op: Op, size: RegSize, dst: Mem, imm: i32) -> Inst {
    let short = fits_i8(imm);
    let code = Op { code: op.code | (short as u8) << 1, ..op };
    memory(code, size.w(), op.digit, false, dst, imm as u32 as u64, 4 - 3 * short as u32)
}

/// `mov m, r` of any width: `op.code` for a byte, the next opcode for more.
#[inline(always)]
pub(crate) const fn store_register(op: Op, width: Width, dst: Mem, src: Reg) -> Inst {
    let (code, w) = sized(op, width);
    let force_rex = matches!(width, Width::W8) && byte_needs_rex(src);
    memory(code, w, src.number(), force_rex, dst, 0, 0)
}

/// `mov m, imm` of any width: `op.code` for a byte, the next opcode for more.
#[inline(always)]
pub(crate) const fn store_immediate(op: Op, dst: Mem, imm: StoreImm) -> Inst {
    let (width, bits, len) = match imm {
        StoreImm::W8(imm) => (Width::W8, imm as u64, 1),
        StoreImm::W16(imm) => (Width::W16, imm as u64, 2),
        StoreImm::W32(imm) => (Width::W32, imm as u32 as u64, 4),
        StoreImm::W64(imm) => (Width::W64, imm as u32 as u64, 4),
    };
    let (code, w) = sized(op, width);
    memory(code, w, op.digit, false, dst, bits, len)
}

#[inline(always)]
const fn sized(op: Op, width: Width) -> (Op, u8) {
    match width {
        Width::W8 => (op, 0),
        Width::W16 => (Op { prefix: 0x66, ..op.plus(1) }, 0),
        Width::W32 => (op.plus(1), 0),
        Width::W64 => (op.plus(1), 1),
    }
}

// ---- Three operands (VEX) ----

/// A VEX opcode without a vector: opcode map and implied prefix as the VEX fields number them.
#[derive(Clone, Copy)]
pub(crate) struct Vex {
    map: u8,
    prefix: u8,
    code: u8,
}

/// Opcode map and prefix as in the manual: `vex(VEX_66, MAP_0F38, code)`.
pub(crate) const fn vex(prefix: u8, map: u8, code: u8) -> Vex {
    Vex { map, prefix, code }
}
pub(crate) const MAP_0F38: u8 = 2;
pub(crate) const MAP_0F3A: u8 = 3;
pub(crate) const VEX_NONE: u8 = 0;
pub(crate) const VEX_66: u8 = 1;
pub(crate) const VEX_F3: u8 = 2;
pub(crate) const VEX_F2: u8 = 3;

/// The three-byte VEX prefix, opcode and ModRM. These maps have no two-byte prefix.
#[inline(always)]
const fn vex_registers(op: Vex, size: RegSize, reg: Reg, vvvv: Reg, rm: Reg) -> Bytes {
    let (reg, vvvv, rm) = (reg.number(), vvvv.number(), rm.number());
    // R, X, B and vvvv are inverted; no index, so X is one.
    let byte1 = (!reg >> 3 & 1) << 7 | 1 << 6 | (!rm >> 3 & 1) << 5 | op.map;
    let byte2 = size.w() << 7 | (!vvvv & 15) << 3 | op.prefix;
    let bits = 0xc4 | (byte1 as u64) << 8 | (byte2 as u64) << 16 | (op.code as u64) << 24 | modrm(reg, rm) << 32;
    Bytes { bits, len: 5 }
}

/// `op reg, rm, vvvv`: the shifts.
#[inline(always)]
pub(crate) const fn vex_rmv(op: Vex, size: RegSize, dst: Reg, src: Reg, count: Reg) -> Inst {
    vex_registers(op, size, dst, count, src).inst()
}

/// `op reg, vvvv, rm`.
#[inline(always)]
pub(crate) const fn vex_rvm(op: Vex, size: RegSize, dst: Reg, first: Reg, second: Reg) -> Inst {
    vex_registers(op, size, dst, first, second).inst()
}

/// `op reg, rm, imm8`. The unused vvvv must be all ones once inverted, as rax is.
#[inline(always)]
pub(crate) const fn vex_rm_immediate(op: Vex, size: RegSize, dst: Reg, src: Reg, imm: u8) -> Inst {
    vex_registers(op, size, dst, Reg::Rax, src).then(imm as u64, 1).inst()
}

// ---- No operands, and relative ones ----

/// Fixed bytes, at most seven.
#[inline(always)]
pub(crate) const fn fixed(bytes: &[u8]) -> Inst {
    let mut head = 0;
    let mut at = 0;
    while at < bytes.len() {
        head |= (bytes[at] as u64) << (8 * at);
        at += 1;
    }
    Inst::short(head, bytes.len() as u8)
}

/// `op rel8`.
#[inline(always)]
pub(crate) const fn relative8(op: Op, disp: i8) -> Inst {
    opcode(op, 0, false, disp as u8 as u64, 1).inst()
}

/// `op rel32`.
#[inline(always)]
pub(crate) const fn relative32(op: Op, disp: i32) -> Inst {
    opcode(op, 0, false, disp as u32 as u64, 4).inst()
}

/// `op rel8` under a condition, which is added to the opcode.
#[inline(always)]
pub(crate) const fn conditional_relative8(op: Op, cond: Cond, disp: i8) -> Inst {
    relative8(op.plus(cond.number()), disp)
}

/// `op rel32` under a condition, which is added to the opcode.
#[inline(always)]
pub(crate) const fn conditional_relative32(op: Op, cond: Cond, disp: i32) -> Inst {
    relative32(op.plus(cond.number()), disp)
}
