//! Lowering: machine code for each guest instruction that is no terminator. Terminators are in `control`.
//!
//! Called by the compiler for every instruction, in order. Semantics are those of vm-core's interpreter
//! (`docs/spec/instructions.md`). In 64-bit programs (`WIDE`), 32-bit operations sign-extend their result; in 32-bit
//! programs the upper halves of all registers are always clear. Guest addresses are formed in one place, [`at`]: they
//! are computed modulo 2^32.
//!
//! There is one match per instruction, on its opcode: each arm reads the operands that its opcode has. Before that,
//! `peephole` tries the instruction and those behind it.

use super::arith::{self, Part, Signs};
use super::peephole;
use super::regs::{SCRATCH, native};
use super::routines::Routines;
use pvm_assembler::{
    Assembler, Cond, Mem, Reg as Native,
    RegSize::{self, R32, R64},
    StoreImm, Width, forms,
};
use vm_core::isa::{Encoded, EncodedInstructions, Opcode, Reg};

/// Returns the register size of the program.
pub(super) const fn size<const WIDE: bool>() -> RegSize {
    if WIDE { R64 } else { R32 }
}

/// Memory operand for the guest address `base + imm`.
#[inline(always)]
fn at(base: Reg, imm: i32) -> Mem {
    Mem::base32(native(base), imm)
}

/// Extends the result of a 32-bit operation to the program's register width.
#[inline(always)]
fn extend<const WIDE: bool>(asm: &mut Assembler, d: Native) {
    if WIDE {
        asm.push(forms::movsxd_rr(R64, d, d));
    }
}

/// Destination and source.
#[inline(always)]
fn two(encoded: &Encoded) -> (Native, Native) {
    let (d, b) = encoded.reg_reg();
    (native(d), native(b))
}

/// Destination, source and immediate.
#[inline(always)]
fn two_imm(encoded: &Encoded) -> (Native, Native, i32) {
    let (d, b, imm) = encoded.reg_reg_imm();
    (native(d), native(b), imm)
}

/// Destination, then sources: `d = b op c`.
#[inline(always)]
fn three(encoded: &Encoded) -> (Native, Native, Native) {
    let (b, c, d) = encoded.reg_reg_reg();
    (native(d), native(b), native(c))
}

/// Emits a load from an absolute address. A macro, because the compiler would share one function between all forms,
/// which would have to decide at run time what is known here.
macro_rules! load_absolute {
    ($asm:ident, $encoded:ident, $form:ident, $size:expr) => {{
        let (d, address) = $encoded.reg_imm();
        $asm.push(forms::$form($size, native(d), Mem::absolute32(address as u32)))
    }};
}

/// Emits a load relative to a register.
macro_rules! load_indirect {
    ($asm:ident, $encoded:ident, $form:ident, $size:expr) => {{
        let (d, base, offset) = $encoded.reg_reg_imm();
        $asm.push(forms::$form($size, native(d), at(base, offset)))
    }};
}

/// Emits a store of a register to an absolute address.
#[inline(always)]
fn store_absolute(asm: &mut Assembler, encoded: &Encoded, width: Width) {
    let (value, address) = encoded.reg_imm();
    asm.push(forms::mov_mr(width, Mem::absolute32(address as u32), native(value)));
}

/// Emits a store of a register relative to another.
#[inline(always)]
fn store_indirect(asm: &mut Assembler, encoded: &Encoded, width: Width) {
    let (value, base, offset) = encoded.reg_reg_imm();
    asm.push(forms::mov_mr(width, at(base, offset), native(value)));
}

/// Emits a store of a constant to an absolute address.
#[inline(always)]
fn store_imm_absolute(asm: &mut Assembler, encoded: &Encoded, value: impl Fn(i32) -> StoreImm) {
    let (address, imm) = encoded.imm_imm();
    asm.push(forms::mov_mi(Mem::absolute32(address as u32), value(imm)));
}

/// Emits a store of a constant relative to a register.
#[inline(always)]
fn store_imm_indirect(asm: &mut Assembler, encoded: &Encoded, value: impl Fn(i32) -> StoreImm) {
    let (base, offset, imm) = encoded.reg_imm_imm();
    asm.push(forms::mov_mi(at(base, offset), value(imm)));
}

/// Emits a set-if comparison with a constant.
#[inline(always)]
fn set_if_imm(asm: &mut Assembler, encoded: &Encoded, size: RegSize, cond: Cond) {
    let (d, b, imm) = two_imm(encoded);
    arith::set_if(asm, cond, d, d == b, forms::cmp_ri(size, b, imm));
}

/// Emits a set-if comparison of two registers.
#[inline(always)]
fn set_if(asm: &mut Assembler, encoded: &Encoded, size: RegSize, cond: Cond) {
    let (d, b, c) = three(encoded);
    arith::set_if(asm, cond, d, d == b || d == c, forms::cmp_rr(size, b, c));
}

/// Emits an instruction that is no terminator, and with `peepholes` possibly some of those behind it (`rest`); returns
/// the number of instructions emitted.
#[inline(always)]
pub(super) fn emit<const WIDE: bool>(
    asm: &mut Assembler,
    routines: &Routines,
    encoded: &Encoded,
    rest: &EncodedInstructions<'_>,
    peepholes: bool,
) -> u32 {
    if WIDE
        && peepholes
        && let Some(emitted) = peephole::emit(asm, encoded, rest)
    {
        return emitted;
    }
    emit_one::<WIDE>(asm, routines, encoded);
    1
}

#[inline(always)]
fn emit_one<const WIDE: bool>(asm: &mut Assembler, routines: &Routines, encoded: &Encoded) {
    use Opcode::*;
    let size = size::<WIDE>();
    match encoded.opcode() {
        Unlikely => {}
        Ecalli => {
            asm.push(forms::mov_ri32(SCRATCH, encoded.imm() as u32));
            asm.call(routines.host_call);
        }
        Sbrk => {
            asm.call(routines.sbrk);
        }
        Memset => {
            asm.call(routines.memset);
        }

        LoadImm => {
            let (d, imm) = encoded.reg_imm();
            arith::load(asm, size, native(d), imm);
        }
        LoadImm64 => {
            let (d, imm) = encoded.reg_imm64();
            asm.push(forms::mov_ri(native(d), imm as u64));
        }
        MoveReg => {
            let (d, b) = two(encoded);
            arith::mov(asm, size, d, b);
        }

        LoadU8 => load_absolute!(asm, encoded, movzx8_rm, R32),
        LoadI8 => load_absolute!(asm, encoded, movsx8_rm, size),
        LoadU16 => load_absolute!(asm, encoded, movzx16_rm, R32),
        LoadI16 => load_absolute!(asm, encoded, movsx16_rm, size),
        LoadI32 if WIDE => load_absolute!(asm, encoded, movsxd_rm, R64),
        // The program's registers are no wider, so there is nothing to extend.
        LoadU32 | LoadI32 => load_absolute!(asm, encoded, mov_rm, R32),
        LoadU64 => load_absolute!(asm, encoded, mov_rm, R64),
        LoadIndirectU8 => load_indirect!(asm, encoded, movzx8_rm, R32),
        LoadIndirectI8 => load_indirect!(asm, encoded, movsx8_rm, size),
        LoadIndirectU16 => load_indirect!(asm, encoded, movzx16_rm, R32),
        LoadIndirectI16 => load_indirect!(asm, encoded, movsx16_rm, size),
        LoadIndirectI32 if WIDE => load_indirect!(asm, encoded, movsxd_rm, R64),
        LoadIndirectU32 | LoadIndirectI32 => load_indirect!(asm, encoded, mov_rm, R32),
        LoadIndirectU64 => load_indirect!(asm, encoded, mov_rm, R64),
        StoreU8 => store_absolute(asm, encoded, Width::W8),
        StoreU16 => store_absolute(asm, encoded, Width::W16),
        StoreU32 => store_absolute(asm, encoded, Width::W32),
        StoreU64 => store_absolute(asm, encoded, Width::W64),
        StoreIndirectU8 => store_indirect(asm, encoded, Width::W8),
        StoreIndirectU16 => store_indirect(asm, encoded, Width::W16),
        StoreIndirectU32 => store_indirect(asm, encoded, Width::W32),
        StoreIndirectU64 => store_indirect(asm, encoded, Width::W64),
        StoreImmU8 => store_imm_absolute(asm, encoded, |imm| StoreImm::W8(imm as i8)),
        StoreImmU16 => store_imm_absolute(asm, encoded, |imm| StoreImm::W16(imm as i16)),
        StoreImmU32 => store_imm_absolute(asm, encoded, StoreImm::W32),
        StoreImmU64 => store_imm_absolute(asm, encoded, StoreImm::W64),
        StoreImmIndirectU8 => store_imm_indirect(asm, encoded, |imm| StoreImm::W8(imm as i8)),
        StoreImmIndirectU16 => store_imm_indirect(asm, encoded, |imm| StoreImm::W16(imm as i16)),
        StoreImmIndirectU32 => store_imm_indirect(asm, encoded, StoreImm::W32),
        StoreImmIndirectU64 => store_imm_indirect(asm, encoded, StoreImm::W64),

        AddImm32 => {
            let (d, b, imm) = two_imm(encoded);
            arith::add_imm(asm, R32, d, b, imm);
            extend::<WIDE>(asm, d);
        }
        AddImm64 => {
            let (d, b, imm) = two_imm(encoded);
            arith::add_imm(asm, R64, d, b, imm);
        }
        AndImm => {
            let (d, b, imm) = two_imm(encoded);
            match imm {
                0xff => asm.push(forms::movzx8_rr(R32, d, b)),
                0xffff => asm.push(forms::movzx16_rr(R32, d, b)),
                _ => arith::with_imm(asm, size, forms::and_ri, d, b, imm),
            }
        }
        XorImm => {
            let (d, b, imm) = two_imm(encoded);
            arith::with_imm(asm, size, forms::xor_ri, d, b, imm);
        }
        OrImm => {
            let (d, b, imm) = two_imm(encoded);
            arith::with_imm(asm, size, forms::or_ri, d, b, imm);
        }
        MulImm32 => {
            let (d, b, imm) = two_imm(encoded);
            asm.push(forms::imul_rri(R32, d, b, imm));
            extend::<WIDE>(asm, d);
        }
        MulImm64 => {
            let (d, b, imm) = two_imm(encoded);
            asm.push(forms::imul_rri(R64, d, b, imm));
        }
        SetLessThanUnsignedImm => set_if_imm(asm, encoded, size, Cond::Below),
        SetLessThanSignedImm => set_if_imm(asm, encoded, size, Cond::Less),
        SetGreaterThanUnsignedImm => set_if_imm(asm, encoded, size, Cond::Above),
        SetGreaterThanSignedImm => set_if_imm(asm, encoded, size, Cond::Greater),
        ShiftLogicalLeftImm32 => {
            let (d, b, imm) = two_imm(encoded);
            arith::shift_imm(asm, R32, forms::shl_ri, d, b, imm);
            extend::<WIDE>(asm, d);
        }
        ShiftLogicalRightImm32 => {
            let (d, b, imm) = two_imm(encoded);
            arith::shift_imm(asm, R32, forms::shr_ri, d, b, imm);
            extend::<WIDE>(asm, d);
        }
        ShiftArithmeticRightImm32 => {
            let (d, b, imm) = two_imm(encoded);
            arith::shift_imm(asm, R32, forms::sar_ri, d, b, imm);
            extend::<WIDE>(asm, d);
        }
        ShiftLogicalLeftImm64 => {
            let (d, b, imm) = two_imm(encoded);
            arith::shift_imm(asm, R64, forms::shl_ri, d, b, imm);
        }
        ShiftLogicalRightImm64 => {
            let (d, b, imm) = two_imm(encoded);
            arith::shift_imm(asm, R64, forms::shr_ri, d, b, imm);
        }
        ShiftArithmeticRightImm64 => {
            let (d, b, imm) = two_imm(encoded);
            arith::shift_imm(asm, R64, forms::sar_ri, d, b, imm);
        }
        NegateAndAddImm32 => {
            let (d, b, imm) = two_imm(encoded);
            arith::sub_from_imm(asm, R32, d, b, imm);
            extend::<WIDE>(asm, d);
        }
        NegateAndAddImm64 => {
            let (d, b, imm) = two_imm(encoded);
            arith::sub_from_imm(asm, R64, d, b, imm);
        }
        opcode @ (ShiftLogicalLeftImmAlt32 | ShiftLogicalRightImmAlt32 | ShiftArithmeticRightImmAlt32) => {
            let (d, b, imm) = two_imm(encoded);
            asm.push(forms::mov_ri32(SCRATCH, imm as u32));
            asm.push(match opcode {
                ShiftLogicalLeftImmAlt32 => forms::shlx_rrr(R32, d, SCRATCH, b),
                ShiftLogicalRightImmAlt32 => forms::shrx_rrr(R32, d, SCRATCH, b),
                _ => forms::sarx_rrr(R32, d, SCRATCH, b),
            });
            extend::<WIDE>(asm, d);
        }
        opcode @ (ShiftLogicalLeftImmAlt64 | ShiftLogicalRightImmAlt64 | ShiftArithmeticRightImmAlt64) => {
            let (d, b, imm) = two_imm(encoded);
            asm.push(forms::mov_ri(SCRATCH, i64::from(imm) as u64));
            asm.push(match opcode {
                ShiftLogicalLeftImmAlt64 => forms::shlx_rrr(R64, d, SCRATCH, b),
                ShiftLogicalRightImmAlt64 => forms::shrx_rrr(R64, d, SCRATCH, b),
                _ => forms::sarx_rrr(R64, d, SCRATCH, b),
            });
        }
        opcode @ (CmovIfZeroImm | CmovIfNotZeroImm) => {
            let (d, b, imm) = two_imm(encoded);
            arith::load(asm, size, SCRATCH, imm);
            asm.push(forms::test_rr(size, b, b));
            let cond = if opcode == CmovIfZeroImm { Cond::Equal } else { Cond::NotEqual };
            asm.push(forms::cmov_rr(cond, size, d, SCRATCH));
        }
        RotateRightImm32 => {
            let (d, b, imm) = two_imm(encoded);
            asm.push(forms::rorx_rri(R32, d, b, (imm & 31) as u8));
            extend::<WIDE>(asm, d);
        }
        RotateRightImm64 => {
            let (d, b, imm) = two_imm(encoded);
            asm.push(forms::rorx_rri(R64, d, b, (imm & 63) as u8));
        }
        RotateRightImmAlt32 => {
            let (d, b, imm) = two_imm(encoded);
            arith::rotate_imm_by(asm, R32, d, b, imm);
            extend::<WIDE>(asm, d);
        }
        RotateRightImmAlt64 => {
            let (d, b, imm) = two_imm(encoded);
            arith::rotate_imm_by(asm, R64, d, b, imm);
        }

        Add32 => {
            let (d, b, c) = three(encoded);
            arith::add(asm, R32, d, b, c);
            extend::<WIDE>(asm, d);
        }
        Add64 => {
            let (d, b, c) = three(encoded);
            arith::add(asm, R64, d, b, c);
        }
        Sub32 => {
            let (d, b, c) = three(encoded);
            arith::sub(asm, R32, d, b, c);
            extend::<WIDE>(asm, d);
        }
        Sub64 => {
            let (d, b, c) = three(encoded);
            arith::sub(asm, R64, d, b, c);
        }
        And => {
            let (d, b, c) = three(encoded);
            arith::commutative(asm, size, forms::and_rr, d, b, c);
        }
        Xor => {
            let (d, b, c) = three(encoded);
            arith::commutative(asm, size, forms::xor_rr, d, b, c);
        }
        Or => {
            let (d, b, c) = three(encoded);
            arith::commutative(asm, size, forms::or_rr, d, b, c);
        }
        Mul32 => {
            let (d, b, c) = three(encoded);
            arith::commutative(asm, R32, forms::imul_rr, d, b, c);
            extend::<WIDE>(asm, d);
        }
        Mul64 => {
            let (d, b, c) = three(encoded);
            arith::commutative(asm, R64, forms::imul_rr, d, b, c);
        }
        MulUpperUnsignedUnsigned if WIDE => {
            let (d, b, c) = three(encoded);
            arith::mul_upper_unsigned(asm, d, b, c);
        }
        SetLessThanUnsigned => set_if(asm, encoded, size, Cond::Below),
        SetLessThanSigned => set_if(asm, encoded, size, Cond::Less),
        AndInverted => {
            let (d, b, c) = three(encoded);
            asm.push(forms::andn_rrr(size, d, c, b));
        }
        ShiftLogicalLeft64 => {
            let (d, b, c) = three(encoded);
            asm.push(forms::shlx_rrr(R64, d, b, c));
        }
        ShiftLogicalRight64 => {
            let (d, b, c) = three(encoded);
            asm.push(forms::shrx_rrr(R64, d, b, c));
        }
        ShiftArithmeticRight64 => {
            let (d, b, c) = three(encoded);
            asm.push(forms::sarx_rrr(R64, d, b, c));
        }

        // The other opcodes are rare. For all opcodes a second match would cost too much, as neither can be predicted.
        opcode @ (CountLeadingZeroBits32
        | CountLeadingZeroBits64
        | CountTrailingZeroBits32
        | CountTrailingZeroBits64
        | CountSetBits32
        | CountSetBits64
        | SignExtend8
        | SignExtend16
        | ZeroExtend16
        | ReverseByte) => emit_two::<WIDE>(asm, opcode, encoded),
        opcode => emit_three::<WIDE>(asm, routines, opcode, encoded),
    }
}

/// Emits operations of two registers: `d = op b`.
fn emit_two<const WIDE: bool>(asm: &mut Assembler, opcode: Opcode, encoded: &Encoded) {
    use Opcode::*;
    let size = size::<WIDE>();
    let (d, b) = two(encoded);
    if opcode == ReverseByte {
        arith::mov(asm, size, d, b);
    }
    asm.push(match opcode {
        CountLeadingZeroBits32 => forms::lzcnt_rr(R32, d, b),
        CountLeadingZeroBits64 => forms::lzcnt_rr(R64, d, b),
        CountTrailingZeroBits32 => forms::tzcnt_rr(R32, d, b),
        CountTrailingZeroBits64 => forms::tzcnt_rr(R64, d, b),
        CountSetBits32 => forms::popcnt_rr(R32, d, b),
        CountSetBits64 => forms::popcnt_rr(R64, d, b),
        SignExtend8 => forms::movsx8_rr(size, d, b),
        SignExtend16 => forms::movsx16_rr(size, d, b),
        ZeroExtend16 => forms::movzx16_rr(R32, d, b),
        _ => forms::bswap_r(size, d),
    });
}

/// Emits the rarer operations of three registers: `d = b op c`.
fn emit_three<const WIDE: bool>(asm: &mut Assembler, routines: &Routines, opcode: Opcode, encoded: &Encoded) {
    use Opcode::*;
    let size = size::<WIDE>();
    let (d, b, c) = three(encoded);
    match opcode {
        MulUpperSignedSigned if !WIDE => arith::mul_upper_narrow(asm, Signs::Signed, d, b, c),
        MulUpperUnsignedUnsigned if !WIDE => arith::mul_upper_narrow(asm, Signs::Unsigned, d, b, c),
        MulUpperSignedUnsigned if !WIDE => arith::mul_upper_narrow(asm, Signs::SignedUnsigned, d, b, c),
        MulUpperSignedSigned => arith::mul_upper_signed(asm, d, b, c),
        MulUpperSignedUnsigned => arith::mul_upper_signed_unsigned(asm, d, b, c),
        ShiftLogicalLeft32 => {
            asm.push(forms::shlx_rrr(R32, d, b, c));
            extend::<WIDE>(asm, d);
        }
        ShiftLogicalRight32 => {
            asm.push(forms::shrx_rrr(R32, d, b, c));
            extend::<WIDE>(asm, d);
        }
        ShiftArithmeticRight32 => {
            asm.push(forms::sarx_rrr(R32, d, b, c));
            extend::<WIDE>(asm, d);
        }
        DivUnsigned32 | DivSigned32 | RemUnsigned32 | RemSigned32 => {
            let part = if matches!(opcode, DivUnsigned32 | DivSigned32) { Part::Quotient } else { Part::Remainder };
            arith::divide(asm, R32, matches!(opcode, DivSigned32 | RemSigned32), part, d, b, c);
            extend::<WIDE>(asm, d);
        }
        DivUnsigned64 | DivSigned64 | RemUnsigned64 | RemSigned64 => {
            let part = if matches!(opcode, DivUnsigned64 | DivSigned64) { Part::Quotient } else { Part::Remainder };
            arith::divide(asm, R64, matches!(opcode, DivSigned64 | RemSigned64), part, d, b, c);
        }
        CmovIfZero | CmovIfNotZero => {
            let cond = if opcode == CmovIfZero { Cond::Equal } else { Cond::NotEqual };
            asm.push(forms::test_rr(size, c, c));
            asm.push(forms::cmov_rr(cond, size, d, b));
        }
        OrInverted => {
            asm.push(forms::mov_rr(size, SCRATCH, c));
            asm.push(forms::not_r(size, SCRATCH));
            asm.push(forms::or_rr(size, SCRATCH, b));
            asm.push(forms::mov_rr(size, d, SCRATCH));
        }
        Xnor => {
            arith::commutative(asm, size, forms::xor_rr, d, b, c);
            asm.push(forms::not_r(size, d));
        }
        Maximum => arith::select(asm, size, Cond::Greater, d, b, c),
        MaximumUnsigned => arith::select(asm, size, Cond::Above, d, b, c),
        Minimum => arith::select(asm, size, Cond::Less, d, b, c),
        MinimumUnsigned => arith::select(asm, size, Cond::Below, d, b, c),
        RotateLeft32 => {
            arith::rotate(asm, R32, forms::rol_rcl, d, b, c);
            extend::<WIDE>(asm, d);
        }
        RotateLeft64 => arith::rotate(asm, R64, forms::rol_rcl, d, b, c),
        RotateRight32 => {
            arith::rotate(asm, R32, forms::ror_rcl, d, b, c);
            extend::<WIDE>(asm, d);
        }
        RotateRight64 => arith::rotate(asm, R64, forms::ror_rcl, d, b, c),
        // All others were handled above; a test emits every opcode.
        _ => {
            debug_assert!(false, "{opcode:?} is not lowered");
            asm.call(routines.trap);
        }
    }
}
