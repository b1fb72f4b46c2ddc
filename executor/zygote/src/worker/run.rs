//! Entry into compiled code and return from it. Called by `worker`, and by the signal handler to leave guest code that
//! faulted.
//!
//! Compiled code begins with its own routine that enters the guest; it is called with the address of the control page
//! and may change every register. The worker's own stack pointer is kept here, where guest code cannot have changed it.

use crate::protocol::CONTROL_BASE;
use core::arch::naked_asm;
use core::sync::atomic::AtomicU64;

/// The worker's stack pointer when it entered compiled code; zero before the first time.
pub static RESUME: AtomicU64 = AtomicU64::new(0);

/// Calls compiled code at `address` and returns when it has exited.
///
/// # Safety
/// `address` is in the mapping of compiled code. The code may do anything: containing it is the purpose of the process.
#[unsafe(naked)]
pub unsafe extern "C" fn enter(address: u64) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rip + {resume}], rsp",
        "mov rax, rdi",
        "movabs rdi, {control}",
        "call rax",
        "jmp {leave}",
        resume = sym RESUME,
        control = const CONTROL_BASE,
        leave = sym leave,
    )
}

/// Returns from the latest call of [`enter`].
///
/// # Safety
/// `enter` has been called and has not returned.
#[unsafe(naked)]
pub unsafe extern "C" fn leave() -> ! {
    naked_asm!(
        "mov rsp, [rip + {resume}]",
        "cld",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        resume = sym RESUME,
    )
}

/// Discards instructions that the processor prefetched before another one wrote new code (Intel SDM, volume 3, 10.1.3):
/// `iret` serialises, and needs no privileges.
pub fn serialise() {
    // SAFETY: `iretq` to the next instruction with the same stack and flags changes nothing else. The stack is ours and
    // has no red zone in use here, as the block may push.
    unsafe {
        core::arch::asm!(
            "mov {old}, rsp",
            "mov {seg:e}, ss",
            "push {seg}",
            "push {old}",
            "pushfq",
            "mov {seg:e}, cs",
            "push {seg}",
            "lea {seg}, [rip + 2f]",
            "push {seg}",
            "iretq",
            "2:",
            old = out(reg) _,
            seg = out(reg) _,
        );
    }
}
