//! Compiled programs on disk: what a node finds there it uses only if it is whole and its own, and nothing that happens to the
//! folder is more than a program compiled once more.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::flags;
use executor::{BackendChoice, PolkaVm};
use pvm_host_interface::Backend as _;
use sp_crypto_hashing::{keccak_256, twox_128};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

/// Gives its number.
fn program(number: u64) -> Vec<u8> {
    assemble(&format!(".isa ReviveV1\nload_imm a0, {number}\njump_indirect ra, 0\n")).unwrap()
}

/// A node that keeps programs in a folder; `None` where programs are not compiled.
fn node_with(folder: &Path, limit: u64) -> Option<PolkaVm> {
    let node =
        PolkaVm::with_limits(&flags(BackendChoice::Auto), None, 1 << 24, 1 << 20, Some((folder, limit))).unwrap();
    node.is_compiling().then_some(node)
}

fn node(folder: &Path) -> Option<PolkaVm> {
    node_with(folder, 1 << 24)
}

fn call(node: &PolkaVm, number: u64) {
    let (code, mut session) = (program(number), node.session());
    let instance = session.instantiate(&keccak_256(&code), &code, 0, Naive).unwrap();
    let stop = session.run(instance, 1000, None).unwrap();
    assert_eq!((stop.outcome, stop.gas, stop.args[0]), (Outcome::Finished, 998, number));
    node.flush_disk_cache();
}

/// Compiled, found on disk, rejected.
fn counts(node: &PolkaVm) -> [u64; 3] {
    let metrics = node.metrics();
    [&metrics.compiles_total, &metrics.disk_hits_total, &metrics.disk_rejected_total].map(|counter| counter.get())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A folder with one program's file, its path, and its bytes.
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
    // The first goes on beside it, and finds what the second has compiled.
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
    for length in [0, 1, 15, 16, 49, 50, 66, good.len() - 1] {
        fs::write(&file, &good[..length]).unwrap();
        let node = node(folder.path()).unwrap();
        call(&node, 7);
        assert_eq!(counts(&node), [1, 0, 1], "{length} bytes");
    }
}

/// What somebody wrote who knows how, but not for this engine or this program.
#[test]
fn a_file_of_another_program_engine_or_format_is_refused_though_its_checksum_is_right() {
    let Some((folder, file, good)) = folder_with_one(7) else { return };
    let content = &good[..good.len() - 16];
    let (_other, _, other) = folder_with_one(8).unwrap();
    let mut files: Vec<Vec<u8>> = vec![other];
    // The format, the hash, the cost model, what the engine begins with, its fingerprint, the configuration, the program.
    for at in [15, 20, 48, 50, 58, 66, 82, 86] {
        let mut changed = content.to_vec();
        changed[at] ^= 1;
        let checksum = twox_128(&changed);
        files.push([&changed[..], &checksum].concat());
    }
    for (number, changed) in files.iter().enumerate() {
        fs::write(&file, changed).unwrap();
        let node = node(folder.path()).unwrap();
        call(&node, 7);
        assert_eq!(counts(&node), [1, 0, 1], "file {number}");
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
    // A folder in its place can be neither removed nor replaced: the program is compiled, and nothing more is kept.
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
        // Times of files have a resolution.
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
    // A program that is larger than all room there is does not make others go.
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
    // It goes away while it is used.
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
    // Room for a few: they remove each other's files all the time.
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
