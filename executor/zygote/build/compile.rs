//! Compiles the sandboxed process. Used by the build script, and by the test of reproducible builds.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// Compiles `root/src/worker/main.rs` to `out`, for `target`, with this compiler and, if given, this linker. The output
/// does not depend on the path of `root`.
pub fn compile(rustc: &OsStr, target: &OsStr, linker: Option<&OsStr>, root: &Path, out: &Path) -> Result<(), String> {
    let source = root.join("src/worker");
    let mut command = Command::new(rustc);
    command.current_dir(root).args(["--crate-name", "zygote", "--crate-type", "bin", "--edition", "2024"]);
    command.arg("--target").arg(target);
    // Position-independent code, since the program lies above 2 GiB; nevertheless linked to a fixed address.
    for option in [
        "opt-level=3",
        "panic=abort",
        "relocation-model=pic",
        "target-cpu=x86-64",
        "codegen-units=1",
        "debuginfo=0",
        "overflow-checks=off",
        "debug-assertions=off",
        "strip=symbols",
        "link-dead-code=off",
        "metadata=zygote",
        "default-linker-libraries=no",
    ] {
        command.args(["-C", option]);
    }
    for argument in ["-nostdlib", "-nostartfiles", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,noexecstack"] {
        command.arg("-C").arg(format!("link-arg={argument}"));
    }
    let mut script = OsString::from("link-arg=-Wl,-T,");
    script.push(source.join("link.ld"));
    command.arg("-C").arg(script);
    if let Some(linker) = linker {
        let mut option = OsString::from("linker=");
        option.push(linker);
        command.arg("-C").arg(option);
    }
    let mut remap = root.as_os_str().to_owned();
    remap.push("=zygote");
    command.arg("--remap-path-prefix").arg(remap);
    command.arg("-o").arg(out).arg(source.join("main.rs"));
    // The user's flags and wrappers must not affect the build.
    for leaking in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        command.env_remove(leaking);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} ended with {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
