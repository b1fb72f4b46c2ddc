//! `instantiate`, its dry run and its trace.

use super::{
    blob_file,
    execution::{self, given_gas},
    trace,
};
use crate::{
    abi::{self, Reader},
    api::{Code, DryRun, Instantiated},
    args::{Deploy, Execution, Instantiate},
    chain::{AtBlock, Chain},
    error::Error,
    output::{Report, progress},
    source,
};
use std::path::Path;

/// An instantiation that has been read from the command line.
pub struct Request {
    code: Code,
    data: Vec<u8>,
    reader: Reader,
    salt: Option<[u8; 32]>,
    execution: Execution,
}

impl Request {
    /// Reads the program, unless it is a hash, and encodes the data.
    pub fn new(args: &Instantiate) -> Result<Self, Error> {
        let code = match abi::bytes(&args.code) {
            Some(hash) => Code::Existing(hash),
            None => Code::Upload(blob_file::read(Path::new(&args.code), !args.no_check)?),
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

    async fn run(&self, chain: &Chain, at: &AtBlock) -> Result<DryRun<Instantiated>, Error> {
        let Execution { value, deposit_limit, .. } = self.execution;
        let gas = given_gas(&self.execution);
        chain.dry_instantiate(at, value, gas, deposit_limit, self.code.clone(), &self.data, self.salt).await
    }
}

/// What an instantiation would do.
pub async fn dry_run(chain: &Chain, request: &Request) -> Result<Report, Error> {
    let at = chain.best().await?;
    let run = request.run(chain, &at).await?;
    let mut report = Report::new("dry-run instantiate");
    if let Ok(made) = &run.result {
        report = report.with_hex("address", &made.address).with_hex("code_hash", &made.code_hash);
    }
    Ok(execution::tried(report, chain, &at, &run).decoded_by(&request.reader))
}

/// The calls that an instantiation would make.
pub async fn traced(chain: &Chain, request: &Request) -> Result<Report, Error> {
    let at = chain.best().await?;
    let Execution { value, deposit_limit, .. } = request.execution;
    let gas = given_gas(&request.execution);
    let (code, data) = (request.code.clone(), &request.data);
    let traced = chain.trace_instantiate(&at, value, gas, deposit_limit, code, data, request.salt).await?;
    let mut report = Report::new("trace instantiate");
    if let Ok(made) = &traced.execution.result {
        report = report.with_hex("address", &made.address).with_hex("code_hash", &made.code_hash);
    }
    let report = trace::shown(report, &at, traced.trace.as_ref(), &request.reader);
    Ok(execution::tried(report, chain, &at, &traced.execution).decoded_by(&request.reader))
}

/// Makes a contract, after a dry run that tells the limits.
pub async fn instantiate(chain: &Chain, request: Request) -> Result<Report, Error> {
    chain.ensure_mapped().await?;
    let at = chain.best().await?;
    let run = request.run(chain, &at).await?;
    if let Some(report) = execution::not_sent("instantiate", chain, &at, &request.execution, &run) {
        return Ok(report.decoded_by(&request.reader));
    }
    let limits = execution::limits(chain, &at, &request.execution, run.gas_required).await?;
    let value = request.execution.value;
    let receipt = match request.code {
        Code::Upload(code) => {
            progress!("uploading {} and instantiating", blob_file::size(code.len()));
            let args = (value, limits.gas, limits.deposit, code, request.data, request.salt);
            chain.submit("instantiate_with_code", args).await?
        }
        Code::Existing(hash) => {
            let args = (value, limits.gas, limits.deposit, hash, request.data, request.salt);
            chain.submit("instantiate", args).await?
        }
    };
    let mut report = Report::new("instantiate");
    // The event, not the dry run, says where the contract really is. Contracts it made come before it.
    if let Some(event) = receipt.last_event(&chain.pallet, "Instantiated") {
        for (field, name) in [("contract", "address"), ("code_hash", "code_hash")] {
            report = report.with(name, event.fields[field].clone());
        }
    }
    Ok(execution::sent(report, chain, &at, &run, &limits, &receipt).decoded_by(&request.reader))
}
