//! `call` and its dry run.

use super::execution::{self, given_gas};
use crate::{
    abi::Reader,
    api::{DryRun, Output},
    args::{Call, Execution},
    chain::{AtBlock, Chain},
    error::Error,
    output::Report,
};

async fn run(chain: &Chain, at: &AtBlock, args: &Call, data: &[u8]) -> Result<DryRun<Output>, Error> {
    let Execution { value, deposit_limit, .. } = args.execution;
    chain.dry_call(at, args.address, value, given_gas(&args.execution), deposit_limit, data).await
}

/// What a call would do.
pub async fn dry_run(chain: &Chain, args: &Call, data: &[u8], reader: &Reader) -> Result<Report, Error> {
    let at = chain.best().await?;
    let run = run(chain, &at, args, data).await?;
    Ok(execution::tried(Report::new("dry-run call"), chain, &at, &run).decoded_by(reader))
}

/// Calls a contract, after a dry run that tells the limits and the result.
pub async fn call(chain: &Chain, args: &Call, data: Vec<u8>, reader: &Reader) -> Result<Report, Error> {
    chain.ensure_mapped().await?;
    let at = chain.best().await?;
    let run = run(chain, &at, args, &data).await?;
    if let Some(report) = execution::not_sent("call", chain, &at, &args.execution, &run) {
        return Ok(report.decoded_by(reader));
    }
    let limits = execution::limits(chain, &at, &args.execution, run.gas_required).await?;
    let receipt = chain.submit("call", (args.address, args.execution.value, limits.gas, limits.deposit, data)).await?;
    let mut report = Report::new("call").with_hex("address", &args.address);
    // A transaction has no result to look at: the dry run's is the nearest.
    if let Ok(output) = &run.result {
        report = report.with_hex("data", &output.data);
    }
    Ok(execution::sent(report, chain, &at, &run, &limits, &receipt).decoded_by(reader))
}
