//! Benchmark of our compiler beside other compilers: running, compiling, instantiating, calling the host, memory.
//!
//! Run by `make bench`: `pvm-bench-peers [TABLE]…`, all tables if none is named. Figures are the least of several
//! rounds in which the engines take turns. Each result is compared with that of the same source compiled for the host.

mod engines;
mod memory;
mod tables;

use anyhow::{Result, bail};

/// Name of a table, and the function that prints it.
type Table = (&'static str, fn() -> Result<()>);

/// Tables by name.
const TABLES: [Table; 6] = [
    ("running", tables::running),
    ("compiling", tables::compiling),
    ("once", tables::once),
    ("instances", tables::instances),
    ("host-calls", tables::host_calls),
    ("memory", memory::print),
];

/// Tables that are also measured on one processor.
const ON_ONE: [Table; 3] =
    [("running", tables::running), ("instances", tables::instances), ("host-calls", tables::host_calls)];

/// Argument with which this program re-executes itself pinned to one processor.
const PINNED: &str = "--on-one-processor";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (pinned, wanted): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|argument| argument == PINNED);
    let tables = if pinned.is_empty() { &TABLES[..] } else { &ON_ONE[..] };
    if let Some(unknown) = wanted.iter().find(|name| !TABLES.iter().any(|(known, _)| known == name)) {
        let known: Vec<_> = TABLES.iter().map(|(name, _)| *name).collect();
        bail!("there is no table {unknown}; there are {}", known.join(", "));
    }
    for (name, print) in tables {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            print()?;
        }
    }
    if pinned.is_empty() && ON_ONE.iter().any(|(name, _)| wanted.is_empty() || wanted.iter().any(|it| it == name)) {
        println!("## On one processor\n");
        let status = std::process::Command::new("taskset")
            .args(["-c", "0"])
            .arg(std::env::current_exe()?)
            .arg(PINNED)
            .args(&wanted)
            .status()?;
        if !status.success() {
            bail!("on one processor: {status}");
        }
    }
    Ok(())
}
