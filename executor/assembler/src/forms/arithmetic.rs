//! Tables: addition to comparison, multiplication, division.

use crate::encode::{MAP_0F38, VEX_F2, group, op, op_0f, vex};
use crate::mem::Mem;
use crate::operand::{Reg, RegSize};

forms! { REG_REG = mr_registers(size: RegSize, dst: Reg, src: Reg) {
    add_rr  "add"  op(0x01), "dst += src";
    or_rr   "or"   op(0x09), "dst |= src";
    adc_rr  "adc"  op(0x11), "dst += src + CF";
    sbb_rr  "sbb"  op(0x19), "dst -= src + CF";
    and_rr  "and"  op(0x21), "dst &= src";
    sub_rr  "sub"  op(0x29), "dst -= src";
    xor_rr  "xor"  op(0x31), "dst ^= src";
    cmp_rr  "cmp"  op(0x39), "flags of dst - src";
    test_rr "test" op(0x85), "flags of dst & src";
}}

forms! { REG_MEM = rm_memory(size: RegSize, dst: Reg, src: Mem) {
    add_rm  "add"  op(0x03), "dst += src";
    or_rm   "or"   op(0x0b), "dst |= src";
    adc_rm  "adc"  op(0x13), "dst += src + CF";
    sbb_rm  "sbb"  op(0x1b), "dst -= src + CF";
    and_rm  "and"  op(0x23), "dst &= src";
    sub_rm  "sub"  op(0x2b), "dst -= src";
    xor_rm  "xor"  op(0x33), "dst ^= src";
    cmp_rm  "cmp"  op(0x3b), "flags of dst - src";
    imul_rm "imul" op_0f(0xaf), "dst *= src";
}}

forms! { MEM_REG = mr_memory(size: RegSize, dst: Mem, src: Reg) {
    add_mr  "add"  op(0x01), "dst += src";
    or_mr   "or"   op(0x09), "dst |= src";
    adc_mr  "adc"  op(0x11), "dst += src + CF";
    sbb_mr  "sbb"  op(0x19), "dst -= src + CF";
    and_mr  "and"  op(0x21), "dst &= src";
    sub_mr  "sub"  op(0x29), "dst -= src";
    xor_mr  "xor"  op(0x31), "dst ^= src";
    cmp_mr  "cmp"  op(0x39), "flags of dst - src";
    test_mr "test" op(0x85), "flags of dst & src";
}}

forms! { REG_IMM = arithmetic_immediate(size: RegSize, dst: Reg, imm: i32) {
    add_ri "add" group(0x81, 0), "dst += imm, sign-extended";
    or_ri  "or"  group(0x81, 1), "dst |= imm, sign-extended";
    adc_ri "adc" group(0x81, 2), "dst += imm, sign-extended, + CF";
    sbb_ri "sbb" group(0x81, 3), "dst -= imm, sign-extended, + CF";
    and_ri "and" group(0x81, 4), "dst &= imm, sign-extended";
    sub_ri "sub" group(0x81, 5), "dst -= imm, sign-extended";
    xor_ri "xor" group(0x81, 6), "dst ^= imm, sign-extended";
    cmp_ri "cmp" group(0x81, 7), "flags of dst - imm, sign-extended";
}}

forms! { TEST_IMM = test_immediate(size: RegSize, dst: Reg, imm: i32) {
    test_ri "test" group(0xf7, 0), "flags of dst & imm, sign-extended";
}}

forms! { MEM_IMM = arithmetic_memory_immediate(size: RegSize, dst: Mem, imm: i32) {
    add_mi "add" group(0x81, 0), "dst += imm, sign-extended";
    or_mi  "or"  group(0x81, 1), "dst |= imm, sign-extended";
    adc_mi "adc" group(0x81, 2), "dst += imm, sign-extended, + CF";
    sbb_mi "sbb" group(0x81, 3), "dst -= imm, sign-extended, + CF";
    and_mi "and" group(0x81, 4), "dst &= imm, sign-extended";
    sub_mi "sub" group(0x81, 5), "dst -= imm, sign-extended";
    xor_mi "xor" group(0x81, 6), "dst ^= imm, sign-extended";
    cmp_mi "cmp" group(0x81, 7), "flags of dst - imm, sign-extended";
}}

forms! { ONE_REG = one_register(size: RegSize, reg: Reg) {
    not_r  "not"  group(0xf7, 2), "reg = !reg; leaves the flags";
    neg_r  "neg"  group(0xf7, 3), "reg = -reg";
    mul_r  "mul"  group(0xf7, 4), "rdx:rax = rax * reg, unsigned";
    imul_r "imul" group(0xf7, 5), "rdx:rax = rax * reg, signed";
    div_r  "div"  group(0xf7, 6), "rax, rdx = quotient, remainder of rdx:rax by reg, unsigned; faults if reg is 0 or the quotient doesn't fit";
    idiv_r "idiv" group(0xf7, 7), "rax, rdx = quotient, remainder of rdx:rax by reg, signed; faults if reg is 0 or the quotient doesn't fit";
}}

forms! { MULTIPLY = rm_registers(size: RegSize, dst: Reg, src: Reg) {
    imul_rr "imul" op_0f(0xaf), "dst *= src";
}}

forms! { MULTIPLY_IMM = multiply_immediate(size: RegSize, dst: Reg, src: Reg, imm: i32) {
    imul_rri "imul" op(0x69), "dst = src * imm, sign-extended";
}}

forms! { MULTIPLY_WIDE, MULTIPLY_WIDE_FEATURES = vex_rvm(size: RegSize, high: Reg, low: Reg, src: Reg) {
    mulx_rrr "mulx" vex(VEX_F2, MAP_0F38, 0xf6), "high:low = rdx * src, unsigned; if high is low it gets the high half; leaves the flags", Bmi2;
}}
