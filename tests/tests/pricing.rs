//! Tests that a node which interprets contracts does not start as an authority of a chain whose prices are those of
//! compiled code.

use anyhow::{Context as _, Result, ensure};
use integration_tests::paths;
use std::{
    io::Read as _,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Time limit of a refusal; starting takes much less.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a node of the local test network, and waits for its end.
fn start_and_wait(args: &[&str]) -> Result<(bool, String)> {
    let mut node = Command::new(paths::program("node-template")?)
        .args(["--chain", "local", "--tmp", "--no-mdns", "--listen-addr", "/ip4/127.0.0.1/tcp/0", "--rpc-port", "0"])
        // Otherwise an authority requires a node key before anything else.
        .arg("--unsafe-force-node-key-generation")
        .args(args)
        .env_remove("POLKAVM_BACKEND")
        .env_remove("POLKAVM_AUTHOR_INTERPRETED")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("the node could not be started")?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = node.try_wait()? {
            break status;
        }
        if started.elapsed() > PATIENCE {
            node.kill()?;
            break node.wait()?;
        }
        thread::sleep(Duration::from_millis(100));
    };
    let mut log = String::new();
    node.stderr.take().context("no log")?.read_to_string(&mut log)?;
    Ok((status.success(), log))
}

#[test]
fn an_authority_that_interprets_is_refused_and_told_what_to_change() -> Result<()> {
    let (succeeded, log) = start_and_wait(&["--alice", "--validator", "--polkavm-backend", "interpreter"])?;
    ensure!(!succeeded, "it ran as an authority:\n{log}");
    for part in ["may not author", "--polkavm-backend jit", "--polkavm-author-interpreted"] {
        ensure!(log.contains(part), "it does not say {part}:\n{log}");
    }
    Ok(())
}
