//! Test of the memory functions on the VM; the host passes one length at a time.
//!
//! Each export returns 0, or a number of what is wrong. Expected bytes are computed by loops with volatile accesses,
//! which the compiler does not make calls of the functions that are checked.
#![no_std]
#![no_main]

use core::ptr::{read_volatile, write_volatile};
use pvm_guest::memory::{bcmp, memcmp, memcpy, memmove, memset, strlen};

const ALIGNMENTS: usize = 16;
/// Guard bytes around the bytes under test.
const MARGIN: usize = 48;
/// Lengths up to 200.
const ALL: usize = 200 + ALIGNMENTS + 2 * MARGIN;

#[repr(align(16))]
struct Memory([u8; ALL]);

/// Bytes that differ from their neighbours.
fn pattern(seed: usize, index: usize) -> u8 {
    (index * 151 + seed) as u8
}

impl Memory {
    #[inline(never)]
    fn new(seed: usize) -> Self {
        let mut memory = Memory([0; ALL]);
        for (index, byte) in memory.0.iter_mut().enumerate() {
            // SAFETY: a reference is valid to write through.
            unsafe { write_volatile(byte, pattern(seed, index)) };
        }
        memory
    }

    fn at(&mut self, index: usize) -> *mut u8 {
        self.0.as_mut_ptr().wrapping_add(index)
    }

    /// True if all bytes are those of `outside`, except for `length` ones from `start` on, which are those of `inside`.
    fn is(&self, start: usize, length: usize, outside: impl Fn(usize) -> u8, inside: impl Fn(usize) -> u8) -> bool {
        self.0.iter().enumerate().all(|(index, byte)| {
            let offset = index.wrapping_sub(start);
            // SAFETY: a reference is valid to read through.
            let found = unsafe { read_volatile(byte) };
            found == if offset < length { inside(offset) } else { outside(index) }
        })
    }
}

/// Copies to each alignment, from alignments that differ with the length.
#[pvm_guest::pvm_export]
extern "C" fn copies(length: usize) -> usize {
    let mut from = Memory::new(1);
    for alignment in 0..ALIGNMENTS {
        let (start, source) = (MARGIN + alignment, MARGIN + (alignment * 5 + length) % ALIGNMENTS);
        let mut to = Memory::new(90);
        // SAFETY: both have a margin behind the longest length.
        let returned = unsafe { memcpy(to.at(start), from.at(source), length) };
        let right = to.is(start, length, |index| pattern(90, index), |offset| pattern(1, source + offset));
        if !right || returned != to.at(start) {
            return 1 + alignment;
        }
    }
    0
}

/// Moves within one memory, by less and by more than one iteration of the loops handles, in both directions.
#[pvm_guest::pvm_export]
extern "C" fn moves(length: usize) -> usize {
    let source = MARGIN + length % ALIGNMENTS;
    for (number, target) in
        [-48, -33, -32, -31, -17, -9, -8, -7, -1, 0, 1, 3, 8, 15, 16, 31, 32, 33, 47].into_iter().enumerate()
    {
        let target = source.wrapping_add_signed(target);
        let mut memory = Memory::new(7);
        // SAFETY: the margin is as far as the moves go.
        let returned = unsafe { memmove(memory.at(target), memory.at(source), length) };
        let right = memory.is(target, length, |index| pattern(7, index), |offset| pattern(7, source + offset));
        if !right || returned != memory.at(target) {
            return 1 + number;
        }
    }
    0
}

/// Fills at each alignment.
#[pvm_guest::pvm_export]
extern "C" fn fills(length: usize) -> usize {
    for alignment in 0..ALIGNMENTS {
        let start = MARGIN + alignment;
        let mut memory = Memory::new(3);
        let byte = pattern(77, length);
        // SAFETY: there is a margin behind the longest length. Only the lowest byte counts.
        let returned = unsafe { memset(memory.at(start), 0x1234_5600 | i32::from(byte), length) };
        if !memory.is(start, length, |index| pattern(3, index), |_| byte) || returned != memory.at(start) {
            return 1 + alignment;
        }
    }
    0
}

/// Compares equal memory, and memory that differs in one byte, where all later bytes differ in the other direction.
#[pvm_guest::pvm_export]
extern "C" fn comparisons(length: usize) -> usize {
    let mut left = Memory::new(1);
    let mut right = Memory::new(60);
    let (start, other) = (MARGIN + length % ALIGNMENTS, MARGIN + length / ALIGNMENTS);
    // SAFETY: both have a margin behind the longest length, and `place` is inside of what is compared.
    unsafe {
        for offset in 0..length {
            write_volatile(right.at(other + offset), read_volatile(left.at(start + offset)));
        }
        let (left, right) = (left.at(start), right.at(other));
        if memcmp(left, right, length) != 0 || bcmp(left, right, length) != 0 {
            return 1;
        }
        // From the last to the first, so that what is behind has been changed already.
        for place in (0..length).rev() {
            let ours = read_volatile(left.wrapping_add(place));
            let less = place % 2 == 0;
            // Neither 0 nor 255 can be passed by; then this byte stays.
            let Some(theirs) = (if less { ours.checked_add(1) } else { ours.checked_sub(1) }) else { continue };
            write_volatile(right.wrapping_add(place), theirs);
            let (order, back) = (memcmp(left, right, length), memcmp(right, left, length));
            if (order < 0) != less || (back > 0) != less || order == 0 || back == 0 || bcmp(left, right, length) == 0 {
                return 2 + place;
            }
        }
    }
    0
}

/// Finds the end of strings at each alignment.
#[pvm_guest::pvm_export]
extern "C" fn strings(length: usize) -> usize {
    for alignment in 0..ALIGNMENTS {
        let start = MARGIN + alignment;
        let mut memory = Memory::new(0);
        // SAFETY: all is inside of the memory.
        let found = unsafe {
            for index in 0..ALL {
                write_volatile(memory.at(index), if index % 3 == 0 { 0x80 } else { 1 });
            }
            write_volatile(memory.at(start + length), 0);
            write_volatile(memory.at(start + length + 3), 0);
            strlen(memory.at(start).cast())
        };
        if found != length {
            return 1 + alignment;
        }
    }
    0
}
