//! Proves a share of all rules, another one every day and, in CI, for every commit; `make prove` proves all of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_prove::{prover, rules, solver};
use std::time::{SystemTime, UNIX_EPOCH};

/// The share: one rule in this many.
const SHARE: u64 = 24;

/// Selects the share: a number of the commit in CI, else the day.
fn turn() -> u64 {
    let day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    std::env::var("PVM_DIFFERENTIAL_SEED").ok().map_or(day, |seed| seed.parse().unwrap()) % SHARE
}

#[test]
fn a_share_of_the_rules_is_proved() {
    if !solver::are_there() {
        return;
    }
    let turn = turn();
    // Of the long ones at the end, the peepholes, two that are quick.
    let (peepholes, others): (Vec<_>, Vec<_>) =
        rules::jobs().into_iter().partition(|job| matches!(job.subject, rules::Subject::Peephole(_)));
    let share = others.into_iter().skip(turn as usize).step_by(SHARE as usize);
    let jobs: Vec<_> = share.chain(peepholes.into_iter().take(2)).collect();
    println!("share {turn} of {SHARE}: {} rules of {}", jobs.len(), rules::jobs().len());
    let mut lines = Vec::new();
    let summary = prover::prove_jobs(&jobs, None, &mut |line| lines.push(line)).unwrap();
    let text = lines.join("\n");
    assert_eq!(summary.failed, 0, "{text}");
    // The lemmas count as one rule.
    assert_eq!(summary.rules, jobs.len() + 1, "{text}");
    assert!(summary.classes > jobs.len() && summary.claims >= summary.classes && summary.queries > 10, "{text}");
    println!("{}", lines.last().unwrap());
}
