//! Benchmark of our linker beside upstream's, on the same ELF files: the size of the blobs, the link time, and how fast
//! the linked programs run on our VM, interpreted and compiled.
//!
//! Run by `make bench-linker`, or, once the programs are built,
//! `cargo bench --manifest-path benches/Cargo.toml --bench linker -- [--rounds N] [PROGRAM]…`.

use anyhow::{Context, Result, anyhow, ensure};
use polkavm_linker::{Config, TargetInstructionSet, program_from_elf};
use pvm_benches::{
    engines::{Compiled, Engine, EngineInstance, Ours},
    measure::{geometric_mean, milliseconds, time},
    programs::{ALL, BenchProgram, CONTRACT, HOST_CALLS, contract_elfs},
    table,
};
use vm_core::gas::CostModelKind;

/// The stack that the programs need, in bytes.
const STACK: u32 = 65536;

/// ELF file of a program.
struct Input {
    name: String,
    elf: Vec<u8>,
    program: Option<&'static BenchProgram>,
}

/// A pair of measurements, ours first.
type Pair = [f64; 2];

fn main() -> Result<()> {
    let (rounds, wanted) = table::arguments(15)?;
    let mut inputs = Vec::new();
    for program in ALL.iter().chain([&HOST_CALLS, &CONTRACT]) {
        inputs.push(Input { name: program.name.to_owned(), elf: program.elf()?, program: Some(program) });
    }
    for (name, elf) in contract_elfs()? {
        inputs.push(Input { name, elf, program: None });
    }
    inputs.retain(|input| wanted.is_empty() || wanted.contains(&input.name));

    println!(
        "Ours beside polkavm-linker 0.37, both stripped and at their highest level; least of {rounds} rounds.\n\
         x: ours divided by theirs, less is better for sizes and link times; for speeds theirs divided by ours.\n"
    );
    println!(
        "| program            |  ELF bytes |   blob |  theirs |     x | link ms | theirs |     x | interpreted ms | theirs |     x | compiled ms | theirs |     x |"
    );
    println!(
        "|:-------------------|-----------:|-------:|--------:|------:|--------:|-------:|------:|---------------:|-------:|------:|------------:|-------:|------:|"
    );
    let engines: [Box<dyn Engine>; 2] = [Box::<Ours>::default(), Box::new(Compiled::new(CostModelKind::Naive)?)];
    let mut ratios: [Vec<f64>; 4] = Default::default();
    for input in &inputs {
        let (blobs, link) = link_both(&input.elf, rounds).with_context(|| input.name.clone())?;
        let sizes = blobs.each_ref().map(|blob| blob.len() as f64);
        print!(
            "| {:<18} | {:>10} | {:>6} | {:>7} | {:>5.3} | {:>7.2} | {:>6.2} | {:>5.2} |",
            input.name,
            input.elf.len(),
            sizes[0],
            sizes[1],
            sizes[0] / sizes[1],
            link[0],
            link[1],
            link[0] / link[1]
        );
        ratios[0].push(sizes[0] / sizes[1]);
        ratios[1].push(link[0] / link[1]);
        for (index, engine) in engines.iter().enumerate() {
            let Some(program) = input.program else {
                print!(" {:>width$} | {:>6} | {:>5} |", "", "", "", width = [14, 11][index]);
                continue;
            };
            let [ours, theirs] = run_both(engine.as_ref(), program, &blobs, rounds)?;
            print!(" {ours:>width$.3} | {theirs:>6.3} | {:>5.3} |", theirs / ours, width = [14, 11][index]);
            // The time of a program that runs for microseconds is mostly that of the call.
            if theirs > 0.05 {
                ratios[2 + index].push(theirs / ours);
            }
        }
        println!();
    }
    let [size, link, interpreted, compiled] = ratios.each_ref().map(|list| geometric_mean(list));
    println!(
        "| geometric mean     | {:>10} | {:>6} | {:>7} | {size:>5.3} | {:>7} | {:>6} | {link:>5.2} | {:>14} | {:>6} | {interpreted:>5.3} | {:>11} | {:>6} | {compiled:>5.3} |",
        "", "", "", "", "", "", "", "", ""
    );
    Ok(())
}

/// Links with both linkers, and returns the blobs and the least times in milliseconds.
fn link_both(elf: &[u8], rounds: u32) -> Result<([Vec<u8>; 2], Pair)> {
    let ours = || {
        let options = pvm_linker::Options { strip: true, min_stack_size: STACK, ..Default::default() };
        pvm_linker::link(elf, &options).map_err(|error| anyhow!("{error}"))
    };
    let theirs = || {
        let mut config = Config::default();
        config.set_strip(true);
        config.set_min_stack_size(STACK);
        program_from_elf(config, TargetInstructionSet::ReviveV1, elf).map_err(|error| anyhow!("{error}"))
    };
    let mut least = [f64::MAX; 2];
    let mut blobs = [ours()?, theirs()?];
    for _ in 0..rounds.min(5) {
        let (duration, blob) = time(ours);
        ensure!(blobs[0] == blob?, "linking twice gave different blobs");
        least[0] = least[0].min(milliseconds(duration));
        let (duration, blob) = time(theirs);
        blobs[1] = blob?;
        least[1] = least[1].min(milliseconds(duration));
    }
    Ok((blobs, least))
}

/// Runs both blobs alternately, checks their results, and returns the least times in milliseconds.
fn run_both(engine: &dyn Engine, program: &BenchProgram, blobs: &[Vec<u8>; 2], rounds: u32) -> Result<Pair> {
    program.initialize_on_host();
    let expected = program.run_on_host();
    let mut machines: Vec<Box<dyn EngineInstance>> = Vec::new();
    for blob in blobs {
        let mut machine = engine.load(blob)?.instantiate()?;
        machine.call("initialize").with_context(|| program.name)?;
        machines.push(machine);
    }
    let mut least = [f64::MAX; 2];
    for _ in 0..rounds {
        for (least, machine) in least.iter_mut().zip(&mut machines) {
            let result = machine.call("run")?;
            ensure!(result == expected, "{}: the program computes {result:#x}, the host {expected:#x}", program.name);
            let (duration, result) = time(|| machine.call("run"));
            result?;
            *least = least.min(milliseconds(duration));
        }
    }
    Ok(least)
}
