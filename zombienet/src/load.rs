//! Load: contracts that several accounts call continuously through several nodes.

use crate::network::Network;
use anyhow::{Context as _, Result, anyhow, ensure};
use contract_cli::{
    abi::call_data,
    api::Weight,
    args::Global,
    chain::{AtBlock, Chain},
};
use integration_tests::{contract::Cli, paths, words::number_of};
use std::time::{Duration, Instant};
use subxt::{
    dynamic::transaction,
    ext::scale_encode::{EncodeAsFields, EncodeAsType},
};

/// Accounts that call contracts. The first one also deploys them.
const ACCOUNTS: [&str; 4] = ["//Alice", "//Bob", "//Charlie", "//Dave"];
/// The token's supply, and the share of each caller.
const SUPPLY: u128 = 1_000_000_000;
const SHARE: u128 = 1_000_000;
/// Execution time limit of calls, in picoseconds: more than any successful call needs.
const PLENTY: u64 = 5_000_000_000;
/// Execution time of an endless call: long enough for workers to be killed during it.
const LOOP: u64 = 60_000_000_000;
/// Maximum number of an account's transactions in a pool; the account waits if there are more.
const WAITING: u64 = 24;
/// Time limit for transactions to be included in final blocks.
const PATIENCE: Duration = Duration::from_secs(180);

/// Deployed contracts.
#[derive(Clone)]
struct Contracts {
    flipper: [u8; 20],
    token: [u8; 20],
    misbehave: [u8; 20],
    /// The recipient of tokens.
    sink: String,
}

/// An account that calls contracts through one node.
struct Caller {
    chain: Chain,
    /// Its first nonce of the load, and its next.
    first: u64,
    next: u64,
    /// Tokens that it has sent to the sink.
    sent: u128,
    random: u64,
}

/// Contracts on a network, and those who call them.
pub struct Load {
    runtime: tokio::runtime::Runtime,
    contracts: Contracts,
    callers: Vec<Caller>,
}

/// Calls of a round, by expected result.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// A token for the sink. Succeeds.
    Transfer,
    /// A flip with so little execution time that some run out of it, at different points.
    FlipIfThereIsTime,
    /// An endless call, which runs out of gas.
    Loop,
    /// Stores, then reverts.
    Revert,
    /// Stores, then traps.
    Trap,
    /// Reads outside of memory.
    OutOfBounds,
    /// An event of some size.
    Event,
}

/// The calls of each caller in a round.
const ROUND: [Call; 9] = [
    Call::Transfer,
    Call::FlipIfThereIsTime,
    Call::Revert,
    Call::Transfer,
    Call::Loop,
    Call::FlipIfThereIsTime,
    Call::Trap,
    Call::Event,
    Call::OutOfBounds,
];

/// Picoseconds around which a flip runs out of time: from before the program is loaded to more than enough.
const FLIP: u64 = 900_000_000;

impl Load {
    /// Deploys contracts, and makes callers that send through these nodes of the network in turn.
    ///
    /// # Errors
    ///
    /// If a deployment fails.
    pub fn deploy(network: &Network, through: &[usize]) -> Result<Load> {
        let urls = through.iter().map(|index| network.members.get(*index).map(|member| member.node.url()));
        let urls: Vec<String> = urls.collect::<Option<_>>().context("no such node")?;
        let first = urls.first().context("no node to send through")?;
        let cli = Cli::new(first);
        crate::say!("deploying contracts");
        let instantiate = |contract: &str, arguments: &[&str]| -> Result<[u8; 20]> {
            let blob = paths::contract(contract)?.display().to_string();
            let made = cli.succeed(&[&["instantiate", &blob], arguments].concat())?;
            address(made["address"].as_str().context("no address")?)
        };
        let contracts = Contracts {
            flipper: instantiate("flipper", &["--sig", "(bool)", "false"])?,
            token: instantiate("erc20", &["--sig", "(uint256)", &SUPPLY.to_string()])?,
            misbehave: instantiate("misbehave", &[])?,
            sink: format!("0x{}", "5e".repeat(20)),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let callers = ACCOUNTS.iter().zip(urls.iter().cycle()).enumerate();
        let callers = callers.map(|(index, (account, url))| runtime.block_on(Caller::new(url, account, index as u64)));
        let mut load = Load { callers: callers.collect::<Result<_>>()?, runtime, contracts };
        load.runtime.block_on(share_tokens(&mut load.callers, &load.contracts))?;
        Ok(load)
    }

    /// Makes every caller send its calls for this number of rounds. Returns once all are sent.
    ///
    /// # Errors
    ///
    /// If a node refuses a call.
    pub fn run(&mut self, rounds: u32) -> Result<()> {
        let contracts = &self.contracts;
        for round in 1..=rounds {
            crate::say!("calls, round {round} of {rounds}");
            for caller in &mut self.callers {
                self.runtime.block_on(caller.round(contracts))?;
            }
        }
        Ok(())
    }

    /// Waits until all calls are in final blocks, and checks their effect: that the sink has all tokens that were sent
    /// to it, according to each node. Returns the number of calls.
    ///
    /// # Errors
    ///
    /// If calls are lost, or a node has another number of tokens.
    pub fn settle(&self, network: &Network) -> Result<u64> {
        crate::say!("waiting until all calls are final");
        let height = self.callers.iter().try_fold(0, |height, caller| -> Result<u64> {
            Ok(height.max(self.runtime.block_on(caller.until_final())?))
        })?;
        network.wait_until_final(height)?;
        let sent: u128 = self.callers.iter().map(|caller| caller.sent).sum();
        for member in &network.members {
            let balance = ["dry-run", "call", &shown(&self.contracts.token), "--sig", "balanceOf(address)"];
            let answer = Cli::new(&member.node.url()).succeed(&[&balance[..], &[&self.contracts.sink]].concat())?;
            ensure!(
                number_of(&answer["data"]) == Some(sent),
                "{sent} tokens were sent, {} sees {}",
                member.name(),
                answer["data"]
            );
        }
        Ok(self.calls())
    }

    /// Number of calls sent.
    pub fn calls(&self) -> u64 {
        self.callers.iter().map(|caller| caller.next - caller.first).sum()
    }

    /// Counts transactions that failed in the blocks up to this height.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub fn failed(&self, height: u64) -> Result<u64> {
        let chain = &self.callers.first().context("nobody to ask")?.chain;
        self.runtime.block_on(async {
            let mut failed = 0;
            for at in 1..=height {
                for event in chain.client.at_block(at).await?.events().fetch().await?.iter() {
                    let event = event?;
                    failed += u64::from((event.pallet_name(), event.event_name()) == ("System", "ExtrinsicFailed"));
                }
            }
            Ok(failed)
        })
    }

    /// Replaces the chain's runtime by a newer one, by sudo. Does not wait for it.
    ///
    /// # Errors
    ///
    /// If the transaction is refused.
    pub fn upgrade(&mut self, code: &[u8]) -> Result<()> {
        self.sudo(SystemCall::set_code { code: code.into() })
    }

    /// Replaces the chain's runtime by one of the same version, by sudo. Does not wait for it.
    ///
    /// # Errors
    ///
    /// If the transaction is refused.
    pub fn replace_code(&mut self, code: &[u8]) -> Result<()> {
        self.sudo(SystemCall::set_code_without_checks { code: code.into() })
    }

    fn sudo(&mut self, call: SystemCall) -> Result<()> {
        let caller = self.callers.first_mut().context("nobody to send it")?;
        let call = RuntimeCall::System(call);
        let weight = Weight { ref_time: 1_000_000_000, proof_size: 0 };
        self.runtime.block_on(caller.send("Sudo", "sudo_unchecked_weight", (call, weight)))?;
        // It is not a call of a contract.
        caller.first += 1;
        Ok(())
    }
}

/// A call of the runtime, by its names in the metadata.
#[derive(EncodeAsType)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
enum RuntimeCall {
    System(SystemCall),
}

#[derive(EncodeAsType)]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
#[allow(non_camel_case_types, reason = "the name in the metadata")]
enum SystemCall {
    set_code { code: Vec<u8> },
    set_code_without_checks { code: Vec<u8> },
}

/// Maps all accounts but the first, which has deployed, and makes that one give tokens to them.
async fn share_tokens(callers: &mut [Caller], contracts: &Contracts) -> Result<()> {
    let Some((first, others)) = callers.split_first_mut() else { return Ok(()) };
    for other in others.iter_mut() {
        other.send("Polkavm", "map_account", ()).await?;
        let chain = &other.chain;
        let to = shown(&chain.at_best(async |at| chain.address_of(at, chain.account()).await).await?);
        let data = call_data("transfer(address,uint256)", &[to, SHARE.to_string()])?;
        first.send_call(contracts.token, PLENTY, data).await?;
    }
    for caller in callers {
        // Final, so that no caller's calls can come before its share.
        caller.until_final().await?;
        caller.first = caller.next;
    }
    Ok(())
}

impl Caller {
    async fn new(url: &str, account: &str, index: u64) -> Result<Caller> {
        let global = Global {
            url: url.into(),
            suri: account.into(),
            pallet: "Polkavm".into(),
            json: true,
            finalized: false,
            no_map: true,
            out: "out".into(),
            timeout: PATIENCE.as_secs(),
        };
        let chain = Chain::connect(&global).await?;
        let first = chain.next_nonce().await?;
        Ok(Caller { chain, first, next: first, sent: 0, random: index + 1 })
    }

    /// Pseudo-random number, the same sequence in every run.
    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.random >> 33) % below
    }

    async fn round(&mut self, contracts: &Contracts) -> Result<()> {
        for call in ROUND {
            self.wait_for(WAITING).await?;
            self.call(contracts, call).await?;
        }
        Ok(())
    }

    /// Waits until at most `waiting` of its transactions are not in a block.
    async fn wait_for(&self, waiting: u64) -> Result<()> {
        let started = Instant::now();
        while self.next - self.nonce(false).await? > waiting {
            ensure!(started.elapsed() < PATIENCE, "the transactions of an account are not put into blocks");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    async fn call(&mut self, contracts: &Contracts, call: Call) -> Result<()> {
        let no_arguments = Vec::new();
        let (contract, signature, arguments, time) = match call {
            Call::Transfer => {
                self.sent += 1;
                let arguments = vec![contracts.sink.clone(), "1".into()];
                (contracts.token, "transfer(address,uint256)", arguments, PLENTY)
            }
            Call::FlipIfThereIsTime => (contracts.flipper, "flip()", no_arguments, self.random(FLIP)),
            Call::Loop => (contracts.misbehave, "loop()", no_arguments, LOOP),
            Call::Revert => (contracts.misbehave, "storeThenRevert()", no_arguments, PLENTY),
            Call::Trap => (contracts.misbehave, "storeThenTrap()", no_arguments, PLENTY),
            Call::OutOfBounds => (contracts.misbehave, "readOutOfBounds()", no_arguments, PLENTY),
            Call::Event => {
                let bytes = self.random(1024).to_string();
                (contracts.misbehave, "bigEvent(uint256)", vec![bytes], PLENTY)
            }
        };
        let data = call_data(signature, &arguments)?;
        self.send_call(contract, time, data).await
    }

    async fn send_call(&mut self, contract: [u8; 20], time: u64, data: Vec<u8>) -> Result<()> {
        let gas = Weight { ref_time: time, proof_size: 1_000_000 };
        self.send("Polkavm", "call", (contract, 0_u128, gas, u128::MAX, data)).await
    }

    /// Signs and sends a transaction; does not wait for its result.
    async fn send(&mut self, pallet: &str, call: &str, arguments: impl EncodeAsFields) -> Result<()> {
        let payload = transaction(pallet.to_owned(), call.to_owned(), arguments);
        self.chain.signed(&payload, self.next).await?.submit().await?;
        self.next += 1;
        Ok(())
    }

    /// Its nonce in the state of the best or the last final block.
    async fn nonce(&self, is_final: bool) -> Result<u64> {
        let nonce = async |at: &AtBlock| self.chain.balances(at, self.chain.account()).await.map(|(nonce, _)| nonce);
        let nonce = match is_final {
            true => nonce(&self.chain.client.at_current_block().await?).await?,
            false => self.chain.at_best(nonce).await?,
        };
        Ok(nonce.into())
    }

    /// Waits until its calls are in final blocks; returns the number of the last final block at that time.
    async fn until_final(&self) -> Result<u64> {
        let started = Instant::now();
        loop {
            let nonce = self.nonce(true).await?;
            if nonce == self.next {
                return Ok(self.chain.final_block().await?);
            }
            ensure!(
                started.elapsed() < PATIENCE,
                "{} of {} calls of an account are final after {PATIENCE:?}",
                nonce.saturating_sub(self.first),
                self.next - self.first
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

fn shown(address: &[u8; 20]) -> String {
    format!("0x{}", hex::encode(address))
}

fn address(shown: &str) -> Result<[u8; 20]> {
    let bytes = hex::decode(shown.trim_start_matches("0x"))?;
    <[u8; 20]>::try_from(bytes).map_err(|_| anyhow!("{shown} is no address"))
}
