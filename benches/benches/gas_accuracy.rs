//! Gas accuracy: nanoseconds per gas of programs that stress one thing each, under every cost model.
//!
//! A perfect model would give every program the same number. The spread says how far off it is: the worst program's number
//! over the median one's, and over the best one's. Run by `make bench-gas`. Another backend is one more row in
//! [`BACKENDS`].

use anyhow::{Context, Result, ensure};
use pvm_benches::{
    engines::{Compiled, Engine, Ours},
    measure::{median, time},
    programs::ALL,
};
use vm_core::gas::{CostModelKind, MemoryLatency};

const ROUNDS: u32 = 5;

/// Makes an engine with a cost model.
type MakeEngine = fn(CostModelKind) -> Result<Box<dyn Engine>>;

/// The backends, by name.
const BACKENDS: [(&str, MakeEngine); 2] = [
    ("interpreter", |model| Ok(Box::new(Ours::with_cost_model(model)))),
    ("compiler", |model| Ok(Box::new(Compiled::new(model)?))),
];

const MODELS: [(&str, CostModelKind); 4] = [
    ("naive", CostModelKind::Naive),
    ("pipeline L1", CostModelKind::Pipeline(MemoryLatency::L1)),
    ("pipeline L2", CostModelKind::Pipeline(MemoryLatency::L2)),
    ("pipeline L3", CostModelKind::Pipeline(MemoryLatency::L3)),
];

fn main() -> Result<()> {
    for (backend, make) in BACKENDS {
        println!("{backend}: nanoseconds per gas, the least of {ROUNDS} rounds\n");
        print!("| {:<18} | {:>9} |", "program", "ms");
        MODELS.iter().for_each(|(name, _)| print!(" {name:>11} |"));
        print!("\n|:-------------------|----------:|");
        MODELS.iter().for_each(|_| print!("------------:|"));
        println!();
        let mut columns = vec![Vec::new(); MODELS.len()];
        for program in ALL {
            let mut least = f64::MAX;
            let mut gas = Vec::new();
            let mut results = Vec::new();
            for (_, model) in MODELS {
                let engine = make(model)?;
                let mut machine = engine.load(&engine.read(program)?)?.instantiate()?;
                machine.call("initialize").context(program.name)?;
                for _ in 0..ROUNDS {
                    let (duration, result) = time(|| machine.call("run"));
                    results.push(result.context(program.name)?);
                    // What gas costs does not change the time: it is one subtraction a block, whatever the number.
                    least = least.min(duration.as_secs_f64() * 1e9);
                }
                gas.push(machine.gas_used());
            }
            ensure!(results.windows(2).all(|pair| pair[0] == pair[1]), "{} has several results", program.name);
            print!("| {:<18} | {:>9.3} |", program.name, least / 1e6);
            for (gas, column) in gas.iter().zip(&mut columns) {
                let each = least / *gas as f64;
                column.push(each);
                print!(" {each:>11.3} |");
            }
            println!();
        }
        let most = |column: &Vec<f64>| column.iter().copied().fold(0.0, f64::max);
        let least = |column: &Vec<f64>| column.iter().copied().fold(f64::MAX, f64::min);
        summary("median", &columns, |column| median(column));
        summary("max / median", &columns, |column| most(column) / median(column));
        summary("max / min", &columns, |column| most(column) / least(column));
        println!();
    }
    Ok(())
}

fn summary(name: &str, columns: &[Vec<f64>], of: impl Fn(&Vec<f64>) -> f64) {
    print!("| {name:<18} | {:>9} |", "");
    columns.iter().for_each(|column| print!(" {:>11.3} |", of(column)));
    println!();
}
