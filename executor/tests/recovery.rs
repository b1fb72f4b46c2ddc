//! Recovery tests: workers that are killed, stopped, or lost with the zygote do not change results.
#![cfg(jit_supported)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{InNode, InRuntime, compiling, drive, family, flags, interpreting, limits, programs};
use executor::{BackendChoice, Flags, Limits, PolkaVm};
use pvm_host_interface::{Backend as _, ProgramRules, Stop};
use pvm_test_support::Rng;
use sp_crypto_hashing::keccak_256;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

/// Each test kills all workers of this process, the other tests' as well.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls until there are `expected` workers, as a killed one ends asynchronously; returns the last count.
fn workers_in_the_end(expected: usize) -> usize {
    for _ in 0..1000 {
        if family().1.len() == expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    family().1.len()
}

fn signal(signal: &str, pids: &[u32]) {
    if !pids.is_empty() {
        let pids = pids.iter().map(ToString::to_string);
        // Some may have ended meanwhile, which is fine.
        let _ = Command::new("kill").arg(signal).args(pids).stderr(Stdio::null()).status();
    }
}

/// Stops the workers, and waits until they are stopped.
fn stop_workers() {
    let is_stopped = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['T', 't']))
    };
    for _ in 0..500 {
        let workers = family().1;
        signal("-STOP", &workers);
        if !workers.is_empty() && workers.iter().all(is_stopped) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the workers {:?} of {:?} do not stop", family().1, family().0);
}

fn kill_workers() {
    signal("-KILL", &family().1);
}

#[test]
fn workers_killed_at_any_stop_change_nothing() {
    let _alone = alone();
    let (interpreting, compiling) = (interpreting(), compiling());
    let mut rng = Rng::new(7);
    for (code, entry, seed) in programs(60) {
        let expected = drive(InNode::new(interpreting.session(), &code, entry), seed, |_| ());
        let at = rng.below(4) as usize;
        let zygote_too = rng.chance(10);
        let seen = drive(InNode::new(compiling.session(), &code, entry), seed, |stops| {
            if stops == at {
                if zygote_too {
                    signal("-KILL", &family().0);
                }
                kill_workers();
            }
        });
        assert_eq!(seen, expected, "seed {seed}, killed at stop {at}");
    }
    let metrics = compiling.metrics();
    assert!(metrics.recoveries_total.get() > 20, "{} recoveries", metrics.recoveries_total.get());
    assert_eq!(metrics.recoveries_total.get(), metrics.worker_deaths_total.get());
}

/// Program that sums and stores in an endless loop, with a host call after every 100000 iterations.
const BUSY: &str = r#"
.isa ReviveV1
.rw_size 4096
.import "tick"
start:   load_imm a1, 0x20000
         load_imm a2, 0
         load_imm s0, 0
         fallthrough
turn:    add_imm_64 s0, s0, 1
         add_64 a2, a2, s0
         store_indirect_u64 a2, a1, 0
         branch_less_unsigned_imm s0, 100000, turn
         load_imm s0, 0
         ecalli 0
         add_64 a2, a2, a0
         jump turn
"#;

/// Runs [`BUSY`] for this many host calls.
fn busy(node: &PolkaVm, ticks: u64) -> Vec<Stop> {
    let blob = assemble(BUSY).unwrap();
    let mut session = node.session();
    let instance = session.instantiate(&keccak_256(&blob), &blob, 0, ProgramRules::version_1(Naive)).unwrap();
    (0..ticks).map(|tick| session.run(instance, 1_000_000_000, (tick > 0).then_some(tick)).unwrap()).collect()
}

#[test]
fn workers_killed_while_they_run_change_nothing() {
    let _alone = alone();
    let expected = busy(&interpreting(), 40);
    assert!(expected.iter().all(|stop| stop.outcome == Outcome::HostCall(0)));
    let compiling = compiling();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                kill_workers();
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        for _ in 0..15 {
            assert_eq!(busy(&compiling, 40), expected);
        }
        is_over.store(true, Relaxed);
    });
    assert!(compiling.metrics().recoveries_total.get() > 0);
}

#[test]
fn a_worker_that_is_stopped_is_given_up() {
    let _alone = alone();
    let compiling = compiling();
    let blob = assemble(BUSY).unwrap();
    let mut session = compiling.session();
    let instance = session.instantiate(&keccak_256(&blob), &blob, 0, ProgramRules::version_1(Naive)).unwrap();
    let mut seen = vec![session.run(instance, 1_000_000_000, None).unwrap()];
    stop_workers();
    seen.extend((1..3).map(|tick| session.run(instance, 1_000_000_000, Some(tick)).unwrap()));
    assert_eq!(seen, busy(&interpreting(), 3));
    assert!(compiling.metrics().recoveries_total.get() > 0);
}

#[test]
fn an_instance_with_too_long_a_log_goes_on_interpreted() {
    let _alone = alone();
    let node = PolkaVm::with_limits(
        &flags(BackendChoice::Auto),
        None,
        &Limits { log_bytes: 300, ..limits(BackendChoice::Auto) },
        None,
    )
    .unwrap();
    for (code, entry, seed) in programs(600) {
        let expected = drive(InRuntime::new(&code, entry), seed, |_| ());
        assert_eq!(drive(InNode::new(node.session(), &code, entry), seed, |_| ()), expected, "seed {seed}");
    }
    let metrics = node.metrics();
    assert!(metrics.long_logs_total.get() > 5, "{} logs", metrics.long_logs_total.get());
}

/// The logs of all instances share a memory limit; when it is reached, programs continue on the interpreter, and
/// nothing else changes.
#[test]
fn logs_that_find_no_memory_in_the_node_go_on_interpreted() {
    let _alone = alone();
    let small = Limits { memory_bytes: 1 << 17, cache_bytes: 0, ..limits(BackendChoice::Auto) };
    let node = PolkaVm::with_limits(&flags(BackendChoice::Auto), None, &small, None).unwrap();
    let text = ".isa ReviveV1\n.rw_size 65536\n.import \"ask\"\nagain: ecalli 0\njump again\n";
    let blob = assemble(text).unwrap();
    let mut session = node.session();
    let mut instance = || session.instantiate(&keccak_256(&blob), &blob, 0, ProgramRules::version_1(Naive)).unwrap();
    let instances: Vec<u32> = (0..4).map(|_| instance()).collect();
    // 40 KiB each: three of them exceed 128 KiB with their programs.
    for instance in &instances {
        for _ in 0..10 {
            session.run(*instance, 1000, None).unwrap();
            session.write_memory(*instance, 0x2_0000, &[7; 4096]).unwrap();
            assert!(node.metrics().memory_bytes.get() <= 1 << 17);
        }
    }
    let metrics = node.metrics();
    assert!((1..4).contains(&metrics.long_logs_total.get()), "{} logs", metrics.long_logs_total.get());
    for instance in instances {
        let mut byte = [0];
        session.read_memory(instance, 0x2_0fff, &mut byte).unwrap();
        assert_eq!((byte, session.run(instance, 1000, None).unwrap().outcome), ([7], Outcome::HostCall(0)));
    }
    drop(session);
    assert_eq!(node.metrics().memory_bytes.get(), 0, "all of it was given back");
}

#[test]
fn instances_left_behind_give_their_workers_back() {
    let _alone = alone();
    // Without a reserve, all workers belong to instances.
    let compiling = PolkaVm::new(&Flags { reserve: 0, ..flags(BackendChoice::Jit) }, None).unwrap();
    let blob = assemble(BUSY).unwrap();
    let mut session = compiling.session();
    for _ in 0..20 {
        for _ in 0..10 {
            session.instantiate(&keccak_256(&blob), &blob, 0, ProgramRules::version_1(Naive)).unwrap();
        }
        // The client does this after a runtime call, however it ended.
        session.release();
    }
    assert_eq!(compiling.metrics().workers_refused_total.get(), 0);
    assert_eq!(workers_in_the_end(10), 10, "the two hundred instances used the same ten workers");
}

#[test]
fn fresh_workers_and_the_reserve_are_as_the_flags_say() {
    let _alone = alone();
    let blob = assemble(BUSY).unwrap();
    // Counts the workers after one instance.
    let workers = |flags: &Flags, expected: usize| {
        let node = PolkaVm::new(flags, None).unwrap();
        let mut session = node.session();
        let instance = session.instantiate(&keccak_256(&blob), &blob, 0, ProgramRules::version_1(Naive)).unwrap();
        assert_eq!(session.run(instance, 1_000_000_000, None).unwrap().outcome, Outcome::HostCall(0));
        assert_eq!(node.metrics().interpreted_total.get(), 0);
        session.release();
        workers_in_the_end(expected)
    };
    let plain = Flags { reserve: 0, ..flags(BackendChoice::Jit) };
    assert_eq!(workers(&plain, 1), 1, "it waits for another instance");
    let fresh = Flags { fresh_workers: true, ..plain.clone() };
    assert_eq!(workers(&fresh, 0), 0, "it is never used again");
    let strict = Flags { strict: true, ..plain };
    assert_eq!(workers(&strict, 1), 1, "strict mode runs");
}

#[test]
fn a_cgroup_that_is_not_there_is_an_error_with_the_jit() {
    let cgroup = Some("/nowhere/polkavm".into());
    let error = PolkaVm::new(&Flags { cgroup: cgroup.clone(), ..flags(BackendChoice::Jit) }, None).err().unwrap();
    assert!(error.to_string().contains("/nowhere/polkavm"), "{error}");
    let node = PolkaVm::new(&Flags { cgroup, ..flags(BackendChoice::Auto) }, None).unwrap();
    assert!(!node.is_compiling() && node.fallback_reason().unwrap().contains("/nowhere/polkavm"));
}
