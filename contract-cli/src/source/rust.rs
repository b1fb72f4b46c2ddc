//! Contracts in Rust: a crate, compiled for RISC-V with a standard library of its own, and linked into a blob.

use super::{Built, failed, on_path, run};
use crate::{error::Error, output::progress};
use serde_json::Value as Json;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The description of the machine, for the compiler.
const TARGET_NAME: &str = "riscv64emac-unknown-none-polkavm";
const TARGET: &str = include_str!("../../../guest/targets/riscv64emac-unknown-none-polkavm.json");

/// What a compiler is needed for that there isn't.
const NO_TOOLCHAIN: &str = "no compiler for RISC-V contracts: set PVM_GUEST_TOOLCHAIN to a folder with bin/cargo, bin/rustc and the \
                            standard library's source, as scripts/setup makes one, or install a nightly with \
                            `rustup toolchain install nightly --component rust-src`";

/// Builds the crate of a manifest.
pub(super) fn build(manifest: &Path, name: Option<&str>) -> Result<Built, Error> {
    let linker = linker().ok_or_else(|| {
        failed(manifest, "no linker: build guest-link (scripts/build) or set GUEST_LINK to it".into())
    })?;
    let target = env::temp_dir().join(format!("{TARGET_NAME}-{}", std::process::id())).join(TARGET_NAME);
    let target = target.with_extension("json");
    let folder = target.parent().unwrap_or(&target).to_path_buf();
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&target, TARGET))
        .map_err(|reason| Error::File { path: target.clone(), reason })?;
    let built = compile(manifest, name, &target);
    // It is only read by the compiler.
    let _ = fs::remove_dir_all(&folder);
    let elf = built?;
    let blob = elf.with_extension("polkavm");
    let said = run(manifest, Command::new(linker).arg("--strip").arg(&elf).arg("-o").arg(&blob))?;
    progress!("{}", String::from_utf8_lossy(&said).trim_end());
    Ok(Built { blob, abi: None, scratch: None })
}

/// Compiles, and finds the ELF file in what cargo tells.
fn compile(manifest: &Path, name: Option<&str>, target: &Path) -> Result<PathBuf, Error> {
    let mut cargo = cargo(manifest)?;
    cargo.arg("build").arg("--release").arg("--manifest-path").arg(manifest);
    cargo.args(["-Z", "json-target-spec", "-Z", "build-std=core,alloc", "--message-format=json-render-diagnostics"]);
    cargo.arg("--target").arg(target);
    if let Some(name) = name {
        cargo.args(["--bin", name]);
    }
    progress!("compiling {}", manifest.display());
    let told = run(manifest, &mut cargo)?;
    let mut found: Vec<PathBuf> = executables(&String::from_utf8_lossy(&told)).collect();
    match (found.pop(), found.len()) {
        (Some(elf), 0) => Ok(elf),
        (None, _) => Err(failed(manifest, "it has no binary: a contract is a crate with a src/main.rs".into())),
        (Some(_), more) => {
            let reason = format!("it has {} binaries: choose one with --contract", more + 1);
            Err(failed(manifest, reason))
        }
    }
}

/// The executables in cargo's messages.
fn executables(messages: &str) -> impl Iterator<Item = PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Cargo of a toolchain that can compile for the target, free of settings that are meant for the host.
fn cargo(manifest: &Path) -> Result<Command, Error> {
    let mut command = match env::var_os("PVM_GUEST_TOOLCHAIN").map(PathBuf::from) {
        Some(toolchain) => {
            let bin = toolchain.join("bin");
            let cargo = bin.join("cargo");
            if !cargo.is_file() {
                return Err(failed(manifest, NO_TOOLCHAIN.into()));
            }
            let mut command = Command::new(cargo);
            let folders = [bin].into_iter().chain(linker_folders());
            let path = env::var_os("PATH").unwrap_or_default();
            let folders = folders.chain(env::split_paths(&path));
            let path = env::join_paths(folders).map_err(|error| failed(manifest, format!("PATH: {error}")))?;
            command.env("PATH", path);
            command
        }
        None => {
            let rustup = on_path("rustup").ok_or_else(|| failed(manifest, NO_TOOLCHAIN.into()))?;
            let mut command = Command::new(rustup);
            command.args(["run", "nightly", "cargo"]);
            command
        }
    };
    for variable in
        ["RUSTC", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTUP_TOOLCHAIN"]
    {
        command.env_remove(variable);
    }
    // A stable compiler then takes the options of a nightly one.
    command.env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}

/// Where rustup's toolchains have their `rust-lld`, for compilers that come without.
fn linker_folders() -> Vec<PathBuf> {
    if on_path("rust-lld").is_some() {
        return Vec::new();
    }
    let home = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".rustup")));
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    home.into_iter()
        .flat_map(|home| entries(home.join("toolchains")))
        .flat_map(|toolchain| entries(toolchain.join("lib/rustlib")))
        .map(|target| target.join("bin"))
        .filter(|bin| bin.join("rust-lld").is_file())
        .collect()
}

/// The linker: named by the environment, beside this program, or on `PATH`.
fn linker() -> Option<PathBuf> {
    let named = env::var_os("GUEST_LINK").map(PathBuf::from);
    let beside = env::current_exe().ok().and_then(|this| Some(this.parent()?.join("guest-link")));
    named.or(beside).filter(|linker| linker.is_file()).or_else(|| on_path("guest-link"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","executable":null}
not json
{"reason":"compiler-artifact","executable":"/t/release/flipper"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executables(messages).collect::<Vec<_>>(), [PathBuf::from("/t/release/flipper")]);
    }

    #[test]
    fn the_target_is_the_one_of_the_guests() {
        let target: Json = serde_json::from_str(TARGET).unwrap();
        assert_eq!(target["arch"], "riscv64");
    }
}
