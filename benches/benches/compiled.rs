//! Benchmark of compiled programs: our compiler in its sandbox beside `polkavm`'s recompiler in its sandbox, with and
//! without gas; and the compile times.
//!
//! Run by `make bench-compiled`.

use anyhow::Result;
use pvm_benches::{
    engines::{Compiled, Engine, Polkavm},
    measure::{milliseconds, time},
    programs::CONTRACT,
    table,
};
use std::time::Duration;
use vm_core::gas::{CostModelKind, Metering};

fn main() -> Result<()> {
    let engines: [Box<dyn Engine>; 4] = [
        Box::new(Compiled::new(CostModelKind::Naive)?),
        Box::new(Polkavm::recompiler()?),
        Box::new(Compiled::metered(Metering::Off)?),
        Box::new(Polkavm::unmetered_recompiler()?),
    ];
    table::of_arguments(&engines)?;
    println!(
        "\nMicroseconds to compile a contract, and to load, instantiate and call it once, the least of 50 rounds.\n"
    );
    println!("| {:<11} | {:>8} | {:>8} | {:>8} |", "engine", "bytes", "compile", "all");
    println!("|:------------|---------:|---------:|---------:|");
    for engine in &engines {
        let bytes = engine.read(&CONTRACT)?;
        let (mut compile, mut all) = (Duration::MAX, Duration::MAX);
        for _ in 0..50 {
            let (compiling, module) = time(|| engine.load(&bytes));
            let module = module?;
            let (running, result) = time(|| module.instantiate()?.call("run"));
            result?;
            (compile, all) = (compile.min(compiling), all.min(compiling + running));
        }
        let (compile, all) = (milliseconds(compile) * 1e3, milliseconds(all) * 1e3);
        println!("| {:<11} | {:>8} | {compile:>8.1} | {all:>8.1} |", engine.name(), bytes.len());
    }
    Ok(())
}
