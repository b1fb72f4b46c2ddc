//! Solvers: processes that answer queries in SMT-LIB 2 through a pipe.

use crate::smt::Query;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Answer to a query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// There is no counterexample: the claim is proved.
    Proved,
    /// A counterexample: the values of the query's variables, in order.
    Refuted(Vec<u128>),
    /// Neither within the time limit; or the solver's output instead of an answer.
    Unknown(String),
}

/// A solver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SolverKind {
    /// z3.
    Z3,
    /// cvc5.
    Cvc5,
}

impl SolverKind {
    /// Both.
    pub const ALL: [SolverKind; 2] = [SolverKind::Z3, SolverKind::Cvc5];

    /// The command's name.
    pub const fn name(self) -> &'static str {
        match self {
            SolverKind::Z3 => "z3",
            SolverKind::Cvc5 => "cvc5",
        }
    }

    /// Returns the command's version if it can be run on this machine.
    pub fn version(self) -> Option<String> {
        let output = Command::new(self.name()).arg("--version").output().ok()?;
        String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
    }
}

impl fmt::Display for SolverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Environment variable that makes a missing solver a failure, as in CI.
pub const REQUIRED: &str = "PVM_REQUIRE_SOLVERS";

/// Returns true if both are installed; otherwise prints that a test is skipped.
///
/// # Panics
/// If one is missing and [`REQUIRED`] is set.
pub fn are_there() -> bool {
    let missing: Vec<&str> =
        SolverKind::ALL.into_iter().filter(|kind| kind.version().is_none()).map(SolverKind::name).collect();
    assert!(
        missing.is_empty() || std::env::var_os(REQUIRED).is_none(),
        "{} is missing, and {REQUIRED} is set: scripts/setup installs it",
        missing.join(" and ")
    );
    if !missing.is_empty() {
        eprintln!("SKIPPED: {} is missing, nothing is proved: scripts/setup installs it", missing.join(" and "));
    }
    missing.is_empty()
}

/// Time limit for a query.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// A running solver.
pub struct Solver {
    kind: SolverKind,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Solver {
    /// Starts a solver.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(kind: SolverKind) -> io::Result<Solver> {
        let limit = TIME_LIMIT.as_millis();
        let mut command = Command::new(kind.name());
        match kind {
            SolverKind::Z3 => command.args(["-in", "-smt2", &format!("-t:{limit}")]),
            SolverKind::Cvc5 => command.args(["--lang=smt2", "--incremental", &format!("--tlimit-per={limit}"), "-"]),
        };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipe"));
        };
        Ok(Solver { kind, child, input, output: BufReader::new(output) })
    }

    /// Sends a query; returns the answer, with the values of a counterexample if there is one, and the time it took.
    ///
    /// # Errors
    /// If the solver has ended.
    pub fn ask(&mut self, query: &Query) -> io::Result<(Answer, Duration)> {
        let start = Instant::now();
        let script = format!("(reset)\n(set-option :produce-models true)\n{}(check-sat)\n", query.text);
        self.input.write_all(script.as_bytes())?;
        self.input.flush()?;
        let line = self.line()?;
        let answer = match line.as_str() {
            "unsat" => Answer::Proved,
            "sat" => Answer::Refuted(self.values(query)?),
            other => Answer::Unknown(format!("{}: {other}", self.kind)),
        };
        Ok((answer, start.elapsed()))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} has ended", self.kind)));
        }
        Ok(line.trim().to_owned())
    }

    fn values(&mut self, query: &Query) -> io::Result<Vec<u128>> {
        let names: Vec<String> = (0..query.variables.len()).map(|number| format!("v{number}")).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        writeln!(self.input, "(get-value ({}))", names.join(" "))?;
        self.input.flush()?;
        let mut text = String::new();
        loop {
            text += &self.line()?;
            let count = |which: char| text.chars().filter(|char| *char == which).count();
            if count('(') == count(')') {
                break;
            }
            text.push(' ');
        }
        let words: Vec<&str> = text.split(['(', ')', ' ']).filter(|word| !word.is_empty()).collect();
        let values: HashMap<&str, u128> =
            words.chunks_exact(2).filter_map(|pair| Some((pair[0], number(pair[1])?))).collect();
        Ok(names.iter().map(|name| values.get(name.as_str()).copied().unwrap_or(0)).collect())
    }
}

/// Parses a number as solvers print it.
fn number(text: &str) -> Option<u128> {
    match text.split_at_checked(2)? {
        ("#x", digits) => u128::from_str_radix(digits, 16).ok(),
        ("#b", digits) => u128::from_str_radix(digits, 2).ok(),
        _ => None,
    }
}

impl Drop for Solver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
