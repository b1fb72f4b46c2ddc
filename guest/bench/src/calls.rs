//! Calls: deep recursion and calls through pointers.

use core::hint::black_box;

/// Does nothing.
pub fn initialize() {}

/// The 25th Fibonacci number by double recursion, and a walk through a table of functions.
pub fn run() -> u64 {
    let mut value = fibonacci(25);
    for step in 0..60_000_u64 {
        value = black_box(TABLE[(value ^ step) as usize % TABLE.len()])(value, step);
    }
    value
}

#[inline(never)]
fn fibonacci(number: u64) -> u64 {
    match number {
        0 | 1 => black_box(number),
        _ => fibonacci(number - 1).wrapping_add(fibonacci(number - 2)),
    }
}

static TABLE: [fn(u64, u64) -> u64; 4] = [add, exclusive_or, rotate, multiply];

fn add(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

fn exclusive_or(a: u64, b: u64) -> u64 {
    a ^ b.rotate_left(21)
}

fn rotate(a: u64, b: u64) -> u64 {
    a.rotate_left(b as u32 % 64)
}

fn multiply(a: u64, b: u64) -> u64 {
    a.wrapping_mul(b | 1)
}
