//! Runs the commands of the command line.

use crate::{
    chain_spec,
    cli::{Cli, Subcommand},
    service,
};
use runtime::opaque::Block;
use sc_cli::SubstrateCli;
use sc_service::PartialComponents;

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "PolkaVM Node".into()
    }

    fn impl_version() -> String {
        env!("SUBSTRATE_CLI_IMPL_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        "The PolkaVM node's authors".into()
    }

    fn support_url() -> String {
        "see the README of the source".into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        Ok(match id {
            "dev" => Box::new(self.with_genesis_code(chain_spec::development()?)?),
            "" | "local" => Box::new(self.with_genesis_code(chain_spec::local()?)?),
            path => Box::new(chain_spec::ChainSpec::from_json_file(path.into())?),
        })
    }
}

impl Cli {
    /// Replaces the genesis runtime of a built-in chain if `--genesis-code` is given.
    fn with_genesis_code(&self, spec: chain_spec::ChainSpec) -> Result<chain_spec::ChainSpec, String> {
        match &self.genesis_code {
            None => Ok(spec),
            Some(path) => {
                let code = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                chain_spec::with_code(&spec, &code)
            }
        }
    }
}

/// Parses the command line and runs the command.
pub fn run() -> sc_cli::Result<()> {
    let cli = Cli::from_args();
    let flags = cli.polkavm.clone();
    let mut ethereum = cli.ethereum.clone();
    match &cli.subcommand {
        None => {
            let runner = cli.create_runner(&cli.run)?;
            runner.run_node_until_exit(|config| async move {
                ethereum.eth_debug |= config.chain_spec.chain_type() == sc_service::ChainType::Development;
                match config.network.network_backend {
                    sc_network::config::NetworkBackendType::Libp2p => service::new_full::<
                        sc_network::NetworkWorker<Block, <Block as sp_runtime::traits::Block>::Hash>,
                    >(config, &flags, &ethereum),
                    sc_network::config::NetworkBackendType::Litep2p => {
                        service::new_full::<sc_network::Litep2pNetworkBackend>(config, &flags, &ethereum)
                    }
                }
                .map_err(sc_cli::Error::Service)
            })
        }
        Some(Subcommand::Key(cmd)) => cmd.run(&cli),
        Some(Subcommand::ExportChainSpec(cmd)) => {
            let spec = cli.load_spec(&cmd.chain)?;
            cmd.run(spec)
        }
        Some(Subcommand::CheckBlock(cmd)) => cli.create_runner(cmd)?.async_run(move |config| {
            let PartialComponents { client, task_manager, import_queue, .. } = service::new_partial(&config, &flags)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Subcommand::ExportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(move |config| {
            let database = config.database.clone();
            let PartialComponents { client, task_manager, .. } = service::new_partial(&config, &flags)?;
            Ok((cmd.run(client, database), task_manager))
        }),
        Some(Subcommand::ExportState(cmd)) => cli.create_runner(cmd)?.async_run(move |config| {
            let spec = config.chain_spec.cloned_box();
            let PartialComponents { client, task_manager, .. } = service::new_partial(&config, &flags)?;
            Ok((cmd.run(client, spec), task_manager))
        }),
        Some(Subcommand::ImportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(move |config| {
            let PartialComponents { client, task_manager, import_queue, .. } = service::new_partial(&config, &flags)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Subcommand::PurgeChain(cmd)) => cli.create_runner(cmd)?.sync_run(|config| cmd.run(config.database)),
        Some(Subcommand::Revert(cmd)) => cli.create_runner(cmd)?.async_run(move |config| {
            let PartialComponents { client, task_manager, backend, .. } = service::new_partial(&config, &flags)?;
            let revert_grandpa = Box::new(|client, _, blocks| {
                sc_consensus_grandpa::revert(client, blocks)?;
                Ok(())
            });
            Ok((cmd.run(client, backend, Some(revert_grandpa)), task_manager))
        }),
        Some(Subcommand::ChainInfo(cmd)) => cli.create_runner(cmd)?.sync_run(|config| cmd.run::<Block>(&config)),
        #[cfg(feature = "runtime-benchmarks")]
        Some(Subcommand::Benchmark(cmd)) => cli.create_runner(cmd.as_ref())?.sync_run(|config| {
            // The command makes runtime calls without a client, so the backend for contracts has to be set here.
            let polkavm =
                executor::PolkaVm::new(&flags, None).map_err(|error| sc_cli::Error::Application(error.into()))?;
            polkavm.announce(&flags);
            pvm_host_interface::provide_backend(move || pvm_host_interface::PolkavmExt::new(polkavm.session()));
            cmd.run_with_spec::<sp_runtime::traits::HashingFor<Block>, pvm_host_interface::HostFunctions>(Some(
                config.chain_spec,
            ))
        }),
        Some(Subcommand::PolkavmCheck) => {
            println!("{}", executor::Report::new(&flags));
            Ok(())
        }
        Some(Subcommand::PolkavmReplay { record }) => {
            let application = |error: Box<dyn std::error::Error + Send + Sync>| sc_cli::Error::Application(error);
            let polkavm = executor::PolkaVm::new(&flags, None).map_err(|error| application(error.into()))?;
            println!("{}", polkavm.replay_record(record).map_err(|error| application(error.into()))?);
            Ok(())
        }
    }
}
