//! Routines at the start of every program's code: one that enters guest code, and one for each kind of exit.
//!
//! Emitted by the compiler in front of the program. The worker calls `enter`; guest code calls the others, whose return
//! address identifies the position of the exit. Contract: `docs/sandbox.md`, control page in the protocol.

use super::regs::{GAS, SCRATCH, native};
use core::mem::offset_of;
use pvm_assembler::{Assembler, Label, Mem, Reg as Native, RegSize::R64, StoreImm, Width, forms};
use pvm_zygote::protocol::{self, CONTROL_BASE, Control, STACK_TOP};
use vm_core::isa::Reg;

/// Labels of the routines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Routines {
    pub enter: Label,
    pub trap: Label,
    pub host_call: Label,
    pub out_of_gas: Label,
    pub jump: Label,
    pub step: Label,
    pub sbrk: Label,
    pub memset: Label,
}

impl Routines {
    /// Makes labels that are never bound, to measure the length of calls.
    pub(super) fn unbound(asm: &mut Assembler) -> Routines {
        let label = asm.new_label();
        Routines {
            enter: label,
            trap: label,
            host_call: label,
            out_of_gas: label,
            jump: label,
            step: label,
            sbrk: label,
            memset: label,
        }
    }
}

/// Memory operand for a word of the control page, relative to the top of guest code's stack.
fn control(offset: usize, pushed: i32) -> Mem {
    // Both are constants, a few pages apart.
    let from_top = CONTROL_BASE.wrapping_sub(STACK_TOP) as i32;
    Mem::base(Native::Rsp, from_top + offset as i32 + pushed)
}

const fn reg_offset(reg: Reg) -> usize {
    offset_of!(Control, regs) + 8 * reg as usize
}

/// Emits all routines.
pub(super) fn emit(asm: &mut Assembler) -> Routines {
    let enter = asm.new_label();
    asm.bind(enter);
    asm.push(forms::mov_ri(Native::Rdi, STACK_TOP));
    asm.push(forms::xchg_rr(R64, Native::Rdi, Native::Rsp));
    asm.push(forms::mov_mr(Width::W64, control(offset_of!(Control, worker_stack), 0), Native::Rdi));
    asm.push(forms::mov_rm(R64, GAS, control(offset_of!(Control, gas), 0)));
    asm.push(forms::mov_rm(R64, SCRATCH, control(offset_of!(Control, native_pc), 0)));
    for reg in Reg::ALL {
        asm.push(forms::mov_rm(R64, native(reg), control(reg_offset(reg), 0)));
    }
    asm.push(forms::jmp_r(SCRATCH));

    let leave = asm.new_label();
    asm.bind(leave);
    asm.push(forms::mov_mr(Width::W64, control(offset_of!(Control, detail), 8), SCRATCH));
    asm.push(forms::pop_r(SCRATCH));
    asm.push(forms::mov_mr(Width::W64, control(offset_of!(Control, native_pc), 0), SCRATCH));
    asm.push(forms::mov_mr(Width::W64, control(offset_of!(Control, gas), 0), GAS));
    for reg in Reg::ALL {
        asm.push(forms::mov_mr(Width::W64, control(reg_offset(reg), 0), native(reg)));
    }
    asm.push(forms::mov_rm(R64, Native::Rsp, control(offset_of!(Control, worker_stack), 0)));
    asm.push(forms::ret());

    let mut exit = |reason: u32| {
        let label = asm.new_label();
        asm.bind(label);
        asm.push(forms::mov_mi(control(offset_of!(Control, exit), 8), StoreImm::W32(reason as i32)));
        asm.jmp(leave);
        label
    };
    Routines {
        enter,
        trap: exit(protocol::EXIT_TRAP),
        host_call: exit(protocol::EXIT_HOST_CALL),
        out_of_gas: exit(protocol::EXIT_OUT_OF_GAS),
        jump: exit(protocol::EXIT_JUMP),
        step: exit(protocol::EXIT_STEP),
        sbrk: exit(protocol::EXIT_SBRK),
        memset: exit(protocol::EXIT_MEMSET),
    }
}
