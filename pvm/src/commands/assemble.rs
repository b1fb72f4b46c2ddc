//! `pvm assemble`: assembles text to a blob.

use crate::args::AssembleArgs;
use crate::{Error, exit, input, output};
use vm_core::text;

/// Reads the text and writes the blob; writes nothing if the text has an error.
///
/// # Errors
/// If the text cannot be read or assembled, or the blob cannot be written.
pub fn execute(args: &AssembleArgs) -> Result<u8, Error> {
    let path = || input::name(&args.file);
    let bytes = input::bytes(&args.file)?;
    let source =
        str::from_utf8(&bytes).map_err(|error| Error::NotUtf8 { path: path(), offset: error.valid_up_to() })?;
    let blob = text::assemble(source).map_err(|source| Error::Text { path: path(), source })?;
    output::write(&args.output, &blob)?;
    Ok(exit::DONE)
}
