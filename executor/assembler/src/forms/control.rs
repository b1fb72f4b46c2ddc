//! Tables: jumps, calls, traps, and instructions without operands. Jumps to a label are methods of the assembler.

use crate::encode::{fixed, group, op, op_0f};
use crate::inst::Inst;
use crate::mem::Mem;
use crate::operand::{Cond, Reg};

forms! { PLAIN = fixed() {
    ret       "ret"     &[0xc3], "back to the address on the stack";
    ud2       "ud2"     &[0x0f, 0x0b], "fault: invalid opcode";
    int3      "int3"    &[0xcc], "fault: breakpoint";
    cdq       "cdq"     &[0x99], "edx = eax's sign, 32 times";
    cqo       "cqo"     &[0x48, 0x99], "rdx = rax's sign, 64 times";
    rep_stosb "stosb"   &[0xf3, 0xaa], "rcx bytes at rdi = al, upwards if DF is clear; rdi and rcx move along, so that a fault can be resumed";
    syscall   "syscall" &[0x0f, 0x05], "into the kernel; rcx and r11 are lost";
    endbr64   "endbr64" &[0xf3, 0x0f, 0x1e, 0xfa], "a place where an indirect branch may land";
    pause     "pause"   &[0xf3, 0x90], "this is a spinning wait";
}}

forms! { BRANCH_REG = one_wide_register(target: Reg) {
    call_r "call" group(0xff, 2), "call the address in target";
    jmp_r  "jmp"  group(0xff, 4), "jump to the address in target";
}}

forms! { BRANCH_MEM = one_wide_memory(target: Mem) {
    call_m "call" group(0xff, 2), "call the address that stands at target";
    jmp_m  "jmp"  group(0xff, 4), "jump to the address that stands at target";
}}

forms! { RELATIVE8 = relative8(disp: i8) {
    jmp_rel8 "jmp" op(0xeb), "jump, counted from the end of the instruction";
}}

forms! { RELATIVE32 = relative32(disp: i32) {
    jmp_rel32  "jmp"  op(0xe9), "jump, counted from the end of the instruction";
    call_rel32 "call" op(0xe8), "call, counted from the end of the instruction";
}}

forms! { RELATIVE8_IF = conditional_relative8(cond: Cond, disp: i8) {
    jcc_rel8 "j" op(0x70), "if cond: jump, counted from the end of the instruction";
}}

forms! { RELATIVE32_IF = conditional_relative32(cond: Cond, disp: i32) {
    jcc_rel32 "j" op_0f(0x80), "if cond: jump, counted from the end of the instruction";
}}

/// Longest single `nop`.
pub const MAX_NOP: usize = 9;

/// `nop` of `len` bytes (1 to [`MAX_NOP`]; more counts as that, zero as one), in the forms that the Intel SDM recommends
/// (volume 2, NOP, table 4-12).
pub const fn nop(len: usize) -> Inst {
    match len {
        0 | 1 => fixed(&[0x90]),
        2 => fixed(&[0x66, 0x90]),
        3 => fixed(&[0x0f, 0x1f, 0x00]),
        4 => fixed(&[0x0f, 0x1f, 0x40, 0x00]),
        5 => fixed(&[0x0f, 0x1f, 0x44, 0x00, 0x00]),
        6 => fixed(&[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00]),
        7 => fixed(&[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00]),
        8 => Inst { tail_len: 1, has_tail: true, ..fixed(&[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00]) },
        _ => Inst { tail_len: 2, has_tail: true, ..fixed(&[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00]) },
    }
}
