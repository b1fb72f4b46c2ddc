//! Nodes of one chain on loopback.

use crate::spec;
use anyhow::{Context as _, Result, bail, ensure};
use integration_tests::node::{Node, free_port, http};
use serde_json::{Value, json};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Time limit for the network to reach a block. Blocks come every two seconds; the machine may be slow.
const PATIENCE: Duration = Duration::from_secs(180);

/// The backend of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Machine code in sandboxed processes.
    Jit,
    /// The interpreter.
    Interpreter,
}

impl Backend {
    /// Its name in flags and answers.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Jit => "jit",
            Backend::Interpreter => "interpreter",
        }
    }
}

/// The arguments of a node.
struct Settings {
    /// The name of a well-known account if it is a validator, otherwise any name.
    name: String,
    backend: Backend,
    validates: bool,
    listens_on: u16,
    metrics_port: u16,
    peer_id: String,
}

impl Settings {
    fn arguments(&self, network: &Path, bootnodes: &[String]) -> Vec<String> {
        let chain = network.join("chain.json").display().to_string();
        let key = network.join(&self.name).display().to_string();
        let listens_on = format!("/ip4/127.0.0.1/tcp/{}", self.listens_on);
        let mut arguments: Vec<String> = [
            "--chain",
            &chain,
            "--node-key-file",
            &key,
            "--listen-addr",
            &listens_on,
            "--no-mdns",
            "--prometheus-port",
            &self.metrics_port.to_string(),
            "--polkavm-backend",
            self.backend.name(),
        ]
        .map(String::from)
        .into();
        if self.validates && self.backend == Backend::Interpreter {
            // The chain's prices are those of compiled code: an interpreting validator must be allowed to be slow.
            arguments.push("--polkavm-author-interpreted".into());
        }
        match self.validates {
            true => arguments.extend(["--validator".into(), format!("--{}", self.name.to_lowercase())]),
            false => arguments.extend(["--name".into(), self.name.clone()]),
        }
        for bootnode in bootnodes {
            arguments.extend(["--bootnodes".into(), bootnode.clone()]);
        }
        arguments
    }

    fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.listens_on, self.peer_id)
    }
}

/// A node of the network.
pub struct Member {
    settings: Settings,
    /// The node.
    pub node: Node,
}

impl Member {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// True if it authors and votes.
    pub fn validates(&self) -> bool {
        self.settings.validates
    }

    /// Its backend.
    pub fn backend(&self) -> Backend {
        self.settings.backend
    }

    /// Returns the hash and the header at a height of the best chain; `None` above it.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub fn header(&self, height: u64) -> Result<Option<(Value, Value)>> {
        let hash = self.node.rpc_with("chain_getBlockHash", &json!([height]))?;
        if hash.is_null() {
            return Ok(None);
        }
        let header = self.node.rpc_with("chain_getHeader", &json!([hash]))?;
        Ok(Some((hash, header)))
    }

    /// The number of its best block.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub fn best(&self) -> Result<u64> {
        number(&self.node.rpc("chain_getHeader")?)
    }

    /// The number of its last final block.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub fn finalized(&self) -> Result<u64> {
        let hash = self.node.rpc("chain_getFinalizedHead")?;
        number(&self.node.rpc_with("chain_getHeader", &json!([hash]))?)
    }

    /// Returns a metric by its name without the prefix, such as `recoveries_total`.
    ///
    /// # Errors
    ///
    /// If the node does not answer, or has no such metric.
    pub fn metric(&self, name: &str) -> Result<u64> {
        let answer = http(self.settings.metrics_port, "GET /metrics HTTP/1.0", "")?;
        let line = answer.lines().find_map(|line| {
            let (key, value) = line.strip_prefix("polkavm_")?.rsplit_once(' ')?;
            (key.split('{').next() == Some(name)).then(|| value.to_owned())
        });
        let value = line.with_context(|| format!("{} has no metric {name}", self.name()))?;
        value.parse::<f64>().map(|value| value as u64).with_context(|| format!("{name} is {value}"))
    }
}

/// Returns the number in a header.
fn number(header: &Value) -> Result<u64> {
    let number = header.get("number").and_then(Value::as_str).with_context(|| format!("no header: {header}"))?;
    u64::from_str_radix(number.trim_start_matches("0x"), 16).with_context(|| format!("no number: {number}"))
}

/// A network that runs.
pub struct Network {
    folder: TempDir,
    /// Its nodes, in the order in which they were added.
    pub members: Vec<Member>,
}

/// Prints progress.
#[macro_export]
macro_rules! say {
    ($($text:tt)+) => { eprintln!("zombienet: {}", format_args!($($text)+)) };
}

impl Network {
    /// Starts a chain with these validators, and waits until they have built a block. `runtime` is the wasm at genesis,
    /// if not the nodes' own.
    ///
    /// # Errors
    ///
    /// If a node does not start, or no block is built in time.
    pub fn start(validators: &[(&str, Backend)], runtime: Option<&[u8]>) -> Result<Network> {
        let folder = tempfile::tempdir().context("no temporary folder for the network")?;
        let names: Vec<&str> = validators.iter().map(|(name, _)| *name).collect();
        spec::write(folder.path(), &names, runtime)?;
        let mut network = Network { folder, members: Vec::new() };
        for (name, backend) in validators {
            say!("starting the validator {name} with {}", backend.name());
            network.spawn(name, *backend, true)?;
        }
        for index in 0..network.members.len() {
            network.wait_until_it_runs(index)?;
        }
        network.wait_for("a first block", |member| Ok(member.best()? >= 1))?;
        Ok(network)
    }

    /// Adds a node that syncs the chain from its genesis, executing each block.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn add_full_node(&mut self, name: &str, backend: Backend) -> Result<usize> {
        say!("starting the full node {name} with {}", backend.name());
        self.spawn(name, backend, false)?;
        let index = self.members.len() - 1;
        self.wait_until_it_runs(index)?;
        Ok(index)
    }

    fn spawn(&mut self, name: &str, backend: Backend, validates: bool) -> Result<()> {
        let key = self.folder.path().join(name).display().to_string();
        spec::node_says(&["key", "generate-node-key", "--file", &key])?;
        let peer_id = spec::node_says(&["key", "inspect-node-key", "--file", &key])?.trim().to_owned();
        let (listens_on, metrics_port) = (free_port()?, free_port()?);
        let settings = Settings { name: name.to_owned(), backend, validates, listens_on, metrics_port, peer_id };
        let bootnodes: Vec<String> = self.members.iter().map(|member| member.settings.address()).collect();
        let node = Node::spawn(&settings.arguments(self.folder.path(), &bootnodes))?;
        self.members.push(Member { settings, node });
        Ok(())
    }

    fn wait_until_it_runs(&mut self, index: usize) -> Result<()> {
        let member = self.members.get_mut(index).context("no such node")?;
        member.node.wait_until_it_listens()?;
        let status = member.node.rpc("polkavm_status")?;
        let expected = member.backend().name();
        ensure!(status["backend"] == expected, "{} was told to use {expected} and says {status}", member.name());
        Ok(())
    }

    /// Stops a node and restarts it with its data and this backend.
    ///
    /// # Errors
    ///
    /// If it does not end properly, or does not start again.
    pub fn restart(&mut self, index: usize, backend: Backend) -> Result<()> {
        let others = self.members.iter().enumerate().filter(|(other, _)| *other != index);
        let bootnodes: Vec<String> = others.map(|(_, member)| member.settings.address()).collect();
        let member = self.members.get_mut(index).context("no such node")?;
        say!("restarting {} with {} instead of {}", member.name(), backend.name(), member.backend().name());
        member.node.stop()?;
        member.settings.backend = backend;
        let arguments = member.settings.arguments(self.folder.path(), &bootnodes);
        member.node.spawn_again(&arguments)?;
        self.wait_until_it_runs(index)
    }

    /// Waits until a condition holds for every node.
    ///
    /// # Errors
    ///
    /// If it does not hold within three minutes, with the end of that node's log.
    pub fn wait_for(&self, what: &str, holds: impl Fn(&Member) -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        for member in &self.members {
            while !holds(member)? {
                if started.elapsed() > PATIENCE {
                    bail!("{} has not got to {what} after {PATIENCE:?}:\n{}", member.name(), member.node.log_end());
                }
                thread::sleep(Duration::from_millis(200));
            }
        }
        Ok(())
    }

    /// Waits until a block is final on every node.
    ///
    /// # Errors
    ///
    /// As [`Network::wait_for`].
    pub fn wait_until_final(&self, height: u64) -> Result<()> {
        self.wait_for(&format!("a final block {height}"), |member| Ok(member.finalized()? >= height))
    }
}
