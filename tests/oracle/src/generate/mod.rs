//! Random programs of five kinds: flat sequences of instructions, long blocks, structured programs, real ones with
//! bytes changed, and random bytes.
//!
//! The same seed gives the same program, as long as the generators are unchanged.

mod damage;
mod dense;
mod flat;
mod pairs;
mod parts;
mod structured;

pub use pairs::{computing, pair};
pub use parts::Parts;

use crate::compare::Scenario;
use crate::interface::{Config, Metering, Model};
use pvm_test_support::Rng;
use vm_core::blob::Blob;
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::text::Listing;

/// Compiled blobs, to be damaged. They are built from `guest/`, and stored here so that they never change.
const REAL: [&[u8]; 4] = [
    include_bytes!("../../blobs/erc20.blob"),
    include_bytes!("../../blobs/flipper.blob"),
    include_bytes!("../../blobs/keccak.blob"),
    include_bytes!("../../blobs/sieve.blob"),
];

/// Returns the scenario of this seed.
pub fn scenario(seed: u64) -> Scenario {
    let rng = &mut Rng::new(seed);
    let isa = rng.pick(&[Isa::ReviveV1, Isa::ReviveV1, Isa::Latest32, Isa::Latest32, Isa::JamV1]);
    let blob = match rng.below(100) {
        0..3 => damage::bytes(rng.pick(&REAL), rng),
        3..8 => flat::noise(isa, rng).blob(),
        8..11 => dense::program(isa, rng).blob(),
        11..45 => structured::program(isa, rng).blob(),
        kind => {
            let mut parts = flat::program(isa, rng);
            if kind >= 80 {
                damage::parts(&mut parts, rng);
            }
            parts.blob()
        }
    };
    let config = Config {
        page_size: rng.pick(&[0x1000, 0x1000, 0x1000, 0x1000, 0x1000, 0x1000, 0x4000, 0x1_0000]),
        aux_size: rng.pick(&[0, 0, 0, 5000]),
        single_step: rng.chance(7),
        model: match rng.below(3) {
            0 => Model::Pipeline(rng.pick(&[4, 25, 37, 1, 127])),
            1 if seed.is_multiple_of(2) => Model::CalibratedV1,
            _ => Model::Naive,
        },
        metering: if rng.chance(15) { Metering::Async } else { Metering::Sync },
    };
    let (code_length, export) = match Blob::parse(&blob) {
        Ok(blob) => (blob.code().len() as u32, blob.exports().next().map(|export| export.code_offset)),
        Err(_) => (0, None),
    };
    // With costs of tens or tens of thousands of gas per instruction, as much more gas is needed to get as far.
    let scale = match config.model {
        Model::CalibratedV1 => rng.pick(&[10, 100, 3000]),
        Model::Naive | Model::Pipeline(_) => 1,
    };
    let gas = rng.pick(&[0, 40, 400, 2000]) * scale;
    Scenario {
        seed,
        blob,
        config,
        code_length,
        entry: export.filter(|_| rng.chance(90)).unwrap_or(rng.below(code_length + 1)),
        gas: i64::from(rng.below(gas + 1)) - i64::from(rng.chance(1)),
    }
}

/// A `memset` in low memory, alone: a case in which all engines agree.
pub fn low_memset(seed: u64) -> Scenario {
    let rng = &mut Rng::new(seed);
    let (to, count) = (0x2_0000 + rng.below(0x2100) as i32 - 40, rng.pick(&[0, 1, 7, 100, 0x1000, 0x2200]));
    let list = [
        Instruction::ri(Opcode::LoadImm, Reg::A0, to),
        Instruction::ri(Opcode::LoadImm, Reg::A1, rng.immediate()),
        Instruction::ri(Opcode::LoadImm, Reg::A2, count),
        Instruction::none(Opcode::Memset),
        Instruction::none(Opcode::Trap),
    ];
    let mut parts = flat::parts(Isa::Latest32, &list, &[], rng);
    parts.sizes = [0, 0x2000, 0];
    let code_length = parts.assembly.code.len() as u32;
    let gas = i64::from(rng.below(0x1800));
    Scenario { seed, blob: parts.blob(), config: Config::default(), code_length, entry: 0, gas }
}

/// Disassembles the program of a scenario, as far as possible.
pub fn describe(blob: &[u8]) -> String {
    match Listing::new(blob) {
        Ok(listing) => listing.to_string(),
        Err(error) => format!("{error}: {}", blob.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}
