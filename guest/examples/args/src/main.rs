//! Exports with arguments in all registers, and numbers wider than the registers of a 32-bit machine.
#![no_std]
#![no_main]

#[pvm_guest::pvm_import]
unsafe extern "C" {
    /// Mixes nine numbers to one.
    fn mix9(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32, i: u32) -> u64;
}

/// Each of nine arguments at its own decimal place.
#[pvm_guest::pvm_export]
#[allow(clippy::too_many_arguments, reason = "that is what it is about")]
extern "C" fn places(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32, i: u32) -> u64 {
    [a, b, c, d, e, f, g, h, i].into_iter().fold(0, |sum, digit| sum * 10 + u64::from(digit))
}

/// Takes numbers of 64 bits, a signed one, and a boolean.
#[pvm_guest::pvm_export]
extern "C" fn blend(a: u64, b: i64, c: i32, negate: bool) -> i64 {
    let sum = (a as i64).wrapping_add(b).wrapping_add(i64::from(c));
    if negate { sum.wrapping_neg() } else { sum }
}

/// Passes nine arguments on to the host.
#[pvm_guest::pvm_export]
extern "C" fn ask(from: u32) -> u64 {
    // SAFETY: the host only reads the numbers.
    unsafe { mix9(from, from + 1, from + 2, from + 3, from + 4, from + 5, from + 6, from + 7, from + 8) }
}
