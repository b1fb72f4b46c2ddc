//! The common parts of `call` and `instantiate`: dry run, limits, report.

use super::estimate;
use crate::{
    abi::revert,
    api::{DryRun, Effect, Instantiated, Output, Weight},
    args::Execution,
    chain::{AtBlock, Chain},
    error::Error,
    names::{NamedError, error_by_name, name_error},
    output::{Report, progress},
    submit::Receipt,
    units,
};

/// Default proof size for an explicit `--gas`, in bytes.
const DEFAULT_PROOF_SIZE: u64 = 3_000_000;

/// The limits of a transaction.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub gas: Weight,
    pub deposit: u128,
}

/// A transaction that is ready to be sent.
pub struct Prepared<R> {
    /// The block of the dry run.
    pub at: AtBlock,
    /// The dry run with its limits.
    pub run: DryRun<R>,
    /// Its limits; none if the dry run failed, so that nothing is sent.
    pub limits: Option<Limits>,
}

/// A dry run's result, with the common parts of calls and instantiations.
pub trait Outcome: PartialEq {
    /// The contract's output.
    fn output(&self) -> &Output;
}

impl Outcome for Output {
    fn output(&self) -> &Output {
        self
    }
}

impl Outcome for Instantiated {
    fn output(&self) -> &Output {
        &self.output
    }
}

/// The amounts of an execution, in the chain's smallest unit.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    /// The value to transfer.
    pub value: u128,
    /// Maximum deposit to be charged.
    pub deposit_limit: Option<u128>,
}

impl Sums {
    /// The amounts from the command line.
    pub fn new(chain: &Chain, execution: &Execution) -> Result<Self, Error> {
        let limit = execution.deposit_limit.as_ref().map(|limit| chain.money.in_chain(limit));
        Ok(Self { value: chain.money.in_chain(&execution.value)?, deposit_limit: limit.transpose()? })
    }
}

/// Returns the limit from the command line, if given.
pub fn given_gas(execution: &Execution) -> Option<Weight> {
    let ref_time = execution.gas?;
    Some(Weight { ref_time, proof_size: execution.proof_size.unwrap_or(DEFAULT_PROOF_SIZE) })
}

/// Dry-runs a transaction at the best block and determines its limits: those given by the user, otherwise the minimum
/// gas with which it has the same effect as with a whole block's gas, and the account's balance.
///
/// `room` returns the maximum gas that the transaction can have in a block, `dry_run` runs it with a limit.
pub async fn prepare<R: Outcome>(
    chain: &Chain,
    execution: &Execution,
    deposit_limit: Option<u128>,
    room: impl AsyncFn(&AtBlock) -> Result<Weight, Error>,
    dry_run: impl AsyncFn(&AtBlock, Weight) -> Result<Effect<R>, Error>,
) -> Result<Prepared<R>, Error> {
    chain
        .at_best(async |at| {
            let room = room(at).await?;
            let mut by_hand = given_gas(execution);
            if let Some(gas) = &mut by_hand {
                if execution.proof_size.is_none() {
                    gas.proof_size = gas.proof_size.min(room.proof_size);
                }
                ensure_room(*gas, room)?;
            }
            let most = Weight { proof_size: execution.proof_size.unwrap_or(room.proof_size), ..room };
            let first = dry_run(at, by_hand.unwrap_or(most)).await?;
            let (run, gas) = match by_hand {
                Some(gas) => (first.execution, gas),
                None if failure(chain, at, &first.execution).is_some() => {
                    return Ok(Prepared { at: at.clone(), run: first.execution, limits: None });
                }
                None => estimated(first, most, execution, async |gas| dry_run(at, gas).await).await?,
            };
            let deposit = match deposit_limit {
                Some(limit) => limit,
                None => chain.balances(at, chain.account()).await?.1.free,
            };
            Ok(Prepared { at: at.clone(), run, limits: Some(Limits { gas, deposit }) })
        })
        .await
}

/// Refuses a limit that no block has room for.
fn ensure_room(gas: Weight, room: Weight) -> Result<(), Error> {
    if gas.ref_time > room.ref_time || gas.proof_size > room.proof_size {
        return Err(Error::NotIncluded(format!(
            "no block has room for a gas limit of {}: with this data it has for {}",
            units::weight(gas),
            units::weight(room)
        )));
    }
    Ok(())
}

/// Returns the gas limit for a transaction whose dry run with `most` succeeded, and the dry run with that limit.
async fn estimated<R: Outcome>(
    first: Effect<R>,
    most: Weight,
    execution: &Execution,
    dry_run: impl AsyncFn(Weight) -> Result<Effect<R>, Error>,
) -> Result<(DryRun<R>, Weight), Error> {
    let by_hand = |gas: Weight| Weight { proof_size: execution.proof_size.unwrap_or(gas.proof_size), ..gas };
    let required = by_hand(first.execution.gas_required);
    let same = async |gas: Weight| Ok(does_the_same(&first, &dry_run(by_hand(gas)).await?));
    let least = match estimate::least(required, most, same).await? {
        Some(least) => Some(least),
        // Its effect differs with every limit. The search can only be for success.
        None => {
            let works = async |gas: Weight| Ok(ends_well(&dry_run(by_hand(gas)).await?.execution));
            estimate::least(required, most, works).await?
        }
    };
    let gas = least.map_or(most, |least| by_hand(estimate::with_margin(least, most)));
    let last = dry_run(gas).await?;
    // More gas than the minimum may also do harm.
    let (run, gas, least) = match ends_well(&last.execution) {
        true => (last.execution, gas, least),
        false => (first.execution, most, None),
    };
    let why = match least {
        Some(least) if gas != most => format!("it needs {}, a tenth is added", units::weight(least)),
        Some(least) => format!("it needs {}, and no block has room for more", units::weight(least)),
        None => "all that a block has room for".into(),
    };
    progress!("gas limit {} ({why})", units::weight(gas));
    Ok((run, gas))
}

/// True if a dry run ended without an error or a revert.
fn ends_well<R: Outcome>(run: &DryRun<R>) -> bool {
    run.result.as_ref().is_ok_and(|outcome| !outcome.output().reverted())
}

/// True if two successful dry runs had the same effect: output, events and storage.
fn does_the_same<R: Outcome>(one: &Effect<R>, other: &Effect<R>) -> bool {
    let (one_run, other_run) = (&one.execution, &other.execution);
    let results = (one_run.result.as_ref().ok(), other_run.result.as_ref().ok());
    matches!(results, (Some(one), Some(other)) if one == other)
        && one_run.events == other_run.events
        && one_run.storage_deposit == other_run.storage_deposit
        && one.state == other.state
}

/// Returns the error of a dry run, with details that the transaction's error will not have.
pub fn failure<R: Outcome>(chain: &Chain, at: &AtBlock, run: &DryRun<R>) -> Option<(NamedError, String)> {
    let metadata = at.metadata_ref();
    match &run.result {
        Err(failure) => Some((name_error(metadata, &failure.error), failure.detail.clone())),
        Ok(outcome) if outcome.output().reverted() => {
            let error = error_by_name(metadata, &chain.pallet, "ContractReverted");
            Some((error, revert::reason(&outcome.output().data).unwrap_or_default()))
        }
        Ok(_) => None,
    }
}

/// Reports a dry run. `report` already has the command's own values.
pub fn tried<R: Outcome>(report: Report, chain: &Chain, at: &AtBlock, run: &DryRun<R>) -> Report {
    let mut report = report
        .with_weight("gas_consumed", run.gas_consumed)
        .with_weight("gas_required", run.gas_required)
        .with_deposit(run.storage_deposit);
    if let Ok(outcome) = &run.result {
        let output = outcome.output();
        report = report.with_hex("data", &output.data).with("reverted", output.reverted());
    }
    match failure(chain, at, run) {
        Some((error, detail)) => report.with_error(&error, &detail),
        None => report.with_contract_events(&chain.pallet, &run.events),
    }
}

/// Reports a failed dry run, after which nothing is sent.
pub fn not_sent<R: Outcome>(command: &str, chain: &Chain, at: &AtBlock, run: &DryRun<R>) -> Report {
    progress!("not sent: a dry run failed (give --gas to send it all the same)");
    tried(Report::new(command).with("sent", false), chain, at, run)
}

/// Reports a transaction. `report` already has the command's own values.
pub fn sent<R: Outcome>(
    report: Report,
    chain: &Chain,
    at: &AtBlock,
    run: &DryRun<R>,
    limits: &Limits,
    receipt: &Receipt,
) -> Report {
    let mut report = report.with("sent", true).with_weight("gas_limit", limits.gas);
    // A failed transaction took no deposit, and one that differs from its dry run took another.
    let foreseen = failure(chain, at, run);
    if receipt.error.is_none() && foreseen.is_none() {
        report = report.with_deposit(run.storage_deposit);
    }
    let detail = match (&receipt.error, foreseen) {
        (Some(error), Some((foreseen, detail))) if *error == foreseen => detail,
        _ => String::new(),
    };
    report.with_receipt(receipt, &detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Deposit;

    fn execution(gas: Option<u64>, proof_size: Option<u64>) -> Execution {
        Execution { gas, proof_size, ..Execution::default() }
    }

    const MOST: Weight = Weight { ref_time: 700_000_000_000, proof_size: u64::MAX / 4 * 3 };

    /// The result of a contract with a limit, of which it used a tenth of a millisecond.
    fn effect(returns: u64, state: u8) -> Effect<Output> {
        let used = Weight { ref_time: 100_000_000, proof_size: 1_000 };
        Effect {
            execution: DryRun {
                result: Ok(Output { flags: 0, data: returns.to_le_bytes().to_vec() }),
                gas_consumed: used,
                gas_required: used,
                storage_deposit: Deposit::Charge(0),
                events: Vec::new(),
            },
            state: [state; 32],
        }
    }

    fn reverts() -> Effect<Output> {
        let mut effect = effect(0, 0);
        effect.execution.result = Ok(Output { flags: 1, data: Vec::new() });
        effect
    }

    /// Returns the limit for a contract, and its result with that limit.
    async fn limit(contract: impl Fn(Weight) -> Effect<Output>) -> (Weight, u64) {
        let execution = execution(None, None);
        let first = contract(MOST);
        let (run, gas) = estimated(first, MOST, &execution, async |gas| Ok(contract(gas))).await.unwrap();
        let data = run.result.unwrap().data;
        (gas, u64::from_le_bytes(data.try_into().unwrap()))
    }

    #[tokio::test]
    async fn a_contract_that_does_not_look_at_its_gas_gets_what_it_used_and_a_tenth() {
        let contract = |gas: Weight| if gas.ref_time < 100_000_000 { reverts() } else { effect(7, 7) };
        assert_eq!(limit(contract).await, (Weight { ref_time: 110_000_000, proof_size: 1_100 }, 7));
    }

    #[tokio::test]
    async fn a_contract_that_does_less_with_less_gas_gets_what_it_needs_to_do_it_all() {
        // Once the result differs, and once only the stored value.
        let rounds = |gas: Weight| (gas.ref_time / 1_000_000_000).min(50);
        let (gas, returned) = limit(|gas| effect(rounds(gas), 0)).await;
        assert_eq!(returned, 50);
        assert!(gas.ref_time >= 55_000_000_000 && gas.ref_time < 57_000_000_000, "{gas:?}");
        let (gas, _) = limit(|gas| effect(0, rounds(gas) as u8)).await;
        assert!(gas.ref_time >= 55_000_000_000 && gas.ref_time < 57_000_000_000, "{gas:?}");
    }

    #[tokio::test]
    async fn a_contract_that_tells_its_gas_gets_what_it_needs_to_go_well_and_the_report_what_it_then_tells() {
        let contract = |gas: Weight| match gas.ref_time < 2_000_000_000 {
            true => reverts(),
            false => effect(gas.ref_time, 0),
        };
        let (gas, returned) = limit(contract).await;
        assert!(gas.ref_time >= 2_200_000_000 && gas.ref_time < 2_300_000_000, "{gas:?}");
        assert_eq!(returned, gas.ref_time);
    }

    #[tokio::test]
    async fn no_limit_is_more_than_a_block_has_room_for() {
        let contract = |gas: Weight| if gas.ref_time < 699_999_999_999 { reverts() } else { effect(7, 7) };
        assert_eq!(limit(contract).await, (MOST, 7));
        let refused = ensure_room(Weight { ref_time: MOST.ref_time + 1, ..MOST }, MOST).unwrap_err().to_string();
        assert!(refused.contains("has for 700.00 ms (ref_time)"), "{refused}");
        assert!(ensure_room(Weight { ref_time: 0, proof_size: u64::MAX }, MOST).is_err());
        assert!(ensure_room(MOST, MOST).is_ok());
    }

    #[tokio::test]
    async fn a_contract_that_fails_with_more_than_the_least_gets_what_it_was_tried_with() {
        let contract = |gas: Weight| {
            let fails = gas.ref_time < 100_000_000 || (100_000_001..699_000_000_000).contains(&gas.ref_time);
            if fails { reverts() } else { effect(7, 7) }
        };
        assert_eq!(limit(contract).await, (MOST, 7));
    }

    #[test]
    fn a_proof_size_given_by_hand_is_taken_with_gas() {
        assert_eq!(given_gas(&execution(Some(1), Some(7))), Some(Weight { ref_time: 1, proof_size: 7 }));
        assert_eq!(given_gas(&execution(Some(1), None)).map(|gas| gas.proof_size), Some(DEFAULT_PROOF_SIZE));
        assert_eq!(given_gas(&execution(None, Some(7))), None);
    }
}
