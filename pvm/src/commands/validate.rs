//! `pvm validate`: checks a blob as a chain does before it stores it.

use crate::args::ValidateArgs;
use crate::output::Output;
use crate::{Error, exit, input};
use serde_json::json;
use vm_core::blob::Blob;
use vm_core::limits::{self, CodeInfo};
use vm_core::program::{Program, ProgramConfig};

/// Makes all checks and prints the message of each that failed.
///
/// # Errors
/// If the blob cannot be read. A refused blob is a result.
pub fn execute(args: &ValidateArgs) -> Result<u8, Error> {
    let bytes = input::bytes(&args.blob)?;
    let result = check(&bytes);
    let mut output = Output::open();
    match (&result, args.json) {
        (Ok(info), true) => output.print(format_args!(
            "{:#}\n",
            json!({
                "valid": true,
                "errors": [],
                "instructions": info.instructions,
                "basic_blocks": info.basic_blocks,
                "largest_basic_block": info.largest_basic_block,
                "static_memory": info.static_memory,
            })
        ))?,
        (Ok(info), false) => output.print(format_args!(
            "valid: {} instructions in {} blocks, {} bytes of memory\n",
            info.instructions, info.basic_blocks, info.static_memory
        ))?,
        (Err(errors), true) => {
            let errors: Vec<_> =
                errors.iter().map(|(check, detail)| json!({ "check": check, "detail": detail })).collect();
            output.print(format_args!("{:#}\n", json!({ "valid": false, "errors": errors })))?;
        }
        (Err(errors), false) => {
            for (check, detail) in errors {
                output.print(format_args!("refused by the {check} check: {detail}\n"))?;
            }
        }
    }
    output.finish()?;
    Ok(if result.is_ok() { exit::DONE } else { exit::REFUSED })
}

/// Makes the checks in order: the format, the limits of a chain, and whether the program can be run.
fn check(bytes: &[u8]) -> Result<CodeInfo, Vec<(&'static str, String)>> {
    let blob = Blob::parse(bytes).map_err(|error| vec![("blob", error.to_string())])?;
    let mut errors = Vec::new();
    let info = limits::check(&blob).map_err(|error| errors.push(("limits", error.to_string())));
    if let Err(error) = Program::new(&blob, &ProgramConfig::default()) {
        errors.push(("program", error.to_string()));
    }
    match info {
        Ok(info) if errors.is_empty() => Ok(info),
        _ => Err(errors),
    }
}
