//! What each subcommand does.

use crate::{
    args::{Args, Call, Command, DryRun as DryRunCommand, Execution, Instantiate, hex_bytes},
    chain::{
        AtBlock, Chain, Code, Deposit, DryRun, Failure, Instantiated, Output, StorageAccessError, Weight,
        error_by_name, name_error,
    },
    error::Error,
    output::{Report, progress},
    submit::inner,
};
use std::{fs, path::Path};
use vm_core::{blob::Blob, limits};

/// Carries out a command.
///
/// # Errors
///
/// When it cannot be carried out. What the chain refuses is in the report.
pub async fn run(args: Args) -> Result<Report, Error> {
    let global = &args.global;
    // What can be refused without a chain is.
    match args.command {
        Command::Upload { file, deposit_limit, no_check } => {
            let code = read_blob(&file, no_check)?;
            upload(&Chain::connect(global).await?, code, deposit_limit).await
        }
        Command::Instantiate(args) => {
            let request = Prepared::instantiate(&args)?;
            instantiate(&Chain::connect(global).await?, request).await
        }
        Command::Call(args) => {
            let data = args.execution.call_data()?;
            call(&Chain::connect(global).await?, &args, data).await
        }
        Command::DryRun(DryRunCommand::Upload { file }) => {
            // The chain's own word is asked for, so nothing is checked here.
            let code = read_blob(&file, true)?;
            dry_upload(&Chain::connect(global).await?, &code).await
        }
        Command::DryRun(DryRunCommand::Instantiate(args)) => {
            let request = Prepared::instantiate(&args)?;
            let chain = Chain::connect(global).await?;
            let at = chain.best().await?;
            let run = request.dry_run(&chain, &at).await?;
            Ok(instantiated(Report::new("dry-run instantiate"), &chain, &at, &run))
        }
        Command::DryRun(DryRunCommand::Call(args)) => {
            let data = args.execution.call_data()?;
            let chain = Chain::connect(global).await?;
            let at = chain.best().await?;
            let run = dry_call(&chain, &at, &args, &data).await?;
            Ok(called(Report::new("dry-run call"), &chain, &at, &run))
        }
        Command::Remove { code_hash } => {
            let chain = Chain::connect(global).await?;
            let receipt = chain.submit("remove_code", (code_hash,)).await?;
            Ok(Report::new("remove").with_hex("code_hash", &code_hash).with_receipt(&receipt))
        }
        Command::Storage { address, key, variable } => {
            let key = hex_bytes(&key).map_err(|error| Error::Usage(format!("the key {key}: {error}")))?;
            storage(&Chain::connect(global).await?, address, &key, variable).await
        }
        Command::Info { what } => info(&Chain::connect(global).await?, what).await,
        Command::Account { who } => account(&Chain::connect(global).await?, who).await,
        Command::MapAccount => {
            let chain = Chain::connect(global).await?;
            Ok(Report::new("map-account").with_receipt(&chain.submit("map_account", ()).await?))
        }
        Command::UnmapAccount => {
            let chain = Chain::connect(global).await?;
            Ok(Report::new("unmap-account").with_receipt(&chain.submit("unmap_account", ()).await?))
        }
    }
}

/// A blob from a file, checked against the limits unless told not to.
fn read_blob(path: &Path, no_check: bool) -> Result<Vec<u8>, Error> {
    let code = fs::read(path).map_err(|reason| Error::File { path: path.into(), reason })?;
    if !no_check {
        let refused = |reason: String| Error::Blob { path: path.into(), reason };
        let blob = Blob::parse(&code).map_err(|error| refused(error.to_string()))?;
        limits::check(&blob).map_err(|error| refused(error.to_string()))?;
    }
    Ok(code)
}

/// Reports why a dry run failed.
fn refused(report: Report, at: &AtBlock, failure: &Failure) -> Report {
    report.with_error(&name_error(at.metadata_ref(), inner(&failure.error)), &failure.detail)
}

async fn dry_upload(chain: &Chain, code: &[u8]) -> Result<Report, Error> {
    let at = chain.best().await?;
    let report = Report::new("dry-run upload");
    Ok(match chain.dry_upload(&at, code, None).await? {
        Ok(uploaded) => {
            report.with_hex("code_hash", &uploaded.code_hash).with_deposit(Deposit::Charge(uploaded.deposit))
        }
        Err(failure) => refused(report, &at, &failure),
    })
}

async fn upload(chain: &Chain, code: Vec<u8>, deposit_limit: Option<u128>) -> Result<Report, Error> {
    chain.ensure_mapped().await?;
    let at = chain.best().await?;
    let report = Report::new("upload");
    let uploaded = match chain.dry_upload(&at, &code, deposit_limit).await? {
        Ok(uploaded) => uploaded,
        Err(failure) => return Ok(refused(report, &at, &failure)),
    };
    progress!("uploading {} bytes", code.len());
    let limit = deposit_limit.unwrap_or(uploaded.deposit);
    let receipt = chain.submit("upload_code", (code, limit)).await?;
    Ok(report
        .with_hex("code_hash", &uploaded.code_hash)
        .with_deposit(Deposit::Charge(uploaded.deposit))
        .with_receipt(&receipt))
}

/// An instantiation that has been read from the command line.
struct Prepared {
    code: Code,
    data: Vec<u8>,
    salt: Option<[u8; 32]>,
    execution: Execution,
}

impl Prepared {
    fn instantiate(args: &Instantiate) -> Result<Self, Error> {
        let code = match crate::abi::bytes(&args.code) {
            Some(hash) => Code::Existing(hash),
            None => Code::Upload(read_blob(Path::new(&args.code), args.no_check)?),
        };
        let data = args.execution.constructor_data()?;
        Ok(Self { code, data, salt: args.salt, execution: args.execution.clone() })
    }

    async fn dry_run(&self, chain: &Chain, at: &AtBlock) -> Result<DryRun<Instantiated>, Error> {
        let Execution { value, deposit_limit, .. } = self.execution;
        let gas = given_gas(&self.execution);
        chain.dry_instantiate(at, value, gas, deposit_limit, self.code.clone(), &self.data, self.salt).await
    }
}

/// What a transaction is sent with.
struct TransactionLimits {
    gas: Weight,
    deposit: u128,
}

/// Proof size that goes with a `--gas` given by hand, in bytes.
const DEFAULT_PROOF_SIZE: u64 = 3_000_000;

/// The limit from the command line, if there is one.
fn given_gas(execution: &Execution) -> Option<Weight> {
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

async fn transaction_limits(
    chain: &Chain,
    at: &AtBlock,
    execution: &Execution,
    required: Weight,
) -> Result<TransactionLimits, Error> {
    let gas = match given_gas(execution) {
        Some(gas) => gas,
        None => {
            let gas = with_margin(required, execution);
            progress!("gas limit {} (a dry run needs {})", gas.ref_time, required.ref_time);
            gas
        }
    };
    let deposit = match execution.deposit_limit {
        Some(limit) => limit,
        None => chain.balances(at, chain.account()).await?.1.free,
    };
    Ok(TransactionLimits { gas, deposit })
}

fn executed<R>(report: Report, run: &DryRun<R>) -> Report {
    report
        .with_weight("gas_consumed", run.gas_consumed)
        .with_weight("gas_required", run.gas_required)
        .with_deposit(run.storage_deposit)
}

/// Adds what a contract returned; a revert is a failure.
fn returned(report: Report, chain: &Chain, at: &AtBlock, output: &Output) -> Report {
    let report = report.with_hex("data", &output.data).with("reverted", output.reverted());
    if !output.reverted() {
        return report;
    }
    // The extrinsic's error carries no data: what the contract gave as a reason is only in the dry run.
    let error = error_by_name(at.metadata_ref(), &chain.pallet, "ContractReverted");
    report.with_error(&error, &revert_reason(&output.data))
}

/// The text of a Solidity `Error(string)`, if the data is one.
fn revert_reason(data: &[u8]) -> String {
    let Some(body) = data.strip_prefix(&[0x08, 0xc3, 0x79, 0xa0]) else { return String::new() };
    let length = body.get(32..64).and_then(|word| word[28..].try_into().ok()).map(u32::from_be_bytes).unwrap_or(0);
    let text = body.get(64..64usize.saturating_add(length as usize)).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn called(report: Report, chain: &Chain, at: &AtBlock, run: &DryRun<Output>) -> Report {
    let report = executed(report, run);
    match &run.result {
        Ok(output) => returned(report, chain, at, output),
        Err(failure) => refused(report, at, failure),
    }
}

fn instantiated(report: Report, chain: &Chain, at: &AtBlock, run: &DryRun<Instantiated>) -> Report {
    let report = executed(report, run);
    match &run.result {
        Ok(made) => returned(
            report.with_hex("address", &made.address).with_hex("code_hash", &made.code_hash),
            chain,
            at,
            &made.output,
        ),
        Err(failure) => refused(report, at, failure),
    }
}

async fn dry_call(chain: &Chain, at: &AtBlock, args: &Call, data: &[u8]) -> Result<DryRun<Output>, Error> {
    let Execution { value, deposit_limit, .. } = args.execution;
    chain.dry_call(at, args.address, value, given_gas(&args.execution), deposit_limit, data).await
}

async fn call(chain: &Chain, args: &Call, data: Vec<u8>) -> Result<Report, Error> {
    chain.ensure_mapped().await?;
    let at = chain.best().await?;
    let mut report = Report::new("call").with_hex("address", &args.address);
    let run = dry_call(chain, &at, args, &data).await?;
    // With a limit given by hand the transaction is sent whatever the dry run says.
    if given_gas(&args.execution).is_none() {
        let tried = called(Report::new("call").with("sent", false), chain, &at, &run);
        if tried.is_failure() {
            progress!("not sent: a dry run failed (give --gas to send it all the same)");
            return Ok(tried);
        }
    }
    if let Ok(output) = &run.result {
        report = report.with_hex("data", &output.data);
    }
    let limits = transaction_limits(chain, &at, &args.execution, run.gas_required).await?;
    let receipt = chain.submit("call", (args.address, args.execution.value, limits.gas, limits.deposit, data)).await?;
    Ok(report
        .with("sent", true)
        .with_weight("gas_limit", limits.gas)
        .with_deposit(run.storage_deposit)
        .with_receipt(&receipt))
}

async fn instantiate(chain: &Chain, request: Prepared) -> Result<Report, Error> {
    chain.ensure_mapped().await?;
    let at = chain.best().await?;
    let run = request.dry_run(chain, &at).await?;
    if given_gas(&request.execution).is_none() {
        let tried = instantiated(Report::new("instantiate").with("sent", false), chain, &at, &run);
        if tried.is_failure() {
            progress!("not sent: a dry run failed (give --gas to send it all the same)");
            return Ok(tried);
        }
    }
    let limits = transaction_limits(chain, &at, &request.execution, run.gas_required).await?;
    let value = request.execution.value;
    let receipt = match request.code {
        Code::Upload(code) => {
            progress!("uploading {} bytes and instantiating", code.len());
            let args = (value, limits.gas, limits.deposit, code, request.data, request.salt);
            chain.submit("instantiate_with_code", args).await?
        }
        Code::Existing(hash) => {
            let args = (value, limits.gas, limits.deposit, hash, request.data, request.salt);
            chain.submit("instantiate", args).await?
        }
    };
    let mut report = Report::new("instantiate").with("sent", true);
    // The event, not the dry run, says where the contract really is.
    if let Some(event) = receipt.event(&chain.pallet, "Instantiated") {
        for (field, name) in [("contract", "address"), ("code_hash", "code_hash")] {
            report = report.with(name, event.fields[field].clone());
        }
    }
    Ok(report.with_weight("gas_limit", limits.gas).with_deposit(run.storage_deposit).with_receipt(&receipt))
}

async fn storage(chain: &Chain, address: [u8; 20], key: &[u8], variable: bool) -> Result<Report, Error> {
    let at = chain.best().await?;
    let report = Report::new("storage").with_hex("address", &address).with_hex("key", key);
    match chain.storage(&at, address, key, variable).await? {
        Ok(Some(value)) => Ok(report.with_hex("value", &value)),
        Ok(None) => Ok(report.with("value", serde_json::Value::Null)),
        Err(StorageAccessError::ContractNotFound) => {
            Err(Error::NotFound(format!("there is no contract at 0x{}", hex::encode(address))))
        }
        Err(StorageAccessError::KeyTooLarge) => {
            let limit = limits::STORAGE_KEY_BYTES;
            Err(Error::NotFound(format!("a key has at most {limit} bytes, this one has {}", key.len())))
        }
    }
}

async fn info(chain: &Chain, what: Option<String>) -> Result<Report, Error> {
    let at = chain.best().await?;
    let report = Report::new("info");
    let Some(what) = what else {
        let genesis = chain.client.genesis_hash();
        return Ok(report
            .with_hex("genesis", &genesis.0)
            .with("block", at.block_number())
            .with("spec_version", at.spec_version())
            .with("transaction_version", at.transaction_version())
            .with("pallet", chain.pallet.clone()));
    };
    if let Some(address) = crate::abi::bytes::<20>(&what) {
        let Some(contract) = chain.contract(&at, address).await? else {
            return Err(Error::NotFound(format!("there is no contract at {what}")));
        };
        let (_, balance) = chain.balances(&at, contract.account).await?;
        return Ok(report
            .with_hex("address", &address)
            .with_hex("account", &contract.account)
            .with_hex("code_hash", &contract.code_hash)
            .with("storage_bytes", contract.storage_bytes)
            .with("storage_items", contract.storage_items)
            .with("storage_deposit", contract.storage_deposit.to_string())
            .with("balance", balance.free.to_string()));
    }
    if let Some(code_hash) = crate::abi::bytes::<32>(&what) {
        let Some(code) = chain.code(&at, code_hash).await? else {
            return Err(Error::NotFound(format!("there is no program with the hash {what}")));
        };
        return Ok(report.with_hex("code_hash", &code_hash).with("length", code.len()));
    }
    Err(Error::Usage(format!("{what} is neither an address (20 bytes in hex) nor a code hash (32 bytes)")))
}

async fn account(chain: &Chain, who: Option<String>) -> Result<Report, Error> {
    let at = chain.best().await?;
    let account = match &who {
        None => chain.account(),
        Some(who) => match (crate::abi::bytes::<20>(who), crate::abi::bytes::<32>(who)) {
            (Some(address), _) => chain.account_of(&at, address).await?,
            (_, Some(account)) => account,
            _ => {
                return Err(Error::Usage(format!("{who} is neither an address (20 bytes in hex) nor an account (32)")));
            }
        },
    };
    let (nonce, balances) = chain.balances(&at, account).await?;
    Ok(Report::new("account")
        .with_hex("account", &account)
        .with_hex("address", &chain.address_of(&at, account).await?)
        .with("mapped", chain.is_mapped(&at, account).await?)
        .with("nonce", nonce)
        .with("free", balances.free.to_string())
        .with("held", balances.reserved.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_file_that_is_no_blob_is_refused_before_anything_is_sent() {
        let path = std::env::temp_dir().join(format!("pvm-contract-test-{}", std::process::id()));
        fs::File::create(&path).unwrap().write_all(b"not a blob").unwrap();
        let refused = read_blob(&path, false).unwrap_err();
        let unchecked = read_blob(&path, true);
        fs::remove_file(&path).unwrap();
        assert!(matches!(refused, Error::Blob { .. }), "{refused}");
        assert_eq!(unchecked.unwrap(), b"not a blob");
    }

    #[test]
    fn a_revert_reason_is_read_and_a_truncated_one_is_not_trusted() {
        let mut data = vec![0x08, 0xc3, 0x79, 0xa0];
        data.extend([[0; 31].as_slice(), &[32]].concat());
        data.extend([[0; 31].as_slice(), &[4]].concat());
        data.extend([b"oops".as_slice(), &[0; 28]].concat());
        assert_eq!(revert_reason(&data), "oops");
        assert_eq!(revert_reason(&data[..70]), "");
        assert_eq!(revert_reason(b"else"), "");
    }

    #[test]
    fn the_margin_is_a_tenth() {
        let execution = Execution {
            data: None,
            sig: None,
            arguments: vec![],
            value: 0,
            gas: None,
            proof_size: None,
            deposit_limit: None,
        };
        let gas = with_margin(Weight { ref_time: 100, proof_size: u64::MAX }, &execution);
        assert_eq!(gas, Weight { ref_time: 110, proof_size: u64::MAX });
    }
}
