//! Runs every vector on every engine in every mode. A failure names the file, the line and the observation.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_oracle::engines::engines;
use pvm_oracle::vectors::{MODES, Mode, Statement, check, drafts, fill, folder, parse};
use std::collections::BTreeSet;
use std::fs;

/// Names and texts of all files, by name.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_engine_does_what_every_vector_says_in_every_mode() {
    let engines = engines();
    let mut checked = vec![0; engines.len()];
    let mut failures = Vec::new();
    let files = files();
    for (number, (name, text)) in files.iter().enumerate() {
        let items = parse(text).unwrap_or_else(|error| panic!("tests/vectors/{name}: {error}"));
        for (place, (engine, checked)) in engines.iter().zip(&mut checked).enumerate() {
            for (turn, mode) in MODES.into_iter().enumerate() {
                // These take turns: every file runs in one mode on each of their variants.
                if engine.is_slow_to_load() && (number + place + turn) % MODES.len() != 0 {
                    continue;
                }
                let (count, wrong) = check(&**engine, mode, &items);
                *checked += count;
                failures.extend(wrong.iter().map(|failure| {
                    let line = text.lines().nth(failure.line - 1).unwrap_or("");
                    format!("tests/vectors/{name}:{}: {line}\n    {}: {}", failure.line, engine.name(), failure.what)
                }));
            }
        }
    }
    for (engine, checked) in engines.iter().zip(&checked) {
        println!("{checked} lines of {} files on {}", files.len(), engine.name());
        assert!(*checked > if engine.is_slow_to_load() { 15_000 } else { 50_000 }, "{checked}");
    }
    let shown: Vec<_> = failures.iter().take(20).cloned().collect();
    assert!(failures.is_empty(), "{} lines are wrong:\n{}", failures.len(), shown.join("\n"));
}

#[test]
fn generated_vectors_are_what_the_generator_prints() {
    for (name, draft) in drafts() {
        let printed = fill(&draft).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = fs::read_to_string(folder().join(&name)).unwrap_or_default();
        assert!(printed == written, "tests/vectors/{name} is old: run `cargo run -p pvm-oracle --bin vectors`");
    }
}

#[test]
fn vectors_written_by_hand_are_complete_and_named_in_the_specification() {
    let generated: BTreeSet<String> = drafts().into_iter().map(|(name, _)| name).collect();
    let pages = folder().join("../../docs/spec");
    let specification: String =
        fs::read_dir(pages).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    for (name, text) in files() {
        if generated.contains(&name) {
            continue;
        }
        assert!(specification.contains(&name), "no page of the specification names {name}");
        for item in parse(&text).unwrap() {
            let open = matches!(item.statement, Statement::Run(_, _, None) | Statement::Cost(_, None));
            assert!(!open, "tests/vectors/{name}:{}: a question mark", item.line);
        }
    }
}

#[test]
fn a_wrong_vector_fails_on_every_engine_and_in_every_mode() {
    let right = "isa ReviveV1 JamV1 Latest32\nprogram\n    .rw_size 4\n    store_u8 a0, 0x20001\n    move_reg a1, a0\n    \
        jump_indirect ra, 0\ncase a0=0x12 => finished a1=0x12 [0x20001]=12 gas=97\ncost 0 = 3\ncost 1 = none\n";
    for engine in engines() {
        for mode in MODES {
            assert_eq!(check(&*engine, mode, &parse(right).unwrap()), (9, vec![]), "{}", engine.name());
            for (old, new) in [
                ("finished", "trap@3"),
                ("a1=0x12 [", "a1=0x13 ["),
                ("a1=0x12 [", "["),
                ("]=12", "]=13"),
                ("[0x20001]", "[0x20002]"),
                (" [0x20001]=12", ""),
                ("gas=97", "gas=98"),
                ("gas=97", "heap=1 gas=97"),
                ("gas=97", "next=3 gas=97"),
                ("0 = 3", "0 = 4"),
                ("none", "1"),
            ] {
                let wrong = right.replacen(old, new, 1);
                let (_, failures) = check(&*engine, mode, &parse(&wrong).unwrap());
                // Gas is meaningless without metering.
                let expected = if mode == Mode::Unmetered && new == "gas=98" { 0 } else { 3 };
                assert_eq!(failures.len(), expected, "{} in {mode:?}: {old} to {new}", engine.name());
            }
        }
    }
}

#[test]
fn lines_that_make_no_sense_are_refused_with_their_number() {
    for (text, line) in [
        ("isa ReviveV1\nisa Latest64", 2),
        ("\n\nhello", 3),
        ("    load_imm a0, 1", 1),
        ("case a0=1", 1),
        ("case a0=1 => finished", 1),
        ("case a9=1 => ?", 1),
        ("case a0=0x1_0 => ?", 1),
        ("case [0x10=00 => ?", 1),
        ("case [0x10]=0 => ?", 1),
        ("case [0x100000000]=00 => ?", 1),
        ("case => sleeping gas=1", 1),
        ("case => host-call gas=1", 1),
        ("cost 1 = many", 1),
        ("model pipeline", 1),
        ("model pipeline 256", 1),
    ] {
        assert_eq!(parse(text).unwrap_err().line, line, "{text}");
    }
}
