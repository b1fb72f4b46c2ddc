//! The command line.

use sc_cli::RunCmd;

/// Arguments of the node.
#[derive(Debug, clap::Parser)]
pub struct Cli {
    /// What to do instead of running the node.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// How to run the node.
    #[clap(flatten)]
    pub run: RunCmd,

    /// How to run contracts.
    #[clap(flatten)]
    pub polkavm: executor::Flags,
}

/// What the node can do besides running.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Key management utilities.
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),

    /// Export the chain specification.
    ExportChainSpec(sc_cli::ExportChainSpecCmd),

    /// Validate blocks.
    CheckBlock(sc_cli::CheckBlockCmd),

    /// Export blocks.
    ExportBlocks(sc_cli::ExportBlocksCmd),

    /// Export the state of a block into a chain specification.
    ExportState(sc_cli::ExportStateCmd),

    /// Import blocks.
    ImportBlocks(sc_cli::ImportBlocksCmd),

    /// Remove the whole chain.
    PurgeChain(sc_cli::PurgeChainCmd),

    /// Revert the chain to an earlier state.
    Revert(sc_cli::RevertCmd),

    /// Print the database's meta columns.
    ChainInfo(sc_cli::ChainInfoCmd),

    /// Measure the weights of a pallet of the runtime.
    #[cfg(feature = "runtime-benchmarks")]
    Benchmark(Box<frame_benchmarking_cli::PalletCmd>),

    /// Try every way to run contracts on this machine, and print which are possible and why others are not.
    PolkavmCheck,

    /// Run a contract again as a record of a difference between compiled code and the interpreter has it.
    PolkavmReplay {
        /// The record: a file in `polkavm-records` in the folder of the chain's data.
        record: std::path::PathBuf,
    },
}
