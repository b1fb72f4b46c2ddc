//! Guest builder: compiles guest crates with cargo for the linker's targets.
//!
//! The compiler needs the standard library's source, because there is no prebuilt `core` for RV32E or RV64E; errors say
//! what is missing. Used by `pvm build` and by tools that deploy contracts from source.

use serde_json::Value as Json;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Target specifications for the compiler.
const TARGETS: [(&str, &str); 2] = [
    ("riscv32emac-unknown-none-polkavm", include_str!("../../targets/riscv32emac-unknown-none-polkavm.json")),
    ("riscv64emac-unknown-none-polkavm", include_str!("../../targets/riscv64emac-unknown-none-polkavm.json")),
];

/// LLVM options for unrolling loops with an unknown number of iterations, up to a size at which guests become faster.
const UNROLL: [&str; 3] = ["-unroll-runtime", "-unroll-allow-partial", "-unroll-threshold-default=150"];

/// Error of compiling a guest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestError {
    /// No suitable compiler.
    #[error(
        "no compiler for RISC-V guests: run scripts/setup in the checkout that this program is from, set \
         PVM_GUEST_TOOLCHAIN to a folder with bin/cargo, bin/rustc and the standard library's source, or install a nightly with `rustup toolchain install nightly \
         --component rust-src`"
    )]
    NoToolchain,
    /// A program could not be started.
    #[error("{program} cannot be run: {reason}")]
    NotRun {
        /// The program.
        program: String,
        /// The reason.
        reason: std::io::Error,
    },
    /// The compiler failed; its output was shown.
    #[error("{program} ended with {status} (see above)")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: std::io::Error,
    },
    /// `PATH` cannot be extended.
    #[error("PATH: {0}")]
    Path(#[from] env::JoinPathsError),
    /// There is nothing to link.
    #[error(
        "{manifest} has no binary and no cdylib: a guest is a crate with a src/main.rs, or a library with crate-type = \
         [\"cdylib\"]"
    )]
    NoBinary {
        /// The crate.
        manifest: PathBuf,
    },
}

/// A guest to compile.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The crate's `Cargo.toml`.
    pub manifest: PathBuf,
    /// The binary to compile, if there are several.
    pub binary: Option<String>,
    /// True for RV64E, false for RV32E.
    pub wide: bool,
    /// Whether to unroll loops, which makes code faster and longer.
    pub unroll: bool,
    /// Further arguments for cargo, such as features.
    pub arguments: Vec<String>,
}

impl Guest {
    /// Compiles the guest; returns its ELF files, sorted by name.
    ///
    /// A crate without binaries whose library is a `cdylib` is compiled to a static library, from which the toolchain's
    /// linker makes an ELF file: compilers differ in the linker flags that they use for dynamic libraries.
    ///
    /// # Errors
    /// If there is no compiler, or it fails; its messages go to standard error.
    pub fn compile(&self) -> Result<Vec<PathBuf>, GuestError> {
        let package = self.package()?;
        let (name, description) = TARGETS[usize::from(self.wide)];
        let target = package.target_folder(&self.arguments).join("pvm-targets").join(name).with_extension("json");
        write_if_changed(&target, description).map_err(|reason| GuestError::Write { path: target.clone(), reason })?;
        let is_library = package.is_library;
        let told = self.cargo(&target, &package).and_then(|mut command| run(&mut command))?;
        let messages = String::from_utf8_lossy(&told);
        let mut found: Vec<PathBuf> = match is_library {
            true => static_libraries(&messages).map(|archive| link_library(&archive)).collect::<Result<_, _>>()?,
            false => executables(&messages).collect(),
        };
        found.sort();
        match found.is_empty() {
            true => Err(GuestError::NoBinary { manifest: self.manifest.clone() }),
            false => Ok(found),
        }
    }

    /// Queries cargo for the crate's targets and folders.
    fn package(&self) -> Result<Package, GuestError> {
        let mut command = toolchain()?;
        clean(&mut command);
        command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(&self.manifest);
        let told = run(&mut command)?;
        let metadata: Json = serde_json::from_slice(&told).unwrap_or_default();
        let manifest = self.manifest.canonicalize().unwrap_or_else(|_| self.manifest.clone());
        let folder = manifest.parent().unwrap_or(Path::new(""));
        let named = |key: &str| metadata[key].as_str().map(PathBuf::from);
        Ok(Package {
            is_library: is_library(&metadata, &manifest),
            workspace: named("workspace_root").unwrap_or_else(|| folder.to_path_buf()),
            target_folder: named("target_directory").unwrap_or_else(|| folder.join("target")),
        })
    }

    /// Flags of rustc that affect the code.
    fn code_flags(&self) -> impl Iterator<Item = String> {
        UNROLL.iter().filter(|_| self.unroll).map(|option| format!("-Cllvm-args={option}"))
    }

    fn cargo(&self, target: &Path, package: &Package) -> Result<Command, GuestError> {
        let mut command = toolchain()?;
        clean(&mut command);
        // Makes a stable compiler accept options of a nightly one.
        command.env("RUSTC_BOOTSTRAP", "1");
        // Paths of this machine must not get into a blob. The members of a workspace are compiled with the same flags,
        // so that they share their dependencies' artifacts.
        let flags = [(package.workspace.clone(), "/guest"), (cargo_home(), "/cargo")]
            .into_iter()
            .filter(|(folder, _)| !folder.as_os_str().is_empty())
            .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()));
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.chain(self.code_flags()).collect::<Vec<_>>().join("\x1f"));
        match package.is_library {
            true => command.args(["rustc", "--lib", "--crate-type", "staticlib"]),
            false => command.arg("build"),
        };
        command.arg("--release").arg("--manifest-path").arg(&self.manifest);
        command.args(["-Z", "json-target-spec", "-Z", "build-std=core,alloc"]);
        command.arg("--message-format=json-render-diagnostics").arg("--target").arg(target);
        if let Some(binary) = &self.binary {
            command.args(["--bin", binary]);
        }
        command.args(&self.arguments);
        Ok(command)
    }
}

/// A crate, as described by `cargo metadata`.
struct Package {
    /// True if it has no binary, but a library of the type `cdylib`.
    is_library: bool,
    /// The root of its workspace; its own folder if it is in none.
    workspace: PathBuf,
    /// The folder of build artifacts, unless cargo is given another.
    target_folder: PathBuf,
}

impl Package {
    /// Returns the absolute folder of build artifacts of a cargo command with these arguments.
    ///
    /// The target specification is kept there: its path is part of cargo's identity of a compiled crate, so that
    /// another path would make cargo compile `core` again.
    fn target_folder(&self, arguments: &[String]) -> PathBuf {
        let mut arguments = arguments.iter();
        let folder = loop {
            match arguments.next().map(String::as_str) {
                None => break self.target_folder.clone(),
                Some("--target-dir") => break arguments.next().map(PathBuf::from).unwrap_or_default(),
                Some(argument) => {
                    if let Some(folder) = argument.strip_prefix("--target-dir=") {
                        break PathBuf::from(folder);
                    }
                }
            }
        };
        std::path::absolute(&folder).unwrap_or(folder)
    }
}

/// Writes a file unless it already has this content. Concurrent readers see a complete file.
fn write_if_changed(path: &Path, content: &str) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == content.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&draft, content)?;
    fs::rename(&draft, path)
}

fn cargo_home() -> PathBuf {
    let named = env::var_os("CARGO_HOME").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"))).unwrap_or_default()
}

/// Runs a compiler; returns its standard output, and shows the rest.
///
/// # Errors
/// If it cannot be started, or fails.
pub fn run(command: &mut Command) -> Result<Vec<u8>, GuestError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|reason| GuestError::NotRun { program: program.clone(), reason })?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(GuestError::Failed { program, status: output.status }),
    }
}

/// Removes environment variables that are meant for the host's compiler.
fn clean(command: &mut Command) {
    for variable in
        ["RUSTC", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTUP_TOOLCHAIN"]
    {
        command.env_remove(variable);
    }
}

/// True if the package of a manifest has no binary and a `cdylib`, according to `cargo metadata`.
fn is_library(metadata: &Json, manifest: &Path) -> bool {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let package =
        packages.filter(|package| package["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest));
    let targets: Vec<&Json> = package.flat_map(|package| package["targets"].as_array().into_iter().flatten()).collect();
    let has = |list: &str, kind: &str| {
        targets.iter().any(|target| target[list].as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind)))
    };
    has("crate_types", "cdylib") && !has("kind", "bin")
}

fn artifacts(messages: &str) -> impl Iterator<Item = Json> {
    let parsed = messages.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    parsed.filter(|message| message["reason"] == "compiler-artifact")
}

/// Returns the executables in cargo's messages.
fn executables(messages: &str) -> impl Iterator<Item = PathBuf> {
    artifacts(messages).filter_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Returns the static libraries in cargo's messages.
fn static_libraries(messages: &str) -> impl Iterator<Item = PathBuf> {
    artifacts(messages).filter_map(|message| {
        let files = message["filenames"].as_array()?;
        files.iter().filter_map(Json::as_str).find(|name| name.ends_with(".a")).map(PathBuf::from)
    })
}

/// Links a static library into an ELF file with its exports and everything that they need.
fn link_library(archive: &Path) -> Result<PathBuf, GuestError> {
    let output = archive.with_extension("elf");
    let on_path = on_path("rust-lld").or_else(|| {
        linker_folders().into_iter().map(|folder| folder.join("rust-lld")).find(|program| program.is_file())
    });
    let mut command = Command::new(on_path.unwrap_or_else(|| "rust-lld".into()));
    // The flags of the target specification. There is no entry point: exports are retained.
    command.args(["-flavor", "gnu", "--emit-relocs", "--unique", "-pie", "--apply-dynamic-relocs", "-Bsymbolic"]);
    command.args(["--gc-sections", "--entry=0", "--whole-archive"]).arg(archive).arg("-o").arg(&output);
    run(&mut command)?;
    Ok(output)
}

/// Returns the cargo of a toolchain that can compile for the target.
fn toolchain() -> Result<Command, GuestError> {
    let named = env::var_os("PVM_GUEST_TOOLCHAIN").map(PathBuf::from);
    let private = || {
        let program = env::current_exe().and_then(|program| program.canonicalize()).unwrap_or_default();
        private_toolchain(&program, Path::new(CHECKOUT))
    };
    let Some(toolchain) = named.or_else(private) else {
        let rustup = on_path("rustup").ok_or(GuestError::NoToolchain)?;
        let mut command = Command::new(rustup);
        command.args(["run", "nightly", "cargo"]);
        return Ok(command);
    };
    let bin = toolchain.join("bin");
    let cargo = bin.join("cargo");
    if !cargo.is_file() {
        return Err(GuestError::NoToolchain);
    }
    let mut command = Command::new(cargo);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [bin].into_iter().chain(linker_folders()).chain(env::split_paths(&path));
    command.env("PATH", env::join_paths(folders)?);
    Ok(command)
}

/// The checkout from which this program was built.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Returns the toolchain that scripts/setup makes in a checkout: in the one that contains the running program, or the
/// one that it was built from. So guests can be built in any folder.
fn private_toolchain(program: &Path, checkout: &Path) -> Option<PathBuf> {
    let folders = program.ancestors().skip(1).chain([checkout]);
    folders.map(|folder| folder.join(".toolchain")).find(|toolchain| toolchain.join("bin/cargo").is_file())
}

/// Folders where rustup's toolchains have their `rust-lld`, for compilers without one.
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

/// Finds a program in the folders of `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_private_toolchain_is_that_of_the_programs_checkout_or_of_the_one_it_was_built_from() {
        let root = env::temp_dir().join(format!("pvm-guest-toolchain-{}", std::process::id()));
        let make = |checkout: &str| {
            let bin = root.join(checkout).join(".toolchain/bin");
            fs::create_dir_all(&bin).unwrap();
            fs::write(bin.join("cargo"), "").unwrap();
        };
        let found = |program: &str, checkout: &str| {
            let found = private_toolchain(&root.join(program), &root.join(checkout));
            found.map(|found| found.strip_prefix(&root).unwrap().display().to_string())
        };
        assert_eq!(found("one/target/debug/pvm", "two"), None);
        make("two");
        assert_eq!(found("one/target/debug/pvm", "two").as_deref(), Some("two/.toolchain"));
        make("one");
        assert_eq!(found("one/target/debug/pvm", "two").as_deref(), Some("one/.toolchain"));
        assert_eq!(found("elsewhere/pvm", "three"), None);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn executables_and_static_libraries_are_found_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","executable":null}
not json
{"reason":"compiler-artifact","executable":null,"filenames":["/t/release/libadder.a"]}
{"reason":"compiler-artifact","executable":null,"filenames":["/t/release/libx.rlib"]}
{"reason":"compiler-artifact","executable":"/t/release/flipper"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executables(messages).collect::<Vec<_>>(), [PathBuf::from("/t/release/flipper")]);
        assert_eq!(static_libraries(messages).collect::<Vec<_>>(), [PathBuf::from("/t/release/libadder.a")]);
    }

    #[test]
    fn a_crate_is_a_library_if_it_has_a_cdylib_and_no_binary() {
        let metadata = |targets: &str| {
            let text = format!(r#"{{"packages":[{{"manifest_path":"/a/Cargo.toml","targets":[{targets}]}}]}}"#);
            serde_json::from_str::<Json>(&text).unwrap()
        };
        let library = r#"{"kind":["cdylib"],"crate_types":["cdylib"]}"#;
        let binary = r#"{"kind":["bin"],"crate_types":["bin"]}"#;
        let manifest = Path::new("/a/Cargo.toml");
        assert!(is_library(&metadata(library), manifest));
        assert!(!is_library(&metadata(&format!("{library},{binary}")), manifest));
        assert!(!is_library(&metadata(r#"{"kind":["lib"],"crate_types":["lib"]}"#), manifest));
        assert!(!is_library(&metadata(library), Path::new("/b/Cargo.toml")));
    }

    #[test]
    fn the_folder_of_artifacts_is_that_of_the_command() {
        let package = Package { is_library: false, workspace: "/w".into(), target_folder: "/w/target".into() };
        let folder = |arguments: &[&str]| {
            package.target_folder(&arguments.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(folder(&[]), Path::new("/w/target"));
        assert_eq!(folder(&["--locked", "--target-dir", "/t"]), Path::new("/t"));
        assert_eq!(folder(&["--target-dir=/t", "--locked"]), Path::new("/t"));
        assert_eq!(folder(&["--target-dir", "t"]), env::current_dir().unwrap().join("t"));
    }

    #[test]
    fn a_description_that_is_there_is_left_alone() {
        let folder = env::temp_dir().join(format!("pvm-guest-builder-{}", std::process::id()));
        let path = folder.join("a/target.json");
        write_if_changed(&path, "one").unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        write_if_changed(&path, "one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        write_if_changed(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn loops_are_unrolled_only_where_that_is_asked_for() {
        let guest = |unroll| Guest {
            manifest: "/nowhere/Cargo.toml".into(),
            binary: None,
            wide: true,
            unroll,
            arguments: Vec::new(),
        };
        assert_eq!(guest(false).code_flags().count(), 0);
        let flags: Vec<String> = guest(true).code_flags().collect();
        assert_eq!(
            flags,
            [
                "-Cllvm-args=-unroll-runtime",
                "-Cllvm-args=-unroll-allow-partial",
                "-Cllvm-args=-unroll-threshold-default=150"
            ]
        );
    }

    #[test]
    fn the_targets_are_those_of_the_names() {
        for (name, description) in TARGETS {
            let target: Json = serde_json::from_str(description).unwrap();
            let arch = target["arch"].as_str().unwrap();
            assert!(name.starts_with(arch), "{name}");
            assert_eq!(target["target-pointer-width"], arch[5..].parse::<u64>().unwrap());
        }
    }

    #[test]
    fn a_compiler_that_fails_or_is_missing_is_named() {
        let missing = run(&mut Command::new("/nowhere/compiler")).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/compiler"), "{missing}");
        let failing = run(&mut Command::new("false")).unwrap_err().to_string();
        assert!(failing.contains("false ended with"), "{failing}");
    }
}
