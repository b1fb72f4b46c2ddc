//! `deploy`: from source to a named contract.

use super::{
    instantiate::{self, Instantiation},
    upload,
};
use crate::{
    args::{Deploy, Instantiate},
    chain::Chain,
    deployments::{self, Deployment},
    error::Error,
    output::{Report, progress},
    source,
    value::hex,
};
use serde_json::{Value as Json, json};
use sp_crypto_hashing::keccak_256;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A contract that was built and whose files are saved.
pub struct Deployable {
    name: String,
    abi: Option<String>,
    children: Vec<(String, Vec<u8>)>,
    instantiation: Instantiation,
}

impl Deployable {
    /// Builds the program and those of the contracts that it creates, and saves them with their interfaces.
    pub fn build(args: Deploy, out: &Path) -> Result<Self, Error> {
        let Deploy { source, contract, compiler_args, salt, mut execution } = args;
        let built = source::build(&source, contract.as_deref(), &compiler_args)?;
        let blob = keep(out, &built.blob, &format!("{}.polkavm", built.name))?;
        let abi = keep_interface(out, &built.name, built.abi.as_deref())?;
        let mut children = Vec::with_capacity(built.children.len());
        for child in &built.children {
            let path = out.join(format!("{}.polkavm", child.name));
            fs::write(&path, &child.code).map_err(|reason| Error::Write { path, reason })?;
            keep_interface(out, &child.name, child.abi.as_deref())?;
            children.push((child.name.clone(), child.code.clone()));
        }
        let input = &mut execution.input;
        if input.abi.is_empty() && input.sig.is_none() && input.data.is_none() {
            input.abi.extend(abi.as_ref().map(|abi| out.join(abi)));
        }
        let code = blob.display().to_string();
        let instantiation = Instantiation::new(&Instantiate { code, salt, no_check: false, execution })?;
        Ok(Self { name: built.name.clone(), abi, children, instantiation })
    }
}

/// Copies a file into the folder, which is created if necessary.
fn keep(out: &Path, file: &Path, name: &str) -> Result<PathBuf, Error> {
    let kept = out.join(name);
    let failed = |reason| Error::Write { path: kept.clone(), reason };
    fs::create_dir_all(out).map_err(failed)?;
    fs::copy(file, &kept).map_err(failed)?;
    Ok(kept)
}

fn keep_interface(out: &Path, name: &str, abi: Option<&Path>) -> Result<Option<String>, Error> {
    let Some(abi) = abi else { return Ok(None) };
    let name = format!("{name}.abi");
    keep(out, abi, &name)?;
    Ok(Some(name))
}

/// Uploads the contracts that this one creates, instantiates it, and records its address under its name.
pub async fn deploy(chain: &Chain, contract: Deployable, out: &Path) -> Result<Report, Error> {
    let Deployable { name, abi, children, instantiation } = contract;
    let mut uploaded: Vec<Json> = Vec::new();
    for (child, code) in children {
        let code_hash = keccak_256(&code);
        uploaded.push(json!({ "name": child, "code_hash": hex(&code_hash) }));
        if chain.at_best(async |at| Ok(chain.code(at, code_hash).await?.is_some())).await? {
            progress!("{child}, which {name} creates, is on the chain already");
            continue;
        }
        progress!("uploading {child}, which {name} creates");
        let report = upload::upload(chain, code, None).await?;
        if report.is_failure() {
            return Ok(report.renamed("deploy").with("contract", child));
        }
    }
    let mut report = instantiate::instantiate(chain, &instantiation).await?.renamed("deploy");
    if !uploaded.is_empty() {
        report = report.with("children", uploaded);
    }
    let text = |field: &str| report.get(field).and_then(Json::as_str).map(str::to_owned);
    if let (false, Some(address), Some(code_hash)) = (report.is_failure(), text("address"), text("code_hash")) {
        deployments::record(out, chain.genesis(), &name, Deployment { address, code_hash, abi })?;
        progress!("{name} is kept in {}: `pvm-contract call {name} ...` calls it", out.display());
        report = report.with("name", name);
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_under_the_contracts_name() {
        let out = std::env::temp_dir().join(format!("pvm-contract-keep-{}", std::process::id()));
        let made = std::env::temp_dir().join(format!("pvm-contract-made-{}", std::process::id()));
        fs::write(&made, "blob").unwrap();
        let kept = keep(&out, &made, "Counter.polkavm").unwrap();
        assert_eq!(fs::read(&kept).unwrap(), b"blob");
        assert_eq!(keep_interface(&out, "Counter", Some(&made)).unwrap().as_deref(), Some("Counter.abi"));
        assert_eq!(keep_interface(&out, "Counter", None).unwrap(), None);
        assert!(keep(&out, Path::new("/nowhere/x"), "X").is_err());
        fs::remove_dir_all(&out).unwrap();
        fs::remove_file(&made).unwrap();
    }
}
