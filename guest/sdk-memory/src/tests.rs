//! Tests every length up to 200 at every alignment, in memory that must not change around it, for either word size.

extern crate std;

use crate::{
    bcmp,
    compare::{differ, order},
    copy::{copy_forward, copy_overlapping},
    fill::fill,
    memcmp, memcpy, memmove, memset, strlen,
    word::Word,
};
use core::ffi::c_int;
use std::vec::Vec;

const LONGEST: usize = 200;
const ALIGNMENTS: usize = 16;
/// Guard bytes around the bytes under test.
const MARGIN: usize = 48;
const ALL: usize = LONGEST + ALIGNMENTS + 2 * MARGIN;

/// Bytes that differ from their neighbours, aligned to 16.
#[repr(align(16))]
struct Memory([u8; ALL]);

impl Memory {
    fn new(seed: u8) -> Self {
        Memory(core::array::from_fn(|index| (index as u8).wrapping_mul(151).wrapping_add(seed)))
    }
}

fn lengths_and_alignments() -> impl Iterator<Item = (usize, usize)> {
    (0..=LONGEST).flat_map(|length| (0..ALIGNMENTS).map(move |alignment| (length, alignment)))
}

fn copies(copy: impl Fn(*mut u8, *const u8, usize)) {
    let (from, blank) = (Memory::new(1), Memory::new(90));
    for (length, to_alignment) in lengths_and_alignments() {
        for from_alignment in 0..ALIGNMENTS {
            let (start, source) = (MARGIN + to_alignment, MARGIN + from_alignment);
            let (mut to, mut expected) = (Memory(blank.0), Memory(blank.0));
            expected.0[start..start + length].copy_from_slice(&from.0[source..source + length]);
            copy(to.0[start..].as_mut_ptr(), from.0[source..].as_ptr(), length);
            assert_eq!(to.0, expected.0, "{length} bytes from {from_alignment} to {to_alignment}");
        }
    }
}

fn moves(copy: impl Fn(*mut u8, *const u8, usize)) {
    let blank = Memory::new(7);
    for (length, alignment) in lengths_and_alignments() {
        let source = MARGIN + alignment;
        // Targets up to the margin before and after the source; long ranges overlap.
        for target in source - MARGIN..=source + MARGIN {
            let (mut memory, mut expected) = (Memory(blank.0), Memory(blank.0));
            expected.0.copy_within(source..source + length, target);
            let start = memory.0.as_mut_ptr();
            copy(start.wrapping_add(target), start.wrapping_add(source), length);
            assert_eq!(memory.0, expected.0, "{length} bytes from {source} to {target}");
        }
    }
}

fn fills(fill: impl Fn(*mut u8, u8, usize)) {
    let blank = Memory::new(3);
    for (length, alignment) in lengths_and_alignments() {
        for byte in [0, 1, 0x7f, 0x80, 0xa5, 0xff] {
            let start = MARGIN + alignment;
            let (mut memory, mut expected) = (Memory(blank.0), Memory(blank.0));
            expected.0[start..start + length].fill(byte);
            fill(memory.0[start..].as_mut_ptr(), byte, length);
            assert_eq!(memory.0, expected.0, "{length} bytes at {alignment}");
        }
    }
}

/// Compares equal memory, and memory that differs in the byte at each position, in either direction and in its lowest or
/// highest bit, where the bytes after it compare the other way and those outside differ.
fn comparisons(
    compare: impl Fn(*const u8, *const u8, usize) -> c_int,
    check: impl Fn(c_int, core::cmp::Ordering) -> bool,
) {
    let (left, blank) = (Memory::new(0), Memory::new(200));
    for (length, alignment) in lengths_and_alignments() {
        // Each alignment of one side with one of the other, another one at each length.
        let (at, other) = (MARGIN + alignment, MARGIN + (alignment * 7 + length) % ALIGNMENTS);
        let mut right = Memory(blank.0);
        right.0[other..other + length].copy_from_slice(&left.0[at..at + length]);
        let asked = |right: &Memory| compare(left.0[at..].as_ptr(), right.0[other..].as_ptr(), length);
        assert!(check(asked(&right), core::cmp::Ordering::Equal), "{length} equal bytes at {alignment}");
        for place in 0..length {
            for bit in [0x01, 0x80] {
                let mut right = Memory(right.0);
                right.0[other + place] ^= bit;
                let expected = left.0[at + place].cmp(&right.0[other + place]);
                // The bytes behind compare the other way.
                right.0[other + place + 1..other + length].fill(if expected.is_lt() { 0 } else { 0xff });
                assert!(check(asked(&right), expected), "{length} bytes at {alignment}, of which {place} differs");
            }
        }
    }
}

fn is_sign(answer: c_int, expected: core::cmp::Ordering) -> bool {
    answer.cmp(&0) == expected
}

fn is_difference(answer: c_int, expected: core::cmp::Ordering) -> bool {
    (answer == 0) == expected.is_eq()
}

fn all_of_width<W: Word>() {
    // SAFETY: the tests pass memory of their own.
    unsafe {
        copies(|to, from, length| copy_forward::<W>(to, from, length));
        copies(|to, from, length| copy_overlapping::<W>(to, from, length));
        moves(|to, from, length| copy_overlapping::<W>(to, from, length));
        fills(|to, byte, length| fill::<W>(to, byte, length));
        comparisons(|left, right, length| order::<W>(left, right, length), is_sign);
        comparisons(|left, right, length| c_int::from(differ::<W>(left, right, length)), is_difference);
    }
}

#[test]
fn words_of_32_bits_copy_move_fill_and_compare() {
    all_of_width::<u32>();
}

#[test]
fn words_of_64_bits_copy_move_fill_and_compare() {
    all_of_width::<u64>();
}

#[test]
fn the_functions_return_what_c_says() {
    let mut to = [0u8; 40];
    let from: Vec<u8> = (0..40).collect();
    let start = to.as_mut_ptr();
    // SAFETY: both have 40 bytes.
    unsafe {
        assert_eq!(memcpy(start, from.as_ptr(), 40), start);
        assert_eq!((bcmp(start, from.as_ptr(), 40), memcmp(start, from.as_ptr(), 40)), (0, 0));
        assert_eq!(memmove(start, start.wrapping_add(1), 39), start);
        assert!(memcmp(start, from.as_ptr(), 40) > 0 && memcmp(from.as_ptr(), start, 40) < 0);
        assert_ne!(bcmp(start, from.as_ptr(), 40), 0);
        // Only the lowest byte counts.
        assert_eq!(memset(start, -0x5b, 40), start);
    }
    assert_eq!(to, [0xa5; 40]);
}

#[test]
fn strings_end_at_their_first_zero() {
    for alignment in 0..ALIGNMENTS {
        for length in 0..LONGEST {
            // Bytes that an inexact test for zero would accept, and more zeros after the first.
            for byte in [0x01, 0x80, 0xff] {
                let mut memory = Memory([byte; ALL]);
                memory.0[MARGIN + alignment + length] = 0;
                memory.0[MARGIN + alignment + length + 5] = 0;
                // SAFETY: there is a zero.
                let found = unsafe { strlen(memory.0[MARGIN + alignment..].as_ptr().cast()) };
                assert_eq!(found, length);
            }
        }
    }
}
