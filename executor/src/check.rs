//! What this machine can do, for the operator who asks.

use crate::flags::{BackendChoice, Flags, SandboxChoice};
use crate::{PolkaVm, SetupError};
use pvm_host_interface::{Backend as _, Meaning};
use sp_crypto_hashing::keccak_256;
use vm_core::Outcome;
use vm_core::gas::CostModelKind;

/// What came of trying every way to run a program.
#[derive(Clone, Debug)]
pub struct Report {
    lines: Vec<String>,
    is_jit_possible: bool,
}

impl Report {
    /// Tries them: sets each up, and runs a program in it.
    pub fn new() -> Report {
        let ways = [
            ("jit, sandbox required", BackendChoice::Jit, SandboxChoice::Required),
            ("jit, sandbox best-effort", BackendChoice::Jit, SandboxChoice::BestEffort),
            ("interpreter", BackendChoice::Interpreter, SandboxChoice::Required),
        ];
        let mut lines =
            vec![format!("PolkaVM on this machine ({}, {}):", std::env::consts::OS, std::env::consts::ARCH)];
        let mut is_jit_possible = false;
        for (name, backend, sandbox) in ways {
            let flags =
                Flags { backend, sandbox, workers: 1, cache_size: 1, disk_cache_size: 0, audit: 0, ..Flags::default() };
            let (possible, what) = match attempt(&flags) {
                Ok(what) => ("yes", what),
                Err(why) => ("no ", why),
            };
            is_jit_possible |= possible == "yes" && sandbox == SandboxChoice::Required && backend == BackendChoice::Jit;
            lines.push(format!("  {possible}  {name}: {what}"));
        }
        let auto = if is_jit_possible { "the JIT" } else { "the interpreter" };
        lines.push(format!("--polkavm-backend auto with --polkavm-sandbox required uses {auto}."));
        Report { lines, is_jit_possible }
    }

    /// Whether `--polkavm-backend jit --polkavm-sandbox required` would start.
    pub fn is_jit_possible(&self) -> bool {
        self.is_jit_possible
    }
}

impl Default for Report {
    fn default() -> Report {
        Report::new()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

/// Sets one way up and runs a program that returns at once.
fn attempt(flags: &Flags) -> Result<String, String> {
    let polkavm = PolkaVm::new(flags, None).map_err(|error| match error {
        SetupError::Engine(error) => error.to_string(),
        other => other.to_string(),
    })?;
    let blob = vm_core::text::assemble(".isa ReviveV1\njump_indirect ra, 0\n").map_err(|error| error.to_string())?;
    let mut session = polkavm.session();
    let instance = session
        .instantiate(&keccak_256(&blob), &blob, 0, Meaning::version_1(CostModelKind::Naive))
        .map_err(|error| error.to_string())?;
    let outcome = session.run(instance, 10, None).map(|stop| stop.outcome);
    if outcome != Ok(Outcome::Finished) {
        return Err(format!("a program that returns at once ends with {outcome:?}"));
    }
    if polkavm.metrics().interpreted_total.get() > 0 {
        return Err("a program had to be interpreted, as the log says".into());
    }
    Ok(polkavm.describe(flags).trim_start_matches("PolkaVM: ").to_owned())
}
