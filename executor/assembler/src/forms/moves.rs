//! Tables: moves, loads, stores, constants, addresses, conditional moves, the stack.

use crate::encode::{group, op, op_0f};
use crate::inst::Inst;
use crate::mem::Mem;
use crate::operand::{Cond, Reg, RegSize, StoreImm, Width};

forms! { MOVE = mr_registers(size: RegSize, dst: Reg, src: Reg) {
    mov_rr "mov" op(0x89), "dst = src";
}}

forms! { EXCHANGE = exchange(size: RegSize, a: Reg, b: Reg) {
    xchg_rr "xchg" op(0x87), "a, b = b, a";
}}

forms! { LOAD = rm_memory(size: RegSize, dst: Reg, src: Mem) {
    mov_rm     "mov"    op(0x8b), "dst = src, as wide as the size";
    movzx16_rm "movzx"  op_0f(0xb7), "dst = two bytes of src, zero-extended";
    movsx16_rm "movsx"  op_0f(0xbf), "dst = two bytes of src, sign-extended to the size";
    movzx8_rm  "movzx"  op_0f(0xb6), "dst = a byte of src, zero-extended";
    movsx8_rm  "movsx"  op_0f(0xbe), "dst = a byte of src, sign-extended to the size";
    movsxd_rm  "movsxd" op(0x63), "dst = four bytes of src, sign-extended to the size; at 32 bits `mov_rm` does the same";
    lea_rm     "lea"    op(0x8d), "dst = the address of src; touches no memory, leaves the flags";
}}

forms! { EXCHANGE_MEM = mr_memory(size: RegSize, mem: Mem, reg: Reg) {
    xchg_mr "xchg" op(0x87), "mem, reg = reg, mem, atomically";
}}

forms! { STORE = store_register(width: Width, dst: Mem, src: Reg) {
    mov_mr "mov" op(0x88), "dst = the low bytes of src";
}}

forms! { STORE_IMM = store_immediate(dst: Mem, imm: StoreImm) {
    mov_mi "mov" group(0xc6, 0), "dst = imm";
}}

forms! { EXTEND = rm_registers(size: RegSize, dst: Reg, src: Reg) {
    movzx16_rr "movzx"  op_0f(0xb7), "dst = the low two bytes of src, zero-extended";
    movsx16_rr "movsx"  op_0f(0xbf), "dst = the low two bytes of src, sign-extended to the size";
    movsxd_rr  "movsxd" op(0x63), "dst = the low four bytes of src, sign-extended to the size";
}}

forms! { EXTEND_BYTE = rm_byte_register(size: RegSize, dst: Reg, src: Reg) {
    movzx8_rr "movzx" op_0f(0xb6), "dst = the low byte of src, zero-extended";
    movsx8_rr "movsx" op_0f(0xbe), "dst = the low byte of src, sign-extended to the size";
}}

forms! { LOAD_U32 = load_u32(dst: Reg, imm: u32) {
    mov_ri32 "mov" op(0xb8), "dst = imm, zero-extended to 64 bits";
}}

forms! { LOAD_I32 = load_i32(dst: Reg, imm: i32) {
    mov_ri32_signed "mov" group(0xc7, 0), "dst = imm, sign-extended to 64 bits";
}}

forms! { LOAD_U64 = load_u64(dst: Reg, imm: u64) {
    mov_ri64 "mov" op(0xb8), "dst = imm";
}}

/// Returns the shortest instruction that sets `dst` to `imm` and preserves the flags: `mov_ri32` (5 or 6 bytes),
/// `mov_ri32_signed` (7) or `mov_ri64` (10).
#[inline(always)]
pub const fn mov_ri(dst: Reg, imm: u64) -> Inst {
    if imm >> 32 == 0 {
        mov_ri32(dst, imm as u32)
    } else if imm as i32 as i64 as u64 == imm {
        mov_ri32_signed(dst, imm as i32)
    } else {
        mov_ri64(dst, imm)
    }
}

forms! { MOVE_IF = conditional_registers(cond: Cond, size: RegSize, dst: Reg, src: Reg) {
    cmov_rr "cmov" op_0f(0x40), "if cond: dst = src; at 32 bits dst's upper half is cleared either way";
}}

forms! { LOAD_IF = conditional_memory(cond: Cond, size: RegSize, dst: Reg, src: Mem) {
    cmov_rm "cmov" op_0f(0x40), "if cond: dst = src; reads src either way; at 32 bits dst's upper half is cleared either way";
}}

forms! { SET_IF = conditional_byte_register(cond: Cond, dst: Reg) {
    setcc_r "set" op_0f(0x90), "dst's low byte = cond as 0 or 1; leaves the other bytes";
}}

forms! { STACK_REG = wide_register_in_opcode(reg: Reg) {
    push_r "push" op(0x50), "rsp -= 8, then a store of all of reg there";
    pop_r  "pop"  op(0x58), "a load of all of reg from rsp, then rsp += 8";
}}

forms! { STACK_IMM = push_immediate(imm: i32) {
    push_i "push" op(0x68), "rsp -= 8, then a store of imm there, sign-extended to eight bytes";
}}

forms! { STACK_MEM = one_wide_memory(mem: Mem) {
    push_m "push" group(0xff, 6), "rsp -= 8, then a copy of eight bytes of mem to there";
    pop_m  "pop"  group(0x8f, 0), "a copy of eight bytes from rsp to mem; rsp += 8 comes before mem's address";
}}
