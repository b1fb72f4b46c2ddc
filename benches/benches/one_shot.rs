//! One-shot latency: from the bytes of a contract of 100 KB to the result of its first call.
//!
//! Each round parses or compiles the bytes anew, makes an instance and makes one call, which runs about a thousand
//! instructions. Run by `make bench-interpreter`.

use anyhow::{Context, Result, ensure};
use pvm_benches::{
    engines::{Engine, Ours, Polkavm, Wasmi},
    measure::{milliseconds, time},
    programs::CONTRACT,
};
use std::time::Duration;

const ROUNDS: u32 = 200;

fn main() -> Result<()> {
    let engines: [Box<dyn Engine>; 4] =
        [Box::new(Ours::default()), Box::new(Polkavm::new()?), Box::new(Wasmi::default()), Box::new(Wasmi::lazy())];
    println!("Microseconds to load a contract, make an instance and call it once, the least of {ROUNDS} rounds.\n");
    println!("| {:<10} | {:>8} | {:>8} | {:>8} | {:>8} | {:>6} |", "engine", "bytes", "load", "rest", "all", "x");
    println!("|:-----------|---------:|---------:|---------:|---------:|-------:|");
    let expected = CONTRACT.run_on_host();
    let mut first = None;
    for engine in &engines {
        let bytes = engine.read(&CONTRACT)?;
        let (mut load, mut rest) = (Duration::MAX, Duration::MAX);
        let mut all = Duration::MAX;
        for _ in 0..ROUNDS {
            let (loading, module) = time(|| engine.load(&bytes));
            let module = module?;
            let (running, result) = time(|| module.instantiate()?.call("run"));
            ensure!(result.with_context(|| engine.name())? == expected, "{} computes something else", engine.name());
            (load, rest, all) = (load.min(loading), rest.min(running), all.min(loading + running));
        }
        let all = milliseconds(all) * 1e3;
        let of_ours = all / *first.get_or_insert(all);
        let (load, rest) = (milliseconds(load) * 1e3, milliseconds(rest) * 1e3);
        println!(
            "| {:<10} | {:>8} | {load:>8.1} | {rest:>8.1} | {all:>8.1} | {of_ours:>6.2} |",
            engine.name(),
            bytes.len()
        );
    }
    Ok(())
}
