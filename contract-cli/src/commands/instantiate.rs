//! `instantiate`, its dry run and its trace.

use super::{
    blob_file,
    execution::{self, Prepared, Sums, given_gas},
    trace::{self, Known, Requested},
};
use crate::{
    abi::{self, Reader},
    api::{CallKind, CodeSource, DryRun, InstantiateRequest, Instantiated, Weight},
    args::{Execution, Instantiate},
    chain::Chain,
    deployments::Deployments,
    error::Error,
    money::Units,
    output::{Report, progress},
    units,
};
use alloy_primitives::U256;
use std::path::Path;

/// An instantiation, as read from the command line.
pub struct Instantiation {
    code: CodeSource,
    salt: Option<[u8; 32]>,
    execution: Execution,
}

impl Instantiation {
    /// Reads the program, unless it is a hash, and checks the arguments without a chain, as far as possible.
    pub fn new(args: &Instantiate) -> Result<Self, Error> {
        let code = match abi::bytes(&args.code) {
            Some(hash) => CodeSource::Existing(hash),
            None => CodeSource::Upload(blob_file::read(Path::new(&args.code), !args.no_check)?),
        };
        args.execution.input.constructor_data(Units::Unchecked)?;
        Ok(Self { code, salt: args.salt, execution: args.execution.clone() })
    }

    /// Encodes the data for a chain.
    pub fn on(&self, chain: &Chain) -> Result<Plan<'_>, Error> {
        let (data, reader) = self.execution.input.constructor_data(chain.units())?;
        Ok(Plan { instantiation: self, data, reader, sums: Sums::new(chain, &self.execution)? })
    }
}

/// An instantiation, resolved for a chain.
pub struct Plan<'a> {
    instantiation: &'a Instantiation,
    data: Vec<u8>,
    reader: Reader,
    sums: Sums,
}

impl Plan<'_> {
    /// The request to the runtime API, with the limits from the command line.
    fn request(&self) -> InstantiateRequest<'_> {
        let Instantiation { code, salt, execution } = self.instantiation;
        let Sums { value, deposit_limit } = self.sums;
        InstantiateRequest { value, gas: given_gas(execution), deposit_limit, code, data: &self.data, salt: *salt }
    }

    /// The transaction: its name, and its arguments with these limits.
    fn transaction(&self, gas: Weight, deposit: u128) -> (&'static str, Arguments) {
        let (name, code) = match &self.instantiation.code {
            CodeSource::Upload(code) => ("instantiate_with_code", code.clone()),
            CodeSource::Existing(hash) => ("instantiate", hash.to_vec()),
        };
        (name, (self.sums.value, gas, deposit, code, self.data.clone(), self.instantiation.salt))
    }
}

/// Adds the contract that a dry run instantiated, if it did.
fn with_contract(report: Report, run: &DryRun<Instantiated>) -> Report {
    match &run.result {
        Ok(made) => report.with_hex("address", &made.address).with_hex("code_hash", &made.code_hash),
        Err(_) => report,
    }
}

/// Value, gas, deposit limit, code or its hash, data, salt.
type Arguments = (u128, Weight, u128, Vec<u8>, Vec<u8>, Option<[u8; 32]>);

/// Dry-runs an instantiation.
pub async fn dry_run(chain: &Chain, instantiation: &Instantiation) -> Result<Report, Error> {
    let plan = instantiation.on(chain)?;
    let request = plan.request();
    let (at, run) = chain.at_best(async |at| Ok((at.clone(), chain.read(at, &request).await?))).await?;
    let report = with_contract(Report::new("dry-run instantiate"), &run);
    Ok(execution::tried(report, chain, &at, &run).decoded_by(&plan.reader))
}

/// Traces an instantiation.
pub async fn traced(chain: &Chain, instantiation: &Instantiation, out: &Path) -> Result<Report, Error> {
    let mut plan = instantiation.on(chain)?;
    let names = Deployments::read(out, chain.genesis())?;
    plan.reader.add(&names.interfaces())?;
    let request = plan.request();
    let (at, from, traced) = chain.trace_at_best(&request).await?;
    let requested = Requested {
        kind: if instantiation.salt.is_some() { CallKind::Create2 } else { CallKind::Create },
        from,
        to: None,
        value: U256::from(plan.sums.value).saturating_mul(U256::from(chain.money.ratio)),
        input: &plan.data,
    };
    let known = Known { reader: &plan.reader, names: &names };
    let report = with_contract(Report::new("trace instantiate"), &traced.execution);
    let report = trace::shown(report, &at, traced.trace.as_ref(), &traced.execution, &requested, &known);
    Ok(execution::tried(report, chain, &at, &traced.execution).decoded_by(&plan.reader))
}

/// Instantiates a contract, after a dry run that gives the limits.
pub async fn instantiate(chain: &Chain, instantiation: &Instantiation) -> Result<Report, Error> {
    let plan = instantiation.on(chain)?;
    chain.ensure_mapped().await?;
    let prepared = execution::prepare(
        chain,
        &instantiation.execution,
        plan.sums.deposit_limit,
        async |at| {
            let (name, arguments) = plan.transaction(Weight::default(), u128::MAX);
            chain.room(at, name, arguments).await
        },
        async |at, gas| chain.effect(at, &InstantiateRequest { gas: Some(gas), ..plan.request() }).await,
    )
    .await?;
    let Prepared { at, run, limits } = &prepared;
    let Some(limits) = limits else {
        return Ok(execution::not_sent("instantiate", chain, at, run).decoded_by(&plan.reader));
    };
    if let CodeSource::Upload(code) = &instantiation.code {
        progress!("uploading {} and instantiating", units::size(code.len() as u64));
    }
    let (name, arguments) = plan.transaction(limits.gas, limits.deposit);
    let receipt = chain.submit(name, arguments).await?;
    let mut report = Report::new("instantiate");
    // The actual address is in the event, not in the dry run. Events of contracts that it instantiated come first.
    if let Some(event) = receipt.last_event(&chain.pallet, "Instantiated") {
        for (field, name) in [("contract", "address"), ("code_hash", "code_hash")] {
            report = report.with(name, event.fields[field].clone());
        }
    }
    Ok(execution::sent(report, chain, at, run, limits, &receipt).decoded_by(&plan.reader))
}
