//! `call`, its dry run and its trace; `terminate`.

use super::{
    execution::{self, Prepared, Sums, given_gas},
    trace::{self, Known, Requested},
};
use crate::{
    abi::Reader,
    api::{CallKind, CallRequest, Weight},
    args::{Call, Execution, Input},
    chain::Chain,
    deployments::Deployments,
    error::Error,
    money::Units,
    names::NamedError,
    output::{Report, progress},
    submit::Receipt,
    target::Target,
};
use alloy_primitives::U256;
use std::{path::Path, time::Duration};

/// Checks the arguments of a call without a chain, as far as possible.
pub fn check(args: &Call) -> Result<(), Error> {
    match args.address {
        Target::Address(_) => args.execution.input.call_data(Units::Unchecked).map(drop),
        // Its interface is only known once the chain is.
        Target::Name(_) => Ok(()),
    }
}

/// A call, resolved for a chain.
pub struct Plan {
    address: [u8; 20],
    data: Vec<u8>,
    reader: Reader,
    sums: Sums,
    execution: Execution,
    names: Deployments,
}

impl Plan {
    /// Looks up the contract, and encodes the data.
    pub fn new(chain: &Chain, args: &Call, out: &Path) -> Result<Self, Error> {
        let names = Deployments::read(out, chain.genesis())?;
        let mut input = args.execution.input.clone();
        let address = resolve(&names, &args.address, Some(&mut input))?;
        let (data, reader) = input.call_data(chain.units())?;
        let execution = args.execution.clone();
        Ok(Self { address, data, reader, sums: Sums::new(chain, &execution)?, execution, names })
    }

    /// As [`Plan::new`], with the interfaces of all known contracts.
    pub fn for_trace(chain: &Chain, args: &Call, out: &Path) -> Result<Self, Error> {
        let mut plan = Self::new(chain, args, out)?;
        plan.reader.add(&plan.names.interfaces())?;
        Ok(plan)
    }

    /// The request to the runtime API, with the limits from the command line.
    fn request(&self) -> CallRequest<'_> {
        let Sums { value, deposit_limit } = self.sums;
        CallRequest { address: self.address, value, gas: given_gas(&self.execution), deposit_limit, data: &self.data }
    }

    /// Warns about an address without code. Addresses of precompiles are small numbers.
    async fn warning(&self, chain: &Chain) -> Result<Option<String>, Error> {
        if self.address.starts_with(&[0; 16]) || exists(chain, self.address).await? {
            return Ok(None);
        }
        let address = hex::encode(self.address);
        Ok(Some(format!(
            "there is no contract at 0x{address}: a call of it runs nothing, and transfers the value if any"
        )))
    }
}

/// The address of a contract given by address or name; a name also provides the interface.
pub fn resolve(names: &Deployments, target: &Target, input: Option<&mut Input>) -> Result<[u8; 20], Error> {
    match target {
        Target::Address(address) => Ok(*address),
        Target::Name(name) => {
            let (address, abi) = names.find(name)?;
            if let Some(input) = input.filter(|input| input.abi.is_empty()) {
                input.abi.extend(abi);
            }
            Ok(address)
        }
    }
}

/// Dry-runs a call.
pub async fn dry_run(chain: &Chain, plan: &Plan) -> Result<Report, Error> {
    let report = Report::new("dry-run call").with_warning(plan.warning(chain).await?);
    let request = plan.request();
    let (at, run) = chain.at_best(async |at| Ok((at.clone(), chain.read(at, &request).await?))).await?;
    Ok(execution::tried(report, chain, &at, &run).decoded_by(&plan.reader))
}

/// Traces a call.
pub async fn traced(chain: &Chain, plan: &Plan) -> Result<Report, Error> {
    let report = Report::new("trace call").with_warning(plan.warning(chain).await?);
    let request = plan.request();
    let (at, from, traced) = chain.trace_at_best(&request).await?;
    let requested = Requested {
        kind: CallKind::Call,
        from,
        to: Some(plan.address),
        value: U256::from(plan.sums.value).saturating_mul(U256::from(chain.money.ratio)),
        input: &plan.data,
    };
    let known = Known { reader: &plan.reader, names: &plan.names };
    let report = trace::shown(report, &at, traced.trace.as_ref(), &traced.execution, &requested, &known);
    Ok(execution::tried(report, chain, &at, &traced.execution).decoded_by(&plan.reader))
}

/// Calls a function that terminates its contract, and checks that the contract is gone.
pub async fn terminate(chain: &Chain, plan: &Plan) -> Result<Report, Error> {
    if !exists(chain, plan.address).await? {
        return Err(Error::NotFound(format!("there is no contract at 0x{}", hex::encode(plan.address))));
    }
    let (report, receipt) = sent(chain, plan).await?;
    let report = report.renamed("terminate");
    let Some(receipt) = receipt.filter(|_| !report.is_failure()) else { return Ok(report) };
    let is_gone = is_gone(chain, plan.address, &receipt).await?;
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

/// Calls a contract, after a dry run that gives the limits and the result.
pub async fn call(chain: &Chain, plan: &Plan) -> Result<Report, Error> {
    Ok(sent(chain, plan).await?.0)
}

/// Calls a contract; there is no receipt if the call was not sent.
async fn sent(chain: &Chain, plan: &Plan) -> Result<(Report, Option<Receipt>), Error> {
    let warning = plan.warning(chain).await?;
    chain.ensure_mapped().await?;
    let Sums { value, deposit_limit } = plan.sums;
    let arguments = |gas: Weight, deposit: u128| (plan.address, value, gas, deposit, plan.data.clone());
    let prepared = execution::prepare(
        chain,
        &plan.execution,
        deposit_limit,
        async |at| chain.room(at, "call", arguments(Weight::default(), u128::MAX)).await,
        async |at, gas| chain.effect(at, &CallRequest { gas: Some(gas), ..plan.request() }).await,
    )
    .await?;
    let Prepared { at, run, limits } = &prepared;
    let Some(limits) = limits else {
        let report = execution::not_sent("call", chain, at, run).with_warning(warning);
        return Ok((report.decoded_by(&plan.reader), None));
    };
    let report = Report::new("call").with_warning(warning);
    let receipt = chain.submit("call", arguments(limits.gas, limits.deposit)).await?;
    let mut report = report.with_hex("address", &plan.address);
    // A transaction has no result: that of the dry run is the best approximation.
    if let Ok(output) = &run.result {
        report = report.with_hex("data", &output.data);
    }
    let report = execution::sent(report, chain, at, run, limits, &receipt).decoded_by(&plan.reader);
    Ok((report, Some(receipt)))
}
