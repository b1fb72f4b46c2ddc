//! Fuzz target: programs selected by the input, linked at every level: they behave as in a RISC-V emulator, or are
//! refused if they have a feature that may be refused.
//!
//! The first byte is the register width, the next four select the program's features; the others are the generator's
//! choices.
#![no_main]

use pvm_riscv::differential::{Compared, STANDING, Standing, check};
use pvm_linker::{Level, Options};
use pvm_riscv::{Feature, Random, generate_with};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&[width, a, b, c, d], choices)) = data.split_first_chunk() else { return };
    let chosen = u32::from_le_bytes([a, b, c, d]);
    let (mut kinds, mut allowed) = (Vec::<Feature>::new(), Vec::<&str>::new());
    for (index, (kind, standing)) in STANDING.into_iter().enumerate() {
        match standing {
            _ if chosen >> index & 1 == 0 => continue,
            Standing::Right => {}
            Standing::MayBeRefused(parts) => allowed.extend(parts),
        }
        kinds.push(kind);
    }
    let wide = width & 1 == 0;
    let program = generate_with(Random::from_bytes(choices), wide, &kinds);
    for level in [Level::None, Level::Some, Level::Full] {
        let options = Options { level, ..Options::default() };
        match check(&program, wide, 1, &options) {
            Compared::Same => {}
            Compared::Refused(reason) if allowed.iter().any(|part| reason.contains(part)) => {}
            Compared::Refused(reason) => panic!("{level:?} {kinds:?}: cannot be linked: {reason}"),
            Compared::Different(difference) => panic!("{level:?} {kinds:?}: {difference}"),
        }
    }
});
