//! The command line.

use crate::{
    abi::{self, Encoded, Interface, Reader, Returns},
    error::Error,
};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  pvm-contract upload flipper.polkavm
  pvm-contract instantiate flipper.polkavm
  pvm-contract instantiate erc20.polkavm --sig '(uint256)' 1000000
  pvm-contract deploy Token.sol 1000000
  pvm-contract deploy guest/contracts/flipper --sig '(bool)' true
  pvm-contract call 0xADDRESS --sig 'transfer(address,uint256)' 0xTO 100
  pvm-contract dry-run call 0xADDRESS --sig 'balanceOf(address) returns (uint256)' 0xWHO
  pvm-contract call 0xADDRESS --abi Token.json --message transfer 0xTO 100
  pvm-contract trace call 0xADDRESS --abi Pair.json --message swap 0 100 0xTO
  pvm-contract terminate 0xADDRESS --sig 'close(address)' 0xHEIR
  pvm-contract encode --abi Token.json --message transfer 0xTO 100
  pvm-contract decode --abi Token.json 0xDATA
  pvm-contract storage 0xADDRESS 0x0000000000000000000000000000000000000000000000000000000000000000
  pvm-contract --url ws://127.0.0.1:9944 --suri //Bob --json info 0xADDRESS

A call is tried first (dry runs), which gives its gas limit and its result; what fails there is not sent. With --gas the
limit is yours and it is sent in any case. Numbers are shown with their units; --json has them raw.

Exit codes: 0 done, 1 the chain or a check refused, 2 wrong command line or no connection.";

/// The heading of the options that every command takes.
const GLOBAL: &str = "Chain, account and output";

/// Upload, instantiate, call and inspect PolkaVM contracts on a chain.
#[derive(Debug, Parser)]
#[command(name = "pvm-contract", version, after_help = EXAMPLES)]
pub struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, ClapArgs)]
pub struct Global {
    /// The chain's JSON-RPC address.
    #[arg(long, global = true, env = "PVM_URL", default_value = "ws://127.0.0.1:9944", help_heading = GLOBAL)]
    pub url: String,
    /// The secret of the account that signs: a development account such as //Alice, a phrase, or a seed in hex.
    /// Better given in the environment, as other users of a machine can see command lines.
    #[arg(long, global = true, env = "PVM_SURI", hide_env_values = true, default_value = "//Alice", help_heading = GLOBAL)]
    pub suri: String,
    /// The pallet's name in the chain's metadata.
    #[arg(long, global = true, default_value = "Polkavm", help_heading = GLOBAL)]
    pub pallet: String,
    /// Print one JSON object on standard output.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Wait until the block is final, not only until it is the best.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub finalized: bool,
    /// Do not map the signer's account to its address when it has to be.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub no_map: bool,
    /// How long the whole command may take, in seconds.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = GLOBAL)]
    pub timeout: u64,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check and store a program.
    Upload {
        /// The blob.
        file: PathBuf,
        /// The most that may be held as a deposit. Default: what a dry run says is needed.
        #[arg(long, value_name = "AMOUNT")]
        deposit_limit: Option<u128>,
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
    /// Make a contract from a blob or from a stored program.
    Instantiate(Instantiate),
    /// Build a contract from its source and make one of it.
    Deploy(Deploy),
    /// Call a contract.
    Call(Call),
    /// Show what a command would do, without sending a transaction.
    #[command(subcommand)]
    DryRun(DryRun),
    /// Show the tree of calls that a command would make, without sending a transaction.
    #[command(subcommand)]
    Trace(Trace),
    /// Call a function that ends its contract, and make sure that it did.
    ///
    /// A contract ends by its own program only: by the system builtin, or in the transaction that made it. Its deposits go to
    /// the signer, what it owned to whom the function names.
    Terminate(Call),
    /// Show what a contract has stored under a key.
    Storage {
        /// The contract.
        #[arg(value_parser = address)]
        address: [u8; 20],
        /// The key in hex. One of 32 bytes is a fixed key (as Solidity uses), others are variable.
        key: String,
        /// Take a key of 32 bytes as variable too.
        #[arg(long)]
        variable: bool,
    },
    /// Show a contract (20 bytes), a program (32 bytes) or, without an argument, the chain.
    Info {
        /// An address or a code hash.
        what: Option<String>,
    },
    /// Show an account: its address, balance, nonce and whether it is mapped.
    #[command(visible_alias = "balance")]
    Account {
        /// An address of 20 bytes, or an account of 32, in hex or SS58. Default: the signer.
        who: Option<String>,
    },
    /// Print call data; needs no chain.
    Encode {
        /// What is said.
        #[command(flatten)]
        input: Input,
        /// Encode for the constructor.
        #[arg(long)]
        constructor: bool,
    },
    /// Say what data means by a contract's interface; needs no chain.
    Decode {
        /// The data in hex.
        data: String,
        /// The contract's interface: a Solidity ABI in JSON, or an ink! contract's metadata.
        #[arg(long, value_name = "FILE")]
        abi: PathBuf,
        /// What the data is.
        #[arg(long = "as", value_enum, default_value_t)]
        kind: Kind,
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
}

/// Commands that can be tried.
#[derive(Debug, Subcommand)]
pub enum DryRun {
    /// Try `upload`.
    Upload {
        /// The blob.
        file: PathBuf,
        /// The most that may be held as a deposit. Default: what the account has.
        #[arg(long, value_name = "AMOUNT")]
        deposit_limit: Option<u128>,
    },
    /// Try `instantiate`.
    Instantiate(Instantiate),
    /// Try `call`.
    Call(Call),
}

/// Commands whose calls can be shown.
#[derive(Debug, Subcommand)]
pub enum Trace {
    /// Trace `instantiate`.
    Instantiate(Instantiate),
    /// Trace `call`.
    Call(Call),
}

/// What `instantiate` takes.
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

/// What `deploy` takes.
#[derive(Debug, ClapArgs)]
pub struct Deploy {
    /// The source: a folder with a Rust crate, or a Solidity file. Its constructor's arguments follow; for Solidity they are
    /// encoded by the interface that the compiler makes.
    pub source: PathBuf,
    /// Which contract, where the source has several.
    #[arg(long, value_name = "NAME")]
    pub contract: Option<String>,
    /// A salt of 32 bytes in hex: the address then does not depend on the account's nonce.
    #[arg(long, value_name = "HEX", value_parser = hash)]
    pub salt: Option<[u8; 32]>,
    /// Data, value and limits.
    #[command(flatten)]
    pub execution: Execution,
}

/// What `call` takes.
#[derive(Debug, ClapArgs)]
pub struct Call {
    /// The contract.
    #[arg(value_parser = address)]
    pub address: [u8; 20],
    /// Data, value and limits.
    #[command(flatten)]
    pub execution: Execution,
}

/// What is said to a contract.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Input {
    /// The call data in hex.
    #[arg(long, value_name = "HEX", conflicts_with_all = ["sig", "message", "arguments"])]
    pub data: Option<String>,
    /// A Solidity signature to encode the arguments by, such as 'transfer(address,uint256)' or, with what comes back,
    /// 'balanceOf(address) returns (uint256)'; for a constructor '(uint256)'.
    #[arg(long, value_name = "SIGNATURE", conflicts_with = "message")]
    pub sig: Option<String>,
    /// The contract's interface: a Solidity ABI in JSON, or an ink! contract's metadata. Results, events and errors are
    /// then shown decoded.
    #[arg(long, value_name = "FILE")]
    pub abi: Option<PathBuf>,
    /// The function or message of --abi to encode the arguments by; for ink! also a constructor.
    #[arg(long, value_name = "NAME", requires = "abi")]
    pub message: Option<String>,
    /// The arguments for --sig or --abi: numbers, addresses, true or false, text, bytes in hex, lists as [1,2], tuples as
    /// (1,true); for ink! SCALE values, records as { name: value }.
    pub arguments: Vec<String>,
}

/// Data, value and limits of an execution.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Execution {
    /// What is said to the contract.
    #[command(flatten)]
    pub input: Input,
    /// The amount to transfer with it, in the chain's smallest unit.
    #[arg(long, value_name = "AMOUNT", default_value_t = 0)]
    pub value: u128,
    /// The most execution time it may take, in picoseconds (`ref_time`). Default: the least with which dry runs do the same
    /// as with all that a block has, and a tenth more.
    #[arg(long, value_name = "PICOSECONDS")]
    pub gas: Option<u64>,
    /// The most storage proof it may take, in bytes. Default: as for --gas, or with it 3 MB.
    #[arg(long, value_name = "BYTES")]
    pub proof_size: Option<u64>,
    /// The most that may be charged as a deposit. Default: what the account has.
    #[arg(long, value_name = "AMOUNT")]
    pub deposit_limit: Option<u128>,
}

impl Input {
    /// The data of a call, and how to read what comes back.
    ///
    /// # Errors
    ///
    /// When it is no hex, the interface cannot be read, or the arguments do not fit.
    pub fn call_data(&self) -> Result<(Vec<u8>, Reader), Error> {
        self.encode(abi::by_signature, |interface, name, arguments| match name {
            Some(name) => interface.message(name, arguments),
            None if arguments.is_empty() => Ok(Encoded { data: Vec::new(), returns: Returns::Unknown }),
            None => Err(Error::Usage("name the function that the arguments are for with --message".into())),
        })
    }

    /// The data of a constructor, and how to read what comes back.
    ///
    /// # Errors
    ///
    /// As [`Input::call_data`].
    pub fn constructor_data(&self) -> Result<(Vec<u8>, Reader), Error> {
        let by_signature = |signature: &str, arguments: &[String]| {
            let data = abi::constructor_data(signature, arguments)?;
            Ok(Encoded { data, returns: Returns::Unknown })
        };
        self.encode(by_signature, Interface::constructor)
    }

    fn encode(
        &self,
        by_signature: impl Fn(&str, &[String]) -> Result<Encoded, Error>,
        by_name: impl Fn(&Interface, Option<&str>, &[String]) -> Result<Encoded, Error>,
    ) -> Result<(Vec<u8>, Reader), Error> {
        let interface = self.abi.as_deref().map(Interface::read).transpose()?;
        let Encoded { data, returns } = match (&self.sig, &self.data, &interface) {
            (Some(signature), _, _) => by_signature(signature, &self.arguments)?,
            (None, Some(data), _) => {
                let data = hex_bytes(data).map_err(|error| Error::Usage(format!("--data {data}: {error}")))?;
                Encoded { data, returns: Returns::Unknown }
            }
            (None, None, Some(interface)) => by_name(interface, self.message.as_deref(), &self.arguments)?,
            (None, None, None) if self.arguments.is_empty() => Encoded { data: Vec::new(), returns: Returns::Unknown },
            (None, None, None) => {
                return Err(Error::Usage("arguments need --sig or --abi, which say how to encode them".into()));
            }
        };
        Ok((data, Reader::new(interface, returns)))
    }
}

/// What data is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Kind {
    /// A call of one of the contract's functions.
    #[default]
    Call,
    /// What the function named with --message returned.
    Result,
    /// An event's data; its topics are given with --topic.
    Event,
    /// An error that the contract reverted with.
    Error,
}

/// Bytes in hex, with or without `0x`.
pub fn hex_bytes(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|error| format!("not hex: {error}"))
}

fn address(text: &str) -> Result<[u8; 20], String> {
    abi::bytes(text).ok_or_else(|| "an address is 20 bytes in hex".into())
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

    #[test]
    fn options_may_follow_the_command() {
        let args =
            Args::try_parse_from(["pvm-contract", "call", ADDRESS, "--gas", "1", "--json", "--url", "ws://x"]).unwrap();
        assert!(args.global.json);
        assert_eq!(args.global.url, "ws://x");
        let Command::Call(call) = args.command else { panic!("not a call") };
        assert_eq!((call.address, call.execution.gas), ([1; 20], Some(1)));
    }

    #[test]
    fn arguments_follow_a_signature() {
        let args =
            Args::try_parse_from(["pvm-contract", "call", ADDRESS, "--sig", "f(uint256,bool)", "7", "true"]).unwrap();
        let Command::Call(call) = args.command else { panic!("not a call") };
        assert_eq!(call.execution.input.arguments, ["7", "true"]);
        assert_eq!(call.execution.input.call_data().unwrap().0.len(), 4 + 64);
    }

    #[test]
    fn arguments_need_something_to_encode_them_by_and_only_one_thing() {
        let args = Args::try_parse_from(["pvm-contract", "call", ADDRESS, "7"]).unwrap();
        let Command::Call(call) = args.command else { panic!("not a call") };
        assert!(call.execution.input.call_data().unwrap_err().to_string().contains("--sig or --abi"));
        for both in
            [["--data", "0x", "--sig", "f()"], ["--sig", "f()", "--message", "f"], ["--data", "0x", "--message", "f"]]
        {
            let args = [&["pvm-contract", "call", ADDRESS, "--abi", "x.json"][..], &both].concat();
            assert!(Args::try_parse_from(args).is_err(), "{both:?}");
        }
        assert!(Args::try_parse_from(["pvm-contract", "call", ADDRESS, "--message", "f"]).is_err());
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
