//! `polkavm-check`: reports the backends and protections that this machine supports.

use crate::flags::{BackendChoice, Flags, SandboxChoice};
use crate::{PolkaVm, SetupError};
use pvm_engine::{Layer, Missing};
use pvm_host_interface::{Backend as _, ProgramRules};
use sp_crypto_hashing::keccak_256;
use std::fmt;
use vm_core::Outcome;
use vm_core::gas::CostModelKind;

/// Report on all combinations of backend and sandbox.
#[derive(Clone, Debug)]
pub struct Report {
    ways: Vec<Way>,
    protections: Vec<Protection>,
}

/// Combination of backend and sandbox.
#[derive(Clone, Debug)]
struct Way {
    name: &'static str,
    /// A description of the backend, or the reason for which it is not available.
    result: Result<String, String>,
}

/// Protection around compiled code.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Protection {
    what: &'static str,
    state: State,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Present,
    /// Supported by this machine, but not requested by the flags.
    Available,
    /// Refused by the kernel with this error number; and the fix.
    Missing(i32, String),
}

/// The line of a report for `--polkavm-backend jit --polkavm-sandbox required`.
const REQUIRED: &str = "jit, sandbox required";

impl Report {
    /// Tries every combination: sets it up with these flags, and runs a program in it.
    pub fn new(flags: &Flags) -> Report {
        let mut protections = Vec::new();
        let ways = [
            (REQUIRED, BackendChoice::Jit, SandboxChoice::Required),
            ("jit, sandbox best-effort", BackendChoice::Jit, SandboxChoice::BestEffort),
            ("interpreter", BackendChoice::Interpreter, SandboxChoice::Required),
        ]
        .map(|(name, backend, sandbox)| {
            let flags =
                Flags { backend, sandbox, workers: 1, cache_size: 1, disk_cache_size: 0, audit: 0, ..flags.clone() };
            let result = attempt(&flags).map(|(description, found)| {
                // Those of the strongest sandbox that works on this machine.
                if protections.is_empty() {
                    protections = found;
                }
                description
            });
            Way { name, result }
        });
        Report { ways: ways.into(), protections }
    }

    /// True if `--polkavm-backend jit --polkavm-sandbox required` would start.
    pub fn is_jit_possible(&self) -> bool {
        self.ways.iter().any(|way| way.name == REQUIRED && way.result.is_ok())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "PolkaVM on this machine ({}, {}):", std::env::consts::OS, std::env::consts::ARCH)?;
        for Way { name, result } in &self.ways {
            match result {
                Ok(description) => writeln!(f, "  yes  {name}: {description}")?,
                Err(why) => writeln!(f, "  no   {name}: {why}")?,
            }
        }
        if !self.protections.is_empty() {
            writeln!(f, "Protection around compiled contracts:")?;
        }
        for Protection { what, state } in &self.protections {
            match state {
                State::Present => writeln!(f, "  yes  {what}")?,
                State::Available => writeln!(f, "  off  {what}: --polkavm-strict turns it on")?,
                State::Missing(errno, fix) => writeln!(f, "  no   {what} (error number {errno}): {fix}")?,
            }
        }
        let auto = if self.is_jit_possible() { "the JIT" } else { "the interpreter" };
        write!(f, "--polkavm-backend auto with --polkavm-sandbox required uses {auto}.")
    }
}

/// Sets up one combination and runs a program that returns at once. Returns a description of the backend, and the
/// protections.
fn attempt(flags: &Flags) -> Result<(String, Vec<Protection>), String> {
    let polkavm = set_up(flags)?;
    let blob = vm_core::text::assemble(".isa ReviveV1\njump_indirect ra, 0\n").map_err(|error| error.to_string())?;
    let mut session = polkavm.session();
    let instance = session
        .instantiate(&keccak_256(&blob), &blob, 0, ProgramRules::version_1(CostModelKind::Naive))
        .map_err(|error| error.to_string())?;
    let outcome = session.run(instance, 10, None).map(|stop| stop.outcome);
    if outcome != Ok(Outcome::Finished) {
        return Err(format!("a program that returns at once ends with {outcome:?}"));
    }
    if polkavm.metrics().interpreted_total.get() > 0 {
        return Err("a program had to be interpreted, see the log".into());
    }
    let engine = polkavm.0.engine();
    let mut found = protections(&engine.missing_protection(), &engine.layers());
    if polkavm.is_compiling() && !flags.strict {
        // Adds the protections of strict mode.
        let strict = set_up(&Flags { strict: true, ..flags.clone() })?.0.engine().layers();
        let known: Vec<_> = found.iter().map(|protection| protection.what).collect();
        found.extend(protections(&[], &strict).into_iter().filter(|other| !known.contains(&other.what)).map(|other| {
            match other.state {
                State::Present => Protection { state: State::Available, ..other },
                _ => other,
            }
        }));
    }
    Ok((polkavm.describe(flags).trim_start_matches("PolkaVM: ").to_owned(), found))
}

fn set_up(flags: &Flags) -> Result<PolkaVm, String> {
    PolkaVm::new(flags, None).map_err(|error| match error {
        SetupError::Engine(error) => error.to_string(),
        other => other.to_string(),
    })
}

/// Lists the engine's layers; missing ones with their fix.
fn protections(missing: &[Missing], layers: &[Layer]) -> Vec<Protection> {
    let missing = missing
        .iter()
        .map(|missing| Protection { what: missing.what, state: State::Missing(missing.errno, missing.fix.to_owned()) });
    let layers = layers.iter().map(|layer| Protection {
        what: layer.what,
        state: match layer.is_there() {
            true => State::Present,
            false => State::Missing(layer.errno, layer_fix(layer.what, layer.errno)),
        },
    });
    missing.chain(layers).collect()
}

const NEWER_KERNEL: &str = "use a newer kernel";
const EPERM: i32 = 1;
const ENODEV: i32 = 19;

/// The fix for a layer that the kernel refused with this error number.
fn layer_fix(layer: &str, errno: i32) -> String {
    let is = |part: &str| layer.contains(part);
    let kernel = if is("PR_SET_MDWE") {
        "use Linux 6.3 or newer"
    } else if is("Landlock") {
        "use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and `landlock` in the boot parameter lsm="
    } else if is("mseal") {
        "use Linux 6.10 or newer"
    } else if is("PR_SET_SPECULATION_CTRL") {
        "not needed where /sys/devices/system/cpu/vulnerabilities says `Not affected`; else update the microcode, and boot \
         without parameters that decide for all processes, such as mitigations=off"
    } else if is("PR_SCHED_CORE") && errno == ENODEV {
        "not needed: the processor runs one thread per core"
    } else if is("PR_SCHED_CORE") {
        "use Linux 5.14 or newer with CONFIG_SCHED_CORE"
    } else {
        NEWER_KERNEL
    };
    match errno {
        EPERM => format!("{kernel}; in a container let the seccomp profile allow it"),
        _ => kernel.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ways: &[(&'static str, Result<&str, &str>)], protections: Vec<Protection>) -> Report {
        let ways =
            ways.iter().map(|&(name, result)| Way { name, result: result.map(str::to_owned).map_err(str::to_owned) });
        Report { ways: ways.collect(), protections }
    }

    #[test]
    fn each_layer_is_a_line_with_what_to_do_for_the_missing_ones() {
        let protections = vec![
            Protection { what: "locked securebits", state: State::Present },
            Protection { what: "a core for itself (PR_SCHED_CORE)", state: State::Available },
            Protection { what: "a user namespace", state: State::Missing(28, "raise the limit".into()) },
            Protection {
                what: "sealed memory (mseal)",
                state: State::Missing(38, layer_fix("sealed memory (mseal)", 38)),
            },
        ];
        let ways = [(REQUIRED, Err("no user namespace")), ("interpreter", Ok("interpreter, as the flags say"))];
        let text = report(&ways, protections).to_string();
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.starts_with("PolkaVM on this machine ("), "{first}");
        assert_eq!(
            rest,
            "  no   jit, sandbox required: no user namespace
  yes  interpreter: interpreter, as the flags say
Protection around compiled contracts:
  yes  locked securebits
  off  a core for itself (PR_SCHED_CORE): --polkavm-strict turns it on
  no   a user namespace (error number 28): raise the limit
  no   sealed memory (mseal) (error number 38): use Linux 6.10 or newer
--polkavm-backend auto with --polkavm-sandbox required uses the interpreter."
        );
        let text = report(&[(REQUIRED, Ok("jit, sandbox: full, 1 workers"))], Vec::new()).to_string();
        assert!(text.ends_with("uses the JIT.") && !text.contains("Protection"), "{text}");
    }

    #[test]
    fn the_check_names_every_layer_of_this_machine() {
        let flags = |strict| Flags { sandbox: SandboxChoice::BestEffort, strict, ..Flags::default() };
        let strict = PolkaVm::new(&flags(true), None).unwrap();
        assert!(strict.is_compiling() || cfg!(not(jit_supported)));
        let layers = strict.0.engine().layers();
        let required = Flags { backend: BackendChoice::Jit, ..Flags::default() };
        for is_strict in [false, true] {
            let report = Report::new(&flags(is_strict));
            assert_eq!(report.is_jit_possible(), PolkaVm::new(&required, None).is_ok());
            let text = report.to_string();
            for layer in &layers {
                let lines: Vec<_> = text.lines().filter(|line| line.contains(layer.what)).collect();
                let [line] = lines[..] else { panic!("{} in {text}", layer.what) };
                match (layer.is_there(), &line[..6]) {
                    (true, "  yes ") => {}
                    (true, "  off ") => assert!(!is_strict, "{line}"),
                    (false, "  no  ") => assert!(line.contains("): "), "{line}"),
                    _ => panic!("{layer:?}: {line}"),
                }
            }
            let plain = PolkaVm::new(&flags(false), None).unwrap().0.engine().layers().len();
            let is_more = layers.iter().skip(plain).any(Layer::is_there);
            assert_eq!(text.contains("--polkavm-strict turns it on"), is_more && !is_strict, "{text}");
        }
        for layer in layers.iter().filter(|layer| layer.what != "locked securebits") {
            assert_ne!(layer_fix(layer.what, 38), NEWER_KERNEL, "nothing is said about {}", layer.what);
        }
    }
}
