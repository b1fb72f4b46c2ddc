//! `encode` and `decode`, which need no chain.

use crate::{
    abi::{Interface, revert},
    args::{DataKind, Input, hex_bytes},
    error::Error,
    money::Units,
    output::Report,
};
use std::path::Path;

/// Encodes call data for a message or the constructor.
pub fn encode(input: &Input, constructor: bool) -> Result<Report, Error> {
    let units = Units::Offline;
    let (data, _) = if constructor { input.constructor_data(units)? } else { input.call_data(units)? };
    Ok(Report::new("encode").with_hex("data", &data).bare("data"))
}

/// Decodes data by an interface.
pub fn decode(
    data: &str,
    abi: &Path,
    kind: DataKind,
    message: Option<&str>,
    topics: &[[u8; 32]],
) -> Result<Report, Error> {
    let bytes = hex_bytes(data).map_err(|error| Error::Usage(format!("{data}: {error}")))?;
    let interface = Interface::read(abi)?;
    let decoded = match kind {
        DataKind::Call => interface.call(&bytes),
        DataKind::Event => interface.event(topics, &bytes),
        DataKind::Error => interface.error(&bytes).or_else(|| revert::decoded(&bytes)),
        // The command line requires a message.
        DataKind::Result => interface.result(message.unwrap_or_default(), &bytes)?,
    };
    match decoded {
        Some(decoded) => Ok(Report::new("decode").with("decoded", decoded)),
        None => {
            let what = match kind {
                DataKind::Call => "a call of",
                DataKind::Result => "a result of that function of",
                DataKind::Event => "an event of",
                DataKind::Error => "an error of",
            };
            Err(Error::NotFound(format!("{data} is not {what} the contract that {} describes", abi.display())))
        }
    }
}
