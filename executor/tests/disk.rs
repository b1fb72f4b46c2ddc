//! Tests of compiled programs on disk: a node uses only files that are intact and its own, and the worst that damage to
//! the folder can cause is that a program is compiled again.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{checksum, flags, limits};
use executor::{BackendChoice, Folders, Limits, PolkaVm};
use pvm_host_interface::{Backend as _, ProgramRules};
use sp_crypto_hashing::keccak_256;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

/// Program that returns its number.
fn program(number: u64) -> Vec<u8> {
    assemble(&format!(".isa ReviveV1\nload_imm a0, {number}\njump_indirect ra, 0\n")).unwrap()
}

/// The key file of all nodes in these tests, unless a test says otherwise.
fn key() -> PathBuf {
    // A new folder for each run of the tests, as an old one may belong to another user.
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path().join("key")
}

/// Creates a node that stores programs in a folder; `None` where programs are not compiled.
fn node_with_key(folder: &Path, key: &Path, limit: u64) -> Option<PolkaVm> {
    let limits = Limits { disk_bytes: limit, ..limits(BackendChoice::Auto) };
    let folders = Folders { cache: folder.into(), key: key.into(), records: folder.join("records") };
    let node = PolkaVm::with_limits(&flags(BackendChoice::Auto), None, &limits, Some(&folders)).unwrap();
    node.is_compiling().then_some(node)
}

fn node_with(folder: &Path, limit: u64) -> Option<PolkaVm> {
    node_with_key(folder, &key(), limit)
}

fn node(folder: &Path) -> Option<PolkaVm> {
    node_with(folder, 1 << 24)
}

/// Calls a program twice, so that it is stored.
fn call(node: &PolkaVm, number: u64) {
    call_once(node, number);
    call_once(node, number);
}

fn call_once(node: &PolkaVm, number: u64) {
    let (code, mut session) = (program(number), node.session());
    let instance = session.instantiate(&keccak_256(&code), &code, 0, ProgramRules::version_1(Naive)).unwrap();
    let stop = session.run(instance, 1000, None).unwrap();
    assert_eq!((stop.outcome, stop.gas, stop.args[0]), (Outcome::Finished, 998, number));
    node.flush();
}

/// Returns the counters of programs compiled, found on disk, and rejected.
fn counts(node: &PolkaVm) -> [u64; 3] {
    let metrics = node.metrics();
    [&metrics.compiles_total, &metrics.disk_hits_total, &metrics.disk_rejected_total].map(|counter| counter.get())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Creates a folder with one program's file; returns the folder, the file's path, and its content.
fn folder_with_one(number: u64) -> Option<(tempfile::TempDir, PathBuf, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    call(&node(folder.path())?, number);
    let [file] = files(folder.path()).try_into().unwrap();
    let bytes = fs::read(&file).unwrap();
    Some((folder, file, bytes))
}

#[test]
fn the_next_start_finds_what_the_last_one_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("new").join("folder");
    let Some(first) = node(&inner) else { return };
    (1..=3).for_each(|number| call(&first, number));
    assert_eq!(counts(&first), [3, 0, 0]);
    assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(files(&inner).iter().all(|file| fs::metadata(file).unwrap().permissions().mode() & 0o777 == 0o600));
    let second = node(&inner).unwrap();
    (1..=4).for_each(|number| call(&second, number));
    assert_eq!(counts(&second), [1, 3, 0]);
    // The first node continues to run, and finds the programs that the second has compiled.
    call(&first, 4);
    assert_eq!(counts(&first), [3, 1, 0]);
    assert_eq!(files(&inner).len(), 4);
}

#[test]
fn a_file_that_is_damaged_anywhere_is_replaced() {
    let Some((folder, file, good)) = folder_with_one(7) else { return };
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&file, damaged).unwrap();
        let node = node(folder.path()).unwrap();
        call(&node, 7);
        assert_eq!(counts(&node), [1, 0, 1], "byte {at}");
        assert_eq!(fs::read(&file).unwrap(), good);
    }
    for length in [0, 1, 15, 16, 51, 52, 83, 84, good.len() - 1] {
        fs::write(&file, &good[..length]).unwrap();
        let node = node(folder.path()).unwrap();
        call(&node, 7);
        assert_eq!(counts(&node), [1, 0, 1], "{length} bytes");
    }
}

/// The file has a correct checksum, but is for another engine or another program.
#[test]
fn a_file_of_another_program_engine_or_format_is_refused_though_its_checksum_is_right() {
    let Some((folder, file, good)) = folder_with_one(7) else { return };
    let content = &good[..good.len() - 32];
    let (_other, _, other) = folder_with_one(8).unwrap();
    let mut files: Vec<Vec<u8>> = vec![other];
    // Offsets of the format, the hash, the cost model, the semantics, the engine's magic number, its fingerprint, the
    // configuration, and the program.
    for at in [15, 20, 48, 50, 52, 60, 68, 84, 88] {
        let mut changed = content.to_vec();
        changed[at] ^= 1;
        files.push([&changed[..], &checksum(&key(), &changed)].concat());
    }
    for (number, changed) in files.iter().enumerate() {
        fs::write(&file, changed).unwrap();
        let node = node(folder.path()).unwrap();
        call(&node, 7);
        assert_eq!(counts(&node), [1, 0, 1], "file {number}");
    }
}

#[test]
fn a_program_is_written_when_it_is_used_for_the_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let Some(node) = node(folder.path()) else { return };
    (0..20).for_each(|number| call_once(&node, number));
    assert!(files(folder.path()).is_empty());
    (0..3).for_each(|number| call_once(&node, number));
    assert_eq!(files(folder.path()).len(), 3);
    (0..3).for_each(|number| call_once(&node, number));
    assert_eq!(files(folder.path()).len(), 3);
}

/// Whoever can write to the folder decides what contracts do.
#[test]
fn a_folder_that_others_may_write_is_refused() {
    for mode in [0o720, 0o702, 0o1777, 0o777] {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        let Some(node) = node(folder.path()) else { return };
        call(&node, 1);
        assert!(files(folder.path()).is_empty(), "mode {mode:o}");
    }
    // Nor is a symbolic link, whose target may change.
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    call(&node(&link).unwrap(), 1);
    assert!(files(&real).is_empty());
}

#[test]
fn a_file_that_others_may_write_is_not_believed() {
    let Some((folder, file, _)) = folder_with_one(7) else { return };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o602)).unwrap();
    let node = node(folder.path()).unwrap();
    call(&node, 7);
    assert_eq!(counts(&node), [1, 0, 1]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The folder comes from another node, for instance with a copy of a chain's data.
#[test]
fn a_file_with_the_checksum_of_another_node_is_not_believed() {
    let Some((folder, _, good)) = folder_with_one(7) else { return };
    let own = tempfile::tempdir().unwrap();
    let node = node_with_key(folder.path(), &own.path().join("new").join("key"), 1 << 24).unwrap();
    call(&node, 7);
    assert_eq!(counts(&node), [1, 0, 1]);
    let again = node_with_key(folder.path(), &own.path().join("new").join("key"), 1 << 24).unwrap();
    call(&again, 7);
    assert_eq!(counts(&again), [0, 1, 0]);
    // The same code after another checksum.
    let [file] = files(folder.path()).try_into().unwrap();
    let bytes = fs::read(file).unwrap();
    assert_eq!(bytes[..bytes.len() - 32], good[..good.len() - 32]);
    assert_ne!(bytes, good);
}

#[test]
fn a_key_that_others_know_or_may_write_is_refused() {
    for (mode, length) in [(0o640, 32), (0o604, 32), (0o620, 32), (0o602, 32), (0o600, 31), (0o600, 33)] {
        let folder = tempfile::tempdir().unwrap();
        let (cache, key) = (folder.path().join("cache"), folder.path().join("key"));
        fs::write(&key, vec![7; length]).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let Some(node) = node_with_key(&cache, &key, 1 << 24) else { return };
        call(&node, 1);
        assert!(files(&cache).is_empty(), "mode {mode:o}, {length} bytes");
    }
}

#[test]
fn what_is_no_file_is_not_followed_and_not_waited_for() {
    let Some((folder, file, good)) = folder_with_one(7) else { return };
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    fs::remove_file(&file).unwrap();
    symlink(&elsewhere, &file).unwrap();
    let second = node(folder.path()).unwrap();
    call(&second, 7);
    assert_eq!(counts(&second), [1, 0, 1]);
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    // A folder in the file's place can be neither removed nor replaced: the program is compiled, and not stored.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let third = node(folder.path()).unwrap();
    call(&third, 7);
    call(&third, 8);
    assert_eq!(counts(&third), [2, 0, 1]);
    assert!(fs::metadata(&file).unwrap().is_dir());
}

#[test]
fn the_files_used_least_recently_make_room() {
    let Some((_folder, _, one)) = folder_with_one(1) else { return };
    let folder = tempfile::tempdir().unwrap();
    let limit = 3 * one.len() as u64;
    for number in [1, 2, 3] {
        call(&node_with(folder.path(), limit).unwrap(), number);
        // File times have a limited resolution.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let node = node_with(folder.path(), limit).unwrap();
    call(&node, 1);
    call(&node, 4);
    assert_eq!(node.metrics().disk_evictions_total.get(), 1);
    assert_eq!(node.metrics().disk_bytes.get(), limit);
    let left = node_with(folder.path(), limit).unwrap();
    for (number, expected) in [(1, 1), (3, 2), (4, 3)] {
        call(&left, number);
        assert_eq!(left.metrics().disk_hits_total.get(), expected, "program {number}");
    }
    // A program that exceeds the whole limit does not evict others.
    let small = tempfile::tempdir().unwrap();
    let node = node_with(small.path(), one.len() as u64 - 1).unwrap();
    call(&node, 1);
    assert!(files(small.path()).is_empty());
}

#[test]
fn a_folder_that_cannot_be_used_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let Some(first) = node(&file) else { return };
    call(&first, 1);
    assert_eq!(counts(&first), [1, 0, 0]);
    // The folder is removed while it is in use.
    let gone = folder.path().join("gone");
    let second = node(&gone).unwrap();
    call(&second, 1);
    fs::remove_dir_all(&gone).unwrap();
    (2..=4).for_each(|number| call(&second, number));
    assert_eq!(counts(&second), [4, 0, 0]);
}

#[test]
fn what_a_writer_left_behind_is_cleared_away_once_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let (old, fresh) = (folder.path().join("writing-1-0"), folder.path().join("writing-2-0"));
    fs::write(&old, "half").unwrap();
    fs::write(&fresh, "half").unwrap();
    let two_hours = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    fs::File::options().write(true).open(&old).unwrap().set_modified(two_hours).unwrap();
    if node(folder.path()).is_none() {
        return;
    }
    assert_eq!(files(folder.path()), [fresh]);
}

#[test]
fn nodes_and_threads_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    if node(folder.path()).is_none() {
        return;
    }
    // A limit of a few programs: the nodes remove each other's files all the time.
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let folder = folder.path();
            scope.spawn(move || {
                for round in 0..6 {
                    let node = node_with(folder, 3000).unwrap();
                    (0..12).for_each(|turn| call(&node, (thread * 5 + round + turn) % 8));
                    assert_eq!(counts(&node)[2], 0);
                }
            });
        }
    });
    assert!(files(folder.path()).iter().all(|file| !file.to_str().unwrap().contains("writing-")));
}
