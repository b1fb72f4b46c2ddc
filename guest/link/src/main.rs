//! `guest-link`: turns a guest's ELF file into a `.polkavm` blob.
//!
//! Called by `scripts/build-guest`. This is the one place that names the linker: it wraps `polkavm-linker`, and a
//! linker of our own takes its place here. Input: a RISC-V ELF linked with its relocations kept (spec: abi.md 5.5 to
//! 5.7). Promises: the same input gives the same bytes; the output is written whole or not at all, and left alone,
//! with its time of change, when it would not differ.
#![forbid(unsafe_code)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use polkavm_linker::{Config, OptLevel, ProgramParts, TargetInstructionSet, program_from_elf};

/// Turns a guest's ELF file into a .polkavm blob.
#[derive(Parser)]
struct Arguments {
    /// The ELF file, linked with its relocations kept
    #[arg(value_name = "IN.elf")]
    input: PathBuf,

    /// Where the blob goes
    #[arg(short, long, value_name = "OUT.polkavm")]
    output: PathBuf,

    /// Leave out names and source lines
    #[arg(short, long)]
    strip: bool,

    /// Don't optimize: for programs that the optimizer can't cope with
    #[arg(long)]
    no_optimize: bool,

    /// Give the program at least this much stack, in bytes (the default is the linker's: 8192)
    #[arg(long, value_name = "BYTES")]
    min_stack_size: Option<u32>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("guest-link: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Links one file and tells what came out of it.
fn run(arguments: &Arguments) -> Result<String> {
    let elf = fs::read(&arguments.input).with_context(|| format!("cannot read {}", arguments.input.display()))?;
    let blob = link(&elf, arguments.strip, !arguments.no_optimize, arguments.min_stack_size)
        .with_context(|| format!("cannot link {}", arguments.input.display()))?;
    let sizes = describe(&blob)?;
    let written = write_if_changed(&arguments.output, &blob)
        .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    let unchanged = if written { "" } else { ", unchanged" };
    Ok(format!("{}: {sizes}, from an ELF of {} bytes{unchanged}", arguments.output.display(), elf.len()))
}

/// The blob for the instruction set of contracts, `ReviveV1`.
fn link(elf: &[u8], strip: bool, optimize: bool, min_stack_size: Option<u32>) -> Result<Vec<u8>> {
    let mut config = Config::default();
    config.set_strip(strip);
    if !optimize {
        config.set_opt_level(OptLevel::O1);
    }
    if let Some(bytes) = min_stack_size {
        config.set_min_stack_size(bytes);
    }
    program_from_elf(config, TargetInstructionSet::ReviveV1, elf).map_err(|error| anyhow!("{error}"))
}

/// The sizes that matter to whoever pays for the blob.
fn describe(blob: &[u8]) -> Result<String> {
    let parts = ProgramParts::from_bytes(blob.to_vec().into())
        .map_err(|error| anyhow!("the linker made a blob that does not parse: {error}"))?;
    Ok(format!(
        "{} bytes ({} code and jump table, {} read-only data, {} writable data; memory: {} read-only, {} writable, {} stack)",
        blob.len(),
        parts.code_and_jump_table.len(),
        parts.ro_data.len(),
        parts.rw_data.len(),
        parts.ro_data_size,
        parts.rw_data_size,
        parts.stack_size,
    ))
}

/// Writes `data` beside `path` and moves it into place; false when the file has these bytes already.
fn write_if_changed(path: &Path, data: &[u8]) -> std::io::Result<bool> {
    if fs::read(path).is_ok_and(|present| present == data) {
        return Ok(false);
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    // The process id keeps two builds at once from sharing the file.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let result = fs::write(&temporary, data).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    result.map(|()| true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_no_elf_is_refused_with_the_reason() {
        for data in [&b""[..], b"\x7fELF", b"PVM\0 something else", &[0; 4096]] {
            let error = link(data, true, true, None).unwrap_err();
            assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_missing_input_is_an_error_that_names_it_and_leaves_no_output() {
        let folder = std::env::temp_dir().join(format!("guest-link-missing-{}", std::process::id()));
        let output = folder.join("out.polkavm");
        let arguments = Arguments {
            input: folder.join("absent.elf"),
            output: output.clone(),
            strip: true,
            no_optimize: false,
            min_stack_size: None,
        };
        let message = format!("{:#}", run(&arguments).unwrap_err());
        assert!(message.contains("absent.elf"), "{message}");
        assert!(!output.exists());
    }

    #[test]
    fn an_output_that_would_not_differ_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("guest-link-write-{}", std::process::id()));
        let path = folder.join("deep/out.polkavm");
        assert!(write_if_changed(&path, b"one").unwrap());
        assert!(!write_if_changed(&path, b"one").unwrap());
        assert!(write_if_changed(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a temporary file is left");
        fs::remove_dir_all(folder).unwrap();
    }
}
