//! A dev chain of one node: started on a temporary base path, listening on loopback only, stopped when dropped.

use crate::paths;
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a node may take to open its RPC port.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A running dev chain.
pub struct Node {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Node {
    /// Starts a dev chain and waits until its RPC server listens.
    ///
    /// # Errors
    ///
    /// When the node is not built, ends early or does not listen within two minutes; with the end of its log.
    pub fn start() -> Result<Self> {
        Self::start_on(free_port()?)
    }

    /// The same with a given RPC port.
    ///
    /// # Errors
    ///
    /// As [`Node::start`].
    pub fn start_on(port: u16) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder for the chain's data")?;
        let log = File::create(folder.path().join("node.log")).context("no log file for the node")?;
        let process = Command::new(paths::program("node-template")?)
            .arg("--dev")
            .arg("--base-path")
            .arg(folder.path().join("chain"))
            .args(["--rpc-port", &port.to_string()])
            // Loopback only, and no search for other nodes.
            .args(["--listen-addr", "/ip4/127.0.0.1/tcp/0"])
            .args(["--no-mdns", "--no-prometheus", "--no-telemetry"])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("no second handle of the log file")?)
            .stderr(log)
            .spawn()
            .context("the node could not be started")?;
        let mut node = Self { process, folder, port };
        node.wait_until_it_listens()?;
        Ok(node)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if let Some(status) = self.process.try_wait().context("the node's state is unknown")? {
                bail!("the node ended with {status}. The end of its log:\n{}", self.log_end());
            }
            if started.elapsed() > START_LIMIT {
                bail!(
                    "the node does not listen on port {} after {START_LIMIT:?}. The end of its log:\n{}",
                    self.port,
                    self.log_end()
                );
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The address of its RPC server.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// What runs contracts in this node, as it says at its start: the line that begins with `PolkaVM:`.
    pub fn polkavm(&self) -> Option<String> {
        let log = fs::read_to_string(self.folder.path().join("node.log")).ok()?;
        let line = log.lines().find_map(|line| line.find("PolkaVM:").map(|start| &line[start..]))?;
        Some(line.trim_end().to_owned())
    }

    /// Calls a JSON-RPC method without parameters, over HTTP, and returns its result.
    ///
    /// # Errors
    ///
    /// When there is no answer, or an error in it.
    pub fn rpc(&self, method: &str) -> Result<serde_json::Value> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[]}}"#);
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).context("the node does not listen")?;
        let head = format!("POST / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close", self.port);
        let head = format!("{head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).context("the question was not sent")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context("no answer")?;
        let json = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let json: serde_json::Value = serde_json::from_str(json).with_context(|| format!("no JSON: {answer}"))?;
        json.get("result").cloned().with_context(|| format!("{method} fails: {json}"))
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Where its chain is.
    pub fn base_path(&self) -> PathBuf {
        self.folder.path().join("chain")
    }

    /// Tells it to end, and waits until it has. Its chain stays until the node is dropped.
    ///
    /// # Errors
    ///
    /// When it does not end well.
    pub fn stop(&mut self) -> Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        ensure!(told.context("`kill` could not be run")?.success(), "the node was gone already");
        let status = self.process.wait().context("waiting for the node failed")?;
        ensure!(status.success(), "the node ended with {status}. The end of its log:\n{}", self.log_end());
        Ok(())
    }

    /// The last lines of what the node wrote.
    pub fn log_end(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("node.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Makes the node end when this process does, however that happens, for nodes that live in a `static`.
    ///
    /// # Errors
    ///
    /// When no watcher can be started.
    pub fn stop_with_this_process(&self) -> Result<()> {
        // The shell reads from a pipe that closes when this process is gone.
        let script = format!("cat >/dev/null; kill {}; rm -rf '{}'", self.process.id(), self.folder.path().display());
        let watcher = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("no watcher for the node could be started")?;
        std::mem::forget(watcher);
        Ok(())
    }

    /// Waits until the node ends.
    ///
    /// # Errors
    ///
    /// When it ends with a failure.
    pub fn wait(mut self) -> Result<()> {
        let status = self.process.wait().context("waiting for the node failed")?;
        if !status.success() {
            bail!("the node ended with {status}. The end of its log:\n{}", self.log_end());
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already; either way there is nothing left to do about it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port on which nobody listens now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr().context("the port is unknown")?.port())
}
