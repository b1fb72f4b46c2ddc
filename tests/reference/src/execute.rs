//! Execution of single instructions, in one `match`: `docs/spec/instructions.md#instructions`, with
//! `docs/spec/execution.md#dynamic-jumps` and `docs/spec/execution.md#memset`.

use crate::calibrated;
use crate::code::Instruction;
use crate::gas::Model;
use crate::interpreter::{Interpreter, Outcome};

/// Control flow after an instruction.
pub enum Next {
    /// The following instruction.
    Behind,
    /// The block at this offset, which is a valid target.
    Goto(u32),
    /// Execution stops, temporarily or for good.
    Stop(Outcome),
}

const TRAP: Next = Next::Stop(Outcome::Trap);
const A0: usize = 7;
const A1: usize = 8;
const A2: usize = 9;

impl Interpreter {
    /// Executes one instruction.
    pub(crate) fn execute(&mut self, i: &Instruction) -> Next {
        let wide = self.code.isa.wide();
        // RRR forms compute r3 from r1 and r2, all other computing forms r1 from r2 and an immediate.
        let (d, a, b) = match i.form {
            "RRR" => (i.r3, self.registers[i.r1], self.registers[i.r2]),
            _ => (i.r1, self.registers[i.r2], if wide { i.imm as u64 } else { i.imm as u64 & 0xffff_ffff }),
        };
        let r1 = self.registers[i.r1];
        let imm2 = i.imm2 as u64;
        // Signed values, and the width of a register in bits.
        let signed = |x: u64| if wide { x as i64 } else { i64::from(x as i32) };
        let bits = if wide { 64 } else { 32 };
        let (sa, sb) = (signed(a), signed(b));
        // The low halves; a 32-bit result is sign-extended to the register.
        let (wa, wb) = (a as u32, b as u32);
        let extend = |x: u32| i64::from(x as i32) as u64;
        let if_so = |condition: bool| u64::from(condition);
        let high = |x: i128, y: i128| (x.wrapping_mul(y) >> bits) as u64;
        // Addresses: of the forms with a base, and of those without.
        let absolute = i.imm as u32;
        let based = match i.form {
            "RII" => (r1 as u32).wrapping_add(i.imm as u32),
            _ => (a as u32).wrapping_add(i.imm as u32),
        };
        // Branches compare the first register with the second or with the immediate.
        let y = match i.form {
            "RRO" => self.registers[i.r2],
            _ => b,
        };
        let (sr1, sy) = (signed(r1), signed(y));

        let result = match i.name {
            // Control
            "fallthrough" if i.next >= self.code.len() => return TRAP,
            "fallthrough" | "unlikely" => return Next::Behind,
            "ecalli" => return Next::Stop(Outcome::HostCall(i.imm as u32)),
            "memset" => return self.memset(),
            "jump" => return self.goto(i.target),
            "jump_indirect" => return self.djump((r1 as u32).wrapping_add(i.imm as u32)),
            "load_imm_and_jump" => {
                self.set_register(i.r1, i.imm as u64);
                return self.goto(i.target);
            }
            "load_imm_and_jump_indirect" => {
                let address = (a as u32).wrapping_add(i.imm2 as u32);
                self.set_register(i.r1, i.imm as u64);
                return self.djump(address);
            }
            "branch_eq" | "branch_eq_imm" => return self.branch(r1 == y, i),
            "branch_not_eq" | "branch_not_eq_imm" => return self.branch(r1 != y, i),
            "branch_less_unsigned" | "branch_less_unsigned_imm" => return self.branch(r1 < y, i),
            "branch_less_signed" | "branch_less_signed_imm" => return self.branch(sr1 < sy, i),
            "branch_greater_or_equal_unsigned" | "branch_greater_or_equal_unsigned_imm" => {
                return self.branch(r1 >= y, i);
            }
            "branch_greater_or_equal_signed" | "branch_greater_or_equal_signed_imm" => {
                return self.branch(sr1 >= sy, i);
            }
            "branch_less_or_equal_unsigned_imm" => return self.branch(r1 <= y, i),
            "branch_less_or_equal_signed_imm" => return self.branch(sr1 <= sy, i),
            "branch_greater_unsigned_imm" => return self.branch(r1 > y, i),
            "branch_greater_signed_imm" => return self.branch(sr1 > sy, i),

            // Memory
            "store_imm_u8" => return self.store(absolute, imm2, 1),
            "store_imm_u16" => return self.store(absolute, imm2, 2),
            "store_imm_u32" => return self.store(absolute, imm2, 4),
            "store_imm_u64" => return self.store(absolute, imm2, 8),
            "store_imm_indirect_u8" => return self.store(based, imm2, 1),
            "store_imm_indirect_u16" => return self.store(based, imm2, 2),
            "store_imm_indirect_u32" => return self.store(based, imm2, 4),
            "store_imm_indirect_u64" => return self.store(based, imm2, 8),
            "store_u8" => return self.store(absolute, r1, 1),
            "store_u16" => return self.store(absolute, r1, 2),
            "store_u32" => return self.store(absolute, r1, 4),
            "store_u64" => return self.store(absolute, r1, 8),
            "store_indirect_u8" => return self.store(based, r1, 1),
            "store_indirect_u16" => return self.store(based, r1, 2),
            "store_indirect_u32" => return self.store(based, r1, 4),
            "store_indirect_u64" => return self.store(based, r1, 8),
            "load_u8" => return self.load(d, absolute, 1, false),
            "load_i8" => return self.load(d, absolute, 1, true),
            "load_u16" => return self.load(d, absolute, 2, false),
            "load_i16" => return self.load(d, absolute, 2, true),
            "load_u32" => return self.load(d, absolute, 4, false),
            "load_i32" => return self.load(d, absolute, 4, true),
            "load_u64" => return self.load(d, absolute, 8, false),
            "load_indirect_u8" => return self.load(d, based, 1, false),
            "load_indirect_i8" => return self.load(d, based, 1, true),
            "load_indirect_u16" => return self.load(d, based, 2, false),
            "load_indirect_i16" => return self.load(d, based, 2, true),
            "load_indirect_u32" => return self.load(d, based, 4, false),
            "load_indirect_i32" => return self.load(d, based, 4, true),
            "load_indirect_u64" => return self.load(d, based, 8, false),
            "sbrk" => u64::from(self.memory.sbrk(wa).unwrap_or(0)),

            // Values
            "load_imm" | "load_imm64" => i.imm as u64,
            "move_reg" => a,
            "count_leading_zero_bits_32" => u64::from(wa.leading_zeros()),
            "count_leading_zero_bits_64" => u64::from(a.leading_zeros()),
            "count_trailing_zero_bits_32" => u64::from(wa.trailing_zeros()),
            "count_trailing_zero_bits_64" => u64::from(a.trailing_zeros()),
            "count_set_bits_32" => u64::from(wa.count_ones()),
            "count_set_bits_64" => u64::from(a.count_ones()),
            "sign_extend_8" => i64::from(a as i8) as u64,
            "sign_extend_16" => i64::from(a as i16) as u64,
            "zero_extend_16" => a & 0xffff,
            "reverse_byte" if wide => a.swap_bytes(),
            "reverse_byte" => u64::from(wa.swap_bytes()),
            "cmov_if_zero" if b == 0 => a,
            "cmov_if_not_zero" if b != 0 => a,
            "cmov_if_zero_imm" if a == 0 => b,
            "cmov_if_not_zero_imm" if a != 0 => b,
            "cmov_if_zero" | "cmov_if_not_zero" | "cmov_if_zero_imm" | "cmov_if_not_zero_imm" => self.registers[d],

            // Arithmetic
            "add_32" | "add_imm_32" => extend(wa.wrapping_add(wb)),
            "add_64" | "add_imm_64" => a.wrapping_add(b),
            "sub_32" => extend(wa.wrapping_sub(wb)),
            "sub_64" => a.wrapping_sub(b),
            "negate_and_add_imm_32" => extend(wb.wrapping_sub(wa)),
            "negate_and_add_imm_64" => b.wrapping_sub(a),
            "mul_32" | "mul_imm_32" => extend(wa.wrapping_mul(wb)),
            "mul_64" | "mul_imm_64" => a.wrapping_mul(b),
            "mul_upper_signed_signed" => high(i128::from(sa), i128::from(sb)),
            "mul_upper_unsigned_unsigned" => ((u128::from(a) * u128::from(b)) >> bits) as u64,
            "mul_upper_signed_unsigned" => high(i128::from(sa), i128::from(b)),
            "div_unsigned_32" => extend(wa.checked_div(wb).unwrap_or(u32::MAX)),
            "div_unsigned_64" => a.checked_div(b).unwrap_or(u64::MAX),
            "div_signed_32" if wb == 0 => u64::MAX,
            "div_signed_32" => extend((wa as i32).wrapping_div(wb as i32) as u32),
            "div_signed_64" if b == 0 => u64::MAX,
            "div_signed_64" => (a as i64).wrapping_div(b as i64) as u64,
            "rem_unsigned_32" => extend(wa.checked_rem(wb).unwrap_or(wa)),
            "rem_unsigned_64" => a.checked_rem(b).unwrap_or(a),
            "rem_signed_32" if wb == 0 => extend(wa),
            "rem_signed_32" => extend((wa as i32).wrapping_rem(wb as i32) as u32),
            "rem_signed_64" if b == 0 => a,
            "rem_signed_64" => (a as i64).wrapping_rem(b as i64) as u64,

            // Logic and comparisons
            "and" | "and_imm" => a & b,
            "or" | "or_imm" => a | b,
            "xor" | "xor_imm" => a ^ b,
            "and_inverted" => a & !b,
            "or_inverted" => a | !b,
            "xnor" => !(a ^ b),
            "maximum" => sa.max(sb) as u64,
            "maximum_unsigned" => a.max(b),
            "minimum" => sa.min(sb) as u64,
            "minimum_unsigned" => a.min(b),
            "set_less_than_unsigned" | "set_less_than_unsigned_imm" => if_so(a < b),
            "set_less_than_signed" | "set_less_than_signed_imm" => if_so(sa < sb),
            "set_greater_than_unsigned_imm" => if_so(a > b),
            "set_greater_than_signed_imm" => if_so(sa > sb),

            // Shifts: by a register or an immediate, and in the alt forms of the immediate by the register.
            "shift_logical_left_32" | "shift_logical_left_imm_32" => extend(wa << (wb % 32)),
            "shift_logical_left_64" | "shift_logical_left_imm_64" => a << (b % 64),
            "shift_logical_left_imm_alt_32" => extend(wb << (wa % 32)),
            "shift_logical_left_imm_alt_64" => b << (a % 64),
            "shift_logical_right_32" | "shift_logical_right_imm_32" => extend(wa >> (wb % 32)),
            "shift_logical_right_64" | "shift_logical_right_imm_64" => a >> (b % 64),
            "shift_logical_right_imm_alt_32" => extend(wb >> (wa % 32)),
            "shift_logical_right_imm_alt_64" => b >> (a % 64),
            "shift_arithmetic_right_32" | "shift_arithmetic_right_imm_32" => extend((wa as i32 >> (wb % 32)) as u32),
            "shift_arithmetic_right_64" | "shift_arithmetic_right_imm_64" => (a as i64 >> (b % 64)) as u64,
            "shift_arithmetic_right_imm_alt_32" => extend((wb as i32 >> (wa % 32)) as u32),
            "shift_arithmetic_right_imm_alt_64" => (b as i64 >> (a % 64)) as u64,
            "rotate_left_32" => extend(wa.rotate_left(wb % 32)),
            "rotate_left_64" => a.rotate_left((b % 64) as u32),
            "rotate_right_32" | "rotate_right_imm_32" => extend(wa.rotate_right(wb % 32)),
            "rotate_right_64" | "rotate_right_imm_64" => a.rotate_right((b % 64) as u32),
            "rotate_right_imm_alt_32" => extend(wb.rotate_right(wa % 32)),
            "rotate_right_imm_alt_64" => b.rotate_right((a % 64) as u32),

            // trap, and invalid instructions
            _ => return TRAP,
        };
        self.set_register(d, result);
        Next::Behind
    }

    fn goto(&self, target: u32) -> Next {
        if self.code.is_target(target) { Next::Goto(target) } else { TRAP }
    }

    fn branch(&mut self, taken: bool, i: &Instruction) -> Next {
        if !self.code.is_target(i.target) || i.next >= self.code.len() {
            return TRAP;
        }
        let gives_back = self.config.model == Model::CalibratedV1 && self.metered();
        if gives_back && taken == calibrated::is_likely_taken(&self.code, i) {
            self.gas += i64::from(calibrated::MISPREDICTION);
        }
        if taken { Next::Goto(i.target) } else { Next::Behind }
    }

    /// "Dynamic jumps".
    fn djump(&self, address: u32) -> Next {
        if address == 0xffff_0000 {
            return Next::Stop(Outcome::Finished);
        }
        if address == 0 || address % 2 == 1 {
            return TRAP;
        }
        match self.jump_table.get((address / 2 - 1) as usize) {
            Some(target) => self.goto(*target),
            None => TRAP,
        }
    }

    fn store(&mut self, address: u32, value: u64, length: usize) -> Next {
        if self.memory.write(address, &value.to_le_bytes()[..length]) { Next::Behind } else { TRAP }
    }

    fn load(&mut self, register: usize, address: u32, length: u32, signed: bool) -> Next {
        let Some(bytes) = self.memory.read(address, length) else { return TRAP };
        let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        let empty = 64 - 8 * length;
        let value = if signed { ((value << empty) as i64 >> empty) as u64 } else { value };
        self.set_register(register, value);
        Next::Behind
    }

    /// "memset".
    fn memset(&mut self) -> Next {
        while self.registers[A2] as u32 != 0 {
            if self.metered() && self.gas == 0 {
                return Next::Stop(Outcome::OutOfGas);
            }
            if !self.memory.write(self.registers[A0] as u32, &[self.registers[A1] as u8]) {
                return TRAP;
            }
            if self.metered() {
                self.gas -= 1;
            }
            self.set_register(A0, u64::from((self.registers[A0] as u32).wrapping_add(1)));
            self.set_register(A2, u64::from(self.registers[A2] as u32 - 1));
        }
        Next::Behind
    }
}
