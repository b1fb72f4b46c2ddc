//! Searches for the programs that gas underprices most: those with the most nanoseconds per gas.
//!
//! A genetic search over the patterns of [`pvm_bench_gas::genome`]: the best programs are mutated and crossed, others
//! are random. Every record is measured again before it counts, and written to the corpus. All programs are within the
//! limits of a chain's contract: at most 1 MiB of memory, blocks of at most 1000 instructions.
//!
//!   gas_search [--backend compiled|interpreted] [--model NAME] [--seconds N] [--programs N] [--seed N]
//!              [--memory KIB] [--check]
//!
//! Without a backend or model it searches for each. The seed determines the candidates; the result also depends on the
//! measured times. `--check` measures the corpus instead and reports programs that do worse than the corpus table says.
//! Run: make gas-search

use anyhow::{Context, Result, bail};
use pvm_bench_gas::genome::{Genome, KINDS};
use pvm_bench_gas::run::{BACKENDS, MODELS, Runner};
use pvm_bench_gas::{corpus, median};
use pvm_test_support::Rng;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};
use vm_core::blob::Blob;
use vm_core::gas::CostModelKind;
use vm_core::text::assemble;

/// Programs that survive a generation.
const SURVIVORS: usize = 24;

/// A program and its measurement.
#[derive(Clone)]
struct Candidate {
    genome: Genome,
    /// Nanoseconds per gas.
    price: f64,
    iterations: u64,
}

struct Arguments {
    backend: Option<String>,
    model: Option<String>,
    seconds: u64,
    programs: u64,
    seed: u64,
    /// Maximum memory, in KiB: where other processes use the caches as well, a small working set shows the cost of the
    /// code best.
    memory: u32,
    check: bool,
}

fn main() -> Result<()> {
    let mut arguments =
        Arguments { backend: None, model: None, seconds: 60, programs: u64::MAX, seed: 1, memory: 1024, check: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut next = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--backend" => arguments.backend = Some(next()?),
            "--model" => arguments.model = Some(next()?),
            "--seconds" => arguments.seconds = next()?.parse()?,
            "--programs" => arguments.programs = next()?.parse()?,
            "--seed" => arguments.seed = next()?.parse()?,
            "--memory" => arguments.memory = next()?.parse()?,
            "--check" => arguments.check = true,
            _ => bail!("unknown argument: {word}"),
        }
    }
    fs::create_dir_all(corpus::folder())?;
    if arguments.check {
        return check();
    }
    for (backend, kind) in BACKENDS {
        if arguments.backend.as_ref().is_some_and(|name| name != backend) {
            continue;
        }
        let runner = Runner::new(kind)?;
        for (name, model) in MODELS {
            if arguments.model.as_ref().is_none_or(|wanted| wanted == name) {
                search(&runner, backend, name, model, &arguments)?;
            }
        }
    }
    Ok(())
}

/// Measures a program; returns nanoseconds per gas and the number of iterations, or `None` if no contract could be like
/// it.
fn measure(runner: &Runner, genome: &Genome, model: CostModelKind, rounds: u32) -> Result<Option<(f64, u64)>> {
    let text = genome.text();
    let blob = assemble(&text).with_context(|| text.clone())?;
    let parsed = Blob::parse(&blob)?;
    if vm_core::limits::check(&parsed).is_err() {
        return Ok(None);
    }
    let mut loaded = runner.load(&blob, model).with_context(|| text.clone())?;
    // A program that overwrites its own cycle of offsets may trap.
    let mut iterations = 16;
    loop {
        let Ok((took, _)) = loaded.measure(iterations, 2) else { return Ok(None) };
        // Passing control to the worker takes some microseconds, which should be negligible.
        if took >= 1_000_000.0 || iterations >= 1 << 20 {
            break;
        }
        iterations *= ((1_000_000.0 / took) as u64 + 1).clamp(2, 8);
    }
    let Ok((took, gas)) = loaded.measure(iterations, rounds) else { return Ok(None) };
    Ok(Some((took / gas.max(1) as f64, iterations)))
}

fn search(runner: &Runner, backend: &str, name: &str, model: CostModelKind, arguments: &Arguments) -> Result<()> {
    let mut rng = Rng::new(arguments.seed);
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut alive: Vec<Candidate> = Vec::new();
    let (mut tried, mut all, mut record) = (0, Vec::new(), 0.0);
    // The first generation has each pattern alone, at both ends of the range of memory.
    let mut first: Vec<(u8, u8)> = (0..KINDS.len() as u8).flat_map(|kind| [(kind, 0), (kind, 8), (kind, 4)]).collect();
    while Instant::now() < end && tried < arguments.programs {
        let mut genome = match (first.pop(), alive.len()) {
            (Some((kind, memory)), _) => Genome::of_kind(kind, memory, &mut rng),
            (None, 0..2) => Genome::random(&mut rng),
            (None, count) => {
                // The better ones are selected more often.
                let mut parent = || alive[rng.index(count).min(rng.index(count))].genome.clone();
                let (mut child, other) = (parent(), parent());
                match rng.index(10) {
                    0 => Genome::random(&mut rng),
                    1..5 => child.cross(&other, &mut rng),
                    _ => {
                        child.mutate(&mut rng);
                        child
                    }
                }
            }
        };
        tried += 1;
        while genome.memory > 0 && genome.bytes() > arguments.memory << 10 {
            genome.memory -= 1;
        }
        if genome.genes.is_empty() {
            continue;
        }
        let Some((mut price, mut iterations)) = measure(runner, &genome, model, 3)? else { continue };
        all.push(price);
        let worst = alive.get(SURVIVORS - 1).map_or(0.0, |last| last.price);
        if price <= worst {
            continue;
        }
        // Other processes run on this machine too: a record has to be slow whenever it is measured.
        let Some((again, longer)) = measure(runner, &genome, model, 25)? else { continue };
        (price, iterations) = (price.min(again), iterations.max(longer));
        if price <= worst {
            continue;
        }
        let at = alive.partition_point(|other| other.price > price);
        alive.insert(at, Candidate { genome, price, iterations });
        alive.truncate(SURVIVORS);
        if price > record * 1.02 {
            record = price;
            println!("{backend} {name}: {price:.5} ns per gas, {tried} programs, median {:.5}", median(&all));
        }
    }
    if let Some(best) = alive.first() {
        println!(
            "{backend} {name}: worst {:.5} of {tried} programs, worst / median of them {:.2}",
            best.price,
            best.price / median(&all)
        );
        keep(backend, name, model, runner, &alive, arguments, tried)?;
    }
    Ok(())
}

/// Writes the worst programs to the corpus, without those that are similar to a worse one.
fn keep(
    backend: &str,
    name: &str,
    model: CostModelKind,
    runner: &Runner,
    alive: &[Candidate],
    arguments: &Arguments,
    tried: u64,
) -> Result<()> {
    let mut seen: Vec<u8> = Vec::new();
    let mut number = 0;
    for candidate in alive {
        let mut counts = [0; KINDS.len()];
        candidate.genome.genes.iter().for_each(|gene| counts[usize::from(gene.kind) % KINDS.len()] += 1);
        let main = (0..KINDS.len()).max_by_key(|kind| counts[*kind]).unwrap_or(0) as u8;
        if seen.contains(&main) || number == 4 {
            continue;
        }
        let Some((price, _)) = measure(runner, &candidate.genome, model, 40)? else { continue };
        seen.push(main);
        number += 1;
        let file = format!("{backend}-{name}-{}K-{}-{number}", arguments.memory, arguments.seed);
        let genes: Vec<String> = (0..KINDS.len())
            .filter(|kind| counts[*kind] > 0)
            .map(|kind| format!("{} x {}", counts[kind], KINDS[kind]))
            .collect();
        let Genome { unroll, shuffle, .. } = candidate.genome;
        let mut text = String::new();
        let _ = writeln!(
            text,
            "; Found by gas_search --backend {backend} --model {name} --memory {} --seed {}, {tried} programs.",
            arguments.memory, arguments.seed
        );
        let _ = writeln!(
            text,
            "; {}; unrolled {unroll} times{}.",
            genes.join(", "),
            if shuffle { ", in random order" } else { "" }
        );
        let _ = writeln!(text, "; ns_per_gas {backend} {name} {price:.5}");
        let _ = writeln!(text, "; iterations {}", candidate.iterations);
        // One iteration's genes are enough for a reader; the file has the unrolled program, as it has to run.
        text += &candidate.genome.text();
        if text.len() > 64_000 {
            println!("{file} is {} bytes of text and is not kept", text.len());
            continue;
        }
        fs::write(corpus::folder().join(format!("{file}.txt")), text)?;
    }
    table()
}

/// Writes the table of the corpus: the measurement of each program when it was found.
fn table() -> Result<()> {
    let mut table = String::from(
        "# Programs that gas prices badly\n\nFound by `make gas-search`; each is assembly text. The figures are of the day each was found, in nanoseconds per gas of\n\
         the backend and model that it was searched for; `gas_search --check` measures them again.\n\n| program | backend | model | ns per gas | what it is |\n|:--|:--|:--|--:|:--|\n",
    );
    for (name, text) in texts()? {
        let lines: Vec<&str> = text.lines().take(6).collect();
        let what = lines.get(1).map_or("", |line| line.trim_start_matches("; "));
        if let Some((backend, model, price)) = figure(&text) {
            let _ = writeln!(table, "| `{name}` | {backend} | {model} | {price:.5} | {what} |");
        }
    }
    fs::write(corpus::folder().join("README.md"), table)?;
    Ok(())
}

fn texts() -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(corpus::folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            texts.push((name, fs::read_to_string(&path)?));
        }
    }
    texts.sort();
    Ok(texts)
}

/// Parses the measurement that a corpus file states: backend, model, nanoseconds per gas.
fn figure(text: &str) -> Option<(String, String, f64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("; ns_per_gas "))?;
    let mut words = line.split_whitespace();
    Some((words.next()?.into(), words.next()?.into(), words.next()?.parse().ok()?))
}

/// Measures the corpus again, and compares with the stated measurements.
fn check() -> Result<()> {
    let programs = corpus::read()?;
    println!("| {:<32} | {:>9} | {:>9} | {:>6} |", "program", "ns/gas", "was", "x");
    for (backend, kind) in BACKENDS {
        let runner = Runner::new(kind)?;
        for ((name, text), program) in texts()?.into_iter().zip(&programs) {
            let Some((of, model, was)) = figure(&text) else { continue };
            let Some((_, model)) = MODELS.into_iter().find(|(name, _)| *name == model) else { continue };
            if of != backend {
                continue;
            }
            let mut loaded = runner.load(&program.blob, model)?;
            let (took, gas) = loaded.measure(program.iterations, 25)?;
            let now = took / gas.max(1) as f64;
            println!("| {name:<32} | {now:>9.5} | {was:>9.5} | {:>6.2} |", now / was);
        }
    }
    Ok(())
}
