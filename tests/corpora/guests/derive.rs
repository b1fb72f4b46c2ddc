//! Exports, an import and a stack size, as polkavm-derive writes them.
#![no_std]
#![no_main]

use core::hint::black_box;

polkavm_derive::min_stack_size!(65536);

#[polkavm_derive::polkavm_import]
extern "C" {
    fn exit(code: u32) -> u32;
}

#[polkavm_derive::polkavm_export]
extern "C" fn sum() -> u32 {
    black_box(2) + black_box(40)
}

#[polkavm_derive::polkavm_export]
extern "C" fn leave() -> u32 {
    unsafe { exit(black_box(7)) }
}

#[inline(never)]
fn deep(left: u32) -> u32 {
    let room = black_box([left as u8; 1000]);
    if left == 0 { 0 } else { deep(left - 1) + u32::from(black_box(room)[500] != 0) }
}

#[polkavm_derive::polkavm_export]
extern "C" fn stack() -> u32 {
    deep(black_box(20))
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe { core::arch::asm!("unimp", options(noreturn)) }
}
