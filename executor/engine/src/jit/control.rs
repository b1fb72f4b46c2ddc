//! Terminators: traps, jumps and branches.
//!
//! Called by the compiler. vm-core decides which of them have no valid target and trap instead
//! (`docs/spec/encoding.md#blocks-and-targets`). Also keeps the list of dynamic jumps, whose stubs come last in the
//! image.

use super::lower::size;
use super::regs::{GAS, SCRATCH, native};
use super::routines::Routines;
use super::{Compiler, arith};
use pvm_assembler::{Assembler, Cond, Inst, Label, Mem, Reg as Native, RegSize::*, Scale, forms};
use vm_core::gas::branch_is_likely_taken;
use vm_core::isa::{Encoded, Opcode, Reg};

/// The program's jump table, as dynamic jumps see it.
pub(super) struct JumpTable {
    /// Entries of the jump table.
    pub length: u32,
    /// Capacity in entries, a power of two: entries behind the end are zero.
    pub room: u32,
    /// Displacement of the jump table from the stack pointer.
    pub at: i32,
    /// Whether some entries of the jump table are invalid targets; those are zero.
    pub has_bad_entries: bool,
}

/// A jump table with at least this many entries is not compiled: the address of an entry has 32 bits.
pub(super) const MAX_TABLE: u32 = 1 << 24;

/// Returns the capacity of a jump table of `length` entries, at most [`MAX_TABLE`]. An empty table has room for one
/// entry, which is zero.
pub(super) const fn room(length: u32) -> u32 {
    length.next_power_of_two()
}

impl JumpTable {
    /// Emits a dynamic jump (`docs/spec/execution.md#dynamic-jumps`) to guest address scratch + 2.
    /// `slow` is the stub that leaves guest code if the address is not in the jump table.
    fn jump_to_scratch(&self, asm: &mut Assembler, slow: Label) {
        // Valid addresses are even, from 2 on. Odd ones become very large.
        asm.push(forms::ror_ri(R32, SCRATCH, 1));
        asm.push(forms::cmp_ri(R32, SCRATCH, self.length as i32));
        asm.jcc(Cond::AboveOrEqual, slow);
        // The processor may continue here speculatively (Spectre, variant 1). Even then it must load an entry of the
        // table: no bytes that the guest chose may become a code address.
        asm.push(forms::and_ri(R32, SCRATCH, self.room as i32 - 1));
        let Some(index) = SCRATCH.index() else { return };
        let entry = Mem::base_index(Native::Rsp, index, Scale::X8, self.at);
        if self.has_bad_entries {
            asm.push(forms::mov_rm(R64, SCRATCH, entry));
            asm.push(forms::test_rr(R64, SCRATCH, SCRATCH));
            asm.jcc(Cond::Equal, slow);
            asm.push(forms::jmp_r(SCRATCH));
        } else {
            asm.push(forms::jmp_m(entry));
        }
    }
}

/// Compares a register with a constant.
#[inline(always)]
fn compare_imm<const WIDE: bool>(b: Native, imm: i32) -> Inst {
    match imm {
        0 => forms::test_rr(size::<WIDE>(), b, b),
        _ => forms::cmp_ri(size::<WIDE>(), b, imm),
    }
}

impl Compiler<'_> {
    /// Emits an instruction that ends a block.
    pub(super) fn control<const WIDE: bool>(&mut self, encoded: &Encoded) {
        use Opcode::*;
        match encoded.opcode() {
            Fallthrough => {
                if self.code.leads_nowhere(Some(encoded.next()), None) {
                    self.trap();
                }
            }
            Jump => self.jump(encoded.target()),
            LoadImmAndJump => {
                let (d, imm, target) = encoded.reg_imm_target();
                // The link register is written even if the target is invalid.
                arith::load(self.asm, size::<WIDE>(), native(d), imm);
                self.jump(target);
            }
            JumpIndirect => {
                let (base, offset) = encoded.reg_imm();
                self.jump_indirect::<WIDE>(encoded.offset(), base, offset, None);
            }
            LoadImmAndJumpIndirect => {
                let (d, base, imm, offset) = encoded.reg_reg_imm_imm();
                self.jump_indirect::<WIDE>(encoded.offset(), base, offset, Some((d, imm)));
            }
            BranchEq => self.branch::<WIDE>(encoded, Cond::Equal),
            BranchNotEq => self.branch::<WIDE>(encoded, Cond::NotEqual),
            BranchLessUnsigned => self.branch::<WIDE>(encoded, Cond::Below),
            BranchLessSigned => self.branch::<WIDE>(encoded, Cond::Less),
            BranchGreaterOrEqualUnsigned => self.branch::<WIDE>(encoded, Cond::AboveOrEqual),
            BranchGreaterOrEqualSigned => self.branch::<WIDE>(encoded, Cond::GreaterOrEqual),
            BranchEqImm => self.branch_imm::<WIDE>(encoded, Cond::Equal),
            BranchNotEqImm => self.branch_imm::<WIDE>(encoded, Cond::NotEqual),
            BranchLessUnsignedImm => self.branch_imm::<WIDE>(encoded, Cond::Below),
            BranchLessSignedImm => self.branch_imm::<WIDE>(encoded, Cond::Less),
            BranchGreaterOrEqualUnsignedImm => self.branch_imm::<WIDE>(encoded, Cond::AboveOrEqual),
            BranchGreaterOrEqualSignedImm => self.branch_imm::<WIDE>(encoded, Cond::GreaterOrEqual),
            BranchLessOrEqualSignedImm => self.branch_imm::<WIDE>(encoded, Cond::LessOrEqual),
            BranchLessOrEqualUnsignedImm => self.branch_imm::<WIDE>(encoded, Cond::BelowOrEqual),
            BranchGreaterSignedImm => self.branch_imm::<WIDE>(encoded, Cond::Greater),
            BranchGreaterUnsignedImm => self.branch_imm::<WIDE>(encoded, Cond::Above),
            // A trap, or an instruction that acts as one; a test emits every opcode.
            opcode => {
                debug_assert!(opcode == Trap, "{opcode:?} is not lowered");
                self.trap();
            }
        }
    }

    pub(super) fn trap(&mut self) {
        let Routines { trap, .. } = self.routines;
        self.asm.call(trap);
    }

    fn jump(&mut self, target: u32) {
        if self.code.leads_nowhere(None, Some(target)) {
            self.trap();
        } else {
            let label = self.label(target);
            self.asm.jmp(label);
            self.last_target = Some(target);
        }
    }

    /// Jumps to the dynamic target `base + offset`, after setting a link register, which may be the base.
    fn jump_indirect<const WIDE: bool>(&mut self, at: u32, base: Reg, offset: i32, link: Option<(Reg, i32)>) {
        self.asm.push(forms::lea_rm(R32, SCRATCH, Mem::base(native(base), offset.wrapping_sub(2))));
        if let Some((d, imm)) = link {
            arith::load(self.asm, size::<WIDE>(), native(d), imm);
        }
        let slow = self.asm.new_label();
        self.jumps.push((at, slow));
        self.table.jump_to_scratch(self.asm, slow);
    }

    #[inline(always)]
    fn branch<const WIDE: bool>(&mut self, encoded: &Encoded, cond: Cond) {
        let (b, c, target) = encoded.reg_reg_target();
        self.branch_if(cond, forms::cmp_rr(size::<WIDE>(), native(b), native(c)), encoded, target);
    }

    #[inline(always)]
    fn branch_imm<const WIDE: bool>(&mut self, encoded: &Encoded, cond: Cond) {
        let (b, imm, target) = encoded.reg_imm_target();
        self.branch_if(cond, compare_imm::<WIDE>(native(b), imm), encoded, target);
    }

    #[inline(always)]
    fn branch_if(&mut self, cond: Cond, compare: Inst, encoded: &Encoded, target: u32) {
        if self.code.leads_nowhere(Some(encoded.next()), Some(target)) {
            self.trap();
            return;
        }
        if self.branch_refund != 0 {
            self.branch_with_refund(cond, compare, encoded, target);
        } else {
            let label = self.label(target);
            self.asm.push(compare);
            self.asm.jcc(cond, label);
        }
        self.last_target = Some(target);
    }

    /// Emits a branch that refunds gas when it goes the likely way. The refund does not change the flags.
    #[inline(never)]
    fn branch_with_refund(&mut self, cond: Cond, compare: Inst, encoded: &Encoded, target: u32) {
        let label = self.label(target);
        let refund = |gas: i32| forms::lea_rm(R64, GAS, Mem::base(GAS, gas));
        let gas = self.branch_refund as i32;
        let is_likely = branch_is_likely_taken(&self.code, encoded.offset(), encoded.next(), target);
        if is_likely {
            self.asm.push(refund(gas));
        }
        self.asm.push(compare);
        self.asm.jcc(cond, label);
        self.asm.push(refund(if is_likely { -gas } else { gas }));
    }
}
