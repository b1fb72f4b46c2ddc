//! Fits the constants of the calibrated cost model to the running times of compiled code on this machine.
//!
//! Prints, in units of 10 picoseconds: throughput and latency of instructions by class; the non-negative least squares
//! fit to random blocks; the latency of loads by working set; branches and jumps.
//! Run: make gas-fit

use anyhow::{Context, Result};
use pvm_bench_gas::genome::{Gene, Genome};
use pvm_bench_gas::micro::{self, LENGTH, Shape};
use pvm_bench_gas::{nnls, run::Runner};
use pvm_engine::Backend;
use pvm_test_support::Rng;
use std::collections::BTreeMap;
use vm_core::gas::CostModelKind;
use vm_core::isa::InstructionSpec;
use vm_core::text::assemble;

/// Gas per nanosecond.
const GAS: f64 = 100.0;

/// Returns the running time of one iteration, in gas.
fn time(runner: &Runner, text: &str) -> Result<f64> {
    let blob = assemble(text).context("assembling")?;
    let mut loaded = runner.load(&blob, CostModelKind::CalibratedV1)?;
    let (once, _) = loaded.measure(100, 3)?;
    let iterations = (100.0 * 1_000_000.0 / once.max(1000.0)).max(20.0) as u64;
    let (nothing, _) = loaded.measure(1, 20)?;
    let (long, _) = loaded.measure(iterations, 9)?;
    Ok((long - nothing) / (iterations - 1) as f64 * GAS)
}

fn main() -> Result<()> {
    let runner = Runner::new(Backend::Jit)?;
    let kinds = micro::computing();
    println!("by instruction: side by side, one after the other\n");
    let mut classes: BTreeMap<String, Vec<&'static InstructionSpec>> = BTreeMap::new();
    for spec in &kinds {
        let [side, chain] = [Shape::Independent, Shape::Chained]
            .map(|shape| time(&runner, &micro::looped(4096, &micro::block(spec, shape))));
        println!(
            "{:<16} {:<32} {:>8.1} {:>8.1}",
            format!("{:?}", spec.gas_class),
            spec.mnemonic,
            side? / LENGTH as f64,
            chain? / LENGTH as f64
        );
        classes.entry(format!("{:?}", spec.gas_class)).or_default().push(spec);
    }
    let count: usize = std::env::args().nth(1).map_or(Ok(300), |count| count.parse())?;
    println!("\nnon-negative least squares of {count} random blocks\n");
    let names: Vec<&String> = classes.keys().collect();
    let mut rng = Rng::new(1);
    let mut rows = Vec::new();
    for _ in 0..count {
        let (body, counts) = micro::mixed(&kinds, &mut rng);
        let took = time(&runner, &micro::looped(4096, &body))?;
        let mut row = vec![0.0; names.len()];
        for (spec, count) in kinds.iter().zip(counts) {
            let class = names.iter().position(|name| **name == format!("{:?}", spec.gas_class)).unwrap_or(0);
            row[class] += count as f64 / took;
        }
        rows.push((row, 1.0));
    }
    for (name, price) in names.iter().zip(nnls::solve(&rows, names.len())) {
        println!("{name:<16} {price:>8.1}");
    }
    println!("\nby memory: a chain of loads, and loads at random\n");
    let gene = |kind, p, q| Gene { kind, parameters: [p, q, 0, 0] };
    for memory in 2..=8 {
        let genome = |genes: Vec<Gene>, unroll| Genome { memory, unroll, shuffle: false, genes };
        let chase = time(&runner, &genome(vec![gene(6, 0, 0)], 8).text())? / 8.0;
        let random = time(&runner, &genome(vec![gene(18, 0, 0)], 8).text())? / 8.0;
        println!("{:>8} KiB {chase:>10.1} {random:>10.1}", 4 << memory);
    }
    println!("\nby pattern\n");
    for (name, genes, unroll, shuffle) in [
        ("random branch forwards", vec![gene(9, 0, 0)], 1, false),
        ("random branch backwards", vec![gene(10, 0, 0)], 1, false),
        ("alternating branch", vec![gene(11, 0, 0)], 4, false),
        ("indirect jump at random, 16 ways", vec![gene(12, 3, 0)], 1, false),
        ("indirect jump, always the same", vec![gene(25, 0, 0)], 8, false),
        ("jump", vec![gene(17, 0, 0)], 16, false),
        ("end of a block", vec![gene(16, 0, 0)], 16, false),
        ("load of a store", vec![gene(19, 0, 0)], 8, false),
        ("load of two stores", vec![gene(13, 0, 0)], 8, false),
        ("jumps, 250 far", vec![gene(17, 0, 0)], 250, true),
        ("jumps, 1000 far", vec![gene(17, 0, 0)], 1000, true),
        ("jumps, 3000 far", vec![gene(17, 0, 0)], 3000, true),
        ("jumps, 6000 far", vec![gene(17, 0, 0)], 6000, true),
    ] {
        let took = time(&runner, &Genome { memory: 0, unroll, shuffle, genes }.text())?;
        println!("{name:<34} {:>8.1}", took / f64::from(unroll));
    }
    Ok(())
}
