//! Tests of tiering, where instances begin interpreted and continue compiled: the runtime observes no difference, and
//! only programs that are worth it are compiled.
#![cfg(jit_supported)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{InNode, InRuntime, drive, flags, kill_workers, programs};
use executor::{BackendChoice, Flags, Limits, PolkaVm, Session};
use pvm_host_interface::{Backend as _, ProgramRules};
use sp_crypto_hashing::keccak_256;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

/// Creates a node with this threshold.
fn node(tier_gas: u32) -> PolkaVm {
    let node = PolkaVm::new(&Flags { tier_gas, ..flags(BackendChoice::Jit) }, None).unwrap();
    assert!(node.is_compiling());
    node
}

/// Creates a node with this threshold that compiles on the thread that needs the program, so that the first instance
/// that uses enough gas switches to compiled code. All instances that ran compiled are audited.
fn moving_at_once(tier_gas: u32) -> PolkaVm {
    let flags = Flags { tier_gas, audit: 100, ..flags(BackendChoice::Jit) };
    PolkaVm::with_limits(&flags, None, &Limits { compiles_beside: false, ..Limits::new(&flags) }, None).unwrap()
}

/// Lock for tests that kill workers, which kill those of other tests, too.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_run_looks_the_same_wherever_it_moves() {
    let _alone = alone();
    let mut nodes = [1, 12, 40, 700].map(moving_at_once).to_vec();
    nodes.push(node(12));
    for (code, entry, seed) in programs(800) {
        let expected = drive(InRuntime::new(&code, entry), seed, |_| ());
        for node in &nodes {
            let seen = drive(InNode::new(node.session(), &code, entry), seed, |_| ());
            assert_eq!(seen, expected, "seed {seed}");
        }
    }
    let moves = nodes.iter().map(|node| {
        node.flush();
        let metrics = node.metrics();
        assert_eq!(metrics.differences_total.get(), 0);
        (metrics.tier_moves_total.get(), metrics.audits_total.get(), metrics.audits_skipped_total.get())
    });
    let (moves, audits): (Vec<_>, Vec<_>) = moves.map(|(moves, audits, skipped)| (moves, (audits, skipped))).unzip();
    // The last node compiles in the background, so that programs may end before they switch; it audits a few.
    for (moves, (audits, skipped)) in moves.iter().zip(&audits).take(4) {
        assert!(*audits > 10 && audits + skipped >= *moves, "{audits} audits, {skipped} skipped, {moves} moves");
    }
    assert!(moves[..3].iter().all(|moves| *moves > 80) && moves[3] > 10, "{moves:?}");
}

#[test]
fn a_worker_lost_after_a_move_changes_nothing() {
    let _alone = alone();
    let (mut moves, mut recoveries) = (0, 0);
    for at in [1, 2] {
        let node = moving_at_once(12);
        for (code, entry, seed) in programs(150) {
            let expected = drive(InRuntime::new(&code, entry), seed, |_| ());
            let seen = drive(InNode::new(node.session(), &code, entry), seed, |stops| {
                if stops == at {
                    kill_workers();
                }
            });
            assert_eq!(seen, expected, "seed {seed}, killed before run {at}");
        }
        moves += node.metrics().tier_moves_total.get();
        recoveries += node.metrics().recoveries_total.get();
    }
    assert!(moves > 40 && recoveries > 10, "{moves} moves, {recoveries} recoveries");
}

const LOOP: &str = ".isa ReviveV1\nstart: add_imm_64 a0, a0, 1\njump start\n";

/// Runs the loop in a new instance until it has used this gas.
fn use_gas(mut session: Session, gas: i64) {
    let code = assemble(LOOP).unwrap();
    let instance = session.instantiate(&keccak_256(&code), &code, 0, ProgramRules::version_1(Naive)).unwrap();
    let stop = session.run(instance, gas, Some(0)).unwrap();
    assert_eq!((stop.outcome, stop.gas, stop.args[0]), (Outcome::OutOfGas, gas % 2, gas as u64 / 2));
}

#[test]
fn only_programs_that_use_much_gas_are_compiled_and_as_long_as_they_do_begin_so() {
    let _alone = alone();
    let node = node(1_000);
    let counters = || (node.metrics().compiles_total.get(), node.metrics().tier_moves_total.get());
    for _ in 0..50 {
        use_gas(node.session(), 999);
    }
    node.flush();
    assert_eq!(counters(), (0, 0), "short runs are interpreted");
    use_gas(node.session(), 100_001);
    node.flush();
    let moves = counters().1;
    assert_eq!(counters().0, 1, "compiled at its first long run");
    // The instance begins compiled, so it does not switch.
    for _ in 0..5 {
        use_gas(node.session(), 100_000);
    }
    assert_eq!(counters(), (1, moves));
    // Until enough short runs have cooled it.
    for _ in 0..16 {
        use_gas(node.session(), 10);
    }
    assert_eq!(counters(), (1, moves));
    use_gas(node.session(), 100_000);
    assert_eq!(counters(), (1, moves + 1));
    assert_eq!(node.metrics().interpreted_total.get(), 0);
}

#[test]
fn off_chain_calls_neither_compile_for_blocks_nor_make_them_begin_compiled() {
    let _alone = alone();
    let node = node(1_000);
    let counters = || (node.metrics().compiles_total.get(), node.metrics().tier_moves_total.get());
    use_gas(node.session(), 10);
    for _ in 0..3 {
        node.off_chain(|| use_gas(node.session(), 100_000));
        node.flush();
    }
    let (compiles, moves) = counters();
    assert_eq!(compiles, 1, "for off-chain calls");
    assert!(moves >= 2, "{moves}");
    use_gas(node.session(), 100_000);
    node.flush();
    assert_eq!(counters().0, 2, "for blocks");
    // Nor do short runs cool it.
    for _ in 0..50 {
        node.off_chain(|| use_gas(node.session(), 10));
    }
    let before = counters();
    use_gas(node.session(), 100_000);
    assert_eq!(counters(), before);
}

#[test]
fn without_a_threshold_everything_is_compiled_at_once() {
    let node = node(0);
    use_gas(node.session(), 10);
    assert_eq!((node.metrics().compiles_total.get(), node.metrics().tier_moves_total.get()), (1, 0));
}
