//! Overhead of a call on the node: instantiating a cached program, one host call, and the return.

use anyhow::{Context as _, Result, ensure};
use executor::{BackendChoice, Flags, PolkaVm};
use pvm_host_interface::{Backend, ProgramRules, program_config};
use std::time::{Duration, Instant};
use vm_core::{Outcome, blob::Blob, gas::CostModelKind, program::Program};

/// Number of calls per measurement; the least time counts.
const CALLS: u32 = 2_000;
const MEASUREMENTS: usize = 7;

/// Returns a line for each backend.
pub fn measure(code: &[u8]) -> Result<String> {
    let mut lines = String::from("A cached call at the node (instance, one host call, return), microseconds:");
    for backend in [BackendChoice::Jit, BackendChoice::Interpreter] {
        let time = least(code, backend)?;
        let name = if backend == BackendChoice::Jit { "jit" } else { "interpreter" };
        lines += &format!(" {name} {:.1}", time.as_secs_f64() * 1e6);
    }
    Ok(lines)
}

fn least(code: &[u8], backend: BackendChoice) -> Result<Duration> {
    let blob = Blob::parse(code)?;
    let rules = ProgramRules::version_1(CostModelKind::Naive);
    let program = Program::new(&blob, &program_config(rules))?;
    let entry = program.export(b"call").context("no such export")?;
    let hash = sp_crypto_hashing::keccak_256(code);
    let polkavm = PolkaVm::new(&Flags { backend, ..Flags::default() }, None)?;
    let mut session = polkavm.session();
    let mut least = Duration::MAX;
    for _ in 0..MEASUREMENTS {
        let started = Instant::now();
        for _ in 0..CALLS {
            let instance = session.instantiate(&hash, code, entry, rules)?;
            // It queries the length of its call data, which is 0, and returns.
            let first = session.run(instance, 1_000_000, None).ok().context("no instance")?;
            let last = session.run(instance, first.gas, Some(0)).ok().context("no instance")?;
            let are_host_calls = [first, last].iter().all(|stop| matches!(stop.outcome, Outcome::HostCall(_)));
            ensure!(are_host_calls, "the program does something else: {first:?}, {last:?}");
            session.destroy(instance).ok().context("no instance")?;
        }
        least = least.min(started.elapsed() / CALLS);
    }
    Ok(least)
}
