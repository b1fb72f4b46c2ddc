//! Counter: keeps its history on a heap, and reports to the host.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{string::String, vec::Vec};
use core::fmt::Write as _;

pvm_guest::bump_allocator!(64 * 1024);
pvm_guest::min_stack_size!(16 * 1024);

#[pvm_guest::pvm_import]
unsafe extern "C" {
    /// Passes a text to the host.
    #[pvm(symbol = "tell")]
    fn tell_host(text: *const u8, length: usize) -> u32;
}

static mut COUNT: u64 = 0;

/// Adds a number, and returns the sum of all numbers so far.
#[pvm_guest::pvm_export]
extern "C" fn add(by: u64) -> u64 {
    // SAFETY: a guest has one thread, and no reference is kept.
    unsafe {
        COUNT += by;
        COUNT
    }
}

/// Sends the squares of the first numbers to the host, and returns its answer.
#[pvm_guest::pvm_export(symbol = "tell_squares")]
extern "C" fn squares(count: u32) -> u32 {
    let squares: Vec<u64> = (0..u64::from(count)).map(|number| number * number).collect();
    let mut text = String::new();
    for square in &squares {
        let _ = write!(text, "{square} ");
    }
    // SAFETY: the text lives longer than the call.
    unsafe { tell_host(text.as_ptr(), text.len()) }
}
