//! `upload`, its dry run, and `remove`.

use crate::{
    api::{Deposit, Failure, Uploaded},
    chain::{AtBlock, Chain},
    error::{Error, chain as chain_error},
    money::Amount,
    names::{error_by_name, name_error},
    output::{Report, progress},
    units, value,
};
use serde_json::Value as Json;
use subxt::dynamic::{self, Value};

/// Reports the error of a dry run.
fn refused(report: Report, at: &AtBlock, failure: &Failure) -> Report {
    report.with_error(&name_error(at.metadata_ref(), &failure.error), &failure.detail)
}

/// Reports the cost of an upload, or the reason why it would be refused.
pub async fn dry_run(chain: &Chain, code: &[u8], deposit_limit: Option<Amount>) -> Result<Report, Error> {
    let deposit_limit = deposit_limit.map(|limit| chain.money.in_chain(&limit)).transpose()?;
    let (at, tried) = tried(chain, code, deposit_limit).await?;
    let report = Report::new("dry-run upload");
    Ok(match tried {
        Ok(uploaded) => {
            report.with_hex("code_hash", &uploaded.code_hash).with_deposit(Deposit::Charge(uploaded.deposit))
        }
        Err(failure) => refused(report, &at, &failure),
    })
}

/// Dry-runs an upload at the best block.
async fn tried(
    chain: &Chain,
    code: &[u8],
    deposit_limit: Option<u128>,
) -> Result<(AtBlock, Result<Uploaded, Failure>), Error> {
    chain.at_best(async |at| Ok((at.clone(), chain.dry_upload(at, code, deposit_limit).await?))).await
}

/// Stores a program, unless a dry run shows that it would be refused.
pub async fn upload(chain: &Chain, code: Vec<u8>, deposit_limit: Option<Amount>) -> Result<Report, Error> {
    let deposit_limit = deposit_limit.map(|limit| chain.money.in_chain(&limit)).transpose()?;
    chain.ensure_mapped().await?;
    let (at, tried) = tried(chain, &code, deposit_limit).await?;
    let report = Report::new("upload");
    let uploaded = match tried {
        Ok(uploaded) => uploaded,
        Err(failure) => {
            progress!("not sent: a dry run failed");
            return Ok(refused(report, &at, &failure));
        }
    };
    progress!("uploading {}", units::size(code.len() as u64));
    let limit = deposit_limit.unwrap_or(uploaded.deposit);
    let receipt = chain.submit("upload_code", (code, limit)).await?;
    let mut report = report.with_hex("code_hash", &uploaded.code_hash);
    if receipt.error.is_none() {
        report = report.with_deposit(Deposit::Charge(uploaded.deposit));
    }
    Ok(report.with_receipt(&receipt, ""))
}

/// The record of a stored program, as JSON; null if there is none.
pub async fn record(chain: &Chain, at: &AtBlock, code_hash: [u8; 32]) -> Result<Json, Error> {
    let entry = dynamic::storage::<([u8; 32],), Value>(chain.pallet.clone(), "CodeInfoOf");
    let Some(record) = at.storage().try_fetch(entry, (code_hash,)).await.map_err(chain_error)? else {
        return Ok(Json::Null);
    };
    let types = at.metadata_ref().types();
    let decoded = value::decode(types, record.type_id(), &mut record.bytes())
        .map_err(|reason| Error::Decode { what: "the program's record".into(), reason })?;
    Ok(value::to_json(types, &decoded))
}

/// Returns the reason why the chain would refuse to remove a program, for any account: the name of its error, and
/// details. If the record lacks a field, the check is left to the chain.
fn irremovable(record: &Json) -> Option<(&'static str, String)> {
    if record.is_null() {
        return Some(("CodeNotFound", "no program has this hash".into()));
    }
    let users = record["use_count"].as_str().filter(|count| *count != "0")?;
    let contracts = if users == "1" { "contract uses" } else { "contracts use" };
    Some(("CodeInUse", format!("{users} {contracts} it: terminate them, or have them set other code, first")))
}

/// Removes a program, unless the chain would refuse it.
pub async fn remove(chain: &Chain, code_hash: [u8; 32]) -> Result<Report, Error> {
    let (at, record) = chain.at_best(async |at| Ok((at.clone(), record(chain, at, code_hash).await?))).await?;
    if let Some((name, detail)) = irremovable(&record) {
        progress!("not sent: the chain would refuse it, for a fee");
        let error = error_by_name(at.metadata_ref(), &chain.pallet, name);
        let report = Report::new("remove").with_hex("code_hash", &code_hash).with("sent", false);
        return Ok(report.with_error(&error, &detail));
    }
    let receipt = chain.submit("remove_code", (code_hash,)).await?;
    Ok(Report::new("remove").with_hex("code_hash", &code_hash).with_receipt(&receipt, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_program_in_use_is_not_removed_for_a_fee() {
        let record = |users: &str| json!({ "owner": "0x01", "use_count": users });
        assert_eq!(irremovable(&record("0")), None);
        let in_use = "1 contract uses it: terminate them, or have them set other code, first";
        assert_eq!(irremovable(&record("1")), Some(("CodeInUse", in_use.into())));
        assert_eq!(irremovable(&Json::Null).map(|(name, _)| name), Some("CodeNotFound"));
        // The record of another pallet, with other fields.
        assert_eq!(irremovable(&json!({ "refcount": "3" })), None);
    }
}
