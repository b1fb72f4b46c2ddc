//! A node: started on a temporary base path, listening on loopback only, stopped when dropped. Alone it is a dev chain.

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

/// Time limit for a node to open its RPC port.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A running node.
pub struct Node {
    process: Child,
    folder: TempDir,
    port: u16,
}

/// Arguments that make a node a separate dev chain.
const DEV_CHAIN: [&str; 5] = ["--dev", "--listen-addr", "/ip4/127.0.0.1/tcp/0", "--no-mdns", "--no-prometheus"];

impl Node {
    /// Starts a dev chain and waits until its RPC server listens.
    ///
    /// # Errors
    ///
    /// If the node is not built, ends early or does not listen within two minutes; with the end of its log.
    pub fn start() -> Result<Self> {
        Self::start_on(free_port()?)
    }

    /// Starts a dev chain with a given RPC port.
    ///
    /// # Errors
    ///
    /// As [`Node::start`].
    pub fn start_on(port: u16) -> Result<Self> {
        let mut node = Self::spawn_on(port, &DEV_CHAIN.map(String::from))?;
        node.wait_until_it_listens()?;
        Ok(node)
    }

    /// Starts a node with these arguments in addition to those for its folder and RPC port, without waiting for it.
    /// They must keep it on loopback.
    ///
    /// # Errors
    ///
    /// If the node is not built or cannot be started.
    pub fn spawn(arguments: &[String]) -> Result<Self> {
        Self::spawn_on(free_port()?, arguments)
    }

    fn spawn_on(port: u16, arguments: &[String]) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder for the chain's data")?;
        let process = run(&folder, port, arguments)?;
        Ok(Self { process, folder, port })
    }

    /// Restarts a stopped node, in its folder and on its port, without waiting for it.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn_again(&mut self, arguments: &[String]) -> Result<()> {
        self.process = run(&self.folder, self.port, arguments)?;
        Ok(())
    }

    /// Waits until its RPC server listens.
    ///
    /// # Errors
    ///
    /// If the node ends early or does not listen within two minutes; with the end of its log.
    pub fn wait_until_it_listens(&mut self) -> Result<()> {
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

    /// The line in which the node announces its backend: it begins with `PolkaVM:`.
    pub fn polkavm(&self) -> Option<String> {
        let log = fs::read_to_string(self.folder.path().join("node.log")).ok()?;
        // The last one, if the node was restarted.
        let line = log.lines().rev().find_map(|line| line.find("PolkaVM:").map(|start| &line[start..]))?;
        Some(line.trim_end().to_owned())
    }

    /// Calls a JSON-RPC method without parameters, over HTTP, and returns its result.
    ///
    /// # Errors
    ///
    /// If there is no answer, or it is an error.
    pub fn rpc(&self, method: &str) -> Result<serde_json::Value> {
        self.rpc_with(method, &serde_json::json!([]))
    }

    /// Calls an RPC method with parameters, a JSON array.
    ///
    /// # Errors
    ///
    /// As [`Node::rpc`].
    pub fn rpc_with(&self, method: &str, params: &serde_json::Value) -> Result<serde_json::Value> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let answer = http(
            self.port,
            &format!("POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}", body.len()),
            &body,
        )?;
        let json: serde_json::Value = serde_json::from_str(&answer).with_context(|| format!("no JSON: {answer}"))?;
        json.get("result").cloned().with_context(|| format!("{method} fails: {json}"))
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The folder of its chain.
    pub fn base_path(&self) -> PathBuf {
        self.folder.path().join("chain")
    }

    /// Stops the node and waits for its end. Its chain stays until the node is dropped.
    ///
    /// # Errors
    ///
    /// If it does not end properly.
    pub fn stop(&mut self) -> Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        ensure!(told.context("`kill` could not be run")?.success(), "the node was gone already");
        let status = self.process.wait().context("waiting for the node failed")?;
        ensure!(status.success(), "the node ended with {status}. The end of its log:\n{}", self.log_end());
        Ok(())
    }

    /// The last lines of its log.
    pub fn log_end(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("node.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Makes the node end with this process, however that ends; for nodes in a `static`.
    ///
    /// # Errors
    ///
    /// If no watcher can be started.
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
    /// If it ends with a failure.
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
        // It may have ended already; an error can be ignored.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the program. Its output is appended to `node.log` in its folder.
fn run(folder: &TempDir, port: u16, arguments: &[String]) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.path().join("node.log"));
    let log = log.context("no log file for the node")?;
    Command::new(paths::program("node-template")?)
        .args(arguments)
        .arg("--base-path")
        .arg(folder.path().join("chain"))
        .args(["--rpc-port", &port.to_string(), "--no-telemetry"])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("no second handle of the log file")?)
        .stderr(log)
        .spawn()
        .context("the node could not be started")
}

/// Sends a request to a server on loopback: a request line with headers, and a body. Returns the body of the response.
///
/// # Errors
///
/// If there is no response.
pub fn http(port: u16, head: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("the node does not listen")?;
    let request = format!("{head}\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).context("the question was not sent")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("no answer")?;
    Ok(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

/// Finds a free port.
///
/// # Errors
///
/// If there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr().context("the port is unknown")?.port())
}
