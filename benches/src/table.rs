//! The table of running times of all programs on some engines, the first of which is compared with the others.

use crate::{
    engines::{Engine, EngineInstance},
    measure::{geometric_mean, milliseconds, time},
    programs::{ALL, BenchProgram, WorkloadKind},
};
use anyhow::{Context, Result, ensure};

/// Parses the command line `[--rounds N] [PROGRAM]…`, and prints the table.
///
/// # Errors
/// If the command line is wrong; as [`print`].
pub fn of_arguments(engines: &[Box<dyn Engine>]) -> Result<()> {
    let (rounds, wanted) = arguments(7)?;
    print(engines, &wanted, rounds)
}

/// Parses the command line of a bench: `[--rounds N] [NAME]…`; `rounds` is the default.
///
/// # Errors
/// If an argument is unknown, or no valid number follows `--rounds`.
pub fn arguments(rounds: u32) -> Result<(u32, Vec<String>)> {
    let mut rounds = rounds;
    let mut wanted = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo passes this to every benchmark.
            "--bench" => {}
            "--rounds" => rounds = arguments.next().context("--rounds needs a number")?.parse()?,
            _ => wanted.push(argument),
        }
    }
    Ok((rounds, wanted))
}

/// Prints the table of running times.
///
/// # Errors
/// If an engine fails, or its result differs from the host's.
pub fn print(engines: &[Box<dyn Engine>], wanted: &[String], rounds: u32) -> Result<()> {
    println!(
        "Milliseconds a run, the least of {rounds} rounds, gas or fuel metered; x: how many times {}'s.\n",
        engines[0].name()
    );
    let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
    print!("| {:<18} | {:>9} |", "program", "host");
    for (index, name) in names.iter().enumerate() {
        print!(" {name:>9} |");
        if index > 0 {
            print!(" {:>6} |", "x");
        }
    }
    print!("\n|:-------------------|----------:|");
    for index in 0..names.len() {
        print!("----------:|{}", if index > 0 { "-------:|" } else { "" });
    }
    println!();
    for kind in [WorkloadKind::Work, WorkloadKind::Probe] {
        let mut ratios = vec![Vec::new(); engines.len()];
        for program in ALL.iter().filter(|program| program.kind == kind) {
            if !wanted.is_empty() && !wanted.iter().any(|name| name == program.name) {
                continue;
            }
            let times = measure(program, engines, rounds).with_context(|| program.name)?;
            print!("| {:<18} | {:>9.3} | {:>9.3} |", program.name, times[0], times[1]);
            for (time, ratios) in times[2..].iter().zip(&mut ratios[1..]) {
                ratios.push(time / times[1]);
                print!(" {time:>9.3} | {:>6.2} |", time / times[1]);
            }
            println!();
        }
        print!(
            "| {:<18} | {:>9} | {:>9} |",
            format!("geometric mean, {}", if kind == WorkloadKind::Work { "work" } else { "probes" }),
            "",
            ""
        );
        for ratios in &ratios[1..] {
            print!(" {:>9} | {:>6.2} |", "", geometric_mean(ratios));
        }
        println!();
    }
    Ok(())
}

/// Measures the times of the host and of each engine.
fn measure(program: &BenchProgram, engines: &[Box<dyn Engine>], rounds: u32) -> Result<Vec<f64>> {
    program.initialize_on_host();
    let expected = program.run_on_host();
    let mut machines: Vec<Box<dyn EngineInstance>> = Vec::new();
    for engine in engines {
        let mut machine = engine.load(&engine.read(program)?)?.instantiate()?;
        machine.call("initialize").with_context(|| engine.name())?;
        machines.push(machine);
    }
    let mut least = vec![f64::MAX; engines.len() + 1];
    for _ in 0..rounds {
        let (duration, result) = time(|| program.run_on_host());
        ensure!(result == expected, "the host computes {result:#x} and then {expected:#x}");
        least[0] = least[0].min(milliseconds(duration));
        for (index, machine) in machines.iter_mut().enumerate() {
            // A warm-up run, so that caches are warm and a worker in another process is awake.
            machine.call("run").with_context(|| engines[index].name())?;
            let (duration, result) = time(|| machine.call("run"));
            let (name, result) = (engines[index].name(), result.with_context(|| engines[index].name())?);
            ensure!(result == expected, "{name} computes {result:#x}, the host {expected:#x}");
            least[index + 1] = least[index + 1].min(milliseconds(duration));
        }
    }
    Ok(least)
}
