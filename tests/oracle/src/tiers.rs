//! Short programs that start on the interpreter and move to compiled code, once for every block boundary that a run
//! crosses. Each run must end as on the interpreter, with the same stops.

use crate::compare::Scenario;
use crate::engines::{program_config, regions};
use crate::generate::scenario;
use crate::hash;
use crate::interface::Metering;
use crate::pair::{ArchitecturalState, Failure};
use pvm_engine::{Backend, Config, Engine, Error, Module, Outcome, ProgramBlob, RawInstance, Reg, Sandbox};
use pvm_test_support::Rng;
use vm_core::interpreter::Instance;

/// Gas of a run, and maximum number of its host calls.
const GAS: i64 = 400;
const STOPS: usize = 12;

/// Counts of what was compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Programs that ran.
    pub programs: u64,
    /// Moves from the interpreter to compiled code.
    pub moves: u64,
    /// Stops of compiled code after a move.
    pub stops: u64,
    /// Moves after which memory differed from its initial contents.
    pub with_memory: u64,
}

/// A stop.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stop {
    outcome: Outcome,
    state: ArchitecturalState,
    memory: u64,
}

/// Observes a stop; both engines have the same methods.
macro_rules! observe {
    ($machine:expr, $program:expr, $outcome:expr) => {{
        let regions = regions($program, $machine.heap_size());
        Stop {
            outcome: $outcome,
            state: ArchitecturalState {
                pc: $machine.pc(),
                next_pc: $machine.next_pc(),
                registers: Reg::ALL.map(|reg| $machine.reg(reg)),
                gas: $machine.gas(),
                heap_size: $machine.heap_size(),
            },
            memory: hash::memory(&regions, |address, part| $machine.read_memory(address, part).is_ok()),
        }
    }};
}

/// The test's host: returns a result, and a write to an address at which the guest may have memory.
fn serve(number: u32, stop: usize, rng_seed: u64) -> (u64, u32, Vec<u8>) {
    let rng = &mut Rng::new(rng_seed ^ stop as u64);
    let length = rng.below(40);
    (rng.value() ^ u64::from(number), rng.address(), rng.bytes(length as usize))
}

/// Makes an engine that compiles.
///
/// # Errors
/// If programs cannot be compiled on this machine.
pub fn compiler() -> Result<Engine, Error> {
    Engine::new(Config::new().set_sandbox(Sandbox::BestEffort).set_backend(Backend::Jit))
}

/// Runs the program of this seed with a move at every block boundary; does nothing if it is refused.
///
/// # Errors
/// The first difference.
pub fn compare(engine: &Engine, seed: u64, tally: &mut Tally) -> Result<(), Failure> {
    let mut scenario = scenario(seed);
    scenario.config.single_step = false;
    scenario.config.metering = Metering::Sync;
    let load = || -> Result<Module, String> {
        let blob = ProgramBlob::parse(&scenario.blob).map_err(|error| error.to_string())?;
        Module::new(engine, &program_config(&scenario.config)?, &blob).map_err(|error| error.to_string())
    };
    let Ok(module) = load() else { return Ok(()) };
    let expected = interpreted(&module, &scenario);
    // A heap of gigabytes takes long to hash.
    if expected.iter().any(|stop| stop.state.heap_size > 1 << 20) {
        return Ok(());
    }
    let used = GAS - expected.last().map_or(GAS, |stop| stop.state.gas);
    let mut borders = Vec::new();
    for first in 0..=used {
        let at = |text: String| Failure::Differ(format!("seed {seed}, moved after {first} of {used} gas: {text}"));
        moved(&module, &scenario, first, &expected, &mut borders, tally).map_err(at)?;
    }
    tally.programs += 1;
    Ok(())
}

/// A fresh instance, about to run.
fn begin(module: &Module, scenario: &Scenario) -> Instance {
    let rng = &mut Rng::new(scenario.seed ^ 0x71e5);
    let mut instance = Instance::new(module.program().clone());
    for reg in Reg::ALL {
        instance.set_reg(reg, rng.value());
    }
    instance.set_gas(GAS);
    instance.set_next_pc(scenario.entry);
    instance
}

/// Returns all stops of the program on the interpreter.
fn interpreted(module: &Module, scenario: &Scenario) -> Vec<Stop> {
    let mut instance = begin(module, scenario);
    let mut stops = Vec::new();
    loop {
        let outcome = instance.run();
        stops.push(observe!(instance, module.program(), outcome));
        let Outcome::HostCall(number) = outcome else { return stops };
        if stops.len() > STOPS {
            return stops;
        }
        let (result, address, bytes) = serve(number, stops.len(), scenario.seed);
        instance.set_reg(Reg::A0, result);
        let _ = instance.write_memory(address, &bytes);
    }
}

/// Interprets until this much gas is used and the next block boundary, moves, and continues compiled. Does nothing if
/// there is no such boundary, or it is in `borders` already.
fn moved(
    module: &Module,
    scenario: &Scenario,
    first: i64,
    expected: &[Stop],
    borders: &mut Vec<i64>,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut instance = begin(module, scenario);
    let mut stops = 0;
    let withheld = GAS - first;
    instance.set_gas(first);
    loop {
        let outcome = instance.run();
        match outcome {
            Outcome::OutOfGas => break,
            Outcome::HostCall(number) if stops < STOPS => {
                stops += 1;
                let (result, address, bytes) = serve(number, stops, scenario.seed);
                instance.set_reg(Reg::A0, result);
                let _ = instance.write_memory(address, &bytes);
            }
            // It ended before.
            _ => return Ok(()),
        }
    }
    let gas = instance.gas() + withheld;
    if instance.next_block().is_none() {
        // Inside a memset, which cannot be moved.
        return match module.instantiate_from(&instance) {
            Err(Error::Snapshot(_)) => Ok(()),
            other => Err(format!("a move inside of a block: {:?}", other.map(|_| ()))),
        };
    }
    if borders.contains(&gas) {
        return Ok(());
    }
    borders.push(gas);
    instance.set_gas(gas);
    let before = observe!(instance, module.program(), Outcome::OutOfGas);
    let mut compiled = module.instantiate_from(&instance).map_err(|error| error.to_string())?;
    if !compiled.is_compiled() {
        return Err("it is interpreted".into());
    }
    let mut after = observe!(compiled, module.program(), Outcome::OutOfGas);
    after.state.pc = before.state.pc;
    if after != before {
        return Err(format!("the move itself: {before:x?} became {after:x?}"));
    }
    tally.moves += 1;
    tally.with_memory += u64::from(before.memory != fresh_memory(module));
    for (index, expected) in expected.iter().enumerate().skip(stops) {
        let found = run(&mut compiled)?;
        if found != *expected {
            return Err(format!("stop {index} is {found:x?}, interpreted {expected:x?}"));
        }
        tally.stops += 1;
        if let Outcome::HostCall(number) = found.outcome {
            let (result, address, bytes) = serve(number, index + 1, scenario.seed);
            compiled.set_reg(Reg::A0, result);
            let _ = compiled.write_memory(address, &bytes);
        }
    }
    Ok(())
}

fn run(compiled: &mut RawInstance) -> Result<Stop, String> {
    let outcome = compiled.run().map_err(|error| error.to_string())?;
    let program = compiled.module().program().clone();
    Ok(observe!(compiled, &program, outcome))
}

/// Returns the hash of the initial memory.
fn fresh_memory(module: &Module) -> u64 {
    let instance = Instance::new(module.program().clone());
    observe!(instance, module.program(), Outcome::OutOfGas).memory
}
