//! `encode` and `decode`, which need no chain.

use crate::{
    abi::Interface,
    args::{Input, Kind, hex_bytes},
    error::Error,
    output::Report,
};
use std::path::Path;

/// Call data for a message or the constructor.
pub fn encode(input: &Input, constructor: bool) -> Result<Report, Error> {
    let (data, _) = if constructor { input.constructor_data()? } else { input.call_data()? };
    Ok(Report::new("encode").with_hex("data", &data))
}

/// What data means by an interface.
pub fn decode(data: &str, abi: &Path, kind: Kind, message: Option<&str>, topics: &[[u8; 32]]) -> Result<Report, Error> {
    let bytes = hex_bytes(data).map_err(|error| Error::Usage(format!("{data}: {error}")))?;
    let interface = Interface::read(abi)?;
    let decoded = match kind {
        Kind::Call => interface.call(&bytes),
        Kind::Event => interface.event(topics, &bytes),
        Kind::Error => interface.error(&bytes),
        // The command line requires a message.
        Kind::Result => interface.result(message.unwrap_or_default(), &bytes)?,
    };
    match decoded {
        Some(decoded) => Ok(Report::new("decode").with("decoded", decoded)),
        None => {
            let what = match kind {
                Kind::Call => "a call of",
                Kind::Result => "a result of that function of",
                Kind::Event => "an event of",
                Kind::Error => "an error of",
            };
            Err(Error::NotFound(format!("{data} is not {what} the contract that {} describes", abi.display())))
        }
    }
}
