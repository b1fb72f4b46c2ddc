//! Table of memory: the overhead of an idle instance beyond its own data.

use crate::engines::{Compiler, Wasmtime};
use anyhow::{Context, Result};
use pvm_benches::engines::{Compiled, Engine, Polkavm};
use pvm_benches::programs::{ALL, BenchProgram};
use std::fs;
use vm_core::gas::Metering;

/// Number of instances.
const INSTANCES: u64 = 100;

/// Prints the table.
///
/// # Errors
/// If an engine fails, or the kernel does not report the memory of processes.
pub fn print() -> Result<()> {
    println!(
        "### Memory: KiB of an instance that was called once and is idle, of {INSTANCES}, all processes, with page tables\n"
    );
    println!("| {:<22} | {:>11} | {:>11} |", "", "resident", "page tables");
    println!("|:-----------------------|------------:|------------:|");
    // This program has next to no data of its own.
    let program = ALL.iter().find(|program| program.name == "calls").context("no program")?;
    let engines: [Box<dyn Engine>; 3] = [
        Box::new(Compiled::metered(Metering::Sync)?),
        Box::new(Polkavm::recompiler()?),
        Box::new(Wasmtime::new(Compiler::Cranelift)?),
    ];
    for engine in engines {
        let (resident, tables) = of_instance(&*engine, program).with_context(|| engine.name())?;
        println!("| {:<22} | {resident:>11.1} | {tables:>11.1} |", engine.name());
    }
    println!();
    Ok(())
}

fn of_instance(engine: &dyn Engine, program: &BenchProgram) -> Result<(f64, f64)> {
    let module = engine.load(&engine.read(program)?)?;
    let mut kept = Vec::new();
    // Warm up: one-time allocations are not part of an instance.
    for _ in 0..10 {
        kept.push(module.instantiate()?);
    }
    for machine in &mut kept {
        machine.call("initialize")?;
    }
    let before = used()?;
    for _ in 0..INSTANCES {
        let mut machine = module.instantiate()?;
        machine.call("initialize")?;
        kept.push(machine);
    }
    let after = used()?;
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / INSTANCES as f64;
    Ok((each(before.0, after.0), each(before.1, after.1)))
}

/// Memory of this process and all its descendants in KiB: proportional set size, and page tables.
fn used() -> Result<(u64, u64)> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok())
            && let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status"))
        {
            parents.push((pid, number(&status, "PPid:") as u32));
        }
    }
    let mut family = vec![std::process::id()];
    let mut index = 0;
    while let Some(&parent) = family.get(index) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        index += 1;
    }
    let mut sum = (0, 0);
    for pid in family {
        // The process may have ended meanwhile.
        let Ok(memory) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
        sum = (sum.0 + number(&memory, "Pss:"), sum.1 + number(&status, "VmPTE:"));
    }
    Ok(sum)
}

/// Parses the number after a name at the beginning of a line.
fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
