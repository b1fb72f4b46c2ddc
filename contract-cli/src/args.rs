//! The command line.

use crate::{
    abi::{self, Encoded, Interface, Reader, Returns},
    error::Error,
    money::{Amount, Units},
    target::Target,
    units,
};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

const MORE: &str = "`pvm-contract --help` has examples, `pvm-contract COMMAND --help` the details of a command.";

const EXAMPLES: &str = "\
Examples:
  Store a program, then make a contract of it:
    pvm-contract upload flipper.polkavm
    pvm-contract instantiate flipper.polkavm --sig '(bool)' true

  Build a contract from source and make one of it:
    pvm-contract deploy Token.sol 1000000
    pvm-contract deploy guest/contracts/flipper --sig '(bool)' true

  Call it by its name; its interface is known:
    pvm-contract call Token transfer 0xTO 100

  Read from a contract, then change it:
    pvm-contract dry-run call 0xADDRESS --sig 'balanceOf(address) returns (uint256)' 0xWHO
    pvm-contract call 0xADDRESS --sig 'transfer(address,uint256)' 0xTO 100

  The same with the contract's interface, which also decodes results, events and errors:
    pvm-contract call 0xADDRESS --abi Token.json --message transfer 0xTO 100

  Find out why a call fails:
    pvm-contract trace call 0xADDRESS --abi Pair.json --message swap 0 100 0xTO

  Another chain, another account, JSON for a script:
    pvm-contract --url ws://127.0.0.1:9944 --suri //Bob --json info 0xADDRESS

Every transaction is dry-run first, which gives its gas limit and its result; one that fails there is not sent. With --gas
the limit is yours and the transaction is sent in any case. Numbers are shown with units; --json has them raw.

Exit codes: 0 done, 1 the chain or a check refused, 2 wrong command line or no connection.";

const UPLOAD_EXAMPLES: &str = "\
Examples:
  pvm-contract upload flipper.polkavm
  pvm-contract upload flipper.polkavm --deposit-limit 2000000000000";

const INSTANTIATE_EXAMPLES: &str = "\
Examples:
  pvm-contract instantiate flipper.polkavm --sig '(bool)' true
  pvm-contract instantiate erc20.polkavm --sig '(uint256)' 1000000
  pvm-contract instantiate 0xCODE_HASH --abi Token.json 1000000
  pvm-contract instantiate flipper.polkavm --salt 0x0000000000000000000000000000000000000000000000000000000000000001";

const DEPLOY_EXAMPLES: &str = "\
Examples:
  pvm-contract deploy Token.sol 1000000
  pvm-contract deploy Pair.sol --contract Pair
  pvm-contract deploy Pair.sol --compiler-arg=--include-path=lib
  pvm-contract deploy guest/contracts/flipper --sig '(bool)' true";

const CALL_EXAMPLES: &str = "\
Examples:
  pvm-contract call 0xADDRESS --sig 'flip()'
  pvm-contract call 0xADDRESS --sig 'transfer(address,uint256)' 0xTO 100
  pvm-contract call 0xADDRESS --abi Token.json --message transfer 0xTO 100
  pvm-contract call Token transfer 0xTO 100
  pvm-contract call 0xADDRESS --sig 'deposit()' --value 1.5UNIT
  pvm-contract call 0xADDRESS --data 0xde5f72fd --value 1e9";

const DRY_RUN_EXAMPLES: &str = "\
Examples:
  pvm-contract dry-run call 0xADDRESS --sig 'balanceOf(address) returns (uint256)' 0xWHO
  pvm-contract dry-run instantiate flipper.polkavm --sig '(bool)' true
  pvm-contract dry-run upload flipper.polkavm";

const TRACE_EXAMPLES: &str = "\
Examples:
  pvm-contract trace call 0xADDRESS --abi Pair.json --abi Token.json --message swap 0 100 0xTO
  pvm-contract trace call 0xADDRESS --abi Pair.json --abi out/ --message swap 0 100 0xTO
  pvm-contract trace instantiate factory.polkavm --sig '()'";

const TERMINATE_EXAMPLES: &str = "\
Example:
  pvm-contract terminate 0xADDRESS --sig 'close(address)' 0xHEIR";

const STORAGE_EXAMPLES: &str = "\
Examples:
  pvm-contract storage 0xADDRESS 0x0000000000000000000000000000000000000000000000000000000000000000
  pvm-contract storage 0xADDRESS 3                   Solidity's slot 3
  pvm-contract storage 0xADDRESS 0x62616c616e6365    a key of another length";

const INFO_EXAMPLES: &str = "\
Examples:
  pvm-contract info                 the chain: the pallet's constants, the token, the largest extrinsic
  pvm-contract info 0xADDRESS       a contract
  pvm-contract info 0xCODE_HASH     a stored program";

const ENCODE_EXAMPLES: &str = "\
Examples:
  pvm-contract encode --sig 'transfer(address,uint256)' 0xTO 100
  pvm-contract encode --abi Token.json --message transfer 0xTO 100
  pvm-contract encode --abi Token.json --constructor 1000000";

const DECODE_EXAMPLES: &str = "\
Examples:
  pvm-contract decode --abi Token.json 0xDATA
  pvm-contract decode --abi Token.json 0xDATA --as result --message balanceOf
  pvm-contract decode --abi Token.json 0xDATA --as event --topic 0xTOPIC --topic 0xTOPIC
  pvm-contract decode --abi Token.json 0xDATA --as error";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  pvm-contract completions bash > ~/.local/share/bash-completion/completions/pvm-contract
  pvm-contract completions zsh > ~/.zfunc/_pvm-contract
  pvm-contract completions fish > ~/.config/fish/completions/pvm-contract.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  pvm-contract man | man -l -
  pvm-contract man > ~/.local/share/man/man1/pvm-contract.1";

/// The heading of the options that every command has.
const GLOBAL: &str = "Chain, account and output";

/// Upload, instantiate, call and inspect PolkaVM contracts on a chain.
#[derive(Debug, Parser)]
#[command(name = "pvm-contract", version, after_help = MORE, after_long_help = EXAMPLES)]
pub struct Args {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, ClapArgs)]
pub struct Global {
    /// The chain's JSON-RPC address, over WebSocket; http:// is taken as ws:// to the same port.
    #[arg(long, global = true, env = "PVM_URL", default_value = "ws://127.0.0.1:9944", help_heading = GLOBAL)]
    pub url: String,
    /// The secret of the account that signs.
    ///
    /// A development account such as //Alice, a phrase, or a seed in hex. Set PVM_SURI rather than this option for a secret
    /// that matters: other users of a machine can see command lines.
    #[arg(long, global = true, env = "PVM_SURI", hide_env_values = true, default_value = "//Alice", help_heading = GLOBAL)]
    pub suri: String,
    /// The pallet's name in the chain's metadata.
    #[arg(long, global = true, default_value = "Polkavm", help_heading = GLOBAL)]
    pub pallet: String,
    /// Print one JSON object on standard output.
    ///
    /// Also for errors. Numbers are raw, balances are text, bytes are hex.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Wait until the block is finalized, not only until it is the best.
    ///
    /// A best block can still be retracted, and the transaction with it. For scripts whose next command depends on this
    /// one.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub finalized: bool,
    /// Do not map the signer's account to its address when a transaction needs it.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub no_map: bool,
    /// The folder in which `deploy` keeps blobs, interfaces and the addresses of contracts by name.
    #[arg(long, global = true, env = "PVM_OUT", value_name = "FOLDER", default_value = "out", help_heading = GLOBAL)]
    pub out: PathBuf,
    /// Time limit of the whole command, in seconds.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = GLOBAL)]
    pub timeout: u64,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check and store a program.
    ///
    /// The blob is checked against the chain's limits here, and dry-run, before it is sent.
    #[command(after_long_help = UPLOAD_EXAMPLES)]
    Upload {
        /// The blob.
        file: PathBuf,
        /// Maximum storage deposit to be held, such as 2UNIT; by default the dry run's deposit.
        #[arg(long, value_name = "AMOUNT")]
        deposit_limit: Option<Amount>,
        /// Send the blob without checking it here first.
        #[arg(long)]
        no_check: bool,
    },
    /// Remove a program that no contract uses; its deposit is returned.
    Remove {
        /// The program's hash.
        #[arg(value_parser = hash)]
        code_hash: [u8; 32],
    },
    /// Instantiate a contract from a blob or from a stored program.
    ///
    /// Runs the program's constructor with the given arguments. A blob is stored too, unless the chain has it.
    #[command(after_long_help = INSTANTIATE_EXAMPLES)]
    Instantiate(Instantiate),
    /// Build a contract from source, upload it and instantiate it.
    ///
    /// Takes a Solidity file, which `resolc` compiles, or the folder of a Rust crate. Contracts that a Solidity contract
    /// creates with `new` are uploaded too. Then as `instantiate`. Blob and interface are kept in the folder of --out, with
    /// the address by the contract's name, which `call` and others take instead of an address.
    #[command(after_long_help = DEPLOY_EXAMPLES)]
    Deploy(Deploy),
    /// Call a contract.
    ///
    /// The result is that of a dry run with the transaction's limits, as transactions return no data.
    #[command(after_long_help = CALL_EXAMPLES)]
    Call(Call),
    /// Show what a command would do, without sending a transaction.
    #[command(subcommand, after_long_help = DRY_RUN_EXAMPLES)]
    DryRun(DryRun),
    /// Show the tree of calls that a command would make, without sending a transaction.
    #[command(subcommand, after_long_help = TRACE_EXAMPLES)]
    Trace(Trace),
    /// Call a function that terminates its contract, and check that it did.
    ///
    /// A contract can only terminate itself: by the system builtin, or in the transaction that created it. Its deposits go to
    /// the signer, its balance to the beneficiary that the function names.
    #[command(after_long_help = TERMINATE_EXAMPLES)]
    Terminate(Call),
    /// Show a contract's storage value under a key.
    #[command(after_long_help = STORAGE_EXAMPLES)]
    Storage {
        /// The contract: its address, or its name if `deploy` made it.
        address: Target,
        /// The key in hex: fixed with 32 bytes, else variable; or a slot as a decimal number.
        ///
        /// Solidity's state variables have slots, which are keys of 32 bytes: 3 is padded to one.
        key: String,
        /// Take a key of 32 bytes as variable too.
        #[arg(long)]
        variable: bool,
    },
    /// Show a contract (by address or name), a program (by hash) or, without an argument, the chain.
    #[command(after_long_help = INFO_EXAMPLES)]
    Info {
        /// An address, a name that `deploy` gave, or a code hash.
        what: Option<String>,
    },
    /// Show an account: its address, balance, nonce and whether it is mapped.
    #[command(visible_alias = "balance")]
    Account {
        /// An address of 20 bytes, an account of 32 in hex or SS58, or //Bob; by default the signer.
        who: Option<String>,
    },
    /// Print call data; needs no chain.
    #[command(after_long_help = ENCODE_EXAMPLES)]
    Encode {
        /// The call data.
        #[command(flatten)]
        input: Input,
        /// Encode for the constructor.
        #[arg(long)]
        constructor: bool,
    },
    /// Decode data by a contract's interface; needs no chain.
    #[command(after_long_help = DECODE_EXAMPLES)]
    Decode {
        /// The data in hex.
        data: String,
        /// The contract's interface: a Solidity ABI in JSON, or an ink! contract's metadata.
        #[arg(long, value_name = "FILE")]
        abi: PathBuf,
        /// The type of the data.
        #[arg(long = "as", value_enum, default_value_t)]
        kind: DataKind,
        /// The function or message that returned it.
        #[arg(long, value_name = "NAME", required_if_eq("kind", "result"))]
        message: Option<String>,
        /// A topic of the event: 32 bytes in hex, once for each, in order.
        #[arg(long = "topic", value_name = "HEX", value_parser = hash)]
        topics: Vec<[u8; 32]>,
    },
    /// Map the signer's account to its address.
    MapAccount,
    /// Remove the mapping; its deposit is returned.
    UnmapAccount,
    /// Print a script that completes this program's commands and options in a shell.
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, in roff.
    #[command(after_long_help = MAN_EXAMPLES)]
    Man,
}

/// Commands that can be dry-run.
#[derive(Debug, Subcommand)]
pub enum DryRun {
    /// Dry-run `upload`.
    Upload {
        /// The blob.
        file: PathBuf,
        /// Maximum storage deposit to be held, such as 2UNIT; by default the account's balance.
        #[arg(long, value_name = "AMOUNT")]
        deposit_limit: Option<Amount>,
    },
    /// Dry-run `instantiate`.
    Instantiate(Instantiate),
    /// Dry-run `call`.
    Call(Call),
}

/// Commands whose calls can be traced.
#[derive(Debug, Subcommand)]
pub enum Trace {
    /// Trace `instantiate`.
    Instantiate(Instantiate),
    /// Trace `call`.
    Call(Call),
}

/// Arguments of `instantiate`.
#[derive(Debug, ClapArgs)]
pub struct Instantiate {
    /// The blob, or the hash of a stored program.
    pub code: String,
    /// A salt of 32 bytes in hex: the address then does not depend on the account's nonce.
    #[arg(long, value_name = "HEX", value_parser = hash)]
    pub salt: Option<[u8; 32]>,
    /// Send the blob without checking it here first.
    #[arg(long)]
    pub no_check: bool,
    /// Data, value and limits.
    #[command(flatten)]
    pub execution: Execution,
}

/// Arguments of `deploy`.
#[derive(Debug, ClapArgs)]
pub struct Deploy {
    /// The source: a Solidity file, or the folder of a Rust crate.
    ///
    /// The constructor's arguments follow. For Solidity they are encoded by the interface that the compiler makes.
    pub source: PathBuf,
    /// The contract to deploy, where the source has several.
    #[arg(long, value_name = "NAME")]
    pub contract: Option<String>,
    /// An argument for the compiler, `resolc` or cargo; may be repeated.
    #[arg(long = "compiler-arg", value_name = "ARG", allow_hyphen_values = true)]
    pub compiler_args: Vec<String>,
    /// A salt of 32 bytes in hex: the address then does not depend on the account's nonce.
    #[arg(long, value_name = "HEX", value_parser = hash)]
    pub salt: Option<[u8; 32]>,
    /// Data, value and limits.
    #[command(flatten)]
    pub execution: Execution,
}

/// Arguments of `call`.
#[derive(Debug, ClapArgs)]
pub struct Call {
    /// The contract: its address, or its name if `deploy` made it.
    ///
    /// With a name its interface is known: the name of a function and its arguments may follow.
    pub address: Target,
    /// Data, value and limits.
    #[command(flatten)]
    pub execution: Execution,
}

/// The call data, in one of three forms.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Input {
    /// The call data in hex.
    #[arg(long, value_name = "HEX", conflicts_with_all = ["sig", "message", "arguments"])]
    pub data: Option<String>,
    /// The Solidity signature of the function to call, by which the arguments are encoded.
    ///
    /// Such as 'transfer(address,uint256)', or with the types of its result, which is then decoded,
    /// 'balanceOf(address) returns (uint256)'; for a constructor '(uint256)'.
    #[arg(long, value_name = "SIGNATURE", conflicts_with = "message")]
    pub sig: Option<String>,
    /// The contract's interface: a Solidity ABI in JSON, ink! metadata, or a folder of them.
    ///
    /// Results, events and errors are then shown decoded. May be repeated: the called contract's comes first, those of
    /// contracts that it calls follow.
    #[arg(long, value_name = "FILE")]
    pub abi: Vec<PathBuf>,
    /// The function or message of --abi to call; for ink! also a constructor.
    ///
    /// Without it the first argument is its name.
    #[arg(long, value_name = "NAME")]
    pub message: Option<String>,
    /// The arguments for --sig or --abi.
    ///
    /// Numbers (also 1e18, 1.5ether, or 1.5UNIT with the token's name, which is 10^18 to a contract), addresses, true or
    /// false, text, bytes in hex, lists as `[1,2]`, tuples as `(1,true)`; for ink! SCALE values, records as { name: value }.
    #[arg(allow_negative_numbers = true)]
    pub arguments: Vec<String>,
}

/// Data, value and limits of an execution.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Execution {
    /// The call data.
    #[command(flatten)]
    pub input: Input,
    /// The amount to transfer with it, such as 1.5UNIT.
    ///
    /// A number alone, such as 1e9, is in the chain's smallest unit. Also in wei, gwei and ether: contracts count 10^18 wei to a
    /// token.
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    pub value: Amount,
    /// Maximum execution time (`ref_time`), such as 5ms; by default found by dry runs.
    ///
    /// A number alone is in picoseconds. The default is the minimum with which a dry run has the same effects as with a
    /// whole block's weight, plus a tenth.
    #[arg(long, value_name = "TIME", value_parser = units::read_time)]
    pub gas: Option<u64>,
    /// Maximum storage proof, such as 64KiB; by default as for --gas, or with it 3 MB.
    ///
    /// A number alone is in bytes.
    #[arg(long, value_name = "SIZE", value_parser = units::read_size)]
    pub proof_size: Option<u64>,
    /// Maximum storage deposit to be charged, such as 2UNIT; by default the account's balance.
    #[arg(long, value_name = "AMOUNT")]
    pub deposit_limit: Option<Amount>,
}

impl Input {
    /// Encodes the data of a call; returns it with the decoder of its result.
    ///
    /// # Errors
    ///
    /// If it is not hex, the interface cannot be read, no message is named, or the arguments do not fit.
    pub fn call_data(&self, units: Units<'_>) -> Result<(Vec<u8>, Reader), Error> {
        let by_name = |all: &[Interface], name: Option<&str>, arguments: &[String]| match (name, arguments) {
            (Some(name), arguments) => message(all, name, arguments, units),
            (None, [name, arguments @ ..]) => message(all, name, arguments, units),
            (None, []) => Err(Error::Usage(format!(
                "name the function to call, or give --data 0x for a call without data. There are: {}",
                messages(all).join(", ")
            ))),
        };
        self.encode(|signature, arguments| abi::by_signature(signature, arguments, units), by_name)
    }

    /// Encodes the data of a constructor; returns it with the decoder of its result.
    ///
    /// # Errors
    ///
    /// As [`Input::call_data`].
    pub fn constructor_data(&self, units: Units<'_>) -> Result<(Vec<u8>, Reader), Error> {
        let by_signature = |signature: &str, arguments: &[String]| {
            let data = abi::constructor_data(signature, arguments, units)?;
            Ok(Encoded { data, returns: Returns::Unknown })
        };
        let by_name = |all: &[Interface], name: Option<&str>, arguments: &[String]| match all.first() {
            Some(interface) => interface.constructor(name, arguments, units),
            None => Ok(Encoded { data: Vec::new(), returns: Returns::Unknown }),
        };
        self.encode(by_signature, by_name)
    }

    fn encode(
        &self,
        by_signature: impl Fn(&str, &[String]) -> Result<Encoded, Error>,
        by_name: impl Fn(&[Interface], Option<&str>, &[String]) -> Result<Encoded, Error>,
    ) -> Result<(Vec<u8>, Reader), Error> {
        let interfaces = Interface::read_all(&self.abi)?;
        if self.message.is_some() && interfaces.is_empty() {
            return Err(Error::Usage("--message needs --abi, in which it is declared".into()));
        }
        let Encoded { data, returns } = match (&self.sig, &self.data, interfaces.as_slice()) {
            (Some(signature), _, _) => by_signature(signature, &self.arguments)?,
            (None, Some(data), _) => {
                let data = hex_bytes(data).map_err(|error| Error::Usage(format!("--data {data}: {error}")))?;
                Encoded { data, returns: Returns::Unknown }
            }
            (None, None, []) if self.arguments.is_empty() => Encoded { data: Vec::new(), returns: Returns::Unknown },
            (None, None, []) => {
                return Err(Error::Usage("arguments need --sig or --abi, which say how to encode them".into()));
            }
            (None, None, all) => by_name(all, self.message.as_deref(), &self.arguments)?,
        };
        Ok((data, Reader::new(interfaces, returns)))
    }
}

/// Encodes a call by the first interface that has the message; the error is that of the first interface.
fn message(all: &[Interface], name: &str, arguments: &[String], units: Units<'_>) -> Result<Encoded, Error> {
    let plain = name.split('(').next().unwrap_or(name);
    let has =
        |interface: &&Interface| interface.messages().iter().any(|message| message.split('(').next() == Some(plain));
    match all.iter().find(has).or(all.first()) {
        Some(interface) => interface.message(name, arguments, units),
        None => Err(Error::Usage(format!("{name} is in no interface"))),
    }
}

fn messages(all: &[Interface]) -> Vec<String> {
    all.iter().flat_map(Interface::messages).collect()
}

/// The type to decode data as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DataKind {
    /// A call of one of the contract's functions.
    #[default]
    Call,
    /// The result of the function named with --message.
    Result,
    /// An event's data; its topics are given with --topic.
    Event,
    /// An error that the contract reverted with.
    Error,
}

/// Parses bytes in hex, with or without `0x`.
pub fn hex_bytes(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|error| format!("not hex: {error}"))
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    abi::bytes(text).ok_or_else(|| "32 bytes in hex are needed".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    const ADDRESS: &str = "0x0101010101010101010101010101010101010101";

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    /// Returns all commands with their names, such as `dry-run call`.
    fn commands(of: &clap::Command, name: &str) -> Vec<(String, clap::Command)> {
        let all = of.get_subcommands().filter(|command| command.get_name() != "help").map(|command| {
            let name = format!("{name} {}", command.get_name());
            [vec![(name.clone(), command.clone())], commands(command, &name)].concat()
        });
        all.flatten().collect()
    }

    #[test]
    fn short_help_is_a_line_for_each_thing_and_long_help_has_examples() {
        let mut all = commands(&Args::command(), "pvm-contract");
        assert!(all.len() > 20, "{} commands", all.len());
        all.push(("pvm-contract".into(), Args::command()));
        for (name, command) in &all {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && about.len() < 100 && !about.contains('\n'), "{name}: {about}");
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(
                    !help.is_empty() && help.len() < 100 && !help.contains('\n'),
                    "{name} {}: {help}",
                    arg.get_id()
                );
            }
            let mut command = command.clone();
            let (short, long) = (command.render_help().to_string(), command.render_long_help().to_string());
            assert!(!short.contains("Example"), "{short}");
            if command.get_after_long_help().is_some() {
                assert!(long.contains("Example"), "{long}");
            }
        }
    }

    /// Parses the command line of each example: everything but placeholders has to be valid.
    #[test]
    fn every_example_parses() {
        let mut texts = vec![EXAMPLES.to_owned()];
        for (_, command) in commands(&Args::command(), "pvm-contract") {
            texts.extend(command.get_after_long_help().map(ToString::to_string));
        }
        let mut examples = 0;
        for line in texts.iter().flat_map(|text| text.lines()) {
            let Some(line) = line.trim_start().strip_prefix("pvm-contract ") else { continue };
            // Everything after two spaces, a pipe or a redirection is not an argument of this program.
            let line = line.split("  ").next().unwrap().split(" | ").next().unwrap().split(" > ").next().unwrap();
            let line = line
                .replace("0xADDRESS", ADDRESS)
                .replace("0xCODE_HASH", &format!("0x{}", "11".repeat(32)))
                .replace("0xTOPIC", &format!("0x{}", "22".repeat(32)));
            // A quoted part is one word.
            let mut words = vec!["pvm-contract".to_owned()];
            for (number, part) in line.split('\'').enumerate() {
                match number % 2 {
                    0 => words.extend(part.split_whitespace().map(str::to_owned)),
                    _ => words.push(part.to_owned()),
                }
            }
            if let Err(error) = Args::try_parse_from(&words) {
                panic!("{words:?}: {error}");
            }
            examples += 1;
        }
        assert!(examples > 35, "{examples} examples");
    }

    #[test]
    fn options_may_follow_the_command() {
        let args =
            Args::try_parse_from(["pvm-contract", "call", ADDRESS, "--gas", "1", "--json", "--url", "ws://x"]).unwrap();
        assert!(args.global.json);
        assert_eq!(args.global.url, "ws://x");
        let Command::Call(call) = args.command else { panic!("not a call") };
        assert_eq!((call.address, call.execution.gas), (Target::Address([1; 20]), Some(1)));
    }

    #[test]
    fn arguments_follow_a_signature() {
        let args =
            Args::try_parse_from(["pvm-contract", "call", ADDRESS, "--sig", "f(uint256,bool)", "7", "true"]).unwrap();
        let Command::Call(call) = args.command else { panic!("not a call") };
        assert_eq!(call.execution.input.arguments, ["7", "true"]);
        assert_eq!(call.execution.input.call_data(Units::Offline).unwrap().0.len(), 4 + 64);
    }

    #[test]
    fn arguments_need_something_to_encode_them_by_and_only_one_thing() {
        let args = Args::try_parse_from(["pvm-contract", "call", ADDRESS, "7"]).unwrap();
        let Command::Call(call) = args.command else { panic!("not a call") };
        assert!(call.execution.input.call_data(Units::Offline).unwrap_err().to_string().contains("--sig or --abi"));
        for both in
            [["--data", "0x", "--sig", "f()"], ["--sig", "f()", "--message", "f"], ["--data", "0x", "--message", "f"]]
        {
            let args = [&["pvm-contract", "call", ADDRESS, "--abi", "x.json"][..], &both].concat();
            assert!(Args::try_parse_from(args).is_err(), "{both:?}");
        }
        let args = Args::try_parse_from(["pvm-contract", "call", ADDRESS, "--message", "f"]).unwrap();
        let Command::Call(call) = args.command else { panic!("not a call") };
        assert!(
            call.execution.input.call_data(Units::Offline).unwrap_err().to_string().contains("--message needs --abi")
        );
    }

    #[test]
    fn a_message_is_named_or_comes_first_and_without_one_all_are_listed() {
        let file = std::env::temp_dir().join(format!("pvm-contract-messages-{}.json", std::process::id()));
        let abi = r#"[{ "type": "function", "name": "add", "inputs": [{ "name": "by", "type": "int256" }] }]"#;
        std::fs::write(&file, abi).unwrap();
        let path = file.display().to_string();
        let encoded = |more: &[&str]| {
            let args = [&["pvm-contract", "call", ADDRESS, "--abi", &path][..], more].concat();
            let Command::Call(call) = Args::try_parse_from(args).unwrap().command else { panic!("not a call") };
            call.execution.input.call_data(Units::Offline).map(|(data, _)| data).map_err(|error| error.to_string())
        };
        // A negative number is not an option.
        let named = encoded(&["--message", "add", "-7"]).unwrap();
        assert_eq!(named[35], 0xf9);
        assert_eq!(encoded(&["add", "-7"]), Ok(named));
        assert!(encoded(&[]).unwrap_err().contains("There are: add(int256)"));
        assert!(encoded(&["sub", "1"]).unwrap_err().contains("no function sub"));
        assert_eq!(encoded(&["--data", "0x"]), Ok(Vec::new()));
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn amounts_times_and_sizes_may_have_units() {
        let args = ["pvm-contract", "call", ADDRESS, "--value", "1.5UNIT", "--gas", "5ms", "--proof-size", "64KiB"];
        let Command::Call(call) = Args::try_parse_from(args).unwrap().command else { panic!("not a call") };
        let Execution { value, gas, proof_size, .. } = call.execution;
        assert_eq!((value.to_string().as_str(), gas, proof_size), ("1.5UNIT", Some(5_000_000_000), Some(65_536)));
        assert!(Args::try_parse_from(["pvm-contract", "call", ADDRESS, "--value", "much"]).is_err());
    }

    #[test]
    fn a_result_is_decoded_by_the_message_that_gave_it() {
        let args = ["pvm-contract", "decode", "0x", "--abi", "x.json", "--as", "result"];
        assert!(Args::try_parse_from(args).is_err());
        assert!(Args::try_parse_from([&args[..], &["--message", "f"]].concat()).is_ok());
    }

    #[test]
    fn a_time_limit_of_nothing_is_refused() {
        assert!(Args::try_parse_from(["pvm-contract", "info", "--timeout", "0"]).is_err());
        assert_eq!(Args::try_parse_from(["pvm-contract", "info"]).unwrap().global.timeout, 120);
    }

    #[test]
    fn an_address_of_the_wrong_length_is_refused() {
        let error = Args::try_parse_from(["pvm-contract", "call", "0x0101"]).unwrap_err().to_string();
        assert!(error.contains("20 bytes"), "{error}");
    }
}
