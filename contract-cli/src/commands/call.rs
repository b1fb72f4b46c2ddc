//! `call`, its dry run and its trace; `terminate`.

use super::{
    execution::{self, given_gas},
    trace,
};
use crate::{
    abi::Reader,
    api::{DryRun, Output},
    args::{Call, Execution},
    chain::{AtBlock, Chain},
    error::Error,
    names::NamedError,
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

/// The calls that a call would make.
pub async fn traced(chain: &Chain, args: &Call, data: &[u8], reader: &Reader) -> Result<Report, Error> {
    let at = chain.best().await?;
    let Execution { value, deposit_limit, .. } = args.execution;
    let gas = given_gas(&args.execution);
    let traced = chain.trace_call(&at, args.address, value, gas, deposit_limit, data).await?;
    let report = trace::shown(Report::new("trace call"), &at, traced.trace.as_ref(), reader);
    Ok(execution::tried(report, chain, &at, &traced.execution).decoded_by(reader))
}

/// Calls a function that ends its contract, and looks whether the contract is gone.
pub async fn terminate(chain: &Chain, args: &Call, data: Vec<u8>, reader: &Reader) -> Result<Report, Error> {
    let before = chain.best().await?;
    if chain.contract(&before, args.address).await?.is_none() {
        return Err(Error::NotFound(format!("there is no contract at 0x{}", hex::encode(args.address))));
    }
    let report = call(chain, args, data, reader).await?.renamed("terminate");
    if report.is_failure() {
        return Ok(report);
    }
    let after = chain.best().await?;
    let is_gone = chain.contract(&after, args.address).await?.is_none();
    let report = report.with("terminated", is_gone);
    if is_gone {
        return Ok(report);
    }
    let detail = "the call went well, but its program did not end the contract";
    Ok(report.with_error(&NamedError { name: "NotTerminated".into(), docs: String::new() }, detail))
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
