//! What each guest instruction becomes in machine code.
//!
//! Called by the compiler for every instruction, in order. Meanings are those of vm-core's interpreter (spec: isa.md
//! 2.4). In 64-bit programs, 32-bit operations sign-extend their result; in 32-bit programs the upper halves of all
//! registers are always clear. Guest addresses are made in one place, [`Lowering::at`]: they are computed modulo 2^32.

use super::arith::{self, Part, Signs};
use super::regs::{SCRATCH, native};
use super::routines::Routines;
use pvm_assembler::{
    Assembler, Cond, Inst, Label, Mem, Reg as Native,
    RegSize::{self, R32, R64},
    Scale, StoreImm, Width, forms,
};
use vm_core::isa::{Instruction, Opcode, Reg};

/// What lowering needs to know of the program.
pub(super) struct Lowering {
    /// The size of the program's registers.
    pub size: RegSize,
    pub routines: Routines,
    /// Entries of the jump table.
    pub table_length: u32,
    /// Displacement of the jump table from the stack pointer.
    pub table_at: i32,
    /// Whether some entries of the jump table lead nowhere; they are zero then.
    pub has_bad_entries: bool,
}

/// A jump table with this many entries or more is not compiled: the address of an entry has 32 bits.
pub(super) const MAX_TABLE: u32 = 1 << 24;

impl Lowering {
    /// Where the guest's memory at `base + imm` is.
    #[inline(always)]
    fn at(&self, base: Reg, imm: i64) -> Mem {
        Mem::base32(native(base), imm as i32)
    }

    /// Makes the result of a 32-bit operation fit the program's registers.
    #[inline(always)]
    fn extend(&self, asm: &mut Assembler, d: Native) {
        if self.size == R64 {
            asm.push(forms::movsxd_rr(R64, d, d));
        }
    }

    #[inline(always)]
    fn load(&self, asm: &mut Assembler, opcode: Opcode, d: Native, from: Mem) {
        use Opcode::*;
        asm.push(match opcode {
            LoadU8 | LoadIndirectU8 => forms::movzx8_rm(R32, d, from),
            LoadI8 | LoadIndirectI8 => forms::movsx8_rm(self.size, d, from),
            LoadU16 | LoadIndirectU16 => forms::movzx16_rm(R32, d, from),
            LoadI16 | LoadIndirectI16 => forms::movsx16_rm(self.size, d, from),
            LoadI32 | LoadIndirectI32 if self.size == R64 => forms::movsxd_rm(R64, d, from),
            LoadU64 | LoadIndirectU64 => forms::mov_rm(R64, d, from),
            _ => forms::mov_rm(R32, d, from),
        });
    }

    #[inline(always)]
    fn branch(&self, asm: &mut Assembler, cond: Cond, compare: Inst, target: Label) {
        asm.push(compare);
        asm.jcc(cond, target);
    }

    /// Compares a register with a constant.
    #[inline(always)]
    fn compare_imm(&self, b: Native, imm: i64) -> Inst {
        match imm {
            0 => forms::test_rr(self.size, b, b),
            _ => forms::cmp_ri(self.size, b, imm as i32),
        }
    }

    /// A dynamic jump to the guest address in the scratch register less two (spec: isa.md 2.8). `slow` is where it leaves
    /// guest code from if the address is not in the jump table.
    fn jump_to_scratch(&self, asm: &mut Assembler, slow: Label) {
        // Valid addresses are even, from 2 on. Odd ones become very large.
        asm.push(forms::ror_ri(R32, SCRATCH, 1));
        asm.push(forms::cmp_ri(R32, SCRATCH, self.table_length as i32));
        asm.jcc(Cond::AboveOrEqual, slow);
        let Some(index) = SCRATCH.index() else { return };
        let entry = Mem::base_index(Native::Rsp, index, Scale::X8, self.table_at);
        if self.has_bad_entries {
            asm.push(forms::mov_rm(R64, SCRATCH, entry));
            asm.push(forms::test_rr(R64, SCRATCH, SCRATCH));
            asm.jcc(Cond::Equal, slow);
            asm.push(forms::jmp_r(SCRATCH));
        } else {
            asm.push(forms::jmp_m(entry));
        }
    }

    /// Emits a plain instruction or a branch whose target, if it has one, is valid and bound to `target`. `slow` is for
    /// dynamic jumps.
    pub(super) fn emit(&self, asm: &mut Assembler, instruction: &Instruction, target: Label, slow: Option<Label>) {
        use Opcode::*;
        let Instruction { opcode, r1, r2, r3, imm, imm2, .. } = *instruction;
        let size = self.size;
        // Formats with an immediate: destination and source. Formats with three registers: sources, then destination.
        let (n1, n2, n3) = (native(r1), native(r2), native(r3));
        let imm32 = imm as i32;
        let (d, b) = (n1, n2);
        match opcode {
            Unlikely | Fallthrough => {}
            Trap => {
                asm.call(self.routines.trap);
            }
            Ecalli => {
                asm.push(forms::mov_ri32(SCRATCH, imm as u32));
                asm.call(self.routines.host_call);
            }
            Sbrk => {
                asm.call(self.routines.sbrk);
            }
            Memset => {
                asm.call(self.routines.memset);
            }

            Jump => asm.jmp(target),
            LoadImmAndJump => {
                arith::load(asm, size, d, imm32);
                asm.jmp(target);
            }
            JumpIndirect | LoadImmAndJumpIndirect => {
                let (base, offset) = if opcode == JumpIndirect { (n1, imm32) } else { (n2, imm2) };
                asm.push(forms::lea_rm(R32, SCRATCH, Mem::base(base, offset.wrapping_sub(2))));
                if opcode == LoadImmAndJumpIndirect {
                    arith::load(asm, size, d, imm32);
                }
                if let Some(slow) = slow {
                    self.jump_to_scratch(asm, slow);
                }
            }
            BranchEq => self.branch(asm, Cond::Equal, forms::cmp_rr(size, n1, n2), target),
            BranchNotEq => self.branch(asm, Cond::NotEqual, forms::cmp_rr(size, n1, n2), target),
            BranchLessUnsigned => self.branch(asm, Cond::Below, forms::cmp_rr(size, n1, n2), target),
            BranchLessSigned => self.branch(asm, Cond::Less, forms::cmp_rr(size, n1, n2), target),
            BranchGreaterOrEqualUnsigned => self.branch(asm, Cond::AboveOrEqual, forms::cmp_rr(size, n1, n2), target),
            BranchGreaterOrEqualSigned => self.branch(asm, Cond::GreaterOrEqual, forms::cmp_rr(size, n1, n2), target),
            BranchEqImm => self.branch(asm, Cond::Equal, self.compare_imm(n1, imm), target),
            BranchNotEqImm => self.branch(asm, Cond::NotEqual, self.compare_imm(n1, imm), target),
            BranchLessUnsignedImm => self.branch(asm, Cond::Below, self.compare_imm(n1, imm), target),
            BranchLessSignedImm => self.branch(asm, Cond::Less, self.compare_imm(n1, imm), target),
            BranchGreaterOrEqualUnsignedImm => {
                self.branch(asm, Cond::AboveOrEqual, self.compare_imm(n1, imm), target);
            }
            BranchGreaterOrEqualSignedImm => {
                self.branch(asm, Cond::GreaterOrEqual, self.compare_imm(n1, imm), target);
            }
            BranchLessOrEqualSignedImm => self.branch(asm, Cond::LessOrEqual, self.compare_imm(n1, imm), target),
            BranchLessOrEqualUnsignedImm => self.branch(asm, Cond::BelowOrEqual, self.compare_imm(n1, imm), target),
            BranchGreaterSignedImm => self.branch(asm, Cond::Greater, self.compare_imm(n1, imm), target),
            BranchGreaterUnsignedImm => self.branch(asm, Cond::Above, self.compare_imm(n1, imm), target),

            LoadImm => arith::load(asm, size, d, imm32),
            LoadImm64 => asm.push(forms::mov_ri(d, imm as u64)),
            MoveReg => arith::mov(asm, size, d, b),

            LoadU8 | LoadI8 | LoadU16 | LoadI16 | LoadI32 | LoadU32 | LoadU64 => {
                self.load(asm, opcode, d, Mem::absolute32(imm as u32));
            }
            LoadIndirectU8 | LoadIndirectI8 | LoadIndirectU16 | LoadIndirectI16 | LoadIndirectI32 | LoadIndirectU32
            | LoadIndirectU64 => self.load(asm, opcode, d, self.at(r2, imm)),
            StoreU8 => asm.push(forms::mov_mr(Width::W8, Mem::absolute32(imm as u32), n1)),
            StoreU16 => asm.push(forms::mov_mr(Width::W16, Mem::absolute32(imm as u32), n1)),
            StoreU32 => asm.push(forms::mov_mr(Width::W32, Mem::absolute32(imm as u32), n1)),
            StoreU64 => asm.push(forms::mov_mr(Width::W64, Mem::absolute32(imm as u32), n1)),
            StoreIndirectU8 => asm.push(forms::mov_mr(Width::W8, self.at(r2, imm), n1)),
            StoreIndirectU16 => asm.push(forms::mov_mr(Width::W16, self.at(r2, imm), n1)),
            StoreIndirectU32 => asm.push(forms::mov_mr(Width::W32, self.at(r2, imm), n1)),
            StoreIndirectU64 => asm.push(forms::mov_mr(Width::W64, self.at(r2, imm), n1)),
            StoreImmU8 => asm.push(forms::mov_mi(Mem::absolute32(imm as u32), StoreImm::W8(imm2 as i8))),
            StoreImmU16 => asm.push(forms::mov_mi(Mem::absolute32(imm as u32), StoreImm::W16(imm2 as i16))),
            StoreImmU32 => asm.push(forms::mov_mi(Mem::absolute32(imm as u32), StoreImm::W32(imm2))),
            StoreImmU64 => asm.push(forms::mov_mi(Mem::absolute32(imm as u32), StoreImm::W64(imm2))),
            StoreImmIndirectU8 => asm.push(forms::mov_mi(self.at(r1, imm), StoreImm::W8(imm2 as i8))),
            StoreImmIndirectU16 => asm.push(forms::mov_mi(self.at(r1, imm), StoreImm::W16(imm2 as i16))),
            StoreImmIndirectU32 => asm.push(forms::mov_mi(self.at(r1, imm), StoreImm::W32(imm2))),
            StoreImmIndirectU64 => asm.push(forms::mov_mi(self.at(r1, imm), StoreImm::W64(imm2))),

            AddImm32 => {
                arith::add_imm(asm, R32, d, b, imm32);
                self.extend(asm, d);
            }
            AddImm64 => arith::add_imm(asm, R64, d, b, imm32),
            AndImm => arith::with_imm(asm, size, forms::and_ri, d, b, imm32),
            XorImm => arith::with_imm(asm, size, forms::xor_ri, d, b, imm32),
            OrImm => arith::with_imm(asm, size, forms::or_ri, d, b, imm32),
            MulImm32 => {
                asm.push(forms::imul_rri(R32, d, b, imm32));
                self.extend(asm, d);
            }
            MulImm64 => asm.push(forms::imul_rri(R64, d, b, imm32)),
            SetLessThanUnsignedImm => {
                arith::set_if(asm, Cond::Below, d, d == b, forms::cmp_ri(size, b, imm32));
            }
            SetLessThanSignedImm => {
                arith::set_if(asm, Cond::Less, d, d == b, forms::cmp_ri(size, b, imm32));
            }
            SetGreaterThanUnsignedImm => {
                arith::set_if(asm, Cond::Above, d, d == b, forms::cmp_ri(size, b, imm32));
            }
            SetGreaterThanSignedImm => {
                arith::set_if(asm, Cond::Greater, d, d == b, forms::cmp_ri(size, b, imm32));
            }
            ShiftLogicalLeftImm32 => {
                arith::shift_imm(asm, R32, forms::shl_ri, d, b, imm32);
                self.extend(asm, d);
            }
            ShiftLogicalRightImm32 => {
                arith::shift_imm(asm, R32, forms::shr_ri, d, b, imm32);
                self.extend(asm, d);
            }
            ShiftArithmeticRightImm32 => {
                arith::shift_imm(asm, R32, forms::sar_ri, d, b, imm32);
                self.extend(asm, d);
            }
            ShiftLogicalLeftImm64 => arith::shift_imm(asm, R64, forms::shl_ri, d, b, imm32),
            ShiftLogicalRightImm64 => arith::shift_imm(asm, R64, forms::shr_ri, d, b, imm32),
            ShiftArithmeticRightImm64 => arith::shift_imm(asm, R64, forms::sar_ri, d, b, imm32),
            NegateAndAddImm32 => {
                arith::sub_from_imm(asm, R32, d, b, imm32);
                self.extend(asm, d);
            }
            NegateAndAddImm64 => arith::sub_from_imm(asm, R64, d, b, imm32),
            ShiftLogicalLeftImmAlt32 | ShiftLogicalRightImmAlt32 | ShiftArithmeticRightImmAlt32 => {
                asm.push(forms::mov_ri32(SCRATCH, imm as u32));
                asm.push(match opcode {
                    ShiftLogicalLeftImmAlt32 => forms::shlx_rrr(R32, d, SCRATCH, b),
                    ShiftLogicalRightImmAlt32 => forms::shrx_rrr(R32, d, SCRATCH, b),
                    _ => forms::sarx_rrr(R32, d, SCRATCH, b),
                });
                self.extend(asm, d);
            }
            ShiftLogicalLeftImmAlt64 | ShiftLogicalRightImmAlt64 | ShiftArithmeticRightImmAlt64 => {
                asm.push(forms::mov_ri(SCRATCH, imm as u64));
                asm.push(match opcode {
                    ShiftLogicalLeftImmAlt64 => forms::shlx_rrr(R64, d, SCRATCH, b),
                    ShiftLogicalRightImmAlt64 => forms::shrx_rrr(R64, d, SCRATCH, b),
                    _ => forms::sarx_rrr(R64, d, SCRATCH, b),
                });
            }
            CmovIfZeroImm | CmovIfNotZeroImm => {
                arith::load(asm, size, SCRATCH, imm32);
                asm.push(forms::test_rr(size, b, b));
                let cond = if opcode == CmovIfZeroImm { Cond::Equal } else { Cond::NotEqual };
                asm.push(forms::cmov_rr(cond, size, d, SCRATCH));
            }
            RotateRightImm32 => {
                asm.push(forms::rorx_rri(R32, d, b, (imm & 31) as u8));
                self.extend(asm, d);
            }
            RotateRightImm64 => asm.push(forms::rorx_rri(R64, d, b, (imm & 63) as u8)),
            RotateRightImmAlt32 => {
                arith::rotate_imm_by(asm, R32, d, b, imm32);
                self.extend(asm, d);
            }
            RotateRightImmAlt64 => arith::rotate_imm_by(asm, R64, d, b, imm32),

            CountLeadingZeroBits32 => asm.push(forms::lzcnt_rr(R32, d, b)),
            CountLeadingZeroBits64 => asm.push(forms::lzcnt_rr(R64, d, b)),
            CountTrailingZeroBits32 => asm.push(forms::tzcnt_rr(R32, d, b)),
            CountTrailingZeroBits64 => asm.push(forms::tzcnt_rr(R64, d, b)),
            CountSetBits32 => asm.push(forms::popcnt_rr(R32, d, b)),
            CountSetBits64 => asm.push(forms::popcnt_rr(R64, d, b)),
            SignExtend8 => asm.push(forms::movsx8_rr(size, d, b)),
            SignExtend16 => asm.push(forms::movsx16_rr(size, d, b)),
            ZeroExtend16 => asm.push(forms::movzx16_rr(R32, d, b)),
            ReverseByte => {
                arith::mov(asm, size, d, b);
                asm.push(forms::bswap_r(size, d));
            }

            _ => self.emit_three(asm, opcode, n3, n1, n2),
        }
    }

    /// The operations of three registers: `d = b op c`.
    fn emit_three(&self, asm: &mut Assembler, opcode: Opcode, d: Native, b: Native, c: Native) {
        use Opcode::*;
        let size = self.size;
        let uses = d == b || d == c;
        match opcode {
            Add32 => {
                arith::add(asm, R32, d, b, c);
                self.extend(asm, d);
            }
            Add64 => arith::add(asm, R64, d, b, c),
            Sub32 => {
                arith::sub(asm, R32, d, b, c);
                self.extend(asm, d);
            }
            Sub64 => arith::sub(asm, R64, d, b, c),
            And => arith::commutative(asm, size, forms::and_rr, d, b, c),
            Xor => arith::commutative(asm, size, forms::xor_rr, d, b, c),
            Or => arith::commutative(asm, size, forms::or_rr, d, b, c),
            Mul32 => {
                arith::commutative(asm, R32, forms::imul_rr, d, b, c);
                self.extend(asm, d);
            }
            Mul64 => arith::commutative(asm, R64, forms::imul_rr, d, b, c),
            MulUpperSignedSigned if size == R32 => arith::mul_upper_narrow(asm, Signs::Signed, d, b, c),
            MulUpperUnsignedUnsigned if size == R32 => arith::mul_upper_narrow(asm, Signs::Unsigned, d, b, c),
            MulUpperSignedUnsigned if size == R32 => arith::mul_upper_narrow(asm, Signs::SignedUnsigned, d, b, c),
            MulUpperSignedSigned => arith::mul_upper_signed(asm, d, b, c),
            MulUpperUnsignedUnsigned => arith::mul_upper_unsigned(asm, d, b, c),
            MulUpperSignedUnsigned => arith::mul_upper_signed_unsigned(asm, d, b, c),
            SetLessThanUnsigned => arith::set_if(asm, Cond::Below, d, uses, forms::cmp_rr(size, b, c)),
            SetLessThanSigned => arith::set_if(asm, Cond::Less, d, uses, forms::cmp_rr(size, b, c)),
            ShiftLogicalLeft32 => {
                asm.push(forms::shlx_rrr(R32, d, b, c));
                self.extend(asm, d);
            }
            ShiftLogicalRight32 => {
                asm.push(forms::shrx_rrr(R32, d, b, c));
                self.extend(asm, d);
            }
            ShiftArithmeticRight32 => {
                asm.push(forms::sarx_rrr(R32, d, b, c));
                self.extend(asm, d);
            }
            ShiftLogicalLeft64 => asm.push(forms::shlx_rrr(R64, d, b, c)),
            ShiftLogicalRight64 => asm.push(forms::shrx_rrr(R64, d, b, c)),
            ShiftArithmeticRight64 => asm.push(forms::sarx_rrr(R64, d, b, c)),
            DivUnsigned32 | DivSigned32 | RemUnsigned32 | RemSigned32 => {
                let part = if matches!(opcode, DivUnsigned32 | DivSigned32) { Part::Quotient } else { Part::Remainder };
                arith::divide(asm, R32, matches!(opcode, DivSigned32 | RemSigned32), part, d, b, c);
                self.extend(asm, d);
            }
            DivUnsigned64 => arith::divide(asm, R64, false, Part::Quotient, d, b, c),
            DivSigned64 => arith::divide(asm, R64, true, Part::Quotient, d, b, c),
            RemUnsigned64 => arith::divide(asm, R64, false, Part::Remainder, d, b, c),
            RemSigned64 => arith::divide(asm, R64, true, Part::Remainder, d, b, c),
            CmovIfZero | CmovIfNotZero => {
                let cond = if opcode == CmovIfZero { Cond::Equal } else { Cond::NotEqual };
                asm.push(forms::test_rr(size, c, c));
                asm.push(forms::cmov_rr(cond, size, d, b));
            }
            AndInverted => asm.push(forms::andn_rrr(size, d, c, b)),
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
                self.extend(asm, d);
            }
            RotateLeft64 => arith::rotate(asm, R64, forms::rol_rcl, d, b, c),
            RotateRight32 => {
                arith::rotate(asm, R32, forms::ror_rcl, d, b, c);
                self.extend(asm, d);
            }
            RotateRight64 => arith::rotate(asm, R64, forms::ror_rcl, d, b, c),
            // All others were handled before; a test emits every opcode.
            _ => {
                debug_assert!(false, "{opcode:?} is not lowered");
                asm.call(self.routines.trap);
            }
        }
    }
}
