//! Tests that a node which interprets contracts accepts every block of one that compiles them, while that one's workers
//! are killed.

use anyhow::{Context as _, Result, ensure};
use integration_tests::{contract::Cli, node::Node, paths, words::number_of, workers};
use serde_json::Value;
use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    thread,
    time::Duration,
};

/// Runs a command of the node on the dev chain in this folder; returns its output.
fn node_command(command: &str, base_path: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new(paths::program("node-template")?)
        .args([command, "--dev", "--base-path"])
        .arg(base_path)
        .args(args)
        .env_remove("RUST_LOG")
        .env_remove("POLKAVM_BACKEND")
        .output()
        .with_context(|| format!("{command} could not be run"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command} ended with {}:\n{log}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &log)
}

/// The number of the best block of the dev chain in this folder.
fn best_block(base_path: &Path) -> Result<u64> {
    let printed = node_command("chain-info", base_path, &[])?;
    let json = &printed[printed.find('{').context("no JSON")?..=printed.rfind('}').context("no JSON")?];
    serde_json::from_str::<Value>(json)?["best_number"].as_u64().context("no number")
}

fn flip_and_read(cli: &Cli) -> Result<()> {
    let blob = paths::contract("flipper")?.display().to_string();
    let made = cli.succeed(&["instantiate", &blob, "--sig", "(bool)", "false"])?;
    let contract = made["address"].as_str().context("no address")?;
    for _ in 0..3 {
        cli.succeed(&["call", contract, "--sig", "flip()"])?;
    }
    let answer = cli.succeed(&["dry-run", "call", contract, "--sig", "get()"])?;
    ensure!(number_of(&answer["data"]) == Some(1), "three flips of false give {answer:#}");
    Ok(())
}

#[test]
fn an_interpreting_node_accepts_all_blocks_of_a_compiling_one() -> Result<()> {
    let mut node = Node::start()?;
    let backend = node.polkavm().context("the node does not say what runs contracts")?;
    let status = node.rpc("polkavm_status")?;
    ensure!(status["description"] == *backend, "the log says {backend}, RPC {status}");
    ensure!(status["backend"] == if backend.contains("jit") { "jit" } else { "interpreter" }, "{status}");
    let (killed, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    let process = node.process_id();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                killed.fetch_add(workers::kill(process), Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
        });
        let done = flip_and_read(&Cli::new(&node.url()).signed_by("//Alice"));
        is_over.store(true, Relaxed);
        done
    })
    .with_context(|| format!("the end of the node's log:\n{}", node.log_end()))?;
    ensure!(!backend.contains("jit") || killed.load(Relaxed) > 0, "no worker was ever seen, with {backend}");
    node.stop()?;

    let other = tempfile::tempdir()?;
    let blocks = other.path().join("blocks");
    let file = blocks.display().to_string();
    node_command("export-blocks", &node.base_path(), &["--binary", &file])?;
    let printed = node_command("import-blocks", other.path(), &["--polkavm-backend=interpreter", "--binary", &file])?;
    ensure!(printed.contains("PolkaVM: interpreter"), "it does not interpret:\n{printed}");
    let (built, imported) = (best_block(&node.base_path())?, best_block(other.path())?);
    ensure!(imported == built && built >= 4, "{built} blocks were built, {imported} imported:\n{printed}");
    Ok(())
}
