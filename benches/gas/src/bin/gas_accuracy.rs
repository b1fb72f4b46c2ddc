//! Accuracy of gas as a prediction of time: nanoseconds per gas of the benchmark programs, of three strides at equal
//! working sets, and of the corpus of mispriced programs, under every cost model.
//!
//! A perfect model would give every program the same number. The spread is the model's error: the worst program's
//! number over the median, and over the best one's. `--svg FILE` draws it. Run: make bench-gas

use anyhow::{Context, Result, ensure};
use pvm_bench_gas::run::{BACKENDS, MODELS, Runner};
use pvm_bench_gas::{benches_folder, corpus, median, svg};
use std::fs;

/// A program to measure.
struct MeasuredProgram {
    name: String,
    blob: Vec<u8>,
    /// Argument of the export `run`.
    argument: u64,
    group: Group,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// A benchmark program whose memory is within a contract's limits.
    Bench,
    /// A benchmark program that needs more memory.
    Large,
    /// A loop with one stride and working set.
    Stride,
    /// A program that the search found.
    Found,
}

/// A table row: nanoseconds, and gas by model.
struct Row {
    name: String,
    group: Group,
    nanoseconds: f64,
    gas: Vec<u64>,
}

/// Filter of the rows in a summary.
type Belongs = fn(&Row) -> bool;

const ROUNDS: u32 = 15;

fn main() -> Result<()> {
    let (mut svg_file, mut wanted, mut rounds) = (None, Vec::new(), ROUNDS);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--svg" => svg_file = Some(arguments.next().context("--svg needs a file")?),
            "--rounds" => rounds = arguments.next().context("--rounds needs a number")?.parse()?,
            _ => wanted.push(argument),
        }
    }
    let mut programs = programs()?;
    if !wanted.is_empty() {
        programs.retain(|program| wanted.iter().any(|name| program.name.contains(name.as_str())));
    }
    for (backend, kind) in BACKENDS {
        let runner = Runner::new(kind)?;
        println!("{backend}: nanoseconds per gas, the lower quartile of {rounds} rounds\n");
        print!("| {:<28} | {:>9} |", "program", "ms");
        MODELS.iter().for_each(|(name, _)| print!(" {name:>11} |"));
        print!("\n|:-----------------------------|----------:|");
        MODELS.iter().for_each(|_| print!("------------:|"));
        println!();
        let mut rows = Vec::new();
        for program in &programs {
            let row = measure(&runner, program, rounds).with_context(|| program.name.clone())?;
            print!("| {:<28} | {:>9.3} |", row.name, row.nanoseconds / 1e6);
            row.gas.iter().for_each(|gas| print!(" {:>11.4} |", row.nanoseconds / *gas as f64));
            println!();
            rows.push(row);
        }
        let groups: [(&str, Belongs); 5] = [
            ("bench, found in 16 KiB", |row| row.group == Group::Bench || row.name.contains("-16K-")),
            ("bench, within limits", |row| row.group == Group::Bench),
            ("bench and strides", |row| matches!(row.group, Group::Bench | Group::Stride)),
            ("all within limits", |row| row.group != Group::Large),
            ("all", |_| true),
        ];
        for (name, belongs) in groups {
            let columns: Vec<Vec<f64>> = (0..MODELS.len())
                .map(|model| {
                    rows.iter().filter(|row| belongs(row)).map(|row| row.nanoseconds / row.gas[model] as f64).collect()
                })
                .collect();
            summary(&format!("{name}: median"), &columns, median);
            summary(&format!("{name}: worst"), &columns, most);
            summary("   worst / median", &columns, |column| most(column) / median(column));
            summary("   worst / least", &columns, |column| most(column) / least(column));
        }
        for size in SIZES {
            let strides: Vec<&Row> = rows
                .iter()
                .filter(|row| row.group == Group::Stride && row.name.ends_with(&format!(" {size}K")))
                .collect();
            let columns: Vec<Vec<f64>> = (0..MODELS.len())
                .map(|model| strides.iter().map(|row| row.nanoseconds / row.gas[model] as f64).collect())
                .collect();
            summary(&format!("strides {size}K: worst / least"), &columns, |column| most(column) / least(column));
        }
        println!();
        if let (Some(file), "compiled") = (&svg_file, backend) {
            let columns: Vec<(String, Vec<svg::Dot>)> = MODELS
                .iter()
                .enumerate()
                .map(|(model, (name, _))| {
                    let each = |row: &Row| row.nanoseconds / row.gas[model] as f64;
                    let within: Vec<&Row> = rows.iter().filter(|row| row.group != Group::Large).collect();
                    let middle = median(&within.iter().map(|row| each(row)).collect::<Vec<_>>());
                    ((*name).to_string(), within.iter().map(|row| (row.name.clone(), each(row) / middle)).collect())
                })
                .collect();
            fs::write(file, svg::draw("How well gas predicts the time of compiled code", &columns))?;
        }
    }
    Ok(())
}

fn most(column: &[f64]) -> f64 {
    column.iter().copied().fold(0.0, f64::max)
}

fn least(column: &[f64]) -> f64 {
    column.iter().copied().fold(f64::MAX, f64::min)
}

fn measure(runner: &Runner, program: &MeasuredProgram, rounds: u32) -> Result<Row> {
    let (mut nanoseconds, mut gas, mut results) = (f64::MAX, Vec::new(), Vec::new());
    for (index, (_, model)) in MODELS.into_iter().enumerate() {
        let mut loaded = runner.load(&program.blob, model)?;
        // Only the calibrated model, which is last, changes the machine code: its time is the one that counts.
        if index + 1 == MODELS.len() {
            let (least, used) = loaded.measure(program.argument, rounds)?;
            nanoseconds = nanoseconds.min(least);
            gas.push(used);
            results.push(loaded.call("run", program.argument)?.0);
        } else {
            loaded.call("run", program.argument)?;
            let (_, used) = loaded.call("run", program.argument)?;
            gas.push(used);
            results.push(loaded.call("run", program.argument)?.0);
        }
    }
    ensure!(results.windows(2).all(|pair| pair[0] == pair[1]), "it has several results: {results:x?}");
    Ok(Row { name: program.name.clone(), group: program.group, nanoseconds, gas })
}

/// Sizes of the strides' working sets, in KiB.
const SIZES: [u32; 3] = [32, 256, 1024];

fn programs() -> Result<Vec<MeasuredProgram>> {
    let mut programs = Vec::new();
    let folder = benches_folder().join("../out/bench");
    let names = [
        "sieve",
        "sha256",
        "keccak",
        "ed25519",
        "byte_loops",
        "library_calls",
        "small_copies",
        "evm",
        "emulator",
        "division",
        "branches",
        "calls",
    ];
    let large = ["stride_sequential", "stride_large", "stride_small", "pointer_chase"];
    for (name, group) in
        names.iter().map(|name| (*name, Group::Bench)).chain(large.iter().map(|name| (*name, Group::Large)))
    {
        let path = folder.join(format!("{name}.polkavm"));
        let blob =
            fs::read(&path).with_context(|| format!("cannot read {} (run scripts/build-bench)", path.display()))?;
        programs.push(MeasuredProgram { name: name.into(), blob, argument: 0, group });
    }
    for size in SIZES {
        for (name, stride) in [("sequential", 1), ("small", 5), ("large", 4099)] {
            let text = stride_text(size << 10, stride);
            let blob = vm_core::text::assemble(&text).with_context(|| text.clone())?;
            programs.push(MeasuredProgram {
                name: format!("stride {name} {size}K"),
                blob,
                argument: 1 << 18,
                group: Group::Stride,
            });
        }
    }
    for found in corpus::read()? {
        programs.push(MeasuredProgram {
            name: found.name,
            blob: found.blob,
            argument: found.iterations,
            group: Group::Found,
        });
    }
    Ok(programs)
}

/// A loop that reads an element of four bytes in each iteration, `stride` elements apart, around a buffer.
fn stride_text(bytes: u32, stride: u32) -> String {
    format!(
        ".isa ReviveV1\n.rw_size {bytes}\n.export \"run\" run\nrun:\n load_imm s0, 0x20000\n load_imm a1, 0\n load_imm a2, 0\n \
         fallthrough\nagain:\n add_64 a3, s0, a1\n load_indirect_u32 a3, a3, 0\n add_64 a2, a2, a3\n add_imm_64 a1, a1, {}\n \
         and_imm a1, a1, {}\n add_imm_64 a0, a0, -1\n branch_not_eq_imm a0, 0, again\n move_reg a0, a2\n jump_indirect ra, 0\n",
        4 * stride,
        bytes - 4
    )
}

fn summary(name: &str, columns: &[Vec<f64>], of: impl Fn(&[f64]) -> f64) {
    print!("| {name:<28} | {:>9} |", "");
    columns.iter().for_each(|column| print!(" {:>11.4} |", of(column)));
    println!();
}
