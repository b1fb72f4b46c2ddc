//! Random programs on all engines at once. The seeds are fixed; a failure prints its seed and its program.
//!
//! `PVM_DIFFERENTIAL_PROGRAMS` compares more of them (`make night` does), `PVM_DIFFERENTIAL_SEED` others: CI sets it to
//! a number of the commit, so that each commit also compares a share of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_oracle::compare::{Scenario, Tally, compare};
use pvm_oracle::engines::{Compiled, Core, Peer, Reference, engines};
use pvm_oracle::generate::{computing, describe, low_memset, pair, scenario};
use pvm_oracle::{Config, Engine};
use vm_core::blob::Blob;
use vm_core::isa::Isa;

/// Number of programs run on one of `vm-core`'s variants, one of the compiler's, the reference model and the peer.
const PROGRAMS: u64 = 60_000;

/// Number of further programs from the configured seed, unless `PVM_DIFFERENTIAL_SHARE` sets it.
const SHARE: u64 = 10_000;

/// Number of threads that share them.
const THREADS: u64 = 2;

fn compared(engines: &[Box<dyn Engine>], places: &[usize], scenario: &Scenario) -> Tally {
    match compare(engines, places, scenario) {
        Ok(tally) => tally,
        Err(difference) => panic!("{}\n{difference}", describe(&scenario.blob)),
    }
}

fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

/// The seeds to compare.
fn seeds() -> Vec<u64> {
    let mut seeds: Vec<u64> = (0..number("PVM_DIFFERENTIAL_PROGRAMS").unwrap_or(PROGRAMS)).collect();
    if let Some(first) = number("PVM_DIFFERENTIAL_SEED") {
        let share = number("PVM_DIFFERENTIAL_SHARE").unwrap_or(SHARE);
        println!("and the programs of {share} seeds from {first} on");
        seeds.extend(first..first + share);
    }
    seeds
}

/// Runs every `THREADS`th program from this one on.
fn share(first: u64) -> Tally {
    let engines = engines();
    // After the variants of `vm-core` come those of the compiler, the reference model and the peer.
    let (cores, ways) = (Core::ways().len(), engines.len() - 2);
    let mut tally = Tally::default();
    for (turn, seed) in seeds().into_iter().skip(first as usize).step_by(THREADS as usize).enumerate() {
        let mut places = vec![turn % cores, ways, ways + 1];
        if cores < ways {
            places.push(cores + turn / cores % (ways - cores));
        }
        tally.add(&compared(&engines, &places, &scenario(seed)));
    }
    tally
}

#[test]
fn all_engines_agree_at_every_stop_of_every_program() {
    let shares: Vec<_> = (0..THREADS).map(|first| std::thread::spawn(move || share(first))).collect();
    let mut tally = Tally::default();
    for share in shares {
        tally.add(&share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    }
    println!(
        "compared {} programs, {} instructions and {} stops; {} programs were refused by all",
        tally.programs, tally.instructions, tally.stops, tally.refused
    );
    let engines = engines();
    for (engine, count) in engines.iter().zip(tally.on) {
        println!("  {count} on {}", engine.name());
    }
    let (cores, ways) = (Core::ways().len(), engines.len() - 2);
    let most = seeds().len() as u64 / 10 * 9;
    // The peer, the last, has no calibrated cost model, which a sixth of the programs have.
    assert!(tally.on[ways] >= most && tally.on[ways + 1] >= most / 4 * 3, "{tally:?}");
    let compiled: u64 = tally.on[cores..ways].iter().sum();
    assert!(compiled >= most || cores == ways, "{tally:?}");
    // The generators must not degenerate to programs that stop immediately.
    assert!(tally.instructions > 40 * tally.programs && tally.stops > 10 * tally.programs, "{tally:?}");
}

#[test]
fn every_two_instructions_that_compute_do_the_same_compiled_on_the_same_registers() {
    let mut engines: Vec<Box<dyn Engine>> = vec![Box::new(Core::ways().swap_remove(0))];
    engines.extend(Compiled::ways().into_iter().take(1).map(|way| Box::new(way) as Box<dyn Engine>));
    let places: Vec<usize> = (0..engines.len()).collect();
    let mut tally = Tally::default();
    for isa in Isa::ALL {
        let all = computing(isa);
        for (first, second) in all.iter().flat_map(|first| all.iter().map(move |second| (*first, *second))) {
            tally.add(&compared(&engines, &places, &pair(isa, first, second)));
        }
    }
    println!("{} pairs of instructions, {} stops", tally.programs, tally.stops);
    assert!(tally.programs > 20_000 || engines.len() == 1, "{tally:?}");
}

#[test]
fn memset_in_low_memory_is_the_same_on_all_engines() {
    let mut engines: Vec<Box<dyn Engine>> = vec![Box::new(Reference), Box::new(Peer::for_low_memset())];
    engines.extend(Core::ways().into_iter().map(|way| Box::new(way) as Box<dyn Engine>));
    let mut tally = Tally::default();
    for seed in 0..2_000 {
        tally.add(&compared(&engines, &[0, 1, 2, 3, 4, 5], &low_memset(seed)));
    }
    assert_eq!(tally.on[1], 2_000);
}

/// Returns a random blob with some bytes changed or removed.
fn damaged(seed: u64) -> Vec<u8> {
    let rng = &mut pvm_test_support::Rng::new(seed);
    let mut bytes = scenario(seed).blob;
    for _ in 0..1 + rng.below(3) {
        let at = 4 + rng.below(bytes.len() as u32 - 4) as usize;
        match rng.below(3) {
            0 => bytes[at] = rng.next_u64() as u8,
            1 => bytes[at] ^= 1 << rng.below(8),
            _ => {
                bytes.remove(at);
            }
        }
    }
    // Most damage is to lengths; the outer one is usually kept valid, or the parser would read nothing else.
    if rng.chance(90) && bytes.len() > 13 {
        let length = bytes.len() as u64;
        bytes[5..13].copy_from_slice(&length.to_le_bytes());
    }
    bytes
}

#[test]
fn damaged_blobs_are_refused_by_all_engines_or_by_none() {
    let (core, peer) = (Core::ways().swap_remove(0), Peer::for_low_memset());
    let config = Config::default();
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..40_000 {
        let bytes = damaged(seed);
        let ours = core.load(&bytes, &config);
        let slow = Reference.load(&bytes, &config);
        assert_eq!(ours.is_ok(), slow.is_ok(), "seed {seed}: {:?}, reference {:?}", ours.err(), slow.err());
        if peer.follows(&bytes, &config).is_ok() {
            let theirs = peer.load(&bytes, &config);
            assert_eq!(ours.is_ok(), theirs.is_ok(), "seed {seed}: {:?}, peer {:?}", ours.err(), theirs.err());
        }
        if ours.is_err() {
            refused += 1;
            continue;
        }
        accepted += 1;
        let ours = Blob::parse(&bytes).unwrap();
        let theirs = polkavm::ProgramBlob::parse(bytes.as_slice().into()).unwrap();
        let our_exports: Vec<_> = ours.exports().map(|export| (export.code_offset, export.symbol.to_vec())).collect();
        let their_exports: Vec<_> =
            theirs.exports().map(|export| (export.program_counter().0, export.symbol().as_bytes().to_vec())).collect();
        assert_eq!(our_exports, their_exports, "seed {seed}");
        let our_imports: Vec<_> = ours.imports().map(|name| name.map(<[u8]>::to_vec)).collect();
        let their_imports: Vec<_> =
            theirs.imports().into_iter().map(|name| name.map(|name| name.as_bytes().to_vec())).collect();
        assert_eq!(our_imports, their_imports, "seed {seed}");
    }
    println!("{accepted} damaged blobs accepted by all, {refused} refused by all");
    assert!(accepted > 4_000 && refused > 4_000, "{accepted} {refused}");
}
