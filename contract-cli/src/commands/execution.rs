//! What `call` and `instantiate` have in common: dry run first, then limits, then how it went.

use super::revert;
use crate::{
    api::{DryRun, Instantiated, Output, Weight},
    args::Execution,
    chain::{AtBlock, Chain},
    error::Error,
    names::{NamedError, error_by_name, name_error},
    output::{Report, progress},
    submit::Receipt,
};

/// Proof size that goes with a `--gas` given by hand, in bytes.
const DEFAULT_PROOF_SIZE: u64 = 3_000_000;

/// What a transaction is sent with.
pub struct Limits {
    pub gas: Weight,
    pub deposit: u128,
}

/// A dry run's outcome, as far as calls and instantiations agree.
pub trait Outcome {
    /// What the contract returned.
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

/// The limit from the command line, if there is one.
pub fn given_gas(execution: &Execution) -> Option<Weight> {
    let ref_time = execution.gas?;
    Some(Weight { ref_time, proof_size: execution.proof_size.unwrap_or(DEFAULT_PROOF_SIZE) })
}

/// A dry run's need and a tenth more: state may change until the transaction is in a block.
fn with_margin(required: Weight, execution: &Execution) -> Weight {
    let more = |part: u64| part.saturating_add(part / 10);
    Weight {
        ref_time: more(required.ref_time),
        proof_size: execution.proof_size.unwrap_or_else(|| more(required.proof_size)),
    }
}

/// The limits of a transaction: those given by hand, otherwise what a dry run needs and what the account has.
pub async fn limits(chain: &Chain, at: &AtBlock, execution: &Execution, required: Weight) -> Result<Limits, Error> {
    let gas = match given_gas(execution) {
        Some(gas) => gas,
        None => {
            let gas = with_margin(required, execution);
            progress!("gas limit {} (a dry run needs {}, a tenth is added)", gas.ref_time, required.ref_time);
            gas
        }
    };
    let deposit = match execution.deposit_limit {
        Some(limit) => limit,
        None => chain.balances(at, chain.account()).await?.1.free,
    };
    Ok(Limits { gas, deposit })
}

/// Why a dry run failed, with the particulars that the transaction's error will not have.
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

/// Reports a dry run. What is particular to the command is in `report` already.
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

/// The report of a dry run that failed, in which case nothing is to be sent; with a limit given by hand the transaction
/// is sent whatever the dry run says.
pub fn not_sent<R: Outcome>(
    command: &str,
    chain: &Chain,
    at: &AtBlock,
    execution: &Execution,
    run: &DryRun<R>,
) -> Option<Report> {
    if given_gas(execution).is_some() || failure(chain, at, run).is_none() {
        return None;
    }
    progress!("not sent: a dry run failed (give --gas to send it all the same)");
    Some(tried(Report::new(command).with("sent", false), chain, at, run))
}

/// Reports a transaction. What is particular to the command is in `report` already.
pub fn sent<R: Outcome>(
    report: Report,
    chain: &Chain,
    at: &AtBlock,
    run: &DryRun<R>,
    limits: &Limits,
    receipt: &Receipt,
) -> Report {
    let mut report = report.with("sent", true).with_weight("gas_limit", limits.gas);
    // A transaction that failed took no deposit, and one that went otherwise than its dry run another.
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

    fn execution(gas: Option<u64>, proof_size: Option<u64>) -> Execution {
        Execution { gas, proof_size, ..Execution::default() }
    }

    #[test]
    fn the_margin_is_a_tenth() {
        let gas = with_margin(Weight { ref_time: 100, proof_size: u64::MAX }, &execution(None, None));
        assert_eq!(gas, Weight { ref_time: 110, proof_size: u64::MAX });
    }

    #[test]
    fn a_proof_size_given_by_hand_is_taken_with_and_without_gas() {
        let required = Weight { ref_time: 100, proof_size: 100 };
        assert_eq!(with_margin(required, &execution(None, Some(7))).proof_size, 7);
        assert_eq!(given_gas(&execution(Some(1), Some(7))), Some(Weight { ref_time: 1, proof_size: 7 }));
        assert_eq!(given_gas(&execution(Some(1), None)).map(|gas| gas.proof_size), Some(DEFAULT_PROOF_SIZE));
        assert_eq!(given_gas(&execution(None, Some(7))), None);
    }
}
