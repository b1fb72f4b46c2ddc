//! The operator's flags, also read from the environment. A matter of speed and safety, never of results.

use clap::{Args, ValueEnum};

/// What runs programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum BackendChoice {
    /// The JIT where this machine can compile and sandbox programs, else the interpreter, with a warning.
    #[default]
    Auto,
    /// The JIT; without what it needs the node does not start.
    Jit,
    /// The interpreter.
    Interpreter,
}

/// How much protection there has to be around compiled programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum SandboxChoice {
    /// All of it, or no JIT.
    #[default]
    Required,
    /// What this machine has of namespaces, with a warning for what it lacks; system call filters and limits always.
    BestEffort,
}

/// How the node runs PolkaVM programs. No flag changes what a block means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Args)]
pub struct Flags {
    /// What runs contracts. Results are the same; the interpreter is slower.
    #[arg(
        long = "polkavm-backend",
        env = "POLKAVM_BACKEND",
        value_name = "BACKEND",
        value_enum,
        default_value_t,
        global = true
    )]
    pub backend: BackendChoice,

    /// How much protection there has to be around compiled contracts.
    #[arg(
        long = "polkavm-sandbox",
        env = "POLKAVM_SANDBOX",
        value_name = "SANDBOX",
        value_enum,
        default_value_t,
        global = true
    )]
    pub sandbox: SandboxChoice,

    /// Most sandboxed processes for compiled contracts. A contract that gets none is interpreted.
    #[arg(
        long = "polkavm-workers",
        env = "POLKAVM_WORKERS",
        value_name = "N",
        default_value_t = 64,
        global = true,
        value_parser = clap::value_parser!(u32).range(1..=4096)
    )]
    pub workers: u32,

    /// Memory for loaded and compiled contracts that are kept for later calls, in MiB.
    #[arg(
        long = "polkavm-cache-size",
        env = "POLKAVM_CACHE_SIZE",
        value_name = "MiB",
        default_value_t = 256,
        global = true,
        value_parser = clap::value_parser!(u32).range(0..=65536)
    )]
    pub cache_size: u32,

    /// Disk for compiled contracts that are kept for the next start, in MiB, in the folder of the chain's data. 0 keeps none.
    #[arg(
        long = "polkavm-disk-cache-size",
        env = "POLKAVM_DISK_CACHE_SIZE",
        value_name = "MiB",
        default_value_t = 64,
        global = true,
        value_parser = clap::value_parser!(u32).range(0..=65536)
    )]
    pub disk_cache_size: u32,

    /// Memory for contracts in all, beside that of their instances, in MiB: kept and running programs, the logs of running
    /// ones, what waits for the disk or an audit. Kept programs have at most half of it, off-chain calls a quarter.
    #[arg(
        long = "polkavm-memory-size",
        env = "POLKAVM_MEMORY_SIZE",
        value_name = "MiB",
        default_value_t = 512,
        global = true,
        value_parser = clap::value_parser!(u32).range(64..=1048576)
    )]
    pub memory_size: u32,

    /// Off-chain calls (RPC, light clients) that may run contracts at the same time. 0 stands for half of the processors.
    #[arg(
        long = "polkavm-offchain-calls",
        env = "POLKAVM_OFFCHAIN_CALLS",
        value_name = "N",
        default_value_t = 0,
        global = true,
        value_parser = clap::value_parser!(u32).range(0..=4096)
    )]
    pub offchain_calls: u32,

    /// Seconds after which an off-chain call that runs contracts is ended, with the time that it waits for others.
    #[arg(
        long = "polkavm-offchain-time",
        env = "POLKAVM_OFFCHAIN_TIME",
        value_name = "SECONDS",
        default_value_t = 10,
        global = true,
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    pub offchain_time: u32,

    /// Compiled contracts of a hundred that are run again on the interpreter, at the lowest priority, and compared.
    #[arg(
        long = "polkavm-audit",
        env = "POLKAVM_AUDIT",
        value_name = "PERCENT",
        default_value_t = 1,
        global = true,
        value_parser = clap::value_parser!(u8).range(0..=100)
    )]
    pub audit: u8,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags {
            backend: BackendChoice::default(),
            sandbox: SandboxChoice::default(),
            workers: 64,
            cache_size: 256,
            disk_cache_size: 64,
            memory_size: 512,
            offchain_calls: 0,
            offchain_time: 10,
            audit: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: Flags,
    }

    fn parse(args: &[&str]) -> Result<Flags, String> {
        let args = std::iter::once("node").chain(args.iter().copied());
        Cli::try_parse_from(args).map(|cli| cli.flags).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_are_read_and_wrong_ones_refused() {
        let all = ["--polkavm-backend=jit", "--polkavm-sandbox=best-effort", "--polkavm-workers=3"];
        let flags = parse(&all).unwrap();
        assert_eq!((flags.backend, flags.sandbox), (BackendChoice::Jit, SandboxChoice::BestEffort));
        assert_eq!((flags.workers, flags.cache_size), (3, Flags::default().cache_size));
        assert_eq!(parse(&[]), Ok(Flags::default()));
        assert_eq!(parse(&["--polkavm-disk-cache-size=0"]).map(|flags| flags.disk_cache_size), Ok(0));
        for wrong in [
            "--polkavm-backend=fast",
            "--polkavm-sandbox=off",
            "--polkavm-workers=0",
            "--polkavm-cache-size=-1",
            "--polkavm-memory-size=63",
            "--polkavm-offchain-time=0",
            "--polkavm-audit=101",
        ] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }
}
