//! Tests that RPC requests cannot stop a node: dry runs of an endless contract, with the maximum limit and from an
//! account without balance, end out of gas, and the node continues to build blocks.

use anyhow::{Context as _, Result, ensure};
use integration_tests::{contract::Cli, node::Node};
use serde_json::json;
use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// Returns when it is deployed, and never when it is called.
const ENDLESS: &str = ".isa ReviveV1
.stack_size 4096
.export \"deploy\" deploy
.export \"call\" call
deploy: jump_indirect ra, 0
call:   jump call
";

/// Number of simultaneous calls.
const CALLS: usize = 100;
/// Half a minute: many blocks of two seconds. A node that is blocked would build none.
const PATIENCE: Duration = Duration::from_secs(30);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The arguments of `PolkavmApi_call`, SCALE-encoded: an account without balance, this contract, no value, the maximum
/// encodable weight, no limit on the deposit, no data.
fn encoded(contract: &[u8; 20]) -> Vec<u8> {
    // The account of an Ethereum address, which needs no mapping.
    let origin = [&[7; 20][..], &[0xee; 12]].concat();
    // A compact number of eight bytes, twice.
    let most = [&[0x13][..], &[0xff; 8], &[0x13], &[0xff; 8]].concat();
    [&origin[..], contract, &0u128.to_le_bytes(), &[1], &most, &[0], &[0]].concat()
}

/// Returns true if the answer of a dry run, in hexadecimal digits, has the sentence for a lack of gas.
fn is_out_of_gas(answer: &str) -> bool {
    answer.contains(hex(b"costs more than").trim_start_matches("0x"))
}

fn best_block(node: &Node) -> Result<u64> {
    let header = node.rpc("chain_getHeader")?;
    let number = header["number"].as_str().and_then(|number| number.strip_prefix("0x"));
    Ok(u64::from_str_radix(number.context("no number")?, 16)?)
}

#[test]
fn a_hundred_endless_dry_runs_end_and_stop_nothing() -> Result<()> {
    // As many connections as calls, and some more to observe the node meanwhile.
    let arguments = ["--dev", "--listen-addr", "/ip4/127.0.0.1/tcp/0", "--no-mdns", "--no-prometheus"];
    let arguments = [&arguments[..], &["--rpc-max-connections", "300"]].concat();
    let mut node = Node::spawn(&arguments.into_iter().map(String::from).collect::<Vec<_>>())?;
    node.wait_until_it_listens()?;
    let node = node;
    let cli = Cli::new(&node.url());
    let folder = tempfile::tempdir()?;
    let blob = folder.path().join("endless");
    fs::write(&blob, vm_core::text::assemble(ENDLESS).context("no program")?)?;
    let made = cli.succeed(&["instantiate", &blob.display().to_string()])?;
    let address = made["address"].as_str().and_then(|address| address.strip_prefix("0x")).context("no address")?;
    let mut contract = [0; 20];
    for (byte, digits) in contract.iter_mut().zip(address.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits)?, 16)?;
    }
    let parameters = |method: &str| json!([method, hex(&encoded(&contract))]);

    // A single one ends out of gas: the answer has the sentence for it.
    for method in ["PolkavmApi_call", "PolkavmApi_trace_call"] {
        let started = Instant::now();
        let answer = node.rpc_with("state_call", &parameters(method))?;
        let answer = answer.as_str().context("no bytes")?.to_owned();
        ensure!(is_out_of_gas(&answer), "{method}: {answer}");
        println!("{method} with the largest limit: out of gas after {} ms", started.elapsed().as_millis());
    }

    // A hundred at once: each ends out of gas or is refused, and blocks are built meanwhile.
    let before = best_block(&node)?;
    let (ended, answered, out_of_gas) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let started = Instant::now();
    thread::scope(|scope| -> Result<()> {
        for _ in 0..CALLS {
            scope.spawn(|| {
                let answer = node.rpc_with("state_call", &parameters("PolkavmApi_call"));
                answered.fetch_add(u32::from(answer.is_ok()), Relaxed);
                let answer = answer.ok().and_then(|answer| answer.as_str().map(is_out_of_gas));
                out_of_gas.fetch_add(u32::from(answer == Some(true)), Relaxed);
                ended.fetch_add(1, Relaxed);
            });
        }
        while best_block(&node)? < before + 3 {
            ensure!(started.elapsed() < PATIENCE, "no three blocks in {PATIENCE:?}");
            thread::sleep(Duration::from_millis(200));
        }
        println!("{CALLS} at once: three blocks after {} ms", started.elapsed().as_millis());
        Ok(())
    })?;
    let [ended, answered, out_of_gas] = [ended, answered, out_of_gas].map(AtomicU32::into_inner);
    println!(
        "{CALLS} at once: {out_of_gas} out of gas, {} refused; all ended after {} ms and {} blocks",
        CALLS as u32 - out_of_gas,
        started.elapsed().as_millis(),
        best_block(&node)? - before
    );
    ensure!(ended as usize == CALLS);
    ensure!(answered > 0, "not one of a hundred was answered");
    // The node still builds blocks after that.
    let answer = node.rpc_with("state_call", &parameters("PolkavmApi_call"))?;
    ensure!(answer.is_string());
    Ok(())
}
