//! The contracts made by `deploy`: for each chain, addresses by name, in a file beside their blobs and interfaces.
//!
//! Written by `deploy`; read by the commands that accept a name, and by `trace` for the names of contracts.

use crate::{abi, error::Error, value::hex};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The file's name.
const FILE: &str = "deployments.json";

/// A deployed contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its address in hex.
    pub address: String,
    /// The hash of its program in hex.
    pub code_hash: String,
    /// Its interface, a file in the same folder; `None` for contracts without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abi: Option<String>,
}

/// Contracts by name, by the hash of the chain's first block.
type Chains = BTreeMap<String, BTreeMap<String, Deployment>>;

/// The contracts of one chain.
#[derive(Debug, Default)]
pub struct Deployments {
    folder: PathBuf,
    contracts: BTreeMap<String, Deployment>,
}

impl Deployments {
    /// Reads the file of a folder, which may be missing.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is malformed.
    pub fn read(folder: &Path, genesis: [u8; 32]) -> Result<Self, Error> {
        let contracts = chains(folder)?.remove(&hex(&genesis)).unwrap_or_default();
        Ok(Self { folder: folder.into(), contracts })
    }

    /// Finds the contract with this name, ignoring case.
    ///
    /// # Errors
    ///
    /// If there is none, with the list of names.
    pub fn find(&self, name: &str) -> Result<([u8; 20], Option<PathBuf>), Error> {
        let exact = self.contracts.get(name);
        let found = exact.or_else(|| {
            self.contracts.iter().find_map(|(other, found)| other.eq_ignore_ascii_case(name).then_some(found))
        });
        let file = self.folder.join(FILE);
        let Some(found) = found else {
            let names: Vec<&str> = self.contracts.keys().map(String::as_str).collect();
            let there = if names.is_empty() { "no contracts of this chain".into() } else { names.join(", ") };
            return Err(Error::NotFound(format!(
                "{name} is not deployed: {} has {there}. `pvm-contract deploy` adds to it; --out names another folder",
                file.display()
            )));
        };
        let address = abi::bytes(&found.address)
            .ok_or_else(|| Error::Usage(format!("{}: {} is no address", file.display(), found.address)))?;
        Ok((address, found.abi.as_ref().map(|abi| self.folder.join(abi))))
    }

    /// The name of the contract at an address.
    pub fn name_of(&self, address: &[u8; 20]) -> Option<&str> {
        let address = hex(address);
        self.contracts.iter().find_map(|(name, found)| (found.address == address).then_some(name.as_str()))
    }

    /// Returns the interfaces of all contracts that have one, if the files exist.
    pub fn interfaces(&self) -> Vec<PathBuf> {
        let files = self.contracts.values().filter_map(|contract| Some(self.folder.join(contract.abi.as_ref()?)));
        files.filter(|file| file.is_file()).collect()
    }
}

/// Records a contract; replaces one of the same name on the same chain.
///
/// # Errors
///
/// If the file cannot be read or written, or is malformed.
pub fn record(folder: &Path, genesis: [u8; 32], name: &str, contract: Deployment) -> Result<(), Error> {
    let mut chains = chains(folder)?;
    chains.entry(hex(&genesis)).or_default().insert(name.into(), contract);
    let path = folder.join(FILE);
    let failed = |reason: io::Error| Error::Write { path: path.clone(), reason };
    let text = serde_json::to_string_pretty(&chains).map_err(|error| failed(io::Error::other(error)))?;
    fs::create_dir_all(folder).map_err(failed)?;
    // Concurrent readers see a complete file.
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, &path)).map_err(failed)
}

fn chains(folder: &Path) -> Result<Chains, Error> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Chains::new()),
        Err(reason) => return Err(Error::File { path, reason }),
    };
    serde_json::from_str(&text).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_found_by_name_on_its_own_chain_only() {
        let folder = std::env::temp_dir().join(format!("pvm-contract-deployments-{}", std::process::id()));
        let of = |address: u8| Deployment {
            address: hex(&[address; 20]),
            code_hash: hex(&[9; 32]),
            abi: Some("Counter.abi".into()),
        };
        assert!(Deployments::read(&folder, [1; 32]).unwrap().find("counter").is_err());
        record(&folder, [1; 32], "Counter", of(1)).unwrap();
        record(&folder, [1; 32], "Token", of(2)).unwrap();
        record(&folder, [2; 32], "Counter", of(3)).unwrap();
        record(&folder, [1; 32], "Counter", of(4)).unwrap();
        let known = Deployments::read(&folder, [1; 32]).unwrap();
        assert_eq!(known.find("counter").unwrap(), ([4; 20], Some(folder.join("Counter.abi"))));
        assert_eq!((known.name_of(&[2; 20]), known.name_of(&[3; 20])), (Some("Token"), None));
        let missing = known.find("Pair").unwrap_err().to_string();
        assert!(missing.contains("has Counter, Token"), "{missing}");
        assert_eq!(Deployments::read(&folder, [2; 32]).unwrap().find("Counter").unwrap().0, [3; 20]);
        fs::write(folder.join(FILE), "{").unwrap();
        assert!(Deployments::read(&folder, [1; 32]).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
