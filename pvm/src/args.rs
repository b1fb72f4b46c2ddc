//! The command line: commands, arguments and their help.
//!
//! The first paragraph of a doc comment here is the line that `-h` shows; `--help` and the man page show all of it, and the
//! examples of [`examples`].

use crate::examples;
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;
use std::time::Duration;
use vm_core::gas::{CostModelKind, MemoryLatency};
use vm_core::isa::Isa;

/// Build, link, run, debug, profile, disassemble, assemble, validate and trace PolkaVM program blobs
///
/// pvm compiles and links guest crates and RISC-V ELF files to program blobs (.polkavm), and runs, disassembles and
/// validates blobs without a chain. `-` reads a blob, an ELF file or a text from standard input.
///
/// `pvm COMMAND -h` prints a summary of a command, `pvm COMMAND --help` all details with examples.
#[derive(Debug, Parser)]
#[command(name = "pvm", version, after_long_help = examples::with_exit_codes(examples::PVM))]
pub struct Args {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// A command with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile a guest crate and link it into a blob
    ///
    /// Compiles the crate with cargo for RV64E (or RV32E) and links each ELF file as `pvm link` does. A guest is a crate with
    /// a src/main.rs, or a library with crate-type = ["cdylib"].
    ///
    /// The compiler is the one of PVM_GUEST_TOOLCHAIN, a folder with bin/cargo, bin/rustc and the standard library's source;
    /// without that variable the one that scripts/setup made in the checkout that this program is from, or rustup's nightly
    /// with the component rust-src.
    Build(BuildArgs),
    /// Link a RISC-V ELF file into a blob
    ///
    /// Takes a relocatable object file, or an executable with its relocations kept (--emit-relocs), for RV64E or RV32E.
    /// Code and data that no export reaches are left out. The same file and options give the same bytes on any machine. An
    /// output file that would not change is not rewritten.
    Link(LinkArgs),
    /// Call an entry point, and print the outcome
    ///
    /// Runs until the call returns, traps, runs out of gas or calls a host function, as there is no host. Prints the outcome,
    /// the program counter if it matters, a0 and gas. The exit code tells the outcome.
    Run(RunArgs),
    /// Run, and print each instruction with the registers and memory that it changed
    ///
    /// Runs as `pvm run` does, on the interpreter. Each line has the program counter, the instruction, the registers that it
    /// wrote, the memory that it accessed, and the function and source line where the blob has debug information.
    Trace(TraceArgs),
    /// Debug a call or a record with gdb, an editor or a browser, forwards and backwards
    ///
    /// Waits for a debugger on a loopback port or a Unix socket, and prints the command that starts one: any gdb that knows
    /// RISC-V, such as Debian's gdb-multiarch. It reads an ELF file that is made of the blob, with its functions and lines.
    /// All of gdb's commands for going back work.
    ///
    /// With --dap it is a debug adapter for editors, such as VS Code, and with --web it serves a page for browsers.
    /// docs/debugging.md is a tour.
    Debug(DebugArgs),
    /// Profile a call or a record: gas by function, line and host call
    ///
    /// Runs on the interpreter and counts the blocks that are entered, by call stack. Prints a table, or writes
    /// collapsed stacks, a flame graph, or coverage in the form of lcov. A profile can use another cost model than the
    /// run.
    Profile(ProfileArgs),
    /// Disassemble a blob into text that `pvm assemble` accepts
    ///
    /// Assembling the text gives the same blob byte for byte, for any blob and with any options.
    Disassemble(DisassembleArgs),
    /// Assemble text into a blob
    ///
    /// docs/pvm.md describes the language; `pvm disassemble` writes it. No file is written if the text has an error.
    Assemble(AssembleArgs),
    /// Print statistics of a blob: sizes, counts and names
    ///
    /// Sections, memory, imports, exports, basic blocks, the most frequent instructions, and the size of each function
    /// if the blob has debug information.
    Stats(StatsArgs),
    /// Check a blob as a chain does before it stores it
    ///
    /// Checks the format, the limits of a chain, and that the program can be run. Prints each failed check.
    Validate(ValidateArgs),
    /// Print a completion script for a shell
    ///
    /// The script completes commands, options and their values. It goes to standard output.
    Completions(CompletionsArgs),
    /// Print the man page of pvm, or of one of its commands
    ///
    /// The page is made from the same text as --help, in roff, and goes to standard output.
    Man(ManArgs),
}

impl Command {
    /// True if the result is to be JSON.
    pub fn json(&self) -> bool {
        match self {
            Command::Run(args) => args.json,
            Command::Trace(args) => args.json,
            Command::Stats(args) => args.json,
            Command::Validate(args) => args.json,
            Command::Profile(args) => args.json,
            Command::Debug(_)
            | Command::Build(_)
            | Command::Link(_)
            | Command::Disassemble(_)
            | Command::Assemble(_)
            | Command::Completions(_)
            | Command::Man(_) => false,
        }
    }
}

/// The backend of `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// Machine code if that is possible here, else the interpreter
    Auto,
    /// Machine code in a sandboxed process
    Jit,
    /// The portable interpreter
    Interpreter,
}

impl Backend {
    /// Returns the engine's backend for this value.
    pub const fn engine_backend(self) -> pvm_engine::Backend {
        match self {
            Backend::Auto => pvm_engine::Backend::Auto,
            Backend::Jit => pvm_engine::Backend::Jit,
            Backend::Interpreter => pvm_engine::Backend::Interpreter,
        }
    }
}

/// The cost model by which gas is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CostModel {
    /// One gas for each instruction
    Naive,
    /// The cycles of an idealised processor, with data in the second-level cache
    Pipeline,
    /// The pipeline model with data in the first-level cache
    PipelineL1,
    /// The pipeline model with data in the third-level cache
    PipelineL3,
    /// The time that compiled code takes, in units of 10 picoseconds
    Calibrated,
}

impl CostModel {
    /// Returns vm-core's cost model for this value.
    pub const fn kind(self) -> CostModelKind {
        match self {
            CostModel::Naive => CostModelKind::Naive,
            CostModel::Pipeline => CostModelKind::Pipeline(MemoryLatency::L2),
            CostModel::PipelineL1 => CostModelKind::Pipeline(MemoryLatency::L1),
            CostModel::PipelineL3 => CostModelKind::Pipeline(MemoryLatency::L3),
            CostModel::Calibrated => CostModelKind::CalibratedV1,
        }
    }
}

/// A call: the program, the entry point and its arguments.
#[derive(Debug, clap::Args)]
pub struct CallArgs {
    /// The blob; `-` is standard input
    pub blob: PathBuf,
    /// The export to call
    ///
    /// `pvm stats BLOB` lists the exports of a blob; an unknown name is refused with that list.
    #[arg(long, value_name = "NAME")]
    pub entry: String,
    #[command(flatten)]
    pub options: CallOptions,
}

/// Options of a call: arguments, gas and answers of the host.
#[derive(Clone, Debug, clap::Args)]
pub struct CallOptions {
    /// An argument of the call; may be given up to nine times
    ///
    /// Decimal or hexadecimal (0x), and may be negative. The first six go to a0 to a5, three more to t0 to t2.
    #[arg(long = "arg", value_name = "N", value_parser = argument, allow_negative_numbers = true)]
    pub args: Vec<u64>,
    /// The gas limit
    #[arg(long, value_name = "N", default_value_t = i64::MAX, value_parser = clap::value_parser!(i64).range(0..))]
    pub gas: i64,
    /// The cost model by which gas is charged
    ///
    /// A chain chooses one for all contracts; docs/spec/gas.md describes them.
    #[arg(long, value_enum, default_value = "naive")]
    pub cost_model: CostModel,
    /// Answer calls of the host function NAME with a number in a0, instead of stopping there; may be given several times
    ///
    /// The number is written as that of --arg.
    #[arg(long = "answer", value_name = "NAME=N", value_parser = answer, allow_negative_numbers = true)]
    pub answers: Vec<(String, u64)>,
}

/// The subject of debugging or profiling: a call, as for `run`, or a record.
#[derive(Debug, clap::Args)]
pub struct SubjectArgs {
    /// The blob; `-` is standard input
    #[arg(required_unless_present = "record")]
    pub blob: Option<PathBuf>,
    /// The record to replay, which `pvm run --record` wrote
    ///
    /// It contains the program, the call and all answers of its host.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["blob", "entry", "args", "gas", "cost_model", "answers"])]
    pub record: Option<PathBuf>,
    /// The export to call
    #[arg(long, value_name = "NAME", required_unless_present = "record")]
    pub entry: Option<String>,
    #[command(flatten)]
    pub options: CallOptions,
}

impl SubjectArgs {
    /// The call; `None` if a record is given.
    pub fn call(&self) -> Option<CallArgs> {
        Some(CallArgs { blob: self.blob.clone()?, entry: self.entry.clone()?, options: self.options.clone() })
    }
}

/// An instruction set to link for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetIsa {
    /// 64-bit: contracts on chains with pallet-polkavm or pallet-revive
    ReviveV1,
    /// 32-bit
    Latest32,
    /// 64-bit: JAM services
    JamV1,
}

/// Options of the linker.
#[derive(Debug, clap::Args)]
pub struct LinkOptions {
    /// The instruction set; without it, revive-v1 for RV64E and latest32 for RV32E
    #[arg(long, value_enum)]
    pub isa: Option<TargetIsa>,
    /// The optimization level: 0 none, 1 for debugging, 2 everything
    ///
    /// 0 translates instruction by instruction, in the order of the file. 1 also eliminates dead code. 2 runs all passes;
    /// docs/linking.md describes them.
    #[arg(short = 'O', long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub optimize: u8,
    /// Run these passes only, in the order of the level
    ///
    /// For bisecting the passes if a program misbehaves at -O 2 and not at -O 0: leave out one after the other.
    /// docs/linking.md lists the names; an unknown one is refused with the known names.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub passes: Option<Vec<String>>,
    /// Leave out names and source lines
    ///
    /// A blob for a chain does not need them, and its deposit grows with its size.
    #[arg(short, long)]
    pub strip: bool,
    /// Exports that begin the code with a jump each, in this order
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub dispatch_table: Vec<String>,
    /// Also export this global function; may be given several times
    ///
    /// For ELF files that mark no exports. Without exports of either kind, the entry point of the ELF file is exported.
    #[arg(long = "export", value_name = "NAME")]
    pub exports: Vec<String>,
    /// Give the program at least this much stack, in bytes
    ///
    /// A guest may ask for more itself, with pvm_guest::min_stack_size! or PVM_MIN_STACK_SIZE. Rounded up to pages.
    #[arg(long, value_name = "BYTES", default_value_t = pvm_linker::DEFAULT_STACK_SIZE)]
    pub min_stack_size: u32,
}

impl LinkOptions {
    /// Converts to the linker's options.
    pub fn options(&self) -> pvm_linker::Options {
        pvm_linker::Options {
            isa: self.isa.map(|isa| match isa {
                TargetIsa::ReviveV1 => Isa::ReviveV1,
                TargetIsa::Latest32 => Isa::Latest32,
                TargetIsa::JamV1 => Isa::JamV1,
            }),
            level: match self.optimize {
                0 => pvm_linker::Level::None,
                1 => pvm_linker::Level::Some,
                _ => pvm_linker::Level::Full,
            },
            passes: self.passes.clone(),
            strip: self.strip,
            dispatch_table: self.dispatch_table.iter().map(|name| name.clone().into_bytes()).collect(),
            exports: self.exports.clone(),
            min_stack_size: self.min_stack_size,
        }
    }
}

/// Arguments of `build`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::BUILD))]
pub struct BuildArgs {
    /// The guest's Cargo.toml
    #[arg(long, value_name = "PATH", default_value = "Cargo.toml")]
    pub manifest_path: PathBuf,
    /// Build only this binary of several
    #[arg(long, value_name = "NAME")]
    pub bin: Option<String>,
    /// Compile for RV32E instead of RV64E
    #[arg(long)]
    pub rv32: bool,
    /// Unroll loops: faster and larger code
    ///
    /// Makes LLVM unroll loops with an unknown trip count. docs/pvm.md has a table of gains and costs.
    #[arg(long)]
    pub unroll: bool,
    /// The blob to write; without it, beside the ELF file in cargo's target folder
    #[arg(short, long, value_name = "OUT.polkavm")]
    pub output: Option<PathBuf>,
    /// Options of the linker.
    #[command(flatten)]
    pub options: LinkOptions,
    /// More arguments for cargo, after `--`
    #[arg(last = true, value_name = "ARGS")]
    pub cargo: Vec<String>,
}

/// Arguments of `link`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::LINK))]
pub struct LinkArgs {
    /// The ELF file, with its relocations kept (--emit-relocs, or not linked at all); `-` is standard input
    #[arg(value_name = "IN.elf")]
    pub elf: PathBuf,
    /// The blob to write; `-` is standard output
    #[arg(short, long, value_name = "OUT.polkavm")]
    pub output: PathBuf,
    /// Options of the linker.
    #[command(flatten)]
    pub options: LinkOptions,
}

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::RUN))]
pub struct RunArgs {
    /// The call.
    #[command(flatten)]
    pub call: CallArgs,
    /// The backend that runs the code; the result is the same
    ///
    /// auto prints the reason for falling back to the interpreter on standard error; jit fails instead, with exit code 4.
    #[arg(long, value_enum, default_value = "auto")]
    pub backend: Backend,
    /// Stop compiled code after this much CPU time, such as 500ms or 10s; without it there is no limit
    ///
    /// The units are ms, s, m and h. A run that is stopped ends with exit code 4. The interpreter has no such limit: use
    /// --gas.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub time_limit: Option<Duration>,
    /// Write a record of the run, for `pvm debug` and `pvm profile`
    ///
    /// It contains the program, the call and all answers of the host: docs/spec/record.md.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Print the result as JSON
    ///
    /// One object on standard output; an error is an object too. docs/pvm.md lists the fields.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trace`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::TRACE))]
pub struct TraceArgs {
    /// The call.
    #[command(flatten)]
    pub call: CallArgs,
    /// Show only the last N instructions
    ///
    /// The end of a trace shows the cause of a trap or an endless loop.
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Print a JSON object a line: one for each instruction, and the result
    ///
    /// An error is an object too. docs/pvm.md lists the fields.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `debug`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = examples::with_exit_codes(examples::DEBUG),
    mut_arg("blob", |arg| arg.required_unless_present("dap")),
    mut_arg("entry", |arg| arg.required_unless_present("dap")),
)]
pub struct DebugArgs {
    /// The call or record to debug.
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Serve an editor by the debug adapter protocol
    ///
    /// Over standard input and output, as editors start debug adapters, or at --listen. The editor says what is debugged,
    /// by the attributes of its launch configuration: docs/debugging.md lists them. debugger/vscode is an extension for VS
    /// Code.
    #[arg(long, conflicts_with_all = ["blob", "record", "entry", "args", "gas", "cost_model", "answers", "elf_out", "from"])]
    pub dap: bool,
    /// Serve a page for browsers, on a loopback port
    ///
    /// Prints its address, which has a token: whoever does not have it, such as another page in the same browser, is
    /// refused. The page is served until pvm is ended.
    #[arg(long, conflicts_with_all = ["dap", "elf_out"])]
    pub web: bool,
    /// Wait for a debugger on a port of this machine, or on a Unix socket at a path
    ///
    /// Port 0 is any that is free, and is the default but for --dap. Browsers need a port. Other machines cannot connect.
    #[arg(long, value_name = "PORT|PATH")]
    pub listen: Option<String>,
    /// The ELF file to write for gdb; without it, a temporary one
    #[arg(long, value_name = "FILE")]
    pub elf_out: Option<PathBuf>,
    /// First position; without it, the end of a record that ends in a trap or out of gas, else the start
    #[arg(long, value_enum)]
    pub from: Option<Begin>,
    /// Memory for snapshots, in MiB
    ///
    /// More memory makes going backwards faster.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub snapshot_memory: u32,
}

/// Position at which debugging begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Begin {
    /// Before the first instruction
    Start,
    /// At the trap, the return to the host, or the point where gas ran out
    End,
}

/// Arguments of `profile`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::PROFILE))]
pub struct ProfileArgs {
    /// The call or record to profile.
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// The cost model of the profile; without it, that of the run
    #[arg(long, value_enum)]
    pub profile_model: Option<CostModel>,
    /// Show at most this many functions, and as many lines
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Write collapsed stacks, a line each: functions joined by semicolons, and gas
    #[arg(long, value_name = "FILE")]
    pub collapsed: Option<PathBuf>,
    /// Write a flame graph, as SVG
    #[arg(long, value_name = "FILE")]
    pub flame_graph: Option<PathBuf>,
    /// Write which lines were covered, in the form of lcov
    #[arg(long, value_name = "FILE")]
    pub lcov: Option<PathBuf>,
    /// Print the table as JSON
    ///
    /// One object on standard output; an error is an object too. docs/pvm.md lists the fields.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `disassemble`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::DISASSEMBLE))]
pub struct DisassembleArgs {
    /// The blob; `-` is standard input
    pub blob: PathBuf,
    /// Comment each basic block with its gas cost
    #[arg(long)]
    pub gas: bool,
    /// The cost model of --gas
    #[arg(long, value_enum, default_value = "naive")]
    pub cost_model: CostModel,
    /// Comment each instruction with its offset and its meaning
    #[arg(long)]
    pub comments: bool,
    /// The file to write; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

/// Arguments of `assemble`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::ASSEMBLE))]
pub struct AssembleArgs {
    /// The text; `-` is standard input
    pub file: PathBuf,
    /// The blob to write; `-` is standard output
    #[arg(short, long, value_name = "BLOB")]
    pub output: PathBuf,
}

/// Arguments of `stats`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::STATS))]
pub struct StatsArgs {
    /// The blob; `-` is standard input
    pub blob: PathBuf,
    /// Print the result as JSON, with all instructions by name
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::VALIDATE))]
pub struct ValidateArgs {
    /// The blob; `-` is standard input
    pub blob: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::COMPLETIONS))]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples::with_exit_codes(examples::MAN))]
pub struct ManArgs {
    /// The command whose page to print; without it, the page of pvm
    pub command: Option<String>,
}

/// A 64-bit number: decimal, hex with `0x`, or negative.
pub fn argument(text: &str) -> Result<u64, String> {
    let refused = || format!("`{text}` is not a number of 64 bits");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.strip_prefix("0x") {
        Some(digits) => (16, digits),
        None => (10, digits),
    };
    if digits.starts_with('+') {
        return Err(refused());
    }
    let value = u64::from_str_radix(digits, radix).map_err(|_| refused())?;
    match negative {
        false => Ok(value),
        true if value <= 1 << 63 => Ok(value.wrapping_neg()),
        true => Err(refused()),
    }
}

/// Parses the answer of a host function.
fn answer(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not a name, `=` and a number"))?;
    Ok((name.to_owned(), argument(value)?))
}

/// Parses a time with its unit.
fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = units.iter().find(|(name, _)| text.get(digits.len()..) == Some(name));
    let number: Option<u64> = digits.parse().ok().filter(|_| !digits.starts_with('+'));
    match (number, unit) {
        (Some(number), Some((_, milliseconds))) if number > 0 => number
            .checked_mul(*milliseconds)
            .map(Duration::from_millis)
            .ok_or_else(|| format!("`{text}` is too long a time")),
        _ => Err(format!("`{text}` is not a time above zero with its unit, such as 500ms, 10s, 5m or 1h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_of_the_command_line_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        for (text, milliseconds) in [
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("0s", None),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("1d", None),
            ("1.5s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(time(text).ok(), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn arguments_are_numbers_of_64_bits() {
        for (text, value) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("0xff", Some(255)),
            ("-1", Some(u64::MAX)),
            ("-9223372036854775808", Some(1 << 63)),
            ("-9223372036854775809", None),
            ("-+1", None),
            ("+1", None),
            ("", None),
            ("0x", None),
            ("ten", None),
        ] {
            assert_eq!(argument(text).ok(), value, "{text}");
        }
    }
}
