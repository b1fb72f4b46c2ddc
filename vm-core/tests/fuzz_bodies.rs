//! The bodies of the fuzz targets with inputs of our own, so that CI runs them without a fuzzer: real programs, and what
//! random changes make of them. The seeds are fixed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap has failed")]

#[path = "../fuzz/src/bodies.rs"]
mod bodies;
use pvm_test_support::{RandomProgram, Rng};
use vm_core::isa::Isa;
use vm_core::text::{Listing, assemble};

/// Random bytes, valid programs, and valid programs with some bytes changed, inserted or taken out; each handed over
/// `front` random bytes first.
fn inputs(seed: u64, front: usize, of_program: impl Fn(&RandomProgram) -> Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
    let mut rng = Rng::new(seed);
    (0..3000).map(move |_| {
        let isa = rng.pick(&Isa::ALL);
        let mut bytes = rng.bytes(front);
        if rng.chance(15) {
            let length = rng.below(300) as usize;
            bytes.extend(rng.bytes(length));
            return bytes;
        }
        bytes.extend(of_program(&RandomProgram::any(isa, &mut rng)));
        let changes = if bytes.len() == front || rng.chance(30) { 0 } else { rng.below(5) };
        for _ in 0..changes {
            let at = front + rng.below((bytes.len() - front) as u32) as usize;
            match rng.below(3) {
                0 => bytes[at] = rng.next_u64() as u8,
                1 => bytes.insert(at, rng.next_u64() as u8),
                _ if bytes.len() > front + 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    })
}

/// Code followed by its bitmask, in the proportion in which the bodies split them.
fn code(program: &RandomProgram) -> Vec<u8> {
    let mut bytes = program.assembly.code.clone();
    // Whole groups of eight, so that they are cut where they were joined.
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let mut bitmask = program.assembly.bitmask.clone();
    bitmask.resize(bytes.len() / 8, 0);
    bytes.extend(bitmask);
    bytes
}

#[test]
fn blobs_are_read_or_refused() {
    inputs(1, 0, RandomProgram::blob).for_each(|data| bodies::blob(&data));
}

#[test]
fn code_is_walked_without_gaps() {
    inputs(2, 0, code).for_each(|data| bodies::decoder(&data));
}

#[test]
fn what_passes_the_limits_is_within_them() {
    inputs(3, 0, RandomProgram::blob).for_each(|data| bodies::limits(&data));
    inputs(4, 0, code).for_each(|data| bodies::limits(&data));
}

#[test]
fn a_run_ends_and_is_the_same_in_every_way() {
    let run = |mut data: Vec<u8>, blob: bool| {
        data[0] = if blob { 192 + data[0] % 64 } else { data[0] % 192 };
        bodies::interpreter(&data);
    };
    inputs(5, 6, RandomProgram::blob).for_each(|data| run(data, true));
    inputs(6, 6, code).for_each(|data| run(data, false));
}

#[test]
fn text_is_refused_or_survives_being_listed() {
    let listing = |program: &RandomProgram| Listing::new(&program.blob()).unwrap().to_string().into_bytes();
    inputs(7, 0, listing).take(600).for_each(|data| bodies::text(&data));
    inputs(8, 1, code).take(1500).for_each(|data| bodies::text(&data));
    inputs(9, 0, RandomProgram::blob).take(1500).for_each(|data| bodies::text(&data));
}

#[test]
fn the_real_program_of_the_text_tests_passes_every_target() {
    let text = include_str!("text/flipper.txt");
    let bytes = assemble(text).unwrap();
    bodies::text(text.as_bytes());
    for body in [bodies::blob, bodies::decoder, bodies::limits, bodies::interpreter, bodies::text] {
        body(&bytes);
    }
    for mode in 0..16 {
        for gas in [0, 1, 7, 100, 2000u16] {
            let [low, high] = gas.to_le_bytes();
            bodies::interpreter(&[&[255, mode, 0, low, high, 3], &bytes[..]].concat());
        }
    }
}
