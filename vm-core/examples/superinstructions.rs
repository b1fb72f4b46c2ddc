//! Prints the profile from which superinstructions are selected: `scripts/profile-superinstructions [--choose N]
//! [BLOB…]`.
//!
//! Runs each program's `initialize`, if it exports one, and `run`, and counts pairs of ops that were dispatched in
//! sequence. The pairs at the top are those for which a new superinstruction would save the most dispatches. This is an
//! upper bound: a new superinstruction also changes how the ops after it are grouped. With `--choose`, selects the `N`
//! superinstructions that together save the most time, greedily, by grouping the ops of all blocks again for each
//! candidate. All programs have the same weight, however long they run.
#![allow(clippy::unwrap_used, reason = "an example that cannot unwrap has failed")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::interpreter::{DispatchProfile, Dispatches, Instance, Trace, TraceEvent, superinstructions};
use vm_core::program::{Program, ProgramConfig};

/// Number of pairs that are printed.
const SHOWN: usize = 40;

/// Maximum number of host calls of a program; none of them does anything.
const HOST_CALLS: u32 = 1_000_000;

/// Time of a dispatch, relative to the time of executing an op.
const DISPATCH: f64 = 2.0;

/// Maximum number of ops of a selected superinstruction.
const MOST_OPS: usize = 5;

/// Number of candidates that are tried in each round: those with the highest upper bound of savings.
const TRIED: usize = 120;

/// Minimum share of the programs' time that a selected superinstruction saves.
const LEAST: f64 = 0.0005;

fn main() {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let mut choose = 0;
    if files.first().is_some_and(|first| first == "--choose") {
        choose = files.get(1).and_then(|number| number.parse().ok()).expect("--choose N");
        files.drain(..2);
    }
    let programs: Vec<(Dispatches, Vec<u64>)> = files.iter().map(|file| profile(file)).collect();
    if choose > 0 {
        Groups::new(&programs).choose(choose);
        return;
    }
    let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
    for (all, _) in &programs {
        for (pair, count) in &all.pairs {
            *shares.entry(pair).or_default() += *count as f64 / all.dispatches.max(1) as f64;
        }
    }
    let mut shares: Vec<(&str, f64)> = shares.into_iter().collect();
    shares.sort_by(|left, right| right.1.total_cmp(&left.1));
    println!("dispatches that a superinstruction would save at most, on average of the programs:");
    for (pair, share) in shares.iter().take(SHOWN) {
        println!("{:6.2} %  {pair}", 100.0 * share / files.len() as f64);
    }
}

/// A profile, with the number of times that control fell through the end of each block.
struct Profile {
    program: Arc<Program>,
    dispatches: DispatchProfile,
    /// Fall-throughs by code offset of the block.
    fallen: BTreeMap<u32, u64>,
    block: u32,
    next: u32,
}

impl Trace for Profile {
    fn executed(&mut self, event: &TraceEvent) {
        let code = self.program.code();
        if code.is_jump_target(event.pc) {
            if event.pc == self.next {
                *self.fallen.entry(self.block).or_default() += 1;
            }
            self.block = event.pc;
            self.fallen.entry(event.pc).or_default();
        }
        self.next = code.decode(event.pc).map_or(0, |decoded| decoded.next);
        self.dispatches.executed(event);
    }
}

/// Runs a program; counts its dispatches, and the fall-throughs at the end of each block that was entered.
fn profile(file: &str) -> (Dispatches, Vec<u64>) {
    let blob = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let blob = Blob::parse(&blob).unwrap_or_else(|error| panic!("{file}: {error}"));
    let program = Arc::new(Program::new(&blob, &ProgramConfig::default()).unwrap());
    let mut instance = Instance::new(program.clone());
    let dispatches = DispatchProfile::default();
    let mut profile = Profile { program: program.clone(), dispatches, fallen: BTreeMap::new(), block: 0, next: 0 };
    instance.set_gas(i64::MAX);
    for entry in ["initialize", "run"].iter().filter_map(|name| program.export(name.as_bytes())) {
        instance.prepare_call(entry, &[]);
        for _ in 0..HOST_CALLS {
            if !matches!(instance.run_traced(&mut profile), Outcome::HostCall(_)) {
                break;
            }
        }
    }
    let all = profile.dispatches.dispatches(&program);
    println!("{file}: {} ops in {} dispatches", all.ops, all.dispatches);
    (all, profile.fallen.into_values().collect())
}

/// A block of a program: its count; its ops by number, and true for those that take the result of the op before; and
/// the number of times that control fell through its end.
type Block = (f64, Vec<(u32, bool)>, f64);

/// An op or superinstruction, the op that follows it, and true if that takes the first one's result.
type Join = (u32, u32, bool);

/// The blocks of all programs, and the grouping of their ops.
struct Groups {
    /// Names of ops and superinstructions, by number.
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    /// Number of ops of each.
    lengths: Vec<usize>,
    joins: HashMap<Join, u32>,
    programs: Vec<Vec<Block>>,
    /// Number of the op that a block begins with, which is executed when control falls through to it.
    charge: u32,
}

impl Groups {
    fn new(programs: &[(Dispatches, Vec<u64>)]) -> Groups {
        let mut groups = Groups {
            charge: 0,
            names: Vec::new(),
            numbers: HashMap::new(),
            lengths: Vec::new(),
            joins: HashMap::new(),
            programs: Vec::new(),
        };
        groups.charge = groups.number("Charge", 1);
        for (all, fallen) in programs {
            let blocks = all.blocks.iter().zip(fallen).map(|(block, fallen)| {
                let ops = block.ops.iter().filter(|(name, _)| name != "NextBlock");
                // The stored value is not a result.
                let mut stored = false;
                let ops = ops.map(|(name, chained)| {
                    let after_store = core::mem::replace(&mut stored, name.starts_with("Store"));
                    let chained = *chained && !after_store;
                    (groups.number(name, 1), chained)
                });
                (block.count as f64, ops.collect(), *fallen as f64)
            });
            let blocks = blocks.collect();
            groups.programs.push(blocks);
        }
        // Shorter names first: a superinstruction comes after what it begins with.
        let mut known: Vec<String> = superinstructions().collect();
        known.sort_by_key(String::len);
        let known: BTreeSet<String> = known.into_iter().collect();
        let mut lengths: Vec<u32> = (0..groups.names.len() as u32).collect();
        while let Some(first) = lengths.pop() {
            for second in 0..groups.names.len() as u32 {
                if groups.lengths[second as usize] != 1 {
                    continue;
                }
                for chained in [false, true] {
                    let name = groups.joined_name((first, second, chained));
                    if known.contains(&name) {
                        let number = groups.join((first, second, chained));
                        lengths.push(number);
                    }
                }
            }
        }
        groups
    }

    fn number(&mut self, name: &str, length: usize) -> u32 {
        *self.numbers.entry(name.to_owned()).or_insert_with(|| {
            self.names.push(name.to_owned());
            self.lengths.push(length);
            self.names.len() as u32 - 1
        })
    }

    fn joined_name(&self, (first, second, chained): Join) -> String {
        let joint = if chained { "To" } else { "" };
        format!("{}{joint}{}", self.names[first as usize], self.names[second as usize])
    }

    /// Adds a superinstruction.
    fn join(&mut self, join: Join) -> u32 {
        let name = self.joined_name(join);
        let number = self.number(&name, self.lengths[join.0 as usize] + 1);
        self.joins.insert(join, number);
        number
    }

    /// Returns the logarithm of all programs' times; collects an upper bound, as shares, of the dispatches that each
    /// join would save.
    fn cost(&self, candidates: &mut HashMap<Join, f64>, with: Option<Join>) -> f64 {
        const NEW: u32 = u32::MAX;
        let joined = |join: Join| match with == Some(join) {
            true => Some(NEW),
            false => self.joins.get(&join).copied(),
        };
        let mut total = 0.0;
        for blocks in &self.programs {
            let (mut ops_of_all, mut dispatches) = (0.0, 0.0);
            let mut found: HashMap<Join, f64> = HashMap::new();
            for (count, ops, fallen) in blocks {
                ops_of_all += count * ops.len() as f64 + fallen;
                let (mut index, mut last) = (0, None);
                while let Some((first, _)) = ops.get(index) {
                    dispatches += count;
                    let mut group = *first;
                    index += 1;
                    while let Some((next, chained)) = ops.get(index) {
                        let chain = if *chained { joined((group, *next, true)) } else { None };
                        match chain.or_else(|| joined((group, *next, false))) {
                            Some(longer) => group = longer,
                            None => {
                                if group != NEW && self.lengths[group as usize] < MOST_OPS {
                                    *found.entry((group, *next, *chained)).or_default() += count;
                                }
                                break;
                            }
                        }
                        index += 1;
                    }
                    last = Some(group);
                }
                let join = last.map(|last| (last, self.charge, false));
                if let Some(join) = join.filter(|join| joined(*join).is_none()) {
                    dispatches += fallen;
                    if join.0 != NEW {
                        *found.entry(join).or_default() += fallen;
                    }
                }
            }
            total += (ops_of_all + DISPATCH * dispatches).ln();
            for (join, count) in found {
                *candidates.entry(join).or_default() += count / (ops_of_all + DISPATCH * dispatches);
            }
        }
        total / self.programs.len() as f64
    }

    /// Selects this many superinstructions, and prints each in the form of the table, with its savings.
    fn choose(&mut self, number: usize) {
        for _ in 0..number {
            let mut candidates = HashMap::new();
            let before = self.cost(&mut candidates, None);
            let mut candidates: Vec<(Join, f64)> = candidates.into_iter().collect();
            candidates.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
            let costs =
                candidates.iter().take(TRIED).map(|(join, _)| (self.cost(&mut HashMap::new(), Some(*join)), *join));
            let Some((after, join)) = costs.min_by(|left, right| left.0.total_cmp(&right.0)) else { return };
            let (first, second) = (self.names[join.0 as usize].clone(), self.names[join.1 as usize].clone());
            let list = if join.2 { "chained_superinstructions" } else { "superinstructions" };
            let saved = (before - after).exp_m1();
            if saved < LEAST {
                return;
            }
            let saved = 100.0 * saved;
            let number = self.join(join);
            println!("{saved:6.2} %  {list}: {} = {first} + {second},", self.names[number as usize]);
        }
    }
}
