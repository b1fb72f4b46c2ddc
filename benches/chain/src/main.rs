//! Benchmark of contract calls in block building: our pallet with the node's compiler, with the node's interpreter and
//! with the interpreter in the runtime, beside `pallet-revive`, which interprets in the runtime. Run: make bench-chain
//!
//! Every chain gets the same contracts (the same bytes) and the same calls as signed transactions, and applies them one
//! by one as a node that builds a block does: one call of the wasm runtime per transaction, with signature, nonce, fee
//! and events. Only these calls are timed. A failed transaction ends the benchmark; the contracts fail if a result is
//! wrong.

mod chain;
mod overhead;
mod table;

use anyhow::{Context as _, Result, ensure};
use chain::{Chain, ChainKind};
use std::{path::Path, time::Duration};
use table::Table;

/// Number of times that each workload is measured on each chain; the least time counts.
const ROUNDS: usize = 7;

/// A measured call.
struct Workload {
    name: &'static str,
    contract: Option<&'static str>,
    data: Vec<u8>,
    /// Number of calls in a round, and in a block, which has room for them on every chain.
    calls: usize,
    in_block: usize,
}

/// Call data: a function selector and its arguments as words.
fn data(signature: &str, words: &[[u8; 32]]) -> Vec<u8> {
    let selector = &sp_crypto_hashing::keccak_256(signature.as_bytes())[..4];
    [selector, &words.concat()].concat()
}

fn word(number: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&number.to_be_bytes());
    word
}

/// Expected result of the contract's computation.
fn fibonacci(turns: u64) -> u64 {
    (0..turns).fold((0_u64, 1_u64), |(this, next), _| (next, this.wrapping_add(next))).0
}

fn hash(turns: u64) -> u64 {
    let last = (0..turns).fold([0; 32], |hash, _| sp_crypto_hashing::sha2_256(&hash));
    last[24..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn workloads() -> Vec<Workload> {
    let work = |name, signature, words: &[[u8; 32]], calls, in_block| Workload {
        name,
        contract: Some("work"),
        data: data(signature, words),
        calls,
        in_block,
    };
    let sink = word(0x5e5e);
    vec![
        Workload { name: "no contract (remark)", contract: None, data: Vec::new(), calls: 50, in_block: 50 },
        work("nothing", "nothing()", &[], 50, 50),
        Workload {
            name: "erc20 transfer",
            contract: Some("erc20"),
            data: data("transfer(address,uint256)", &[sink, word(1)]),
            calls: 50,
            in_block: 50,
        },
        work(
            "fibonacci, 100,000 turns",
            "fibonacci(uint256,uint256)",
            &[word(100_000), word(fibonacci(100_000))],
            10,
            1,
        ),
        work("sha256, 1,000 times", "hash(uint256,uint256)", &[word(1000), word(hash(1000))], 10, 1),
        work("ed25519 verify", "verify(bool)", &[word(1)], 10, 1),
    ]
}

fn main() -> Result<()> {
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../out/contracts");
    let blob = |name: &str| {
        let path = contracts.join(name).with_extension("polkavm");
        std::fs::read(&path).with_context(|| format!("{} is not built: run make bench-chain", path.display()))
    };
    let (erc20, work) = (blob("erc20")?, blob("work")?);
    let kinds = [ChainKind::OursJit, ChainKind::OursNodeInterpreter, ChainKind::OursInRuntime, ChainKind::Revive];
    let mut chains = Vec::new();
    for kind in kinds {
        eprintln!("bench-chain: preparing {}", kind.name());
        let mut chain = Chain::new(kind)?;
        chain.deploy("erc20", &erc20, &word(SUPPLY))?;
        chain.deploy("work", &work, &[])?;
        chains.push(chain);
    }
    let workloads = workloads();
    check_refusals(&mut chains)?;

    let mut least = vec![vec![Duration::MAX; chains.len()]; workloads.len()];
    let mut transfers = 0;
    for round in 0..ROUNDS {
        for (workload, least) in workloads.iter().zip(&mut least) {
            eprintln!("bench-chain: round {} of {ROUNDS}: {}", round + 1, workload.name);
            for (chain, least) in chains.iter_mut().zip(least.iter_mut()) {
                let took = chain.measure(workload.contract, &workload.data, workload.calls, workload.in_block)?;
                *least = (*least).min(took / workload.calls as u32);
            }
            transfers += if workload.name == "erc20 transfer" { workload.calls as u64 } else { 0 };
        }
    }
    check_transfers(&mut chains, transfers)?;

    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let micros = |time: &Duration| time.as_secs_f64() * 1e6;
    let mut whole =
        Table::new("Time per transaction in block building, microseconds; in brackets transactions per second", &names);
    let mut alone = Table::new(
        "What the call adds to a transaction without one, microseconds; in brackets the ratio to ours, jit",
        &names,
    );
    let Some((remark, calls)) = least.split_first() else { return Ok(()) };
    whole.row(
        "no contract (remark)",
        remark.iter().map(|time| format!("{:.1} ({:.0})", micros(time), 1e6 / micros(time))),
    );
    for (workload, times) in workloads.iter().skip(1).zip(calls) {
        whole.row(workload.name, times.iter().map(|time| format!("{:.1} ({:.0})", micros(time), 1e6 / micros(time))));
        let added: Vec<f64> = times.iter().zip(remark).map(|(time, remark)| micros(time) - micros(remark)).collect();
        let ours = added.first().copied().unwrap_or(f64::NAN);
        alone.row(workload.name, added.iter().map(|time| format!("{time:.1} ({:.2}x)", time / ours)));
    }
    let mut ratios = Table::new("Transactions per second of block building, to pallet-revive's", &names);
    for (workload, times) in workloads.iter().zip(&least) {
        let peer = times.last().map_or(f64::NAN, micros);
        ratios.row(workload.name, times.iter().map(|time| format!("{:.2}x", peer / micros(time))));
    }
    println!("{whole}\n{alone}\n{ratios}");
    println!("{}", overhead::measure(&work)?);
    Ok(())
}

/// The token's supply.
const SUPPLY: u64 = 1_000_000_000;

/// Checks that the contracts detect a wrong result: otherwise a transaction that succeeds would prove nothing.
fn check_refusals(chains: &mut [Chain]) -> Result<()> {
    for chain in chains {
        for wrong in [
            data("fibonacci(uint256,uint256)", &[word(100), word(fibonacci(100) ^ 1)]),
            data("hash(uint256,uint256)", &[word(2), word(hash(2) ^ 1)]),
        ] {
            ensure!(chain.measure(Some("work"), &wrong, 1, 1).is_err(), "a wrong result is taken for right");
        }
    }
    Ok(())
}

/// Checks that exactly this number of tokens was transferred: a transfer of all the rest succeeds, and one more token
/// fails.
fn check_transfers(chains: &mut [Chain], transfers: u64) -> Result<()> {
    for chain in chains {
        let rest = data("transfer(address,uint256)", &[word(0x5e5f), word(SUPPLY - transfers)]);
        chain.measure(Some("erc20"), &rest, 1, 1).context("tokens are missing")?;
        let more = data("transfer(address,uint256)", &[word(0x5e5f), word(1)]);
        ensure!(chain.measure(Some("erc20"), &more, 1, 1).is_err(), "there are more tokens than there should be");
    }
    Ok(())
}
