//! Locks the vectors of each semantics version: a changed vector is a change of semantics, which needs another number
//! (`vm_core::Semantics`), as code on chains was stored with this one.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_oracle::vectors::folder;
use sp_crypto_hashing::blake2_256;
use std::collections::BTreeMap;
use std::fs;
use vm_core::Semantics;

/// Returns the hash of a file, on a line with its name.
fn line(name: &str) -> Option<String> {
    let bytes = fs::read(folder().join(name)).ok()?;
    let hash: String = blake2_256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{hash}  {name}"))
}

/// Returns the lines of a version's lock by file name.
fn lock(semantics: Semantics) -> BTreeMap<String, String> {
    let name = format!("semantics-{}.lock", semantics.id());
    let text = fs::read_to_string(folder().join(&name)).unwrap_or_else(|_| panic!("there is no tests/vectors/{name}"));
    text.lines().map(|line| (line.split_once("  ").unwrap().1.to_owned(), line.to_owned())).collect()
}

#[test]
fn vectors_of_a_number_never_change() {
    for semantics in Semantics::ALL {
        let lock = lock(semantics);
        assert!(lock.len() > 100, "{} files", lock.len());
        for (name, locked) in &lock {
            let found = line(name).unwrap_or_else(|| panic!("tests/vectors/{name} is gone"));
            assert!(
                found == *locked,
                "tests/vectors/{name} has changed. What it says holds for all code that was stored with semantics {}. New cases \
                 go into a new file; another meaning needs another number",
                semantics.id()
            );
        }
    }
}

#[test]
fn every_vector_belongs_to_a_number() {
    let locks: Vec<_> = Semantics::ALL.into_iter().map(lock).collect();
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let missing: Vec<_> = files
        .filter(|name| name.ends_with(".txt") && !locks.iter().any(|lock| lock.contains_key(name)))
        .map(|name| line(&name).unwrap())
        .collect();
    assert!(
        missing.is_empty(),
        "to be added to tests/vectors/semantics-{}.lock, once they are right:\n{}",
        Semantics::LATEST.id(),
        missing.join("\n")
    );
}
