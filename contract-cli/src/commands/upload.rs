//! `upload`, its dry run, and `remove`.

use crate::{
    api::{Deposit, Failure, Uploaded},
    chain::{AtBlock, Chain},
    error::Error,
    names::name_error,
    output::{Report, progress},
    units,
};

/// Reports the error of a dry run.
fn refused(report: Report, at: &AtBlock, failure: &Failure) -> Report {
    report.with_error(&name_error(at.metadata_ref(), &failure.error), &failure.detail)
}

/// Reports what an upload would cost, or why it would be refused.
pub async fn dry_run(chain: &Chain, code: &[u8], deposit_limit: Option<u128>) -> Result<Report, Error> {
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

/// Stores a program, unless a dry run says that it would be refused.
pub async fn upload(chain: &Chain, code: Vec<u8>, deposit_limit: Option<u128>) -> Result<Report, Error> {
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

/// Removes a program.
pub async fn remove(chain: &Chain, code_hash: [u8; 32]) -> Result<Report, Error> {
    let receipt = chain.submit("remove_code", (code_hash,)).await?;
    Ok(Report::new("remove").with_hex("code_hash", &code_hash).with_receipt(&receipt, ""))
}
