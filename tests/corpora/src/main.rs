//! Links and runs a list of files: `corpora LIST`.
//!
//! Each line has, separated by tabs, a name, an ELF file, its entry (after `@` if the program itself marks it as an export),
//! and the expected result: a number, `trap`, or `exit` and a number for a program that calls the host's `exit`.
//!
//! Prints each wrong result, then the numbers of right results, refusals by reason, and wrong results. The exit code is
//! 1 if any was wrong.

use pvm_corpora::{Backends, Ending, Verdict};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// Counters.
#[derive(Default)]
struct Counts {
    files: usize,
    linked: usize,
    right: usize,
    wrong: usize,
    foreign: usize,
    refused: BTreeMap<String, (usize, String)>,
}

/// Strips the parts of a reason that differ between files: the position before it, and numbers.
fn kind(reason: &str) -> String {
    let what = reason.split_once("): ").map_or(reason, |(_, what)| what);
    let mut kind = String::new();
    for character in what.chars() {
        match character {
            '0'..='9' if kind.ends_with('N') => {}
            '0'..='9' => kind.push('N'),
            _ => kind.push(character),
        }
    }
    kind
}

fn attempt(line: &str, backends: &Backends, counts: &Mutex<Counts>) -> Result<(), String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let &[name, file, entry, expected] = fields.as_slice() else { return Err(format!("not four fields: {line}")) };
    let expected = match expected {
        "trap" => Ending::Trap,
        number => {
            let parse = |text: &str| text.parse::<i64>().map_err(|error| format!("{line}: {error}"));
            match number.strip_prefix("exit ") {
                Some(code) => Ending::Exit(parse(code)? as u32),
                None => Ending::Returned(parse(number)? as u32),
            }
        }
    };
    let elf = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let (entry, is_marked) = entry.strip_prefix('@').map_or((entry, false), |entry| (entry, true));
    let verdicts = backends.try_file(&elf, entry, is_marked, &expected);
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    counts.files += 1;
    counts.linked += usize::from(!verdicts.iter().any(|(.., verdict)| matches!(verdict, Verdict::Refused(_))));
    for (level, backend, verdict) in verdicts {
        match verdict {
            Verdict::Right => counts.right += 1,
            Verdict::Wrong(ending) => {
                counts.wrong += 1;
                println!("WRONG\t{name}\t{level}\t{backend}\t{ending} for {expected}\t{file}");
            }
            Verdict::Foreign(ending) => {
                counts.foreign += 1;
                if (level, backend) == ("-O 0", "interpreter") {
                    println!("foreign\t{name}\t{ending} for {expected}, as on a RISC-V machine");
                }
            }
            Verdict::Refused(reason) => {
                let entry = counts.refused.entry(kind(&reason)).or_insert_with(|| (0, format!("{name}: {reason}")));
                entry.0 += 1;
            }
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some(list) = std::env::args().nth(1) else {
        eprintln!("usage: corpora LIST");
        return ExitCode::from(2);
    };
    let (text, backends) = match (std::fs::read_to_string(&list), Backends::new()) {
        (Ok(text), Ok(backends)) => (text, backends),
        (Err(error), _) => {
            eprintln!("corpora: {list}: {error}");
            return ExitCode::from(2);
        }
        (_, Err(error)) => {
            eprintln!("corpora: {error}");
            return ExitCode::from(2);
        }
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let (counts, next, failed) = (Mutex::new(Counts::default()), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |count| count.get()) {
            scope.spawn(|| {
                while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = attempt(line, &backends, &counts) {
                        eprintln!("corpora: {error}");
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let refused: usize = counts.refused.values().map(|(count, _)| count).sum();
    println!(
        "files {}, linked at every level {}; runs right {}, as on a RISC-V machine {}, refused {refused}, wrong {}",
        counts.files, counts.linked, counts.right, counts.foreign, counts.wrong
    );
    let mut reasons: Vec<_> = counts.refused.into_iter().collect();
    reasons.sort_by_key(|(_, (count, _))| usize::MAX - count);
    for (reason, (count, example)) in reasons {
        println!("refused {count:6}  {reason}\t({example})");
    }
    ExitCode::from(u8::from(counts.wrong > 0 || failed.into_inner() > 0))
}
