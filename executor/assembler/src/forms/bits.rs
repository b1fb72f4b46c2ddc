//! Tables: shifts, rotations, bit counts, byte swaps.

use crate::encode::{MAP_0F3A, MAP_0F38, VEX_66, VEX_F2, VEX_F3, VEX_NONE, group, op_0f, op_f3_0f, vex};
use crate::mem::Mem;
use crate::operand::{Reg, RegSize};

forms! { SHIFT_CL = one_register(size: RegSize, dst: Reg) {
    rol_rcl "rol" group(0xd3, 0), "dst rotated left by cl modulo the size";
    ror_rcl "ror" group(0xd3, 1), "dst rotated right by cl modulo the size";
    shl_rcl "shl" group(0xd3, 4), "dst <<= cl modulo the size";
    shr_rcl "shr" group(0xd3, 5), "dst >>= cl modulo the size, zeros in";
    sar_rcl "sar" group(0xd3, 7), "dst >>= cl modulo the size, the sign in";
}}

forms! { SHIFT_IMM = shift_immediate(size: RegSize, dst: Reg, count: u8) {
    rol_ri "rol" group(0xc1, 0), "dst rotated left by count modulo the size";
    ror_ri "ror" group(0xc1, 1), "dst rotated right by count modulo the size";
    shl_ri "shl" group(0xc1, 4), "dst <<= count modulo the size";
    shr_ri "shr" group(0xc1, 5), "dst >>= count modulo the size, zeros in";
    sar_ri "sar" group(0xc1, 7), "dst >>= count modulo the size, the sign in";
}}

forms! { SHIFT_REG, SHIFT_REG_FEATURES = vex_rmv(size: RegSize, dst: Reg, src: Reg, count: Reg) {
    shlx_rrr "shlx" vex(VEX_66, MAP_0F38, 0xf7), "dst = src << count modulo the size; leaves the flags", Bmi2;
    sarx_rrr "sarx" vex(VEX_F3, MAP_0F38, 0xf7), "dst = src >> count modulo the size, the sign in; leaves the flags", Bmi2;
    shrx_rrr "shrx" vex(VEX_F2, MAP_0F38, 0xf7), "dst = src >> count modulo the size, zeros in; leaves the flags", Bmi2;
}}

forms! { ROTATE_IMM, ROTATE_IMM_FEATURES = vex_rm_immediate(size: RegSize, dst: Reg, src: Reg, count: u8) {
    rorx_rri "rorx" vex(VEX_F2, MAP_0F3A, 0xf0), "dst = src rotated right by count modulo the size; leaves the flags", Bmi2;
}}

forms! { AND_NOT, AND_NOT_FEATURES = vex_rvm(size: RegSize, dst: Reg, inverted: Reg, src: Reg) {
    andn_rrr "andn" vex(VEX_NONE, MAP_0F38, 0xf2), "dst = !inverted & src", Bmi1;
}}

forms! { COUNT_REG, COUNT_REG_FEATURES = rm_registers(size: RegSize, dst: Reg, src: Reg) {
    bsf_rr    "bsf"    op_0f(0xbc), "dst = number of src's lowest one; sets ZF and leaves dst if there is none";
    bsr_rr    "bsr"    op_0f(0xbd), "dst = number of src's highest one; sets ZF and leaves dst if there is none";
    popcnt_rr "popcnt" op_f3_0f(0xb8), "dst = how many ones src has", Popcnt;
    tzcnt_rr  "tzcnt"  op_f3_0f(0xbc), "dst = how many zeros src ends in, the size if all; without the extension it is bsf", Bmi1;
    lzcnt_rr  "lzcnt"  op_f3_0f(0xbd), "dst = how many zeros src begins with, the size if all; without the extension it is bsr", Lzcnt;
}}

forms! { COUNT_MEM, COUNT_MEM_FEATURES = rm_memory(size: RegSize, dst: Reg, src: Mem) {
    popcnt_rm "popcnt" op_f3_0f(0xb8), "dst = how many ones src has", Popcnt;
    tzcnt_rm  "tzcnt"  op_f3_0f(0xbc), "dst = how many zeros src ends in, the size if all; without the extension it is bsf", Bmi1;
    lzcnt_rm  "lzcnt"  op_f3_0f(0xbd), "dst = how many zeros src begins with, the size if all; without the extension it is bsr", Lzcnt;
}}

forms! { SWAP = register_in_opcode(size: RegSize, reg: Reg) {
    bswap_r "bswap" op_0f(0xc8), "reg's bytes in reverse";
}}
