//! The command line.

use sc_cli::RunCmd;

/// Arguments of the node.
#[derive(Debug, clap::Parser)]
pub struct Cli {
    /// A command to run instead of the node.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// Options of the node.
    #[clap(flatten)]
    pub run: RunCmd,

    /// Options for contracts.
    #[clap(flatten)]
    pub polkavm: executor::Flags,

    /// Genesis runtime of a built-in chain, instead of the node's own: wasm, or a RISC-V runtime (`.polkavm`).
    ///
    /// It must be of the same source as the node's own. The genesis state is otherwise the same. Has no effect on chains from
    /// a file, whose genesis is in the file.
    #[arg(long, env = "POLKAVM_GENESIS_CODE", value_name = "FILE", global = true, help_heading = "Runtime")]
    pub genesis_code: Option<std::path::PathBuf>,

    /// Options for Ethereum's JSON-RPC.
    #[clap(flatten)]
    pub ethereum: crate::ethereum::EthereumFlags,
}

/// The node's commands.
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

    /// Print which backends and protections for contracts this machine supports.
    ///
    /// Each backend is tested by running a program. A line for each has the result, with a fix if it failed.
    /// Below is a line for each layer of protection around compiled contracts: `yes`, `off` (a flag turns it on) or `no`,
    /// with a fix. The flags that change protection (--polkavm-strict, --polkavm-cgroup) apply.
    #[command(after_long_help = "Examples:
  node-template polkavm-check
  node-template polkavm-check --polkavm-strict
  node-template polkavm-check --polkavm-cgroup /sys/fs/cgroup/node.slice/workers")]
    PolkavmCheck,

    /// Replay a saved difference between compiled code and the interpreter.
    ///
    /// The node saves a record when an audit or a recovery finds a difference. This runs the record's machine code again, and
    /// the program on the interpreter, and reports whether they differ on this machine.
    #[command(after_long_help = "Example:
  node-template polkavm-replay ~/.local/share/node-template/chains/dev/polkavm-records/FILE")]
    PolkavmReplay {
        /// The record: a file of the folder `polkavm-records` beside the chain's database.
        record: std::path::PathBuf,
    },
}
