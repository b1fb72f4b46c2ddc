//! `instantiate`, its dry run and its trace.

use super::{
    blob_file,
    execution::{self, Prepared, given_gas},
    trace,
};
use crate::{
    abi::{self, Reader},
    api::{CodeSource, DryRun, InstantiateRequest, Instantiated, Weight},
    args::{Deploy, Execution, Instantiate},
    chain::Chain,
    error::Error,
    output::{Report, progress},
    source, units,
};
use std::path::Path;

/// An instantiation that has been read from the command line.
pub struct Instantiation {
    code: CodeSource,
    data: Vec<u8>,
    reader: Reader,
    salt: Option<[u8; 32]>,
    execution: Execution,
}

impl Instantiation {
    /// Reads the program, unless it is a hash, and encodes the data.
    pub fn new(args: &Instantiate) -> Result<Self, Error> {
        let code = match abi::bytes(&args.code) {
            Some(hash) => CodeSource::Existing(hash),
            None => CodeSource::Upload(blob_file::read(Path::new(&args.code), !args.no_check)?),
        };
        let (data, reader) = args.execution.input.constructor_data()?;
        Ok(Self { code, data, reader, salt: args.salt, execution: args.execution.clone() })
    }

    /// Builds the program from its source, and encodes the data.
    pub fn from_source(args: Deploy) -> Result<Self, Error> {
        let Deploy { source, contract, salt, mut execution } = args;
        let built = source::build(&source, contract.as_deref())?;
        let input = &mut execution.input;
        if input.abi.is_none() && input.sig.is_none() && input.data.is_none() {
            input.abi.clone_from(&built.abi);
        }
        let code = built.blob.display().to_string();
        Self::new(&Instantiate { code, salt, no_check: false, execution })
    }

    /// The request to the runtime API, with the limits from the command line.
    fn request(&self) -> InstantiateRequest<'_> {
        let Self { code, data, salt, execution, .. } = self;
        let Execution { value, deposit_limit, .. } = *execution;
        InstantiateRequest { value, gas: given_gas(execution), deposit_limit, code, data, salt: *salt }
    }

    /// The transaction: its name, and its arguments with these limits.
    fn transaction(&self, gas: Weight, deposit: u128) -> (&'static str, Arguments) {
        let (name, code) = match &self.code {
            CodeSource::Upload(code) => ("instantiate_with_code", code.clone()),
            CodeSource::Existing(hash) => ("instantiate", hash.to_vec()),
        };
        (name, (self.execution.value, gas, deposit, code, self.data.clone(), self.salt))
    }
}

/// Adds the contract that a dry run made, if it did.
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
    chain
        .at_best(async |at| {
            let run = chain.dry_run(at, &instantiation.request()).await?;
            let report = with_contract(Report::new("dry-run instantiate"), &run);
            Ok(execution::tried(report, chain, at, &run).decoded_by(&instantiation.reader))
        })
        .await
}

/// Traces an instantiation.
pub async fn traced(chain: &Chain, instantiation: &Instantiation) -> Result<Report, Error> {
    chain
        .at_best(async |at| {
            let traced = chain.trace(at, &instantiation.request()).await?;
            let report = with_contract(Report::new("trace instantiate"), &traced.execution);
            let report = trace::shown(report, at, traced.trace.as_ref(), &instantiation.reader);
            Ok(execution::tried(report, chain, at, &traced.execution).decoded_by(&instantiation.reader))
        })
        .await
}

/// Makes a contract, after a dry run that tells the limits.
pub async fn instantiate(chain: &Chain, instantiation: &Instantiation) -> Result<Report, Error> {
    chain.ensure_mapped().await?;
    let prepared = execution::prepare(
        chain,
        &instantiation.execution,
        async |at| {
            let (name, arguments) = instantiation.transaction(Weight::default(), u128::MAX);
            chain.room(at, name, arguments).await
        },
        async |at, gas| chain.effect(at, &InstantiateRequest { gas: Some(gas), ..instantiation.request() }).await,
    )
    .await?;
    let Prepared { at, run, limits } = &prepared;
    let Some(limits) = limits else {
        return Ok(execution::not_sent("instantiate", chain, at, run).decoded_by(&instantiation.reader));
    };
    if let CodeSource::Upload(code) = &instantiation.code {
        progress!("uploading {} and instantiating", units::size(code.len() as u64));
    }
    let (name, arguments) = instantiation.transaction(limits.gas, limits.deposit);
    let receipt = chain.submit(name, arguments).await?;
    let mut report = Report::new("instantiate");
    // The event, not the dry run, says where the contract really is. Contracts it made come before it.
    if let Some(event) = receipt.last_event(&chain.pallet, "Instantiated") {
        for (field, name) in [("contract", "address"), ("code_hash", "code_hash")] {
            report = report.with(name, event.fields[field].clone());
        }
    }
    Ok(execution::sent(report, chain, at, run, limits, &receipt).decoded_by(&instantiation.reader))
}
