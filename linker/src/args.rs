//! The command line.

use crate::exit;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use vm_core::gas::{CostModelKind, MemoryLatency};
use vm_core::isa::Isa;

/// Run, disassemble, assemble, check and trace PolkaVM program blobs.
#[derive(Debug, Parser)]
#[command(name = "pvm", version, after_help = exit::HELP)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile a guest crate and make a blob of it
    Build(BuildArgs),
    /// Make a blob from a RISC-V ELF file
    Link(LinkArgs),
    /// Call an entry point, and say how it ended
    Run(RunArgs),
    /// Run, and show each instruction with what it wrote and touched
    Trace(TraceArgs),
    /// Write a blob as text that `assemble` takes
    Disassemble(DisassembleArgs),
    /// Make a blob from text
    Assemble(AssembleArgs),
    /// Say what is in a blob, and how much of it
    Stats(StatsArgs),
    /// Check a blob as a chain does before it stores it
    Validate(ValidateArgs),
}

impl Command {
    /// Whether the result is to be JSON.
    pub fn json(&self) -> bool {
        match self {
            Command::Run(args) => args.json,
            Command::Trace(args) => args.json,
            Command::Stats(args) => args.json,
            Command::Validate(args) => args.json,
            Command::Build(_) | Command::Link(_) | Command::Disassemble(_) | Command::Assemble(_) => false,
        }
    }
}

/// What runs the code.
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
    /// What the engine calls it.
    pub const fn of_engine(self) -> pvm_engine::Backend {
        match self {
            Backend::Auto => pvm_engine::Backend::Auto,
            Backend::Jit => pvm_engine::Backend::Jit,
            Backend::Interpreter => pvm_engine::Backend::Interpreter,
        }
    }
}

/// How gas costs are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CostModel {
    /// One gas for each instruction
    Naive,
    /// The cycles of an idealised processor, with data in the second-level cache
    Pipeline,
    /// The same with data in the first-level cache
    PipelineL1,
    /// The same with data in the third-level cache
    PipelineL3,
}

impl CostModel {
    /// The model.
    pub const fn kind(self) -> CostModelKind {
        match self {
            CostModel::Naive => CostModelKind::Naive,
            CostModel::Pipeline => CostModelKind::Pipeline(MemoryLatency::L2),
            CostModel::PipelineL1 => CostModelKind::Pipeline(MemoryLatency::L1),
            CostModel::PipelineL3 => CostModelKind::Pipeline(MemoryLatency::L3),
        }
    }
}

/// A call: which program, which entry, and with what.
#[derive(Debug, clap::Args)]
pub struct CallArgs {
    /// The blob; `-` is standard input
    pub blob: PathBuf,
    /// The export to call
    #[arg(long, value_name = "NAME")]
    pub entry: String,
    /// An argument, decimal or 0x, up to nine of them; they go to a0 to a5 and t0 to t2
    #[arg(long = "arg", value_name = "N", value_parser = argument, allow_negative_numbers = true)]
    pub args: Vec<u64>,
    /// The gas that the run may use
    #[arg(long, value_name = "N", default_value_t = i64::MAX, value_parser = clap::value_parser!(i64).range(0..))]
    pub gas: i64,
    /// How gas costs are computed
    #[arg(long, value_enum, default_value = "naive")]
    pub cost_model: CostModel,
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

/// How to link.
#[derive(Debug, clap::Args)]
pub struct LinkOptions {
    /// The instruction set; without it, revive-v1 for RV64E and latest32 for RV32E
    #[arg(long, value_enum)]
    pub isa: Option<TargetIsa>,
    /// How much to optimize: 0 not at all, 1 what debuggers can follow, 2 everything
    #[arg(short = 'O', long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub optimize: u8,
    /// Run these passes only, in the order of the level; for finding out which one is at fault
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub passes: Option<Vec<String>>,
    /// Leave out names and source lines
    #[arg(short, long)]
    pub strip: bool,
    /// Exports that begin the code with a jump each, in this order
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub dispatch_table: Vec<String>,
    /// Also export this global function; for ELF files that mark none
    #[arg(long = "export", value_name = "NAME")]
    pub exports: Vec<String>,
    /// Give the program at least this much stack, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = crate::DEFAULT_STACK_SIZE)]
    pub min_stack_size: u32,
}

impl LinkOptions {
    /// What they mean to the linker.
    pub fn options(&self) -> crate::Options {
        crate::Options {
            isa: self.isa.map(|isa| match isa {
                TargetIsa::ReviveV1 => Isa::ReviveV1,
                TargetIsa::Latest32 => Isa::Latest32,
                TargetIsa::JamV1 => Isa::JamV1,
            }),
            level: match self.optimize {
                0 => crate::Level::None,
                1 => crate::Level::Some,
                _ => crate::Level::Full,
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
#[command(after_help = exit::HELP)]
pub struct BuildArgs {
    /// The guest's Cargo.toml
    #[arg(long, value_name = "PATH", default_value = "Cargo.toml")]
    pub manifest_path: PathBuf,
    /// Of several binaries, build this one
    #[arg(long, value_name = "NAME")]
    pub bin: Option<String>,
    /// Compile for RV32E instead of RV64E
    #[arg(long)]
    pub rv32: bool,
    /// Where the blob goes; without it, beside the ELF file in cargo's target folder
    #[arg(short, long, value_name = "OUT.polkavm")]
    pub output: Option<PathBuf>,
    /// How to link.
    #[command(flatten)]
    pub options: LinkOptions,
    /// More arguments for cargo, behind `--`
    #[arg(last = true, value_name = "ARGS")]
    pub cargo: Vec<String>,
}

/// Arguments of `link`.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub struct LinkArgs {
    /// The ELF file, with its relocations kept (--emit-relocs, or not linked at all); `-` is standard input
    #[arg(value_name = "IN.elf")]
    pub elf: PathBuf,
    /// Where the blob goes; `-` is standard output
    #[arg(short, long, value_name = "OUT.polkavm")]
    pub output: PathBuf,
    /// How to link.
    #[command(flatten)]
    pub options: LinkOptions,
}

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub struct RunArgs {
    /// What to call.
    #[command(flatten)]
    pub call: CallArgs,
    /// What runs the code; the result is the same
    #[arg(long, value_enum, default_value = "auto")]
    pub backend: Backend,
    /// Stop compiled code after this much CPU time, with a unit: ms, s, m or h; without it there is no limit
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub time_limit: Option<Duration>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trace`.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub struct TraceArgs {
    /// What to call.
    #[command(flatten)]
    pub call: CallArgs,
    /// Show only the last N instructions
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Print a JSON object a line: one for each instruction, and the result
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `disassemble`.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub struct DisassembleArgs {
    /// The blob; `-` is standard input
    pub blob: PathBuf,
    /// Also say what each basic block costs
    #[arg(long)]
    pub gas: bool,
    /// How gas costs are computed
    #[arg(long, value_enum, default_value = "naive")]
    pub cost_model: CostModel,
    /// Also say at which offset each instruction is and what it does
    #[arg(long)]
    pub comments: bool,
    /// Where the text goes; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

/// Arguments of `assemble`.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub struct AssembleArgs {
    /// The text; `-` is standard input
    pub file: PathBuf,
    /// Where the blob goes; `-` is standard output
    #[arg(short, long, value_name = "BLOB")]
    pub output: PathBuf,
}

/// Arguments of `stats`.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub struct StatsArgs {
    /// The blob; `-` is standard input
    pub blob: PathBuf,
    /// Print the result as JSON, with all instructions by name
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub struct ValidateArgs {
    /// The blob; `-` is standard input
    pub blob: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// A 64-bit number: decimal, hex with `0x`, or negative.
fn argument(text: &str) -> Result<u64, String> {
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

/// A time with its unit.
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
    fn the_command_line_is_put_together_right() {
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
