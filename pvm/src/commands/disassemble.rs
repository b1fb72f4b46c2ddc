//! `pvm disassemble`: disassembles a blob to text.

use crate::args::DisassembleArgs;
use crate::output::{self, Output};
use crate::{Error, exit, input};
use vm_core::text::Listing;

/// Writes the listing; `assemble` converts it back to the same blob, with or without comments.
///
/// # Errors
/// If the blob cannot be read, or the text cannot be written.
pub fn execute(args: &DisassembleArgs) -> Result<u8, Error> {
    let bytes = input::bytes(&args.blob)?;
    let listing = Listing::new(&bytes).map_err(|source| Error::Blob { path: input::name(&args.blob), source })?;
    let listing = if args.comments { listing.with_comments() } else { listing };
    let listing = if args.gas { listing.with_gas(args.cost_model.kind()) } else { listing };
    if args.output.as_os_str() == "-" {
        let mut output = Output::open();
        output.print(format_args!("{listing}"))?;
        output.finish()?;
    } else {
        output::write(&args.output, listing.to_string().as_bytes())?;
    }
    Ok(exit::DONE)
}
