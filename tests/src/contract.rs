//! Runs `pvm-contract` as a user would and parses its JSON.

use crate::paths;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::process::{Command, Stdio};

/// The command line, bound to one chain.
#[derive(Debug, Clone)]
pub struct Cli {
    url: String,
    suri: String,
}

/// The result of a command.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The exit code: 0 success, 1 refused by the chain or by a check, 2 usage or connection.
    pub code: i32,
    /// Its standard output.
    pub json: Value,
    /// Its standard error.
    pub progress: String,
}

impl Cli {
    /// Makes commands to the chain at `url`, signed by Alice.
    pub fn new(url: &str) -> Self {
        Self { url: url.into(), suri: "//Alice".into() }
    }

    /// The command line, signing as another account.
    pub fn signed_by(&self, suri: &str) -> Self {
        Self { suri: suri.into(), ..self.clone() }
    }

    /// Runs a command and returns its result. A transaction that it sends is in a final block afterwards, so that the
    /// next command may rely on it.
    ///
    /// # Errors
    ///
    /// If the program cannot be run or does not print JSON.
    pub fn run(&self, args: &[&str]) -> Result<Answer> {
        let output = Command::new(paths::program("pvm-contract")?)
            .args(["--json", "--finalized", "--url", &self.url, "--suri", &self.suri])
            .args(args)
            .env_remove("PVM_SURI")
            .env_remove("PVM_URL")
            .stdin(Stdio::null())
            .output()
            .context("pvm-contract could not be run")?;
        let progress = String::from_utf8_lossy(&output.stderr).into_owned();
        let json = serde_json::from_slice(&output.stdout).with_context(|| {
            format!(
                "pvm-contract {args:?} ended with {} and printed no JSON:\n{}\n{progress}",
                output.status,
                String::from_utf8_lossy(&output.stdout)
            )
        })?;
        let code = output.status.code().context("pvm-contract was killed")?;
        Ok(Answer { code, json, progress })
    }

    /// Runs a command that has to succeed.
    ///
    /// # Errors
    ///
    /// As [`Cli::run`], and if the command fails.
    pub fn succeed(&self, args: &[&str]) -> Result<Value> {
        let answer = self.run(args)?;
        if answer.code != 0 {
            bail!("pvm-contract {args:?} failed with {}:\n{:#}\n{}", answer.code, answer.json, answer.progress);
        }
        Ok(answer.json)
    }
}
