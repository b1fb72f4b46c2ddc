//! Tests of the caches in memory and on disk against a model: under any sequence of deployments, calls, evictions,
//! damage and kills, programs give their results, and none is loaded or compiled more often than the model says.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{flags, folders, kill_workers, limits};
use executor::{BackendChoice, Limits, PolkaVm, Session};
use proptest::prelude::*;
use pvm_host_interface::{Backend as _, InstantiateError, ProgramRules};
use sp_crypto_hashing::keccak_256;
use std::collections::BTreeSet;
use std::path::Path;
use vm_core::Outcome;
use vm_core::gas::CostModelKind::{self, Naive, Pipeline};
use vm_core::gas::MemoryLatency;
use vm_core::text::assemble;

const PROGRAMS: usize = 6;

/// Program that returns its number; larger numbers have more code that never runs.
fn program(number: usize) -> Vec<u8> {
    let padding = "add_imm_64 a0, a0, 7\n".repeat(100 * (number + 1));
    assemble(&format!(".isa ReviveV1\nload_imm a0, {}\njump_indirect ra, 0\n{padding}trap\n", number + 40)).unwrap()
}

fn model_of(other: bool) -> CostModelKind {
    if other { Pipeline(MemoryLatency::new(4).unwrap()) } else { Naive }
}

/// An event of a node.
#[derive(Clone, Debug)]
enum Event {
    /// A contract is called; the first call deploys it.
    Call { number: usize, other_model: bool },
    /// Code is passed with the hash of other code.
    Mismatch { hash: usize, code: usize },
    /// The runtime call ends.
    End,
    /// The client switches to another fork's block, which has its own session while the first one is still open.
    Fork { number: usize },
    /// The workers are killed.
    Kill,
    /// The node is started anew.
    Restart,
    /// A program's file on disk is damaged at some offset.
    Damage { number: usize, at: usize },
}

fn event() -> impl Strategy<Value = Event> {
    let number = || 0..PROGRAMS;
    prop_oneof![
        8 => (number(), prop::bool::weighted(0.2)).prop_map(|(number, other_model)| Event::Call { number, other_model }),
        2 => (number(), number()).prop_map(|(hash, code)| Event::Mismatch { hash, code }),
        1 => Just(Event::End),
        2 => number().prop_map(|number| Event::Fork { number }),
        1 => Just(Event::Kill),
        1 => Just(Event::Restart),
        2 => (number(), any::<usize>()).prop_map(|(number, at)| Event::Damage { number, at }),
    ]
}

/// Model of the cache: the programs expected in it, with their sizes and whether they are known to be on disk; most
/// recently used last.
struct Model {
    limit: usize,
    entries: Vec<Entry>,
    /// Programs whose files on disk are good; `None` without a disk.
    disk: Option<BTreeSet<(usize, bool)>>,
    /// Programs that were used once and are not on disk.
    once: BTreeSet<(usize, bool)>,
    compiles: u64,
    disk_hits: u64,
}

struct Entry {
    key: (usize, bool),
    bytes: usize,
    is_stored: bool,
}

impl Model {
    fn call(&mut self, key: (usize, bool), bytes: usize) {
        if let Some(index) = self.entries.iter().position(|entry| entry.key == key) {
            let mut entry = self.entries.remove(index);
            self.store(&mut entry);
            self.entries.push(entry);
            return;
        }
        let is_stored = self.disk.as_ref().is_some_and(|disk| disk.contains(&key));
        if is_stored {
            self.disk_hits += 1;
        } else {
            self.compiles += 1;
        }
        let mut entry = Entry { key, bytes, is_stored };
        self.store(&mut entry);
        if bytes <= self.limit {
            while self.bytes() + bytes > self.limit {
                self.entries.remove(0);
            }
            self.entries.push(entry);
        }
    }

    /// Records a use: the second use writes the program to disk.
    fn store(&mut self, entry: &mut Entry) {
        let Some(disk) = &mut self.disk else { return };
        if entry.is_stored {
            return;
        }
        if self.once.remove(&entry.key) {
            entry.is_stored = true;
            disk.insert(entry.key);
        } else {
            self.once.insert(entry.key);
        }
    }

    fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}

/// Calls a program, which must return its number.
fn call(session: &mut Session, number: usize, model: CostModelKind) {
    let code = program(number);
    let instance = session.instantiate(&keccak_256(&code), &code, 0, ProgramRules::version_1(model)).unwrap();
    let stop = session.run(instance, 1000, None).unwrap();
    assert_eq!((stop.outcome, stop.args[0]), (Outcome::Finished, number as u64 + 40));
    assert!(model != Naive || stop.gas == 998);
    session.destroy(instance).unwrap();
}

/// Limits that are out of reach, except that of the cache.
fn huge(backend: BackendChoice, cache_bytes: usize) -> Limits {
    Limits { cache_bytes, memory_bytes: usize::MAX, disk_bytes: 1 << 30, ..limits(backend) }
}

/// Measures the number of bytes that each program takes in the cache.
fn sizes(backend: BackendChoice) -> Vec<usize> {
    let size = |number| {
        let node = PolkaVm::with_limits(&flags(backend), None, &huge(backend, usize::MAX / 2), None).unwrap();
        call(&mut node.session(), number, Naive);
        node.metrics().cache_bytes.get() as usize
    };
    (0..PROGRAMS).map(size).collect()
}

/// Drives a node and the model through events. `is_kept`: the node stores programs on disk.
fn check(backend: BackendChoice, sizes: &[usize], limit: usize, is_kept: bool, events: &[Event]) {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let places = is_kept.then(|| folders(folder.path()));
        PolkaVm::with_limits(&flags(backend), None, &huge(backend, limit), places.as_ref()).unwrap()
    };
    let mut node = start();
    // Only machine code is stored on disk.
    let disk = (is_kept && node.is_compiling()).then(BTreeSet::new);
    let mut model = Model { limit, entries: Vec::new(), disk, once: BTreeSet::new(), compiles: 0, disk_hits: 0 };
    let mut session = node.session();
    for event in events {
        match *event {
            Event::Call { number, other_model } => {
                call(&mut session, number, model_of(other_model));
                model.call((number, other_model), sizes[number]);
            }
            Event::Fork { number } => {
                call(&mut node.session(), number, Naive);
                model.call((number, false), sizes[number]);
            }
            Event::Mismatch { hash, code } => {
                let (named, given) = (keccak_256(&program(hash)), program(code));
                let answer = session.instantiate(&named, &given, 0, ProgramRules::version_1(Naive));
                if hash == code {
                    model.call((code, false), sizes[code]);
                    assert!(answer.is_ok());
                } else {
                    assert_eq!(answer, Err(InstantiateError::HashMismatch));
                }
                session.release();
            }
            Event::End => session.release(),
            Event::Kill => kill_workers(),
            Event::Restart => {
                node = start();
                session = node.session();
                model = Model { entries: Vec::new(), once: BTreeSet::new(), compiles: 0, disk_hits: 0, ..model };
            }
            Event::Damage { number, at } => {
                if damage(&folders(folder.path()).cache, number, at)
                    && let Some(disk) = &mut model.disk
                {
                    disk.remove(&(number, false));
                }
            }
        }
        node.flush();
        let metrics = node.metrics();
        assert_eq!(metrics.compiles_total.get(), model.compiles, "after {event:?}");
        assert_eq!(metrics.disk_hits_total.get(), model.disk_hits, "after {event:?}");
        assert_eq!(node.metrics().cache_bytes.get() as usize, model.bytes(), "after {event:?}");
        assert!(model.bytes() <= limit);
    }
}

/// Flips a bit of a program's file, if there is one with the usual cost model.
fn damage(folder: &Path, number: usize, at: usize) -> bool {
    let hash: String = keccak_256(&program(number)).iter().map(|byte| format!("{byte:02x}")).collect();
    let prefix = format!("{hash}-{}-", Naive.id());
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with(&prefix) {
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, bytes).unwrap();
            return true;
        }
    }
    false
}

/// Checks random sequences of at most so many events, with room for a random share of the programs.
fn check_random(backend: BackendChoice, on_disk: bool, cases: u32, most: usize) {
    let sizes = sizes(backend);
    let total: usize = sizes.iter().sum();
    proptest!(ProptestConfig::with_cases(cases), |(
        events in prop::collection::vec(event(), 1..most),
        share in 0..120usize,
    )| {
        check(backend, &sizes, total * share / 100, on_disk, &events);
    });
}

#[test]
fn an_interpreting_node_loads_what_the_model_says() {
    check_random(BackendChoice::Interpreter, false, 60, 60);
}

#[test]
fn a_compiling_node_loads_what_the_model_says() {
    check_random(BackendChoice::Auto, false, 12, 40);
}

#[test]
fn a_node_that_keeps_programs_on_disk_compiles_what_the_model_says() {
    check_random(BackendChoice::Auto, true, 16, 60);
}

#[test]
fn threads_share_the_cache() {
    let node = PolkaVm::new(&flags(BackendChoice::Auto), None).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let node = &node;
            scope.spawn(move || (0..60).for_each(|turn| call(&mut node.session(), (thread + turn) % PROGRAMS, Naive)));
        }
    });
    let metrics = node.metrics();
    // Several threads may load the same program at the same time, but only until one of them has loaded it.
    assert!(metrics.compiles_total.get() <= 4 * PROGRAMS as u64);
    assert_eq!(metrics.compiles_total.get() + metrics.cache_hits_total.get(), 240);
}
