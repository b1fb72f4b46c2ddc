//! Audits and replays: compiled code is compared with the interpreter wherever one follows the other, and a divergence
//! stops the use of compiled code. The compiler bugs are injected: altered machine code with a correct checksum.
#![cfg(jit_supported)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{InNode, InRuntime, drive, flags, folders, kill_workers, limits, plant, programs};
use executor::{BackendChoice, Flags, Folders, Limits, PolkaVm, Session};
use pvm_host_interface::{Backend as _, ProgramRules, Stop};
use sp_crypto_hashing::keccak_256;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

/// Lock for tests that kill all workers of this process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A compiler bug: a program, and the bytes of its machine code to replace, with their replacement.
struct Bug {
    name: &'static str,
    text: &'static str,
    from: [u8; 4],
    to: [u8; 4],
}

/// Makes the bug that a constant of a program is compiled as one greater.
const fn bug(name: &'static str, text: &'static str) -> Bug {
    Bug { name, text, from: [0x44, 0x33, 0x22, 0x11], to: [0x45, 0x33, 0x22, 0x11] }
}

const BUGS: [Bug; 4] = [
    bug(
        "memory that the host reads",
        ".isa ReviveV1\n.rw_size 64\n.import \"look\"\nstore_imm_u32 0x20000, 0x11223344\necalli 0\nload_imm a0, 0\njump_indirect ra, 0\n",
    ),
    bug(
        "a register that is no argument",
        ".isa ReviveV1\n.rw_size 64\n.import \"look\"\nload_imm s1, 0x11223344\necalli 0\nload_imm s1, 0\njump_indirect ra, 0\n",
    ),
    bug(
        "an argument",
        ".isa ReviveV1\n.rw_size 64\n.import \"look\"\nload_imm a3, 0x11223344\necalli 0\nload_imm a3, 0\njump_indirect ra, 0\n",
    ),
    bug(
        "a register at the end",
        ".isa ReviveV1\n.rw_size 64\n.import \"look\"\necalli 0\nload_imm t2, 0x11223344\njump_indirect ra, 0\n",
    ),
];

/// Creates a node with the bug that audits this percentage of instances.
fn node_with(bug: &Bug, places: &Folders, audit: u8) -> (PolkaVm, Vec<u8>) {
    let code = assemble(bug.text).unwrap();
    plant(places, &code, &bug.from, &bug.to);
    let flags = Flags { audit, ..flags(BackendChoice::Jit) };
    let node = PolkaVm::with_folders(&flags, None, places).unwrap();
    (node, code)
}

fn start(session: &mut Session, code: &[u8]) -> (u32, Stop) {
    let instance = session.instantiate(&keccak_256(code), code, 0, ProgramRules::version_1(Naive)).unwrap();
    let stop = session.run(instance, 1000, None).unwrap();
    assert_eq!(stop.outcome, Outcome::HostCall(0));
    let mut read = [0; 4];
    session.read_memory(instance, 0x2_0000, &mut read).unwrap();
    (instance, stop)
}

fn assert_alarmed(node: &PolkaVm, code: &[u8], name: &str) {
    assert_eq!(node.metrics().differences_total.get(), 1, "{name}");
    assert!(node.alarm().is_some_and(|alarm| alarm.contains("differ")), "{name}");
    assert!(!node.is_compiling() && node.metrics().backend.get() == 0, "{name}");
    // From now on the node interprets.
    let interpreted = node.metrics().interpreted_total.get();
    let mut session = node.session();
    let (instance, stop) = start(&mut session, code);
    assert_eq!(session.run(instance, stop.gas, None).unwrap().outcome, Outcome::Finished);
    assert_eq!(node.metrics().interpreted_total.get(), interpreted + 1, "{name}");
}

#[test]
fn a_replay_notices_a_difference_in_whatever_crossed_to_the_host() {
    let _alone = alone();
    for bug in &BUGS[..3] {
        let folder = tempfile::tempdir().unwrap();
        let (node, code) = node_with(bug, &folders(folder.path()), 0);
        let mut session = node.session();
        let (instance, stop) = start(&mut session, &code);
        assert_eq!(node.metrics().disk_hits_total.get(), 1);
        kill_workers();
        let ended = catch_unwind(AssertUnwindSafe(|| session.run(instance, stop.gas, None)));
        let message = *ended.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("compiled code and the interpreter differ"), "{}: {message}", bug.name);
        drop(session);
        assert_alarmed(&node, &code, bug.name);
    }
}

#[test]
fn an_audit_finds_a_difference_though_no_worker_was_lost_and_saves_what_shows_it_again() {
    let _alone = alone();
    for bug in &BUGS {
        let folder = tempfile::tempdir().unwrap();
        let places = folders(folder.path());
        let (node, code) = node_with(bug, &places, 100);
        let mut session = node.session();
        let (instance, stop) = start(&mut session, &code);
        session.run(instance, stop.gas, None).unwrap();
        session.destroy(instance).unwrap();
        node.flush();
        assert_alarmed(&node, &code, bug.name);

        let records: Vec<_> = fs::read_dir(&places.records).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [record] = records.try_into().unwrap();
        let other = PolkaVm::new(&flags(BackendChoice::Jit), None).unwrap();
        let replayed = other.replay_record(&record).unwrap();
        assert!(replayed.is_recorded_code && replayed.difference.is_some(), "{}: {replayed}", bug.name);
        // The compiler itself is correct, which a replay of the record by another engine shows.
        let text = fs::read_to_string(&record).unwrap();
        fs::write(&record, text.replace(&format!("engine {}", pvm_engine::FINGERPRINT), "engine 1")).unwrap();
        let replayed = other.replay_record(&record).unwrap();
        assert!(!replayed.is_recorded_code && replayed.difference.is_none(), "{}: {replayed}", bug.name);
    }
}

#[test]
fn an_instance_that_runs_when_compiled_code_is_found_wrong_does_not_go_on_with_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (node, code) = node_with(&BUGS[2], &folders(folder.path()), 100);
    let mut honest = node.session();
    let blob =
        assemble(".isa ReviveV1\n.import \"look\"\nadd_imm_64 a0, a0, 7\necalli 0\njump_indirect ra, 0\n").unwrap();
    let running = honest.instantiate(&keccak_256(&blob), &blob, 0, ProgramRules::version_1(Naive)).unwrap();
    let stop = honest.run(running, 1000, Some(1)).unwrap();
    let mut session = node.session();
    start(&mut session, &code);
    start(&mut session, &code);
    session.destroy(0).unwrap();
    node.flush();
    assert_eq!(node.metrics().differences_total.get(), 1);
    // A correct instance continues, on the interpreter.
    let end = honest.run(running, stop.gas, Some(stop.args[0])).unwrap();
    assert_eq!((end.outcome, end.args[0]), (Outcome::Finished, 8));
    // An instance that diverged does not.
    assert!(catch_unwind(AssertUnwindSafe(|| session.run(1, 100, None))).is_err());
}

#[test]
fn audits_of_honest_programs_find_nothing() {
    let _alone = alone();
    let flags = flags(BackendChoice::Jit);
    let node = PolkaVm::with_limits(&flags, None, &Limits { audit: 100, ..limits(BackendChoice::Jit) }, None).unwrap();
    let mut count = 0;
    for (code, entry, seed) in programs(2000) {
        let expected = drive(InRuntime::new(&code, entry), seed, |_| ());
        assert_eq!(drive(InNode::new(node.session(), &code, entry), seed, |_| ()), expected, "seed {seed}");
        count += 1;
        // No more than fit into the queue.
        if count % 32 == 0 {
            node.flush();
        }
    }
    node.flush();
    let metrics = node.metrics();
    assert_eq!((metrics.differences_total.get(), node.alarm()), (0, None));
    assert!(metrics.audits_total.get() > 1500, "{} audits", metrics.audits_total.get());
    assert!(metrics.audits_skipped_total.get() < 100, "{} skipped", metrics.audits_skipped_total.get());
}

/// Runs a program that returns at once.
fn run_briefly(node: &PolkaVm) {
    let code = assemble(".isa ReviveV1\njump_indirect ra, 0\n").unwrap();
    let mut session = node.session();
    let instance = session.instantiate(&keccak_256(&code), &code, 0, ProgramRules::version_1(Naive)).unwrap();
    session.run(instance, 10, None).unwrap();
}

#[test]
fn a_node_that_audits_nothing_has_nothing_to_wait_for() {
    let node = PolkaVm::new(&Flags { audit: 0, ..flags(BackendChoice::Jit) }, None).unwrap();
    for _ in 0..300 {
        run_briefly(&node);
    }
    node.flush();
    assert_eq!((node.metrics().audits_total.get(), node.metrics().audits_skipped_total.get()), (0, 0));
}

#[test]
fn about_one_in_ten_is_audited_if_the_flags_say_so() {
    let _alone = alone();
    let node = PolkaVm::new(&Flags { audit: 10, ..flags(BackendChoice::Jit) }, None).unwrap();
    for turn in 0..2000 {
        run_briefly(&node);
        if turn % 50 == 0 {
            node.flush();
        }
    }
    node.flush();
    let audits = node.metrics().audits_total.get() + node.metrics().audits_skipped_total.get();
    assert!((100..320).contains(&audits), "{audits} of 2000 at a tenth");
}
