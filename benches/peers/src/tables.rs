//! The tables of times.

use crate::engines::{Compiler, Sbpf, Wasmtime};
use anyhow::{Context, Result, ensure};
use pvm_benches::engines::{Compiled, Engine, EngineInstance, Module, Ours, Polkavm, Wasmi};
use pvm_benches::measure::{geometric_mean, time};
use pvm_benches::programs::{ALL, BenchProgram, CONTRACT, HOST_CALL_COUNT, HOST_CALLS, HOST_MEMORY, WorkloadKind};
use std::time::Duration;
use vm_core::gas::Metering;

type Engines = Vec<Box<dyn Engine>>;

/// Number of runs in `run_ten`, as a float.
const TEN: f64 = 10.0;

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Prints a table row; the first cell is wide.
fn row(cells: impl IntoIterator<Item = String>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index == 0 { print!("| {cell:<23} |") } else { print!(" {cell:>11} |") }
    }
    println!();
}

fn head(first: &str, names: &[&str]) {
    row(std::iter::once(first.to_owned()).chain(names.iter().map(|name| (*name).to_owned())));
    println!("|:------------------------|{}", "------------:|".repeat(names.len()));
}

/// Prints the geometric mean of each column's ratios to the first column, over the rows that have both.
fn means(name: &str, rows: &[Vec<Option<f64>>], of: usize) {
    let columns = rows.first().map_or(0, Vec::len);
    row(std::iter::once(name.to_owned()).chain((0..columns).map(|column| {
        let ratios: Vec<f64> = rows.iter().filter_map(|row| Some((*row.get(column)?)? / (*row.get(of)?)?)).collect();
        if ratios.is_empty() { String::new() } else { format!("{:.2}x", geometric_mean(&ratios)) }
    })));
}

fn cell(number: Option<f64>) -> String {
    number.map_or(String::new(), |number| if number < 10.0 { format!("{number:.3}") } else { format!("{number:.1}") })
}

/// Measures a program's running time on the host and on each engine, in milliseconds; `None` where it was not built for
/// the engine.
fn run(program: &BenchProgram, engines: &Engines) -> Result<Vec<Option<f64>>> {
    const ROUNDS: u32 = 7;
    program.initialize_on_host();
    let expected = program.run_on_host();
    let mut machines: Vec<Option<Box<dyn EngineInstance>>> = Vec::new();
    for engine in engines {
        if !engine.takes(program) {
            machines.push(None);
            continue;
        }
        let mut machine = engine.load(&engine.read(program)?)?.instantiate()?;
        machine.call("initialize").with_context(|| engine.name())?;
        machines.push(Some(machine));
    }
    let mut least = vec![f64::MAX; engines.len() + 1];
    for _ in 0..ROUNDS {
        let (duration, _) =
            time(|| (0..10).map(|_| std::hint::black_box(program.run_on_host())).fold(0, |_, last| last));
        least[0] = least[0].min(microseconds(duration));
        for (index, machine) in machines.iter_mut().enumerate() {
            let Some(machine) = machine else { continue };
            let (duration, result) = time(|| machine.call("run_ten"));
            let (name, result) = (engines[index].name(), result.with_context(|| engines[index].name())?);
            ensure!(result == expected, "{name} computes {result:#x}, the host {expected:#x}");
            least[index + 1] = least[index + 1].min(microseconds(duration));
        }
    }
    Ok(least.into_iter().map(|time| (time < f64::MAX).then_some(time / 1e3 / TEN)).collect())
}

/// Measures the running time of programs.
pub fn running() -> Result<()> {
    let engines: Engines = vec![
        Box::new(Compiled::metered(Metering::Sync)?),
        Box::new(Compiled::metered(Metering::Async)?),
        Box::new(Compiled::metered(Metering::Off)?),
        Box::new(Polkavm::recompiler()?),
        Box::new(Polkavm::async_recompiler()?),
        Box::new(Polkavm::unmetered_recompiler()?),
        Box::new(Wasmtime::new(Compiler::Cranelift)?),
        Box::new(Wasmtime::new(Compiler::CraneliftFuel)?),
        Box::new(Wasmtime::new(Compiler::Winch)?),
        Box::new(Wasmtime::new(Compiler::WinchFuel)?),
        Box::new(Sbpf),
        Box::new(Wasmi::default()),
    ];
    println!("### Running: milliseconds a run, ten runs a call, the least of 7\n");
    println!(
        "*Ours* and *polkavm* have synchronous gas, sbpf its instruction meter and wasmi fuel. Means are over the programs that the"
    );
    println!("engine has.\n");
    let names: Vec<_> = std::iter::once("host").chain(engines.iter().map(|engine| engine.name())).collect();
    head("program", &names);
    for (kind, name) in
        [(WorkloadKind::Work, "mean of work, to ours"), (WorkloadKind::Probe, "mean of probes, to ours")]
    {
        let mut rows = Vec::new();
        for program in ALL.iter().filter(|program| program.kind == kind) {
            let times = run(program, &engines).context(program.name)?;
            row(std::iter::once(program.name.to_owned()).chain(times.iter().copied().map(cell)));
            rows.push(times);
        }
        means(name, &rows, 1);
    }
    println!();
    Ok(())
}

/// Measures compile times and code sizes.
pub fn compiling() -> Result<()> {
    let engines: Engines = vec![
        Box::new(Compiled::metered(Metering::Sync)?),
        Box::new(Compiled::metered(Metering::Off)?),
        Box::new(Polkavm::recompiler()?),
        Box::new(Polkavm::unmetered_recompiler()?),
        Box::new(Wasmtime::new(Compiler::Cranelift)?),
        Box::new(Wasmtime::new(Compiler::Winch)?),
        Box::new(Sbpf),
        Box::new(Wasmi::default()),
    ];
    println!(
        "### Compiling: microseconds from the bytes to a module, the least of 10 to 100; in brackets bytes of machine code\n"
    );
    println!("wasmi makes no machine code, but code of its own.\n");
    let names: Vec<_> = ["riscv bytes", "wasm bytes"].into_iter().chain(engines.iter().map(|e| e.name())).collect();
    head("program", &names);
    let mut rows = Vec::new();
    for kind in [Some(WorkloadKind::Work), Some(WorkloadKind::Probe), None] {
        let programs: Vec<_> = match kind {
            Some(kind) => ALL.iter().filter(|program| program.kind == kind).collect(),
            None => vec![&CONTRACT],
        };
        for program in &programs {
            let compiled = compile(program, &engines).context(program.name)?;
            let lengths = [program.blob()?, program.wasm()?].map(|bytes| bytes.len().to_string());
            let cells = compiled.iter().map(|compiled| match compiled {
                Some((time, Some(length))) => format!("{} ({length})", cell(Some(*time))),
                Some((time, None)) => cell(Some(*time)),
                None => String::new(),
            });
            row([program.name.to_owned()].into_iter().chain(lengths).chain(cells));
            let times = compiled.iter().map(|compiled| compiled.map(|(time, _)| time));
            rows.push([None, None].into_iter().chain(times).collect::<Vec<_>>());
        }
        match kind {
            Some(WorkloadKind::Work) => means("mean of work, to ours", &rows, 2),
            Some(WorkloadKind::Probe) => means("mean of all, to ours", &rows, 2),
            None => means("contract, to ours", &rows[rows.len() - 1..], 2),
        }
    }
    println!();
    Ok(())
}

/// Compile time in microseconds, and bytes of machine code for engines that emit it.
type CompiledIn = (f64, Option<usize>);

/// Compile time and code size of a program on each engine; `None` where it was not built for the engine.
fn compile(program: &BenchProgram, engines: &Engines) -> Result<Vec<Option<CompiledIn>>> {
    let mut inputs = Vec::new();
    for engine in engines {
        inputs.push(if engine.takes(program) { Some(engine.read(program)?) } else { None });
    }
    let mut results = vec![None; engines.len()];
    for round in 0..100 {
        for ((engine, input), result) in engines.iter().zip(&inputs).zip(&mut results) {
            let (Some(input), (least, _)) = (input, result.unwrap_or((f64::MAX, None))) else { continue };
            // Some engines take a thousand times as long as others.
            if round >= 10 && least > 1000.0 {
                continue;
            }
            let (duration, module) = time(|| engine.load(input));
            let length = module.with_context(|| engine.name())?.code_length();
            *result = Some((least.min(microseconds(duration)), length));
        }
    }
    Ok(results)
}

/// Measures loading a large contract and one short call, from bytes to result.
pub fn once() -> Result<()> {
    const ROUNDS: u32 = 30;
    let engines: Engines = vec![
        Box::new(Ours::default()),
        Box::new(Compiled::metered(Metering::Sync)?),
        Box::new(Polkavm::new()?),
        Box::new(Polkavm::recompiler()?),
        Box::new(Wasmi::default()),
        Box::new(Wasmi::lazy()),
        Box::new(Wasmtime::new(Compiler::Cranelift)?),
        Box::new(Wasmtime::new(Compiler::Winch)?),
    ];
    println!(
        "### Once: a contract of 120 KB loaded, instantiated, called once and dropped; microseconds, the least of {ROUNDS}\n"
    );
    println!("The first two are ours, interpreted and compiled; the next two polkavm's.\n");
    head("", &engines.iter().map(|engine| engine.name()).collect::<Vec<_>>());
    let expected = CONTRACT.run_on_host();
    let mut least = vec![Duration::MAX; engines.len()];
    for _ in 0..ROUNDS {
        for (engine, least) in engines.iter().zip(&mut least) {
            let bytes = engine.read(&CONTRACT)?;
            let (duration, result) = time(|| engine.load(&bytes)?.instantiate()?.call("run"));
            ensure!(result.with_context(|| engine.name())? == expected, "{} computes something else", engine.name());
            *least = duration.min(*least);
        }
    }
    let times: Vec<_> = least.iter().map(|time| Some(microseconds(*time))).collect();
    row([String::new()].into_iter().chain(times.iter().copied().map(cell)));
    means("to ours, interpreted", &[times], 0);
    println!();
    Ok(())
}

/// Measures instantiating, calling an empty function and dropping the instance.
pub fn instances() -> Result<()> {
    println!("### Instances: made, an empty function called, dropped; microseconds, the least and the median\n");
    println!(
        "*pooled*: in a process that waited (polkavm and ours), in memory that waited (wasmtime); else made anew.\n"
    );
    head("", &["ours", "polkavm", "cranelift"]);
    let kinds: [(&str, u32, Engines); 2] = [
        (
            "pooled",
            500,
            vec![
                Box::new(Compiled::metered(Metering::Sync)?),
                Box::new(Polkavm::recompiler()?),
                Box::new(Wasmtime::pooled(Compiler::Cranelift)?),
            ],
        ),
        (
            "new",
            // Polkavm's recompiler takes a tenth of a second per instance.
            15,
            vec![
                Box::new(Compiled::unpooled()?),
                Box::new(Polkavm::unpooled()?),
                Box::new(Wasmtime::new(Compiler::Cranelift)?),
            ],
        ),
    ];
    for (name, rounds, engines) in kinds {
        let modules: Vec<Box<dyn Module>> =
            engines.iter().map(|engine| engine.load(&engine.read(&HOST_CALLS)?)).collect::<Result<_>>()?;
        let mut times = vec![Vec::new(); modules.len()];
        // One engine after the other, as each would be used alone.
        for (module, times) in modules.iter().zip(&mut times) {
            for _ in 0..rounds {
                let (duration, result) = time(|| module.instantiate()?.call("initialize"));
                result?;
                times.push(duration);
            }
        }
        times.iter_mut().for_each(|times| times.sort());
        row([name.to_owned()].into_iter().chain(times.iter().map(|times| {
            let middle = times.get(times.len() / 2).copied().unwrap_or_default();
            let least = times.first().copied().unwrap_or_default();
            format!("{:.1} ({:.1})", microseconds(least), microseconds(middle))
        })));
    }
    println!();
    Ok(())
}

/// Measures the round trip of a host call.
pub fn host_calls() -> Result<()> {
    let engines: Engines = vec![
        Box::new(Compiled::metered(Metering::Sync)?),
        Box::new(Polkavm::recompiler()?),
        Box::new(Wasmtime::new(Compiler::Cranelift)?),
        Box::new(Ours::default()),
        Box::new(Wasmi::default()),
    ];
    println!("### Host calls: nanoseconds out and back, the least of up to 300 runs of {HOST_CALL_COUNT}\n");
    println!("The first two cross to another process, the others do not.\n");
    head("", &engines.iter().map(|engine| engine.name()).collect::<Vec<_>>());
    for (name, program) in [("nothing", &HOST_CALLS), ("128 bytes in, 8 out", &HOST_MEMORY)] {
        row([name.to_owned()].into_iter().chain(host_call_times(&engines, program)?.into_iter().map(cell)));
    }
    println!();
    Ok(())
}

/// Measures a program of host calls on each engine; returns the nanoseconds of one.
fn host_call_times(engines: &Engines, program: &BenchProgram) -> Result<Vec<Option<f64>>> {
    let expected = program.run_on_host();
    let mut machines = Vec::new();
    for engine in engines {
        machines.push(engine.load(&engine.read(program)?)?.instantiate()?);
    }
    let mut least = vec![Duration::MAX; engines.len()];
    let mut spent = vec![Duration::ZERO; engines.len()];
    for _ in 0..300 {
        for (index, machine) in machines.iter_mut().enumerate() {
            // An engine that waits by spinning takes milliseconds per call when the other side needs the processor.
            if spent[index] < Duration::from_secs(3) {
                let (duration, result) = time(|| machine.call("run"));
                ensure!(result? == expected, "something else was computed");
                least[index] = duration.min(least[index]);
                spent[index] += duration;
            }
        }
    }
    Ok(least.iter().map(|time| Some(time.as_secs_f64() * 1e9 / HOST_CALL_COUNT as f64)).collect())
}
