//! The operator's flags, also read from the environment. They choose speed and protection, never results.

use crate::{STALL_LIMIT, TIME_LIMIT};
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum, value_parser};
use pvm_engine::{Backend, Config, Sandbox};
use std::path::PathBuf;

/// The backend that runs programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum BackendChoice {
    /// The JIT where this machine can compile and sandbox programs, else the interpreter, with a warning.
    #[default]
    Auto,
    /// The JIT; the node does not start if a requirement is missing.
    Jit,
    /// The interpreter.
    Interpreter,
}

/// Protection that compiled programs require.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum SandboxChoice {
    /// Full protection, or no JIT.
    #[default]
    Required,
    /// The namespaces that this machine has, with a warning for those it lacks; system call filters and limits always.
    BestEffort,
}

/// Command-line flags for contracts. No flag changes the result of a block.
#[derive(Clone, PartialEq, Eq, Debug, Args)]
#[command(next_help_heading = "Contracts")]
pub struct Flags {
    /// Backend for contracts: the JIT or the interpreter.
    ///
    /// Results are the same, the interpreter is slower. Validators should use `jit`, so that they never become slow unnoticed.
    /// `polkavm-check` shows what this machine supports.
    #[arg(long = "polkavm-backend", env = "POLKAVM_BACKEND", value_name = "BACKEND", value_enum)]
    #[arg(default_value_t = DEFAULT.backend, global = true)]
    pub backend: BackendChoice,

    /// Protection that compiled contracts require.
    ///
    /// `best-effort` is for machines and containers without user namespaces. The node warns of each missing layer.
    #[arg(long = "polkavm-sandbox", env = "POLKAVM_SANDBOX", value_name = "SANDBOX", value_enum)]
    #[arg(default_value_t = DEFAULT.sandbox, global = true)]
    pub sandbox: SandboxChoice,

    /// Maximum number of worker processes for compiled contracts.
    ///
    /// Each contract on a call stack has a worker; one that gets none is interpreted. Off-chain calls have a quarter of them.
    #[arg(long = "polkavm-workers", env = "POLKAVM_WORKERS", value_name = "N")]
    #[arg(default_value_t = DEFAULT.workers, global = true, value_parser = value_parser!(u32).range(1..=4096))]
    pub workers: u32,

    /// Maximum number of workers that are made in advance, for contracts that have none yet.
    ///
    /// The reserve grows with demand, up to this number and to a quarter of --polkavm-workers. With 0 each new contract
    /// waits for its worker to start.
    #[arg(long = "polkavm-reserve", env = "POLKAVM_RESERVE", value_name = "WORKERS")]
    #[arg(default_value_t = DEFAULT.reserve, global = true, value_parser = value_parser!(u32).range(0..=4096))]
    pub reserve: u32,

    /// Give every contract call a new worker process.
    ///
    /// Without it, calls of the same contract use the same worker one after the other, with its memory cleared. New workers
    /// cost 0.1 to 0.2 ms a call; a large --polkavm-reserve hides most of it.
    #[arg(long = "polkavm-fresh-workers", env = "POLKAVM_FRESH_WORKERS")]
    #[arg(global = true, value_parser = BoolishValueParser::new())]
    pub fresh_workers: bool,

    /// Protect against bugs of the compiler and against side channels, at the cost of speed.
    ///
    /// Verifies machine code before it runs. Disables speculative store bypass and indirect branch speculation in workers, and keeps other processes off the other
    /// hardware thread of their core, as far as kernel and processor can. `polkavm-check` shows which of these this machine
    /// has.
    #[arg(long = "polkavm-strict", env = "POLKAVM_STRICT")]
    #[arg(global = true, value_parser = BoolishValueParser::new())]
    pub strict: bool,

    /// Folder of a cgroup (version 2) into which the workers are moved.
    ///
    /// Its `memory.max` bounds the memory of all workers together, its `cpu.weight` lowers their priority. It must
    /// exist, and the node must be able to write its `cgroup.procs` and that of the closest cgroup that contains both it and
    /// the node. Example: /sys/fs/cgroup/node.slice/workers
    #[arg(long = "polkavm-cgroup", env = "POLKAVM_CGROUP", value_name = "PATH", global = true)]
    pub cgroup: Option<PathBuf>,

    /// Memory for contracts that are kept loaded and compiled for later calls, in MiB.
    ///
    /// The least recently used are evicted. With 0 every call compiles. Never more than half of --polkavm-memory-size.
    #[arg(long = "polkavm-cache-size", env = "POLKAVM_CACHE_SIZE", value_name = "MiB")]
    #[arg(default_value_t = DEFAULT.cache_size, global = true, value_parser = value_parser!(u32).range(0..=65536))]
    pub cache_size: u32,

    /// Disk space for compiled contracts that are kept for the next start, in MiB; 0 keeps none.
    ///
    /// The files are in `polkavm-cache` in the folder of the chain's data. They may be removed at any time.
    #[arg(long = "polkavm-disk-cache-size", env = "POLKAVM_DISK_CACHE_SIZE", value_name = "MiB")]
    #[arg(default_value_t = DEFAULT.disk_cache_size, global = true, value_parser = value_parser!(u32).range(0..=65536))]
    pub disk_cache_size: u32,

    /// Memory for everything that belongs to contracts in the node itself, in MiB.
    ///
    /// Counts programs that are kept or running, the replay logs of running ones, and the queues for the disk and for audits,
    /// but not the contracts' own memory, which is in the workers. Off-chain calls have a quarter of it.
    #[arg(long = "polkavm-memory-size", env = "POLKAVM_MEMORY_SIZE", value_name = "MiB")]
    #[arg(default_value_t = DEFAULT.memory_size, global = true, value_parser = value_parser!(u32).range(64..=1048576))]
    pub memory_size: u32,

    /// Maximum number of off-chain calls (RPC, light clients) that run contracts at the same time.
    ///
    /// Others wait. 0 stands for half of the processors.
    #[arg(long = "polkavm-offchain-calls", env = "POLKAVM_OFFCHAIN_CALLS", value_name = "N")]
    #[arg(default_value_t = DEFAULT.offchain_calls, global = true, value_parser = value_parser!(u32).range(0..=4096))]
    pub offchain_calls: u32,

    /// Seconds after which an off-chain call that runs contracts is ended with an error.
    ///
    /// Counts from the call's beginning, with the time that it waits for others.
    #[arg(long = "polkavm-offchain-time", env = "POLKAVM_OFFCHAIN_TIME", value_name = "SECONDS")]
    #[arg(default_value_t = DEFAULT.offchain_time, global = true, value_parser = value_parser!(u32).range(1..=3600))]
    pub offchain_time: u32,

    /// Author blocks though contracts are interpreted, on a chain whose prices are those of compiled code.
    ///
    /// Without it such a node refuses to author. Its blocks take many times as long as their weight says, and may miss their
    /// slots. For tests, and for chains of which no authority can compile.
    #[arg(long = "polkavm-author-interpreted", env = "POLKAVM_AUTHOR_INTERPRETED")]
    #[arg(global = true, value_parser = BoolishValueParser::new())]
    pub author_interpreted: bool,

    /// Share of the compiled contract runs in blocks that are audited, in percent.
    ///
    /// An audit runs the contract again on the interpreter, at the lowest priority and off the critical path, and compares. A
    /// difference raises an alarm and ends compiled code in this node.
    #[arg(long = "polkavm-audit", env = "POLKAVM_AUDIT", value_name = "PERCENT")]
    #[arg(default_value_t = DEFAULT.audit, global = true, value_parser = value_parser!(u8).range(0..=100))]
    pub audit: u8,

    /// Gas that a contract uses on the interpreter before it goes on as compiled code.
    ///
    /// Waking a worker takes longer than a short call on the interpreter. Contracts that used as much in a recent call begin
    /// compiled, and contracts that never do are not compiled. With 0 all are compiled when they are loaded, and begin so. In gas
    /// of one per instruction; converted for other cost models, without what they charge for host calls.
    #[arg(long = "polkavm-tier-gas", env = "POLKAVM_TIER_GAS", value_name = "GAS")]
    #[arg(default_value_t = DEFAULT.tier_gas, global = true)]
    pub tier_gas: u32,
}

/// Default flags.
const DEFAULT: Flags = Flags {
    backend: BackendChoice::Auto,
    sandbox: SandboxChoice::Required,
    workers: 64,
    reserve: 64,
    fresh_workers: false,
    strict: false,
    cgroup: None,
    cache_size: 256,
    disk_cache_size: 64,
    memory_size: 512,
    offchain_calls: 0,
    offchain_time: 10,
    author_interpreted: false,
    audit: 1,
    tier_gas: 10_000,
};

impl Default for Flags {
    fn default() -> Flags {
        DEFAULT
    }
}

impl Flags {
    /// The engine's configuration.
    pub(crate) fn engine_config(&self) -> Config {
        let mut config = Config::new();
        config
            .set_backend(match self.backend {
                BackendChoice::Auto => Backend::Auto,
                BackendChoice::Jit => Backend::Jit,
                BackendChoice::Interpreter => Backend::Interpreter,
            })
            .set_sandbox(match self.sandbox {
                SandboxChoice::Required => Sandbox::Required,
                SandboxChoice::BestEffort => Sandbox::BestEffort,
            })
            .set_time_limit(TIME_LIMIT)
            .set_stall_limit(STALL_LIMIT)
            .set_workers(self.workers as usize, self.workers as usize)
            .set_reserve(self.reserve as usize)
            .set_fresh_workers(self.fresh_workers)
            .set_strict(self.strict);
        if let Some(cgroup) = &self.cgroup {
            config.set_cgroup(cgroup);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser};

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
            "--polkavm-reserve=4097",
            "--polkavm-strict=yes",
            "--polkavm-cache-size=-1",
            "--polkavm-memory-size=63",
            "--polkavm-offchain-time=0",
            "--polkavm-audit=101",
        ] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_flag_reaches_the_engine() {
        type Change = fn(&mut Config) -> &mut Config;
        let expected = |change: Change| {
            let mut config = Config::new();
            config.set_time_limit(TIME_LIMIT).set_stall_limit(STALL_LIMIT).set_workers(64, 64).set_reserve(64);
            // Its fields are private to the engine, but it has `Debug`.
            format!("{:?}", change(&mut config))
        };
        let config = |args: &[&str]| format!("{:?}", parse(args).unwrap().engine_config());
        assert_eq!(config(&[]), expected(|config| config));
        let same: [(&[&str], Change); 8] = [
            (&["--polkavm-backend=jit"], |config| config.set_backend(Backend::Jit)),
            (&["--polkavm-backend=interpreter"], |config| config.set_backend(Backend::Interpreter)),
            (&["--polkavm-sandbox=best-effort"], |config| config.set_sandbox(Sandbox::BestEffort)),
            (&["--polkavm-workers=7"], |config| config.set_workers(7, 7)),
            (&["--polkavm-reserve=0"], |config| config.set_reserve(0)),
            (&["--polkavm-fresh-workers"], |config| config.set_fresh_workers(true)),
            (&["--polkavm-strict"], |config| config.set_strict(true)),
            (&["--polkavm-cgroup", "/sys/fs/cgroup/a"], |config| config.set_cgroup("/sys/fs/cgroup/a")),
        ];
        let mut seen = vec![config(&[])];
        for (args, change) in same {
            assert_eq!(config(args), expected(change), "{args:?}");
            assert!(!seen.contains(&config(args)), "{args:?} changes nothing");
            seen.push(config(args));
        }
    }

    #[test]
    fn each_flag_has_a_line_of_help_a_variable_and_a_row_in_the_guide() {
        let guide = include_str!("../../docs/node.md");
        let command = Cli::command();
        for arg in command.get_arguments().filter(|arg| arg.get_long().is_some_and(|long| long != "help")) {
            let flag = format!("--{}", arg.get_long().unwrap());
            let variable = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(variable.as_str()), "{flag}");
            assert!(guide.contains(&format!("| `{flag}` | `{variable}` |")), "{flag} is not in docs/node.md");
            assert!(arg.is_global_set(), "{flag} is refused behind a subcommand");
            let help = arg.get_help().unwrap().to_string();
            assert!(help.len() < 120 && !help.contains('\n'), "{flag}: {help}");
        }
    }
}
