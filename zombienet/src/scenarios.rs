//! The scenarios: events in a network that must not change any state.
//!
//! Each scenario ends with all nodes having the same state roots, whatever backend ran their contracts.

use crate::{
    agreement,
    load::Load,
    network::{Backend, Member, Network},
    report::Report,
    say,
};
use anyhow::{Context as _, Result, ensure};
use integration_tests::{paths, workers};
use serde_json::{Value, json};
use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use Backend::{Interpreter, Jit};

/// Four validators, two of each backend.
const MIXED: [(&str, Backend); 4] = [("Alice", Jit), ("Bob", Interpreter), ("Charlie", Jit), ("Dave", Interpreter)];

/// Two nodes that compile and two that interpret author and finalize under load.
///
/// # Errors
///
/// If they differ in anything, or halt.
pub fn mixed_validators(rounds: u32) -> Result<Report> {
    let network = Network::start(&MIXED, None)?;
    let mut load = Load::deploy(&network, &[0, 1, 2, 3])?;
    load.run(rounds)?;
    finish(&network, &load, 0)
}

/// Full nodes with both backends join later and execute the whole chain.
///
/// # Errors
///
/// If they differ in anything, or halt.
pub fn full_nodes_sync(rounds: u32) -> Result<Report> {
    let mut network = Network::start(&[("Alice", Jit), ("Bob", Interpreter)], None)?;
    let mut load = Load::deploy(&network, &[0, 1])?;
    load.run(rounds)?;
    load.settle(&network)?;
    for (name, backend) in [("late-interpreter", Interpreter), ("late-jit", Jit)] {
        let index = network.add_full_node(name, backend)?;
        ensure!(network.members.get(index).is_some_and(|member| !member.validates()), "{name} is no full node");
    }
    finish(&network, &load, 0)
}

/// Workers are killed continuously.
///
/// # Errors
///
/// If nodes differ in anything or halt, or no running contract was ever hit.
pub fn workers_killed(rounds: u32) -> Result<Report> {
    let network = Network::start(&[("Alice", Jit), ("Bob", Interpreter), ("Charlie", Jit)], None)?;
    let mut load = Load::deploy(&network, &[0, 1, 2])?;
    let kills = kill_at_random(&network, || {
        load.run(rounds)?;
        load.settle(&network).map(drop)
    })?;
    let report = finish(&network, &load, kills)?;
    ensure!(report.recoveries > 0, "no worker was killed while it ran a contract: {report}");
    Ok(report)
}

/// Kills the workers of all nodes that compile, again and again, until `done` returns. Returns the number of kills.
fn kill_at_random(network: &Network, done: impl FnOnce() -> Result<()>) -> Result<u64> {
    let (kills, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let targets: Vec<u32> = compiling(network).map(|member| member.node.process_id()).collect();
    say!("killing the workers of {} nodes from now on", targets.len());
    thread::scope(|scope| {
        scope.spawn(|| {
            // Not synchronized with blocks, and with varying pauses.
            for pause in (1..30).cycle().step_by(7) {
                if is_over.load(Relaxed) {
                    break;
                }
                for target in &targets {
                    kills.fetch_add(u64::from(workers::kill(*target)), Relaxed);
                }
                thread::sleep(Duration::from_millis(pause));
            }
        });
        let result = done();
        is_over.store(true, Relaxed);
        result
    })?;
    Ok(kills.load(Relaxed))
}

/// Restarts validators with the other backend while the others run on.
///
/// # Errors
///
/// If nodes differ in anything or halt.
pub fn backends_switched(rounds: u32) -> Result<Report> {
    let mut network = Network::start(&MIXED, None)?;
    // Through those that stay: transactions in a node's pool are lost when it ends.
    let mut load = Load::deploy(&network, &[2, 3])?;
    load.run(rounds)?;
    network.restart(1, Jit)?;
    load.run(rounds)?;
    network.restart(0, Interpreter)?;
    load.run(rounds)?;
    let report = finish(&network, &load, 0)?;
    for index in [0, 1] {
        let member = network.members.get(index).context("no such node")?;
        ensure!(member.metric("instances_total")? > 0, "{} ran no contract after its restart", member.name());
    }
    Ok(report)
}

/// The chain starts with the runtime that interprets contracts itself, and is upgraded to the one whose contracts the
/// node runs. A full node then executes all of it.
///
/// # Errors
///
/// If nodes differ in anything or halt, if the upgrade does not happen, or if contracts are not run as expected before
/// and after it.
pub fn runtime_upgraded(rounds: u32) -> Result<Report> {
    let not_built = "the runtimes were not built: build again without SKIP_WASM_BUILD";
    let old = runtime::predecessor::WASM_BINARY.context(not_built)?;
    let new = runtime::WASM_BINARY.context(not_built)?;
    let mut network = Network::start(&[("Alice", Jit), ("Bob", Interpreter)], Some(old))?;
    ensure!(
        spec_version(&network)?.iter().all(|version| *version == 100),
        "the chain has another runtime from the start"
    );
    let mut load = Load::deploy(&network, &[0, 1])?;
    load.run(rounds)?;
    load.settle(&network)?;
    ensure!(instances(&network)? == 0, "the nodes ran contracts that the runtime should have run");
    say!("upgrading the runtime");
    load.upgrade(new)?;
    network.wait_for("a final block with the new runtime", |member| Ok(runtime_version(member)? == 101))?;
    load.run(rounds)?;
    load.settle(&network)?;
    ensure!(instances(&network)? > 0, "the nodes ran no contract after the upgrade");
    network.add_full_node("late-jit", Jit)?;
    finish(&network, &load, 0)
}

/// The chain changes from its wasm runtime to the same runtime as RISC-V and back, under load. Workers are killed while
/// the RISC-V runtime is in use, also those that execute blocks. A full node then executes all of it.
///
/// # Errors
///
/// If nodes differ in anything or halt, or the code does not change.
pub fn runtime_becomes_riscv(rounds: u32) -> Result<Report> {
    let wasm = runtime::WASM_BINARY.context("the runtime was not built: build again without SKIP_WASM_BUILD")?;
    let riscv = paths::riscv_runtime()?;
    let riscv = fs::read(&riscv).with_context(|| riscv.display().to_string())?;
    let mut network = Network::start(&[("Alice", Jit), ("Bob", Interpreter), ("Charlie", Jit)], None)?;
    let mut load = Load::deploy(&network, &[0, 1, 2])?;
    load.run(rounds)?;
    let mut kills = 0;
    for (name, code) in [("RISC-V", riscv.as_slice()), ("wasm", wasm)] {
        say!("changing the runtime to {name}");
        load.replace_code(code)?;
        let length = code.len() as u64;
        network
            .wait_for(&format!("a final block with the {name} runtime"), |member| Ok(code_length(member)? == length))?;
        load.run(rounds)?;
        if name == "RISC-V" {
            kills = kill_at_random(&network, || load.run(rounds))?;
        }
        load.settle(&network)?;
    }
    network.add_full_node("late-jit", Jit)?;
    let report = finish(&network, &load, kills)?;
    ensure!(report.kills > 0, "no worker was killed: {report}");
    Ok(report)
}

/// Returns the length of the runtime's code at the last final block.
fn code_length(member: &Member) -> Result<u64> {
    let hash = member.node.rpc("chain_getFinalizedHead")?;
    let key = format!("0x{}", hex::encode(b":code"));
    let length = member.node.rpc_with("state_getStorageSize", &json!([key, hash]))?;
    length.as_u64().with_context(|| format!("no length: {length}"))
}

/// Waits until all calls are final everywhere, compares the nodes, and reports.
fn finish(network: &Network, load: &Load, kills: u64) -> Result<Report> {
    let calls = load.settle(network)?;
    let heights = network.members.iter().map(Member::finalized).collect::<Result<Vec<_>>>()?;
    let finalized = heights.into_iter().min().context("no node")?;
    say!("comparing the state roots of {} nodes up to block {finalized}", network.members.len());
    let roots = agreement::check(network, finalized)?;
    let recoveries = compiling(network).map(|member| member.metric("recoveries_total")).sum::<Result<u64>>()?;
    let differing = compiling(network).map(|member| member.metric("worker_deaths_total")).sum::<Result<u64>>()?;
    ensure!(differing == recoveries, "{differing} workers were lost in a run, but {recoveries} were got over");
    let blocks = network.members.iter().map(Member::best).collect::<Result<Vec<_>>>()?.into_iter().max();
    Ok(Report {
        blocks: blocks.context("no node")?,
        finalized,
        calls,
        failed: load.failed(finalized)?,
        kills,
        recoveries,
        nodes: network.members.len() as u64,
        roots,
    })
}

/// Returns the nodes that compile.
fn compiling(network: &Network) -> impl Iterator<Item = &Member> {
    network.members.iter().filter(|member| member.backend() == Jit)
}

/// Returns the number of instances that the nodes have made since they started.
fn instances(network: &Network) -> Result<u64> {
    network.members.iter().map(|member| member.metric("instances_total")).sum()
}

fn spec_version(network: &Network) -> Result<Vec<u64>> {
    network.members.iter().map(runtime_version).collect()
}

/// Returns the runtime version at the last final block: a best block may be retracted.
fn runtime_version(member: &Member) -> Result<u64> {
    let hash = member.node.rpc("chain_getFinalizedHead")?;
    let version = member.node.rpc_with("state_getRuntimeVersion", &json!([hash]))?;
    version.get("specVersion").and_then(Value::as_u64).with_context(|| format!("no version: {version}"))
}
