//! `info`: a contract, a program, or the chain.

use super::upload;
use crate::{
    abi,
    chain::{AtBlock, Chain},
    deployments::Deployments,
    error::Error,
    output::Report,
    target::Target,
    value,
};
use serde_json::{Map, Value as Json, json};
use std::path::Path;

/// Reports on an address or a code hash, or without one on the chain.
pub async fn info(chain: &Chain, what: Option<String>, out: &Path) -> Result<Report, Error> {
    chain.at_best(async |at| shown(chain, at, what.as_deref(), out).await).await
}

async fn shown(chain: &Chain, at: &AtBlock, what: Option<&str>, out: &Path) -> Result<Report, Error> {
    let report = Report::new("info");
    let Some(what) = what else { return about_chain(report, chain, at).await };
    if let Some(address) = abi::bytes::<20>(what) {
        return contract(report, chain, at, address).await;
    }
    if let Some(code_hash) = abi::bytes::<32>(what) {
        return program(report, chain, at, code_hash).await;
    }
    if let Ok(Target::Name(name)) = what.parse() {
        let (address, _) = Deployments::read(out, chain.genesis())?.find(&name)?;
        return contract(report, chain, at, address).await;
    }
    Err(Error::Usage(format!("{what} is neither an address (20 bytes in hex) nor a code hash (32 bytes)")))
}

async fn about_chain(report: Report, chain: &Chain, at: &AtBlock) -> Result<Report, Error> {
    let metadata = at.metadata_ref();
    let mut constants = Map::new();
    for constant in metadata.pallet_by_name(&chain.pallet).into_iter().flat_map(|pallet| pallet.constants()) {
        let decoded = value::decode(metadata.types(), constant.ty(), &mut constant.value())
            .map_err(|reason| Error::Decode { what: format!("the constant {}", constant.name()), reason })?;
        constants.insert(constant.name().into(), value::to_json(metadata.types(), &decoded));
    }
    Ok(report
        .with_hex("genesis", &chain.genesis())
        .with("block", at.block_number())
        .with("final_block", chain.final_block().await?)
        .with("spec_version", at.spec_version())
        .with("transaction_version", at.transaction_version())
        .with_weight("extrinsic_limit", chain.extrinsic_limit(at)?)
        .with("token", json!({ "symbol": chain.money.token.symbol, "decimals": chain.money.token.decimals }))
        .with("pallet", chain.pallet.clone())
        .with("constants", constants))
}

async fn contract(report: Report, chain: &Chain, at: &AtBlock, address: [u8; 20]) -> Result<Report, Error> {
    let Some(contract) = chain.contract(at, address).await? else {
        return Err(Error::NotFound(format!("there is no contract at 0x{}", hex::encode(address))));
    };
    let (_, balance) = chain.balances(at, contract.account).await?;
    Ok(report
        .with_hex("address", &address)
        .with_hex("account", &contract.account)
        .with_hex("code_hash", &contract.code_hash)
        .with("storage_bytes", contract.storage_bytes)
        .with("storage_items", contract.storage_items)
        .with("storage_deposit", contract.storage_deposit.to_string())
        .with("balance", balance.free.to_string()))
}

async fn program(report: Report, chain: &Chain, at: &AtBlock, code_hash: [u8; 32]) -> Result<Report, Error> {
    let Some(code) = chain.code(at, code_hash).await? else {
        return Err(Error::NotFound(format!("there is no program with the hash 0x{}", hex::encode(code_hash))));
    };
    let mut report = report.with_hex("code_hash", &code_hash).with("length", code.len());
    // The fields of the pallet's record differ between versions, so all of them are shown unchanged.
    if let Json::Object(fields) = upload::record(chain, at, code_hash).await? {
        for (name, value) in fields.into_iter().filter(|(name, _)| name != "code_len") {
            report = report.with(&name, value);
        }
    }
    Ok(report)
}
