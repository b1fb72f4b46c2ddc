//! Checks a program before it is stored.
//!
//! Called once, at upload, with untrusted bytes. Invalid bytes give a named error and a sentence with the limit and the
//! value found, never a panic, in time proportional to their length.

use super::{CodeIsa, Footprint, MAX_IMPORTS};
use crate::{
    Config, Error,
    host_api::HostFunction,
    limits::{self, Limit, LimitError},
    types::{EntryPoint, Failure},
};
use alloc::{format, string::String};
use frame_support::{BoundedVec, traits::ConstU32};
use vm_core::{
    blob::{Blob, BlobError},
    isa::Isa,
};

/// The result of the check.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    /// The instruction set.
    pub isa: CodeIsa,
    /// Code offset of the export `deploy`.
    pub deploy_entry: u32,
    /// Code offset of the export `call`.
    pub call_entry: u32,
    /// The host function behind each import.
    pub imports: BoundedVec<HostFunction, ConstU32<MAX_IMPORTS>>,
    /// The resources that it takes on a node.
    pub footprint: Footprint,
}

/// Checks the length only, which is cheap and comes before all expensive checks.
///
/// # Errors
///
/// [`Error::BlobTooLarge`].
pub fn length<T: Config>(code: &[u8]) -> Result<(), Failure> {
    let limit = limits::BLOB_BYTES as usize;
    if code.len() > limit {
        return Err(Failure::new::<T>(
            Error::BlobTooLarge,
            format!("the blob has {} bytes, the limit is {limit}", code.len()),
        ));
    }
    Ok(())
}

/// Checks a program.
///
/// # Errors
///
/// [`Error::BlobTooLarge`], [`Error::InvalidBlob`], [`Error::UnsupportedIsa`],
/// [`Error::TooManyImports`], [`Error::UnknownImport`], [`Error::NoDeployExport`],
/// [`Error::NoCallExport`], [`Error::BasicBlockTooLarge`], [`Error::MemoryTooLarge`],
/// [`Error::InvalidInstruction`], [`Error::CodeLimitExceeded`].
pub fn check<T: Config>(code: &[u8]) -> Result<Checked, Failure> {
    length::<T>(code)?;
    let blob = Blob::parse(code).map_err(unreadable::<T>)?;
    let isa = match blob.isa() {
        Isa::ReviveV1 => CodeIsa::ReviveV1,
        other => {
            return Err(Failure::new::<T>(
                Error::UnsupportedIsa,
                format!("the instruction set is {other:?}, contracts need {:?}", Isa::ReviveV1),
            ));
        }
    };
    let found = limits::check(&blob).map_err(beyond_limits::<T>)?;
    let footprint = Footprint { machine_code: found.machine_code, memory_pages: found.memory_pages };
    let imports = resolve_imports::<T>(&blob)?;
    let deploy_entry = entry::<T>(&blob, EntryPoint::Deploy, Error::NoDeployExport)?;
    let call_entry = entry::<T>(&blob, EntryPoint::Call, Error::NoCallExport)?;
    Ok(Checked { isa, deploy_entry, call_entry, imports, footprint })
}

/// Converts the error of bytes that are not a program, or of an instruction set unknown to vm-core.
fn unreadable<T: Config>(error: BlobError) -> Failure {
    let named = match &error {
        BlobError::UnsupportedIsa { .. } | BlobError::UnsupportedVersion { .. } => Error::UnsupportedIsa,
        _ => Error::InvalidBlob,
    };
    Failure::new::<T>(named, format!("{error}"))
}

/// Converts the error of an exceeded limit; its sentence has the limit and the value found.
fn beyond_limits<T: Config>(error: LimitError) -> Failure {
    let named = match &error {
        LimitError::Exceeded { limit, .. } => match limit {
            Limit::BlobBytes => Error::BlobTooLarge,
            Limit::StaticMemoryBytes => Error::MemoryTooLarge,
            Limit::BasicBlockInstructions => Error::BasicBlockTooLarge,
            _ => Error::CodeLimitExceeded,
        },
        LimitError::MemoryMap(_) => Error::MemoryTooLarge,
        LimitError::InvalidInstruction { .. } => Error::InvalidInstruction,
        _ => Error::CodeLimitExceeded,
    };
    Failure::new::<T>(named, format!("{error}"))
}

fn resolve_imports<T: Config>(blob: &Blob<'_>) -> Result<BoundedVec<HostFunction, ConstU32<MAX_IMPORTS>>, Failure> {
    let mut resolved = BoundedVec::new();
    for (index, symbol) in blob.imports().enumerate() {
        let Some(symbol) = symbol else {
            return Err(Failure::new::<T>(Error::InvalidBlob, format!("import {index} has no valid name")));
        };
        let Some(function) = HostFunction::by_name(symbol) else {
            return Err(Failure::new::<T>(
                Error::UnknownImport,
                format!("import {index} is `{}`, which is no host function of this chain", printable(symbol)),
            ));
        };
        if resolved.try_push(function).is_err() {
            return Err(Failure::new::<T>(
                Error::TooManyImports,
                format!("the blob has more than {MAX_IMPORTS} imports, which is the limit"),
            ));
        }
    }
    Ok(resolved)
}

fn entry<T: Config>(blob: &Blob<'_>, entry: EntryPoint, missing: Error<T>) -> Result<u32, Failure> {
    blob.exports()
        .find(|export| export.symbol == entry.symbol().as_bytes())
        .map(|export| export.code_offset)
        .ok_or_else(|| Failure::new::<T>(missing, format!("the blob has no export named `{}`", entry.symbol())))
}

/// A symbol as text, truncated to a reasonable length for a log.
fn printable(symbol: &[u8]) -> String {
    const SHOWN: usize = 64;
    let cut = &symbol[..symbol.len().min(SHOWN)];
    let mut text: String = cut.escape_ascii().map(char::from).collect();
    if symbol.len() > SHOWN {
        text.push_str("...");
    }
    text
}
