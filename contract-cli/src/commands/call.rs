//! `call`, its dry run and its trace; `terminate`.

use super::{
    execution::{self, Prepared, given_gas},
    trace,
};
use crate::{
    abi::Reader,
    api::{CallRequest, Weight},
    args::{Call, Execution},
    chain::Chain,
    error::Error,
    names::NamedError,
    output::{Report, progress},
    submit::Receipt,
};
use std::time::Duration;

/// The request to the runtime API, with the limits from the command line.
fn request<'a>(args: &Call, data: &'a [u8]) -> CallRequest<'a> {
    let Execution { value, deposit_limit, .. } = args.execution;
    CallRequest { address: args.address, value, gas: given_gas(&args.execution), deposit_limit, data }
}

/// Dry-runs a call.
pub async fn dry_run(chain: &Chain, args: &Call, data: &[u8], reader: &Reader) -> Result<Report, Error> {
    let request = request(args, data);
    chain
        .at_best(async |at| {
            let run = chain.dry_run(at, &request).await?;
            Ok(execution::tried(Report::new("dry-run call"), chain, at, &run).decoded_by(reader))
        })
        .await
}

/// Traces a call.
pub async fn traced(chain: &Chain, args: &Call, data: &[u8], reader: &Reader) -> Result<Report, Error> {
    let request = request(args, data);
    chain
        .at_best(async |at| {
            let traced = chain.trace(at, &request).await?;
            let report = trace::shown(Report::new("trace call"), at, traced.trace.as_ref(), reader);
            Ok(execution::tried(report, chain, at, &traced.execution).decoded_by(reader))
        })
        .await
}

/// Calls a function that ends its contract, and checks that the contract is gone.
pub async fn terminate(chain: &Chain, args: &Call, data: Vec<u8>, reader: &Reader) -> Result<Report, Error> {
    if !exists(chain, args.address).await? {
        return Err(Error::NotFound(format!("there is no contract at 0x{}", hex::encode(args.address))));
    }
    let (report, receipt) = sent(chain, args, data, reader).await?;
    let report = report.renamed("terminate");
    let Some(receipt) = receipt.filter(|_| !report.is_failure()) else { return Ok(report) };
    let is_gone = is_gone(chain, args.address, &receipt).await?;
    let report = report.with("terminated", is_gone);
    if is_gone {
        return Ok(report);
    }
    let detail = "the call went well, but its program did not end the contract";
    Ok(report.with_error(&NamedError { name: "NotTerminated".into(), docs: String::new() }, detail))
}

async fn exists(chain: &Chain, address: [u8; 20]) -> Result<bool, Error> {
    chain.at_best(async |at| Ok(chain.contract(at, address).await?.is_some())).await
}

/// True if a contract is gone after the transaction of this receipt. If the transaction's block is retracted, waits for
/// the block that includes it next, up to the command's time limit.
async fn is_gone(chain: &Chain, address: [u8; 20], receipt: &Receipt) -> Result<bool, Error> {
    loop {
        if !exists(chain, address).await? {
            return Ok(true);
        }
        if !chain.is_retracted(receipt.block_hash.into()).await {
            return Ok(false);
        }
        progress!("the block that the transaction was in was retracted; waiting for another one");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Calls a contract, after a dry run that tells the limits and the result.
pub async fn call(chain: &Chain, args: &Call, data: Vec<u8>, reader: &Reader) -> Result<Report, Error> {
    Ok(sent(chain, args, data, reader).await?.0)
}

/// Calls a contract; there is no receipt if the call was not sent.
async fn sent(chain: &Chain, args: &Call, data: Vec<u8>, reader: &Reader) -> Result<(Report, Option<Receipt>), Error> {
    chain.ensure_mapped().await?;
    let value = args.execution.value;
    let arguments = |gas: Weight, deposit: u128| (args.address, value, gas, deposit, data.clone());
    let prepared = execution::prepare(
        chain,
        &args.execution,
        async |at| chain.room(at, "call", arguments(Weight::default(), u128::MAX)).await,
        async |at, gas| chain.effect(at, &CallRequest { gas: Some(gas), ..request(args, &data) }).await,
    )
    .await?;
    let Prepared { at, run, limits } = &prepared;
    let Some(limits) = limits else {
        return Ok((execution::not_sent("call", chain, at, run).decoded_by(reader), None));
    };
    let receipt = chain.submit("call", arguments(limits.gas, limits.deposit)).await?;
    let mut report = Report::new("call").with_hex("address", &args.address);
    // A transaction has no result to look at: the dry run's is the nearest.
    if let Ok(output) = &run.result {
        report = report.with_hex("data", &output.data);
    }
    let report = execution::sent(report, chain, at, run, limits, &receipt).decoded_by(reader);
    Ok((report, Some(receipt)))
}
