//! The sandboxed process: launcher, zygote and worker in one freestanding program. Started by the sandbox of `pvm-engine`
//! through a sealed memfd, with one end of a socket pair as its standard input. The contract is `docs/sandbox.md`.
//!
//! There is no C library, no allocator, no thread, and nothing that can panic. One program serves a process that forks
//! twice: launcher, then zygote, then workers.
#![no_std]
#![no_main]

mod filter;
mod kernel;
mod launcher;
#[path = "../protocol.rs"]
#[allow(dead_code, reason = "each side uses its part")]
mod protocol;
mod run;
mod signals;
mod syscall;
mod worker;
mod zygote;

use core::arch::global_asm;

/// Size of the program's own stack in bytes: nothing here recurses.
const STACK_SIZE: usize = 0x8000;

/// A stack in the program's own zeroed data, so that the one made by the kernel can be unmapped.
#[repr(C, align(4096))]
struct Stack(core::cell::UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: each process here has one thread.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(core::cell::UnsafeCell::new([0; STACK_SIZE]));

global_asm!(
    ".pushsection .text._start,\"ax\",@progbits",
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "lea rsp, [rip + {stack} + {size}]",
    "call {main}",
    "ud2",
    ".popsection",
    stack = sym STACK,
    size = const STACK_SIZE,
    main = sym launcher::main,
);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    syscall::exit(101)
}

// Routines that the compiler may call for copies and fills. In assembly, because a loop in Rust might be compiled to a
// call of itself.
global_asm!(
    ".pushsection .text.mem,\"ax\",@progbits",
    ".globl memcpy",
    "memcpy:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    ".globl memset",
    "memset:",
    "mov r8, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    ".popsection",
);
