//! The body of the fuzz target with inputs of our own, so that CI runs it without a fuzzer. The seeds are fixed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap has failed")]

#[path = "../fuzz/src/bodies.rs"]
mod bodies;

use pvm_test_support::{RandomProgram, Rng};
use vm_core::isa::Isa;

/// An event that may well be one.
fn event(rng: &mut Rng) -> Vec<u8> {
    let value = |rng: &mut Rng| rng.below(0x80) as u8;
    let mut event = match rng.below(8) {
        0 | 1 => vec![1, rng.below(20) as u8, 0, rng.pick(&[0, 40, 0x7e])],
        2 => vec![2, rng.below(4) as u8, value(rng), value(rng), 0, 0, 0, 0],
        3 => vec![3, 1, value(rng), value(rng)],
        4 => vec![4, value(rng), 0, 0, 0, 0, 0],
        // To the start of the data, or near nothing.
        5 => vec![5, 0x80, 0x80, rng.pick(&[4, 8, 12]), 2, 7, 8],
        6 => vec![6, 0x80, 0x80, rng.pick(&[4, 8, 12]), value(rng)],
        _ => vec![7, value(rng)],
    };
    if rng.chance(5) {
        let at = rng.below(event.len() as u32) as usize;
        event[at] = rng.next_u64() as u8;
    }
    event
}

#[test]
fn any_bytes_are_a_record_or_refused() {
    let mut rng = Rng::new(0x0ec0);
    for _ in 0..3000 {
        let isa = rng.pick(&Isa::ALL);
        let blob = if rng.chance(90) { RandomProgram::any(isa, &mut rng).blob() } else { rng.bytes(50) };
        let mut input = (blob.len() as u16).to_le_bytes().to_vec();
        input.extend(blob);
        // Without what was recorded in truth, most runs end at their first stop.
        input.extend([1, 0, 0, 100]);
        for _ in 0..rng.below(8) {
            input.extend(event(&mut rng));
        }
        bodies::record(&input);
    }
}
