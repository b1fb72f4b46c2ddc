//! Sequences for operations that AMD64 has in another form: two operands instead of three, fixed registers, faults.
//!
//! Called by `lower`. `d`, `b`, `c` are native registers of the guest and may coincide; the scratch register is free.
//! Each function preserves every register but `d` and scratch.

use super::regs::SCRATCH;
use pvm_assembler::{
    Assembler, Cond, Inst, Mem,
    Reg::{self, Rax, Rbx, Rcx, Rsi},
    RegSize::{self, R32, R64},
    forms,
};

type Form = fn(RegSize, Reg, Reg) -> Inst;
type FormImm = fn(RegSize, Reg, i32) -> Inst;
type FormCount = fn(RegSize, Reg, u8) -> Inst;
type FormCl = fn(RegSize, Reg) -> Inst;

/// `d = b`; emits nothing if they are the same register. At 32 bits this also clears the upper half, which in 32-bit
/// programs is clear already, and does not matter before a 32-bit operation.
#[inline(always)]
pub(super) fn mov(asm: &mut Assembler, size: RegSize, d: Reg, b: Reg) {
    asm.push_if(d != b, forms::mov_rr(size, d, b));
}

/// Returns the other source of a commutative operation once one of them is in `d`: `c`, unless `d` is `c`.
#[inline(always)]
fn other(d: Reg, b: Reg, c: Reg) -> Reg {
    if d == c { b } else { c }
}

/// `d = b op c` for a commutative `op`.
#[inline(always)]
pub(super) fn commutative(asm: &mut Assembler, size: RegSize, form: Form, d: Reg, b: Reg, c: Reg) {
    asm.push_if(d != b && d != c, forms::mov_rr(size, d, b));
    asm.push(form(size, d, other(d, b, c)));
}

/// `d = b + c`.
#[inline(always)]
pub(super) fn add(asm: &mut Assembler, size: RegSize, d: Reg, b: Reg, c: Reg) {
    // Always present: only rsp is no index, and no guest register is mapped to it.
    let Some(index) = c.index() else { return };
    let apart = forms::lea_rm(size, d, Mem::base_index(b, index, pvm_assembler::Scale::X1, 0));
    asm.push(apart.when(d != b && d != c, forms::add_rr(size, d, other(d, b, c))));
}

/// `d = b - c`.
#[inline(always)]
pub(super) fn sub(asm: &mut Assembler, size: RegSize, d: Reg, b: Reg, c: Reg) {
    if d == c && d != b {
        asm.push(forms::neg_r(size, d));
        asm.push(forms::add_rr(size, d, b));
    } else {
        mov(asm, size, d, b);
        asm.push(forms::sub_rr(size, d, c));
    }
}

/// `d = b + imm`.
#[inline(always)]
pub(super) fn add_imm(asm: &mut Assembler, size: RegSize, d: Reg, b: Reg, imm: i32) {
    asm.push(forms::add_ri(size, d, imm).when(d == b, forms::lea_rm(size, d, Mem::base(b, imm))));
}

/// `d = b op imm`.
#[inline(always)]
pub(super) fn with_imm(asm: &mut Assembler, size: RegSize, form: FormImm, d: Reg, b: Reg, imm: i32) {
    mov(asm, size, d, b);
    asm.push(form(size, d, imm));
}

/// `d = imm - b`.
pub(super) fn sub_from_imm(asm: &mut Assembler, size: RegSize, d: Reg, b: Reg, imm: i32) {
    mov(asm, size, d, b);
    asm.push(forms::neg_r(size, d));
    if imm != 0 {
        asm.push(forms::add_ri(size, d, imm));
    }
}

/// `d = b` shifted or rotated by a constant.
#[inline(always)]
pub(super) fn shift_imm(asm: &mut Assembler, size: RegSize, form: FormCount, d: Reg, b: Reg, count: i32) {
    mov(asm, size, d, b);
    let mask = if size == R64 { 63 } else { 31 };
    asm.push(form(size, d, (count & mask) as u8));
}

/// `d = b` rotated by `c`.
pub(super) fn rotate(asm: &mut Assembler, size: RegSize, form: FormCl, d: Reg, b: Reg, c: Reg) {
    asm.push(forms::mov_rr(size, SCRATCH, b));
    rotate_scratch(asm, size, form, d, c);
}

/// `d = imm` rotated right by `b`.
pub(super) fn rotate_imm_by(asm: &mut Assembler, size: RegSize, d: Reg, b: Reg, imm: i32) {
    load(asm, size, SCRATCH, imm);
    rotate_scratch(asm, size, forms::ror_rcl, d, b);
}

/// `d` = scratch rotated by `c`, which the processor needs in rcx.
fn rotate_scratch(asm: &mut Assembler, size: RegSize, form: FormCl, d: Reg, c: Reg) {
    asm.push_if(c != Rcx, forms::xchg_rr(R64, Rcx, c));
    asm.push(form(size, SCRATCH));
    asm.push_if(c != Rcx, forms::xchg_rr(R64, Rcx, c));
    asm.push(forms::mov_rr(size, d, SCRATCH));
}

/// `d = imm`, sign-extended to the size.
#[inline(always)]
pub(super) fn load(asm: &mut Assembler, size: RegSize, d: Reg, imm: i32) {
    if imm == 0 {
        asm.push(forms::xor_rr(R32, d, d));
    } else if size == R64 {
        asm.push(forms::mov_ri(d, i64::from(imm) as u64));
    } else {
        asm.push(forms::mov_ri32(d, imm as u32));
    }
}

/// `d = 1` if the comparison that `compare` emits satisfies `cond`, else 0. `uses`: the comparison reads `d`.
#[inline(always)]
pub(super) fn set_if(asm: &mut Assembler, cond: Cond, d: Reg, uses: bool, compare: Inst) {
    if uses {
        asm.push(compare);
        asm.push(forms::setcc_r(cond, SCRATCH));
        asm.push(forms::movzx8_rr(R32, d, SCRATCH));
    } else {
        asm.push(forms::xor_rr(R32, d, d));
        asm.push(compare);
        asm.push(forms::setcc_r(cond, d));
    }
}

/// `d = b` if `b` compares to `c` as `cond` says, else `c`. `cond` is strict; if they are equal either one is right.
pub(super) fn select(asm: &mut Assembler, size: RegSize, cond: Cond, d: Reg, b: Reg, c: Reg) {
    asm.push(forms::cmp_rr(size, b, c));
    if d == b {
        asm.push(forms::cmov_rr(cond.inverted(), size, d, c));
    } else {
        mov(asm, size, d, c);
        asm.push(forms::cmov_rr(cond, size, d, b));
    }
}

/// `d` = upper half of `b * c`, unsigned, 64 bits.
#[inline(always)]
pub(super) fn mul_upper_unsigned(asm: &mut Assembler, d: Reg, b: Reg, c: Reg) {
    // `mulx` takes one factor in rdx.
    const { assert!(SCRATCH as u8 == Reg::Rdx as u8) };
    asm.push(forms::mov_rr(R64, SCRATCH, b));
    asm.push(forms::mulx_rrr(R64, d, d, c));
}

/// Sets `d` to the scratch register as `body` leaves it. `body` runs with `rax = b`, scratch (rdx) free, and is given
/// the register that holds `c`.
fn with_rax_rdx(asm: &mut Assembler, d: Reg, b: Reg, c: Reg, body: impl FnOnce(&mut Assembler, Reg)) {
    asm.push(forms::push_r(Rax));
    // If c is in rax it has to move out of the way, but not to the register of b.
    let moved = (c == Rax && b != Rax).then_some(if b == Rbx { Rsi } else { Rbx });
    if let Some(free) = moved {
        asm.push(forms::push_r(free));
        asm.push(forms::mov_rr(R64, free, Rax));
    }
    mov(asm, R64, Rax, b);
    body(asm, moved.unwrap_or(c));
    if let Some(free) = moved {
        asm.push(forms::pop_r(free));
    }
    asm.push(forms::pop_r(Rax));
    asm.push(forms::mov_rr(R64, d, SCRATCH));
}

/// `d` = upper half of `b * c`, signed, 64 bits.
pub(super) fn mul_upper_signed(asm: &mut Assembler, d: Reg, b: Reg, c: Reg) {
    with_rax_rdx(asm, d, b, c, |asm, c| asm.push(forms::imul_r(R64, c)));
}

/// `d` = upper half of `b * c`, `b` signed, `c` unsigned, 64 bits.
pub(super) fn mul_upper_signed_unsigned(asm: &mut Assembler, d: Reg, b: Reg, c: Reg) {
    with_rax_rdx(asm, d, b, c, |asm, c| {
        // The unsigned product is too large by c * 2^64 if b is negative.
        asm.push(forms::mov_rr(R64, SCRATCH, Rax));
        asm.push(forms::sar_ri(R64, SCRATCH, 63));
        asm.push(forms::and_rr(R64, SCRATCH, c));
        asm.push(forms::push_r(SCRATCH));
        asm.push(forms::mul_r(R64, c));
        asm.push(forms::pop_r(Rax));
        asm.push(forms::sub_rr(R64, SCRATCH, Rax));
    });
}

/// Signedness of the two factors of a 32-bit program's product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signs {
    Signed,
    Unsigned,
    SignedUnsigned,
}

/// `d` = upper half of `b * c`, 32 bits, for registers whose upper halves are clear.
pub(super) fn mul_upper_narrow(asm: &mut Assembler, signs: Signs, d: Reg, b: Reg, c: Reg) {
    match signs {
        Signs::Unsigned => asm.push(forms::mov_rr(R32, SCRATCH, b)),
        _ => asm.push(forms::movsxd_rr(R64, SCRATCH, b)),
    }
    match signs {
        Signs::Signed => asm.push(forms::movsxd_rr(R64, d, c)),
        _ => mov(asm, R32, d, c),
    }
    asm.push(forms::imul_rr(R64, d, SCRATCH));
    asm.push(forms::shr_ri(R64, d, 32));
}

/// A division's result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Quotient,
    Remainder,
}

/// `d = b / c` or the remainder; zero and overflow as in `docs/spec/instructions.md#form-three-registers-rrr`. The upper
/// half of a 32-bit division's result is clear.
pub(super) fn divide(asm: &mut Assembler, size: RegSize, is_signed: bool, part: Part, d: Reg, b: Reg, c: Reg) {
    with_rax_rdx(asm, d, b, c, |asm, c| {
        let (special, zero, done) = (asm.new_label(), asm.new_label(), asm.new_label());
        if is_signed {
            // Divisors 0 and -1 are special cases: plus one they are at most one as unsigned numbers.
            asm.push(forms::lea_rm(size, SCRATCH, Mem::base(c, 1)));
            asm.push(forms::cmp_ri(size, SCRATCH, 1));
            asm.jcc_short(Cond::BelowOrEqual, special);
            asm.push(if size == R64 { forms::cqo() } else { forms::cdq() });
            asm.push(forms::idiv_r(size, c));
        } else {
            asm.push(forms::test_rr(size, c, c));
            asm.jcc_short(Cond::Equal, zero);
            asm.push(forms::xor_rr(R32, SCRATCH, SCRATCH));
            asm.push(forms::div_r(size, c));
        }
        if part == Part::Quotient {
            asm.push(forms::mov_rr(size, SCRATCH, Rax));
        }
        asm.jmp_short(done);
        if is_signed {
            asm.bind(special);
            asm.push(forms::test_rr(size, c, c));
            asm.jcc_short(Cond::Equal, zero);
            // Divisor -1: the smallest number is its own negative.
            match part {
                Part::Quotient => {
                    asm.push(forms::neg_r(size, Rax));
                    asm.push(forms::mov_rr(size, SCRATCH, Rax));
                }
                Part::Remainder => asm.push(forms::xor_rr(R32, SCRATCH, SCRATCH)),
            }
            asm.jmp_short(done);
        } else {
            // Never jumped to; every label has to be bound.
            asm.bind(special);
        }
        asm.bind(zero);
        match part {
            Part::Quotient => load(asm, size, SCRATCH, -1),
            Part::Remainder => asm.push(forms::mov_rr(size, SCRATCH, Rax)),
        }
        asm.bind(done);
    });
}
