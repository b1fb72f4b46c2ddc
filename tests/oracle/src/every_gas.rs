//! Short programs at every gas limit, compiled and interpreted: from zero to one unit more than the whole run uses. If
//! the cost model charges tens of gas for an instruction, at steps of tens of gas.
//!
//! After a synchronous shortage the run is resumed, with the minimum or with all its gas, and must end as if there had
//! been enough from the start. An asynchronous shortage ends the run.

use crate::generate::scenario;
use crate::interface::{Metering, Model};
use crate::pair::{ArchitecturalState, Backends, Failure, Pair};
use pvm_engine::{CostModelKind, Outcome, Reg};
use pvm_test_support::Rng;

/// Maximum gas of a short program, and maximum number of its stops other than shortages.
const SHORT: i64 = 120;
const STOPS: usize = 6;

/// Counts of comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Short programs, which were run at every limit.
    pub programs: u64,
    /// Runs with asynchronous metering among them.
    pub asynchronous: u64,
    /// Runs from the beginning.
    pub runs: u64,
    /// Stops because of a lack of gas.
    pub shortages: u64,
}

/// Result of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
struct RunResult {
    outcome: Outcome,
    state: ArchitecturalState,
    memory: u64,
    /// True if gas ran out during the run.
    was_short: bool,
}

/// Amount of gas added after a shortage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum TopUp {
    /// The minimum.
    One,
    /// The gas of the whole run.
    All,
    Never,
}

/// Runs the program of this seed at every limit; does nothing if it is refused or not short.
///
/// # Errors
/// The first difference, with the gas limit.
pub fn compare(backends: &Backends, seed: u64, tally: &mut Tally) -> Result<(), Failure> {
    let mut scenario = scenario(seed);
    scenario.config.single_step = false;
    // Half of all, which is more than in the scenarios.
    let is_async = seed % 2 == 1;
    scenario.config.metering = if is_async { Metering::Async } else { Metering::Sync };
    let Some(module) = backends.load(&scenario)? else { return Ok(()) };
    // At some point a run may need more gas than it uses in the end, because branches refund gas.
    let (unit, given_back) = match scenario.config.model {
        Model::CalibratedV1 => (97, i64::from(CostModelKind::CalibratedV1.branch_refund())),
        Model::Naive | Model::Pipeline(_) => (1, 0),
    };
    let short = unit * SHORT;
    let rng = &mut Rng::new(seed ^ 0x9a5);
    let registers = Reg::ALL.map(|_| rng.value());
    let mut pair = module.instantiate()?;
    let mut begin = |gas: i64, more: TopUp, tally: &mut Tally| {
        pair.both("a reset", |machine| machine.reset_memory())?;
        pair.both("the beginning", |machine| {
            for (reg, value) in Reg::ALL.into_iter().zip(registers) {
                machine.set_reg(reg, value);
            }
            machine.set_gas(gas);
            machine.set_next_pc(scenario.entry);
            Ok(())
        })?;
        run(&mut pair, more, unit, tally)
    };
    let whole = begin(short, TopUp::Never, tally)?;
    // A heap of gigabytes takes long to hash.
    if whole.outcome == Outcome::OutOfGas || whole.state.heap_size > 1 << 20 {
        return Ok(());
    }
    let used = short - whole.state.gas;
    let limits = (0..=used + given_back).step_by(unit as usize).chain([used - 1, used, used + given_back + 1]);
    for limit in limits.filter(|limit| *limit >= 0) {
        let at = |failure| Failure::Differ(format!("seed {seed}, gas {limit} of {used}: {failure}"));
        let more = match (is_async, rng.chance(50)) {
            (true, _) => TopUp::Never,
            (_, true) => TopUp::One,
            _ => TopUp::All,
        };
        let end = begin(limit, more, tally).map_err(at)?;
        // A `memset` that needs more memory than there is requires one more unit before it traps.
        let may_be_short = limit < used + given_back || limit == used && whole.outcome == Outcome::Trap;
        let is_right = match end.was_short {
            // A shortage at an entry into the middle of a block changes nothing.
            true if is_async => {
                let next = end.state.next_pc;
                may_be_short && end.outcome == Outcome::OutOfGas && (next.is_none() || next == Some(scenario.entry))
            }
            // Equal except for the amount of gas.
            was_short => {
                let expected = RunResult {
                    state: ArchitecturalState { gas: end.state.gas, ..whole.state.clone() },
                    was_short,
                    ..whole.clone()
                };
                let gas_is_right = if was_short { end.state.gas >= 0 } else { end.state.gas == limit - used };
                gas_is_right && end == expected && if was_short { may_be_short } else { limit >= used }
            }
        };
        if !is_right {
            return Err(at(Failure::Differ(format!("{more:?} more ends as {end:x?}, the whole run as {whole:x?}"))));
        }
        tally.runs += 1;
    }
    tally.programs += 1;
    tally.asynchronous += u64::from(is_async);
    Ok(())
}

/// Continues through host calls, and through shortages if more gas is given.
fn run(pair: &mut Pair, more: TopUp, unit: i64, tally: &mut Tally) -> Result<RunResult, Failure> {
    let (mut stops, mut was_short) = (0, false);
    loop {
        let outcome = pair.both("a run", |machine| machine.run())?;
        let (state, memory) = (pair.state()?, pair.memory()?);
        was_short |= outcome == Outcome::OutOfGas;
        let gas = match (outcome, more) {
            (Outcome::HostCall(number), _) if stops < STOPS => {
                stops += 1;
                pair.both("a host call", |machine| {
                    machine.set_reg(Reg::A0, u64::from(number) + 7);
                    Ok(())
                })?;
                continue;
            }
            (Outcome::OutOfGas, TopUp::One) => state.gas + unit,
            (Outcome::OutOfGas, TopUp::All) => state.gas + unit * SHORT,
            _ => {
                tally.shortages += u64::from(outcome == Outcome::OutOfGas);
                return Ok(RunResult { outcome, state, memory, was_short });
            }
        };
        tally.shortages += 1;
        pair.both("more gas", |machine| {
            machine.set_gas(gas);
            Ok(())
        })?;
    }
}
