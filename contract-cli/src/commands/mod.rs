//! The subcommands, each in its file.
//!
//! Called by [`crate::run`]. Arguments are checked as far as possible before a connection is made.

mod account;
mod blob_file;
mod call;
mod data;
mod deploy;
mod estimate;
mod execution;
mod info;
mod instantiate;
mod manual;
mod storage;
mod trace;
mod upload;

use crate::{
    args::{Args, Command, DryRun, Global, Trace},
    chain::Chain,
    deployments::Deployments,
    error::Error,
    output::Report,
};
use call::Plan;
use instantiate::Instantiation;

/// Executes a command.
///
/// # Errors
///
/// If it cannot be executed. A refusal by the chain is part of the report.
pub async fn run(args: Args) -> Result<Report, Error> {
    let (global, out) = (&args.global, args.global.out.as_path());
    match args.command {
        Command::Upload { file, deposit_limit, no_check } => {
            let code = blob_file::read(&file, !no_check)?;
            with_chain(global, async |chain| upload::upload(chain, code, deposit_limit).await).await
        }
        Command::Instantiate(args) => {
            let request = Instantiation::new(&args)?;
            with_chain(global, async |chain| instantiate::instantiate(chain, &request).await).await
        }
        Command::Deploy(args) => {
            let contract = deploy::Deployable::build(args, out)?;
            with_chain(global, async |chain| deploy::deploy(chain, contract, out).await).await
        }
        Command::Call(args) => {
            call::check(&args)?;
            with_chain(global, async |chain| call::call(chain, &Plan::new(chain, &args, out)?).await).await
        }
        Command::DryRun(DryRun::Upload { file, deposit_limit }) => {
            // The chain's own result is wanted, so there is no check here.
            let code = blob_file::read(&file, false)?;
            with_chain(global, async |chain| upload::dry_run(chain, &code, deposit_limit).await).await
        }
        Command::DryRun(DryRun::Instantiate(args)) => {
            let request = Instantiation::new(&args)?;
            with_chain(global, async |chain| instantiate::dry_run(chain, &request).await).await
        }
        Command::DryRun(DryRun::Call(args)) => {
            call::check(&args)?;
            with_chain(global, async |chain| call::dry_run(chain, &Plan::new(chain, &args, out)?).await).await
        }
        Command::Trace(Trace::Instantiate(args)) => {
            let request = Instantiation::new(&args)?;
            with_chain(global, async |chain| instantiate::traced(chain, &request, out).await).await
        }
        Command::Trace(Trace::Call(args)) => {
            call::check(&args)?;
            with_chain(global, async |chain| call::traced(chain, &Plan::for_trace(chain, &args, out)?).await).await
        }
        Command::Terminate(args) => {
            call::check(&args)?;
            with_chain(global, async |chain| call::terminate(chain, &Plan::new(chain, &args, out)?).await).await
        }
        Command::Remove { code_hash } => with_chain(global, async |chain| upload::remove(chain, code_hash).await).await,
        Command::Storage { address, key, variable } => {
            let key = storage::key(&key)?;
            with_chain(global, async |chain| {
                let address = call::resolve(&Deployments::read(out, chain.genesis())?, &address, None)?;
                storage::storage(chain, address, &key, variable).await
            })
            .await
        }
        Command::Info { what } => with_chain(global, async |chain| info::info(chain, what, out).await).await,
        Command::Encode { input, constructor } => data::encode(&input, constructor),
        Command::Decode { data, abi, kind, message, topics } => {
            data::decode(&data, &abi, kind, message.as_deref(), &topics)
        }
        Command::Completions { shell } => Ok(manual::completions(shell)),
        Command::Man => manual::man(),
        Command::Account { who } => with_chain(global, async |chain| account::account(chain, who).await).await,
        Command::MapAccount => {
            with_chain(global, async |chain| account::send(chain, "map-account", "map_account").await).await
        }
        Command::UnmapAccount => {
            with_chain(global, async |chain| account::send(chain, "unmap-account", "unmap_account").await).await
        }
    }
}

/// Connects to a chain and executes a command there, whose report then shows amounts in the chain's token.
async fn with_chain(
    global: &Global,
    command: impl AsyncFnOnce(&Chain) -> Result<Report, Error>,
) -> Result<Report, Error> {
    let chain = Chain::connect(global).await?;
    Ok(command(&chain).await?.in_money(&chain.money))
}
