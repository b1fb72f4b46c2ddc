//! Peepholes: sequences of instructions in a block whose machine code is shorter together than one by one.
//!
//! Called by the compiler before it lowers an instruction, and by the pc map when it walks the same code again. Whether
//! a peephole applies depends only on the code from its first instruction on, so that both find the same ones.
//!
//! Registers must have their architectural values wherever a program can stop. A peephole therefore contains only
//! instructions that cannot stop: no access to memory, no host call, no terminator. If it leaves a result out of a
//! register, another of these overwrites that register before it is read ([`is_dead`]). A run can be told to begin
//! between the instructions of a peephole: the host then executes the rest of it ([`execute`]).
//!
//! Used in 64-bit programs only, and not in single-step mode, where each instruction is a stop.

use super::arith;
use super::regs::{SCRATCH, native};
use pvm_assembler::{
    Assembler, Cond, Reg as Native,
    RegSize::{R32, R64},
    forms,
};
use vm_core::isa::{Encoded, EncodedInstructions, Format, GasClass, Instruction, Opcode, Reg};

/// A peephole.
struct Peephole {
    /// Possible opcodes of its first instruction. Peepholes with the same one are adjacent.
    first: &'static [Opcode],
    /// Possible opcodes of its second instruction.
    second: &'static [Opcode],
    /// Emits it and returns its number of instructions; emits nothing and returns `None` if it does not apply to these
    /// two instructions and those behind them.
    emit: fn(&mut Assembler, &Encoded, &Encoded, EncodedInstructions<'_>) -> Option<u32>,
}

/// Maximum number of instructions in a peephole.
pub(super) const LONGEST: u32 = 4;

/// All peepholes. The first one that applies is used. `peephole_tests.rs` has a test of each.
const PEEPHOLES: [Peephole; 6] = {
    use Opcode::{Add64, Mul64, MulUpperUnsignedUnsigned, SetLessThanUnsigned};
    [
        Peephole {
            first: &[Mul64],
            second: &[MulUpperUnsignedUnsigned],
            emit: |asm, low, high, _| product(asm, low, high, low),
        },
        Peephole {
            first: &[MulUpperUnsignedUnsigned],
            second: &[Mul64],
            emit: |asm, high, low, _| product(asm, low, high, high),
        },
        Peephole { first: &[Add64], second: &[SetLessThanUnsigned], emit: wide_sum },
        Peephole { first: &[Add64], second: &[SetLessThanUnsigned], emit: sum_then_carry_added },
        Peephole { first: &[Add64], second: &[SetLessThanUnsigned], emit: sum_and_carry },
        Peephole { first: &EXTENDED, second: &EXTENDED, emit: combined_words },
    ]
};

/// Range of the peepholes that begin with each opcode: index of the first, and index after the last.
const BY_OPCODE: [(u8, u8); Opcode::COUNT] = {
    let mut ranges = [(0, 0); Opcode::COUNT];
    let mut index = 0;
    while index < PEEPHOLES.len() {
        let mut at = 0;
        while at < PEEPHOLES[index].first.len() {
            let range = &mut ranges[PEEPHOLES[index].first[at] as usize];
            assert!(range.1 == 0 || range.1 == index as u8, "peepholes of one opcode are in a row");
            if range.1 == 0 {
                range.0 = index as u8;
            }
            range.1 = index as u8 + 1;
            at += 1;
        }
        index += 1;
    }
    ranges
};

/// Emits the peephole that begins with this instruction, if there is one, and returns its number of instructions.
/// `rest` are the instructions behind the first.
#[inline(always)]
pub(super) fn emit(asm: &mut Assembler, encoded: &Encoded, rest: &EncodedInstructions<'_>) -> Option<u32> {
    match BY_OPCODE[encoded.opcode() as usize] {
        (_, 0) => None,
        (from, to) => emit_one_of(asm, from, to, encoded, rest.clone()),
    }
}

#[inline(never)]
fn emit_one_of(
    asm: &mut Assembler,
    from: u8,
    to: u8,
    encoded: &Encoded,
    mut rest: EncodedInstructions<'_>,
) -> Option<u32> {
    let second = rest.next()?;
    let peepholes = PEEPHOLES.iter().take(to as usize).skip(from as usize);
    let mut fitting = peepholes.filter(|peephole| peephole.second.contains(&second.opcode()));
    fitting.find_map(|peephole| (peephole.emit)(asm, encoded, &second, rest.clone()))
}

/// Executes an instruction inside a peephole, other than its first; returns false if no peephole has it there.
pub(super) fn execute(regs: &mut [u64; Reg::COUNT], instruction: &Instruction) -> bool {
    let Instruction { opcode, r1, r2, r3, imm, .. } = *instruction;
    let (b, c) = (regs[r1 as usize], regs[r2 as usize]);
    let word = |word: u32| (r1, word as i32 as u64);
    let (register, value) = match opcode {
        Opcode::Add64 => (r3, b.wrapping_add(c)),
        Opcode::SetLessThanUnsigned => (r3, u64::from(b < c)),
        Opcode::Mul64 => (r3, b.wrapping_mul(c)),
        Opcode::MulUpperUnsignedUnsigned => (r3, ((u128::from(b) * u128::from(c)) >> 64) as u64),
        Opcode::Xor => (r3, b ^ c),
        Opcode::Or => (r3, b | c),
        Opcode::ShiftLogicalLeftImm32 => word((c as u32).wrapping_shl(imm as u32)),
        Opcode::ShiftLogicalRightImm32 => word((c as u32).wrapping_shr(imm as u32)),
        Opcode::RotateRightImm32 => word((c as u32).rotate_right(imm as u32 & 31)),
        _ => return false,
    };
    regs[register as usize] = value;
    true
}

/// `low = b * c` and `high` = the upper half of the same product; `first` is the one of them that comes first.
fn product(asm: &mut Assembler, low: &Encoded, high: &Encoded, first: &Encoded) -> Option<u32> {
    let (b, c, low_half) = low.reg_reg_reg();
    let (high_b, high_c, high_half) = high.reg_reg_reg();
    let (_, _, written) = first.reg_reg_reg();
    let same_factors = (b, c) == (high_b, high_c) || (b, c) == (high_c, high_b);
    // The second instruction must still find the factors; if both results go to one register, `mulx` leaves the upper
    // half.
    if !same_factors || written == b || written == c || low_half == high_half {
        return None;
    }
    const { assert!(SCRATCH as u8 == Native::Rdx as u8) };
    asm.push(forms::mov_rr(R64, SCRATCH, native(b)));
    asm.push(forms::mulx_rrr(R64, native(high_half), native(low_half), native(c)));
    Some(2)
}

/// `sum = b + c` and its carry.
struct Sum {
    b: Reg,
    c: Reg,
    sum: Reg,
    carry: Reg,
}

impl Sum {
    /// Matches `sum = b + c; carry = sum < b`, or `< c`: a sum that has wrapped is less than either operand.
    fn of(add: &Encoded, compare: &Encoded) -> Option<Sum> {
        let (b, c, sum) = add.reg_reg_reg();
        let (left, right, carry) = compare.reg_reg_reg();
        let is_carry = left == sum && right != sum && (right == b || right == c);
        (is_carry && carry != sum).then_some(Sum { b, c, sum, carry })
    }

    /// Emits the sum. The carry flag is then its carry.
    fn emit_sum(&self, asm: &mut Assembler) {
        let (b, c, sum) = (native(self.b), native(self.c), native(self.sum));
        asm.push_if(sum != b && sum != c, forms::mov_rr(R64, sum, b));
        asm.push(forms::add_rr(R64, sum, if sum == c { b } else { c }));
    }

    /// Emits sum and carry. The carry flag is then its carry too.
    fn emit(&self, asm: &mut Assembler) {
        let carry = native(self.carry);
        let is_source = self.carry == self.b || self.carry == self.c;
        asm.push_if(!is_source, forms::xor_rr(R32, carry, carry));
        self.emit_sum(asm);
        asm.push(forms::setcc_r(Cond::Below, carry));
        asm.push_if(is_source, forms::movzx8_rr(R32, carry, carry));
    }
}

/// Takes the next instruction as a sum: its sources and its result.
fn next_sum(rest: &mut EncodedInstructions<'_>) -> Option<(Reg, Reg, Reg)> {
    rest.next().filter(|next| next.opcode() == Opcode::Add64).map(|next| next.reg_reg_reg())
}

/// Returns the other operand of a sum with `one`, unless that is `one` again.
fn added_to(one: Reg, (b, c, _): (Reg, Reg, Reg)) -> Option<Reg> {
    match (b == one, c == one) {
        (true, false) => Some(c),
        (false, true) => Some(b),
        _ => None,
    }
}

/// `sum = b + c; carry = sum < b; high = p + q; high = high + carry`.
fn wide_sum(asm: &mut Assembler, add: &Encoded, compare: &Encoded, mut rest: EncodedInstructions<'_>) -> Option<u32> {
    let sum = Sum::of(add, compare)?;
    let (p, q, high) = next_sum(&mut rest)?;
    let last = next_sum(&mut rest)?;
    let leaves_carry = ![p, q, high].contains(&sum.carry);
    if !leaves_carry || last.2 != high || added_to(sum.carry, last) != Some(high) {
        return None;
    }
    match is_dead(sum.carry, rest) {
        true => sum.emit_sum(asm),
        false => sum.emit(asm),
    }
    let (p, q, high) = (native(p), native(q), native(high));
    asm.push_if(high != p && high != q, forms::mov_rr(R64, high, p));
    asm.push(forms::adc_rr(R64, high, if high == q { p } else { q }));
    Some(4)
}

/// `sum = b + c; carry = sum < b; high = p + carry`, where `high` may be the carry's register.
fn sum_then_carry_added(
    asm: &mut Assembler,
    add: &Encoded,
    compare: &Encoded,
    mut rest: EncodedInstructions<'_>,
) -> Option<u32> {
    let sum = Sum::of(add, compare)?;
    let last = next_sum(&mut rest)?;
    let (p, high) = (native(added_to(sum.carry, last)?), native(last.2));
    if last.2 == sum.carry || is_dead(sum.carry, rest) {
        sum.emit_sum(asm);
        arith::mov(asm, R64, high, p);
        asm.push(forms::adc_ri(R64, high, 0));
    } else {
        sum.emit(asm);
        arith::add(asm, R64, high, p, native(sum.carry));
    }
    Some(3)
}

/// `sum = b + c; carry = sum < b`.
fn sum_and_carry(asm: &mut Assembler, add: &Encoded, compare: &Encoded, _: EncodedInstructions<'_>) -> Option<u32> {
    let sum = Sum::of(add, compare)?;
    // With a third register for the sum the sequence is not shorter.
    if sum.sum != sum.b && sum.sum != sum.c {
        return None;
    }
    sum.emit(asm);
    Some(2)
}

/// 32-bit operations whose results are combined by [`combined_words`].
const EXTENDED: [Opcode; 3] = [Opcode::RotateRightImm32, Opcode::ShiftLogicalRightImm32, Opcode::ShiftLogicalLeftImm32];

/// `p = b rotated; q = c rotated; d = p ^ q`, also with shifts and `|`: sign-extends `d`, but `p` and `q` only if they
/// are still live.
fn combined_words(
    asm: &mut Assembler,
    first: &Encoded,
    second: &Encoded,
    mut rest: EncodedInstructions<'_>,
) -> Option<u32> {
    let (p, _, _) = first.reg_reg_imm();
    let (q, _, _) = second.reg_reg_imm();
    let third = rest.next()?;
    let form = match third.opcode() {
        Opcode::Xor => forms::xor_rr,
        Opcode::Or => forms::or_rr,
        _ => return None,
    };
    let (b, c, d) = third.reg_reg_reg();
    if p == q || ((b, c) != (p, q) && (b, c) != (q, p)) {
        return None;
    }
    let is_needed = |reg: Reg| reg != d && !is_dead(reg, rest.clone());
    let (extends_p, extends_q) = (is_needed(p), is_needed(q));
    // Otherwise the sequence is not shorter.
    if extends_p && extends_q {
        return None;
    }
    emit_word(asm, first);
    emit_word(asm, second);
    let (p, q, d) = (native(p), native(q), native(d));
    arith::commutative(asm, R64, form, d, p, q);
    asm.push(forms::movsxd_rr(R64, d, d));
    asm.push_if(extends_p, forms::movsxd_rr(R64, p, p));
    asm.push_if(extends_q, forms::movsxd_rr(R64, q, q));
    Some(3)
}

/// One of [`EXTENDED`] without the extension of its result.
fn emit_word(asm: &mut Assembler, encoded: &Encoded) {
    let (d, b, imm) = encoded.reg_reg_imm();
    let (d, b) = (native(d), native(b));
    match encoded.opcode() {
        Opcode::ShiftLogicalLeftImm32 => arith::shift_imm(asm, R32, forms::shl_ri, d, b, imm),
        Opcode::ShiftLogicalRightImm32 => arith::shift_imm(asm, R32, forms::shr_ri, d, b, imm),
        _ => asm.push(forms::rorx_rri(R32, d, b, (imm & 31) as u8)),
    }
}

/// Maximum number of instructions that are searched for one that overwrites a register.
const LOOKAHEAD: usize = 8;

/// Returns true if one of the next instructions overwrites a register, and none before it reads the register or can
/// stop.
fn is_dead(reg: Reg, rest: EncodedInstructions<'_>) -> bool {
    for encoded in rest.take(LOOKAHEAD) {
        let Some(instruction) = encoded.decode().instruction.filter(|_| !encoded.ends_block()) else { return false };
        if can_stop(&instruction) || reads(&instruction, reg) {
            return false;
        }
        if written(&instruction) == Some(reg) {
            return true;
        }
    }
    false
}

/// Returns true if a program can stop at this instruction, which is no terminator.
fn can_stop(instruction: &Instruction) -> bool {
    use GasClass::{Load, LoadIndirect, Store, StoreImm, StoreImmIndirect, StoreIndirect};
    let class = instruction.opcode.spec().gas_class;
    matches!(class, Load | LoadIndirect | Store | StoreIndirect | StoreImm | StoreImmIndirect)
        || matches!(instruction.opcode, Opcode::Ecalli | Opcode::Memset | Opcode::Sbrk)
}

/// Returns the register that an instruction writes; only for instructions that cannot stop.
fn written(instruction: &Instruction) -> Option<Reg> {
    match instruction.opcode.spec().format {
        Format::RegRegReg => Some(instruction.r3),
        Format::RegRegImm | Format::RegReg | Format::RegImm | Format::RegImm64 => Some(instruction.r1),
        _ => None,
    }
}

/// Returns true if an instruction reads a register; only for instructions that cannot stop.
fn reads(instruction: &Instruction, reg: Reg) -> bool {
    use Opcode::{CmovIfNotZero, CmovIfNotZeroImm, CmovIfZero, CmovIfZeroImm};
    let Instruction { opcode, r1, r2, r3, .. } = *instruction;
    match opcode.spec().format {
        // A conditional move reads its destination, which it may keep.
        Format::RegRegReg => [r1, r2].contains(&reg) || (matches!(opcode, CmovIfZero | CmovIfNotZero) && r3 == reg),
        Format::RegRegImm => r2 == reg || (matches!(opcode, CmovIfZeroImm | CmovIfNotZeroImm) && r1 == reg),
        Format::RegReg => r2 == reg,
        _ => false,
    }
}

#[cfg(test)]
#[path = "peephole_tests.rs"]
mod tests;
