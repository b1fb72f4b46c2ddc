//! The prover: states the claims of jobs, sends each new query to both solvers, and reports by class.

use crate::emit::Emitter;
use crate::explain;
use crate::rules::{self, Job, Mutation, Obligation};
use crate::smt::{self, Query};
use crate::solver::{Answer, Solver, SolverKind};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Result of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Rules.
    pub rules: usize,
    /// Number of classes, one per line.
    pub classes: usize,
    /// Number of claims: a class has one per choice of registers.
    pub claims: usize,
    /// Number of distinct queries.
    pub queries: usize,
    /// Number of classes that were not proved.
    pub failed: usize,
}

/// The reason why nothing was proved.
#[derive(Debug)]
pub struct ProveError(pub String);

impl std::fmt::Display for ProveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProveError {}

/// The two solvers, each with a thread.
pub struct Pool {
    inputs: Vec<Sender<(usize, Arc<Query>)>>,
    outputs: Receiver<(usize, SolverKind, Answer, Duration)>,
}

impl Pool {
    /// Starts both.
    ///
    /// # Errors
    /// If one is not installed.
    pub fn start() -> Result<Pool, ProveError> {
        let (results, outputs) = channel();
        let mut inputs = Vec::new();
        for kind in SolverKind::ALL {
            let mut solver = Solver::start(kind)
                .map_err(|error| ProveError(format!("{kind} cannot be run ({error}): scripts/setup installs it")))?;
            let (input, queries) = channel::<(usize, Arc<Query>)>();
            let results = results.clone();
            thread::spawn(move || {
                while let Ok((number, query)) = queries.recv() {
                    let (answer, time) = match solver.ask(&query) {
                        Ok(answer) => answer,
                        Err(error) => {
                            // The next query is for a new process.
                            if let Ok(new) = Solver::start(kind) {
                                solver = new;
                            }
                            (Answer::Unknown(format!("{kind}: {error}")), Duration::ZERO)
                        }
                    };
                    if results.send((number, kind, answer, time)).is_err() {
                        return;
                    }
                }
            });
            inputs.push(input);
        }
        Ok(Pool { inputs, outputs })
    }

    fn ask(&self, number: usize, query: &Arc<Query>) {
        for input in &self.inputs {
            // A thread ends only with the pool.
            let _ = input.send((number, query.clone()));
        }
    }

    /// Returns the answers of both to one query; not allowed while others are pending.
    pub fn both(&self, query: Query) -> Vec<(SolverKind, Answer)> {
        self.ask(0, &Arc::new(query));
        SolverKind::ALL
            .iter()
            .filter_map(|_| self.outputs.recv().ok())
            .map(|(_, kind, answer, _)| (kind, answer))
            .collect()
    }
}

/// A query's state.
struct Asked {
    query: Arc<Query>,
    answers: Vec<(SolverKind, Answer, Duration)>,
}

/// A class of a rule.
struct Line {
    job: Option<Job>,
    name: String,
    class: String,
    claims: usize,
    queries: Vec<usize>,
}

struct Prover<'a> {
    pool: Pool,
    asked: Vec<Asked>,
    known: HashMap<String, usize>,
    waiting: VecDeque<Line>,
    summary: Summary,
    print: &'a mut dyn FnMut(String),
    emitter: Emitter,
    mutation: Mutation<'a>,
}

/// Proves all rules that `chosen` accepts, by their names and compilation modes, and the lemmas.
///
/// # Errors
/// If a solver or the compiler is missing, or machine code violates a general rule.
pub fn prove(
    chosen: &dyn Fn(&str) -> bool,
    mutation: Mutation,
    print: &mut dyn FnMut(String),
) -> Result<Summary, ProveError> {
    let jobs: Vec<Job> =
        rules::jobs().into_iter().filter(|job| chosen(&format!("{} {}", job.subject, job.way()))).collect();
    prove_jobs(&jobs, mutation, print)
}

/// As [`prove`], for these jobs.
///
/// # Errors
/// As [`prove`].
pub fn prove_jobs(jobs: &[Job], mutation: Mutation, print: &mut dyn FnMut(String)) -> Result<Summary, ProveError> {
    let start = Instant::now();
    let pool = Pool::start()?;
    let emitter = Emitter::new().map_err(|error| ProveError(error.to_string()))?;
    let mut prover = Prover {
        pool,
        asked: Vec::new(),
        known: HashMap::new(),
        waiting: VecDeque::new(),
        summary: Summary::default(),
        print,
        emitter,
        mutation,
    };
    for kind in SolverKind::ALL {
        (prover.print)(format!("solver: {}", kind.version().unwrap_or_default()));
    }
    for (name, query) in smt::lemmas() {
        let query = prover.intern(&query);
        prover.waiting.push_back(Line {
            job: None,
            name: "(lemma)".into(),
            class: name,
            claims: 1,
            queries: vec![query],
        });
    }
    prover.summary.rules += 1;
    for job in jobs {
        prover.job(job)?;
        prover.collect(false)?;
    }
    prover.collect(true)?;
    let Summary { claims, queries, .. } = prover.summary;
    let seconds = start.elapsed().as_secs();
    (prover.print)(format!("{claims} claims, {queries} different queries, {seconds} s"));
    Ok(prover.summary)
}

impl Prover<'_> {
    /// Returns the number of a query, which is sent if it is new.
    fn intern(&mut self, query: &Query) -> usize {
        if let Some(number) = self.known.get(&query.text) {
            return *number;
        }
        let number = self.asked.len();
        let query = Arc::new(query.clone());
        self.pool.ask(number, &query);
        self.known.insert(query.text.clone(), number);
        self.asked.push(Asked { query, answers: Vec::new() });
        self.summary.queries += 1;
        number
    }

    fn job(&mut self, job: &Job) -> Result<(), ProveError> {
        let mut obligations: Vec<(String, Query)> = Vec::new();
        let mut lines: Vec<Line> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let name = format!("{} {}", job.subject, job.way());
        // Queries are interned after each job, because stating them borrows the emitter.
        let stated = rules::state(&self.emitter, job, self.mutation, &mut |Obligation { class, query, .. }| {
            obligations.push((class, query.clone()));
        });
        stated.map_err(|error| ProveError(format!("{name}: {error}")))?;
        for (class, query) in obligations {
            let number = self.intern(&query);
            let place = *places.entry(class.clone()).or_insert_with(|| {
                lines.push(Line { job: Some(*job), name: name.clone(), class, claims: 0, queries: vec![] });
                lines.len() - 1
            });
            let line = &mut lines[place];
            line.claims += 1;
            if !line.queries.contains(&number) {
                line.queries.push(number);
            }
        }
        self.summary.rules += 1;
        self.waiting.extend(lines);
        Ok(())
    }

    /// Receives answers, and prints the lines whose answers are complete, in order. Waits for all if `all`.
    fn collect(&mut self, all: bool) -> Result<(), ProveError> {
        loop {
            while let Some(line) = self.waiting.front() {
                if !line.queries.iter().all(|query| self.asked[*query].answers.len() == SolverKind::ALL.len()) {
                    break;
                }
                if let Some(line) = self.waiting.pop_front() {
                    self.report(&line);
                }
            }
            let next = match all && !self.waiting.is_empty() {
                true => self.pool.outputs.recv().map_err(|_| ProveError("a solver's thread has ended".into()))?,
                false => match self.pool.outputs.try_recv() {
                    Ok(next) => next,
                    Err(_) => return Ok(()),
                },
            };
            let (number, kind, answer, time) = next;
            self.asked[number].answers.push((kind, answer, time));
        }
    }

    fn report(&mut self, line: &Line) {
        self.summary.classes += 1;
        self.summary.claims += line.claims;
        let mut times = String::new();
        for kind in SolverKind::ALL {
            let answers = line.queries.iter().flat_map(|query| &self.asked[*query].answers);
            let time: Duration = answers.filter(|answer| answer.0 == kind).map(|answer| answer.2).sum();
            times += &format!(" {kind} {:.3} s", time.as_secs_f64());
        }
        let failed: Vec<usize> = line
            .queries
            .iter()
            .copied()
            .filter(|query| self.asked[*query].answers.iter().any(|answer| answer.1 != Answer::Proved))
            .collect();
        let verdict = if failed.is_empty() { "proved" } else { "NOT PROVED" };
        let (claims, queries) = (line.claims, line.queries.len());
        (self.print)(format!(
            "{verdict} {}: {}: {claims} choices of registers, {queries} queries,{times}",
            line.name, line.class
        ));
        if failed.is_empty() {
            return;
        }
        self.summary.failed += 1;
        for query in failed.into_iter().take(2) {
            let asked = &self.asked[query];
            for (kind, answer, _) in &asked.answers {
                match (answer, &line.job) {
                    (Answer::Refuted(values), Some(job)) => {
                        let text = explain::counterexample(&self.emitter, job, self.mutation, &asked.query, values);
                        (self.print)(format!("  {kind} has a counterexample:\n{text}"));
                        break;
                    }
                    (Answer::Unknown(why), _) => (self.print)(format!("  {kind} does not know: {why}")),
                    (answer, _) => (self.print)(format!("  {kind}: {answer:?}")),
                }
            }
        }
    }
}
