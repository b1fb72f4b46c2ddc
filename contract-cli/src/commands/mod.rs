//! What each subcommand does: one file each, or each pair.
//!
//! Called by [`crate::run`]. What can be refused without a chain is, before a connection is made.

mod account;
mod blob_file;
mod call;
mod data;
mod execution;
mod info;
mod instantiate;
mod revert;
mod storage;
mod trace;
mod upload;

use crate::{
    args::{Args, Command, DryRun, Trace, hex_bytes},
    chain::Chain,
    error::Error,
    output::Report,
};
use instantiate::Request;

/// Carries out a command.
///
/// # Errors
///
/// When it cannot be carried out. What the chain refuses is in the report.
pub async fn run(args: Args) -> Result<Report, Error> {
    let global = &args.global;
    match args.command {
        Command::Upload { file, deposit_limit, no_check } => {
            let code = blob_file::read(&file, !no_check)?;
            upload::upload(&Chain::connect(global).await?, code, deposit_limit).await
        }
        Command::Instantiate(args) => {
            let request = Request::new(&args)?;
            instantiate::instantiate(&Chain::connect(global).await?, request).await
        }
        Command::Deploy(args) => {
            let request = Request::from_source(args)?;
            instantiate::instantiate(&Chain::connect(global).await?, request)
                .await
                .map(|report| report.renamed("deploy"))
        }
        Command::Call(args) => {
            let (data, reader) = args.execution.input.call_data()?;
            call::call(&Chain::connect(global).await?, &args, data, &reader).await
        }
        Command::DryRun(DryRun::Upload { file, deposit_limit }) => {
            // The chain's own word is asked for, so nothing is checked here.
            let code = blob_file::read(&file, false)?;
            upload::dry_run(&Chain::connect(global).await?, &code, deposit_limit).await
        }
        Command::DryRun(DryRun::Instantiate(args)) => {
            let request = Request::new(&args)?;
            instantiate::dry_run(&Chain::connect(global).await?, &request).await
        }
        Command::DryRun(DryRun::Call(args)) => {
            let (data, reader) = args.execution.input.call_data()?;
            call::dry_run(&Chain::connect(global).await?, &args, &data, &reader).await
        }
        Command::Trace(Trace::Instantiate(args)) => {
            let request = Request::new(&args)?;
            instantiate::traced(&Chain::connect(global).await?, &request).await
        }
        Command::Trace(Trace::Call(args)) => {
            let (data, reader) = args.execution.input.call_data()?;
            call::traced(&Chain::connect(global).await?, &args, &data, &reader).await
        }
        Command::Terminate(args) => {
            let (data, reader) = args.execution.input.call_data()?;
            call::terminate(&Chain::connect(global).await?, &args, data, &reader).await
        }
        Command::Remove { code_hash } => upload::remove(&Chain::connect(global).await?, code_hash).await,
        Command::Storage { address, key, variable } => {
            let key = hex_bytes(&key).map_err(|error| Error::Usage(format!("the key {key}: {error}")))?;
            storage::storage(&Chain::connect(global).await?, address, &key, variable).await
        }
        Command::Info { what } => info::info(&Chain::connect(global).await?, what).await,
        Command::Encode { input, constructor } => data::encode(&input, constructor),
        Command::Decode { data, abi, kind, message, topics } => {
            data::decode(&data, &abi, kind, message.as_deref(), &topics)
        }
        Command::Account { who } => account::account(&Chain::connect(global).await?, who).await,
        Command::MapAccount => account::send(&Chain::connect(global).await?, "map-account", "map_account").await,
        Command::UnmapAccount => account::send(&Chain::connect(global).await?, "unmap-account", "unmap_account").await,
    }
}
