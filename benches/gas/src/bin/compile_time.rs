//! Benchmark of the compile time that cost models add.
//!
//! Compiles large programs under each model, in turns; prints the least time of each and its ratio to that of the naive
//! model. `compile_time MODEL ROUNDS` only compiles, to be measured from outside (`perf stat`).
//! Run: make gas-compile-time

use anyhow::{Context, Result};
use pvm_bench_gas::benches_folder;
use pvm_bench_gas::run::MODELS;
use pvm_engine::{Backend, Config, Engine, Module, ProgramBlob};
use std::fs;
use std::time::Instant;
use vm_core::gas::CostModelKind;
use vm_core::program::ProgramConfig;

const PROGRAMS: [&str; 4] = ["contract", "ed25519", "emulator", "evm"];

fn main() -> Result<()> {
    let engine = Engine::new(Config::new().set_backend(Backend::Jit))?;
    let read = |name: &str| {
        let path = benches_folder().join(format!("../out/bench/{name}.polkavm"));
        fs::read(&path).with_context(|| format!("cannot read {} (run scripts/build-bench)", path.display()))
    };
    let compile = |blob: &[u8], cost_model: CostModelKind| -> Result<u64> {
        let blob = ProgramBlob::parse(blob)?;
        let config = ProgramConfig { cost_model, ..ProgramConfig::default() };
        let start = Instant::now();
        let module = Module::new(&engine, &config, &blob)?;
        let took = start.elapsed().as_nanos() as u64;
        drop(module);
        Ok(took)
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [model, rounds] = &arguments[..] {
        let (_, model) = MODELS.into_iter().find(|(name, _)| name == model).context("no such model")?;
        let blob = read(PROGRAMS[0])?;
        for _ in 0..rounds.parse()? {
            compile(&blob, model)?;
        }
        return Ok(());
    }
    println!("| program    | {} |", MODELS.map(|(name, _)| format!("{name:>12} ms |      x")).join(" | "));
    for name in PROGRAMS {
        let blob = read(name)?;
        let mut least = [u64::MAX; MODELS.len()];
        for _ in 0..200 {
            for ((_, model), least) in MODELS.into_iter().zip(&mut least) {
                *least = (*least).min(compile(&blob, model)?);
            }
        }
        let cells = least.map(|time| format!("{:>15.3} | {:>6.2}", time as f64 / 1e6, time as f64 / least[0] as f64));
        println!("| {name:<10} | {} |", cells.join(" | "));
    }
    Ok(())
}
