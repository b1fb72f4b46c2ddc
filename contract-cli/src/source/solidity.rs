//! Contracts in Solidity: a file, compiled by `resolc`.

use super::{Built, failed, on_path, run};
use crate::{error::Error, output::progress};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds a contract of a file: the one with the file's name, unless another is named.
pub(super) fn build(source: &Path, name: Option<&str>) -> Result<Built, Error> {
    let source = source.canonicalize().map_err(|reason| Error::File { path: source.into(), reason })?;
    let (Some(folder), Some(stem)) = (source.parent(), source.file_stem().and_then(|stem| stem.to_str())) else {
        return Err(failed(&source, "its name is no text".into()));
    };
    let (modules, compiler) = compiler(folder).ok_or_else(|| {
        failed(
            &source,
            "no resolc: install it beside the contract with `npm install @parity/resolc`, or put it on PATH".into(),
        )
    })?;
    let out = env::temp_dir().join(format!("pvm-contract-{}", std::process::id()));
    // From here on it is removed again.
    let scratch = Some(out.clone());
    let name = name.unwrap_or(stem);
    let made = |kind: &str| out.join(format!("{stem}_sol_{name}.{kind}"));
    let built = Built { blob: made("polkavm"), abi: Some(made("abi")), scratch };
    progress!("compiling {}", source.display());
    let mut command = Command::new(compiler);
    command.current_dir(folder).args(["--bin", "--abi", "--base-path", "."]);
    if let Some(modules) = modules {
        command.arg("--include-path").arg(modules);
    }
    command.arg("-o").arg(&out).arg(format!("{stem}.sol"));
    run(&source, &mut command)?;
    if !built.blob.is_file() {
        let there = fs::read_dir(&out).into_iter().flatten().flatten();
        let there: Vec<_> = there
            .filter_map(|file| file.file_name().into_string().ok())
            .filter_map(|file| Some(file.strip_suffix(".polkavm")?.rsplit("_sol_").next()?.to_owned()))
            .collect();
        let reason = format!("it has no contract {name}; choose one with --contract: {}", there.join(", "));
        return Err(failed(&source, reason));
    }
    Ok(built)
}

/// The compiler, with the folder of libraries it was installed in: that of the contract's project, or on `PATH`.
fn compiler(folder: &Path) -> Option<(Option<PathBuf>, PathBuf)> {
    for ancestor in folder.ancestors() {
        let modules = ancestor.join("node_modules");
        let compiler = modules.join(".bin/resolc");
        if compiler.is_file() {
            return Some((Some(modules), compiler));
        }
    }
    on_path("resolc").map(|compiler| (None, compiler))
}
