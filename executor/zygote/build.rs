//! Builds the caged process, `src/worker/main.rs`, and leaves it in `OUT_DIR/zygote`. Run by cargo before the library,
//! which carries the bytes.
//!
//! The program is freestanding: no C library, no start-up files, only `core`. The build calls `rustc` itself, so that no
//! flag of the user's (`RUSTFLAGS`, a profile) gets into it, and so that everyone with the same compiler and linker gets
//! the same bytes. On targets other than Linux on AMD64 the file is empty, and the engine says that it has no cage.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| fail(&format!("cargo did not set {name}")))
}

fn fail(why: &str) -> ! {
    eprintln!("cannot build the caged process: {why}");
    exit(1)
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    let out = PathBuf::from(variable("OUT_DIR")).join("zygote");
    let is_supported = variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ARCH") == "x86_64";
    if !is_supported {
        std::fs::write(&out, []).unwrap_or_else(|error| fail(&format!("{}: {error}", out.display())));
        return;
    }
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    build(&root, &out);
}

fn build(root: &Path, out: &Path) {
    let source = root.join("src/worker");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.current_dir(root).args(["--crate-name", "zygote", "--crate-type", "bin", "--edition", "2024"]);
    rustc.arg("--target").arg(variable("TARGET"));
    // Position-independent code, since the program lies above 2 GiB; nevertheless linked for one address.
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
        rustc.args(["-C", option]);
    }
    for argument in ["-nostdlib", "-nostartfiles", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,noexecstack"] {
        rustc.arg("-C").arg(format!("link-arg={argument}"));
    }
    let mut script = OsString::from("link-arg=-Wl,-T,");
    script.push(source.join("link.ld"));
    rustc.arg("-C").arg(script);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    let mut remap = root.as_os_str().to_owned();
    remap.push("=zygote");
    rustc.arg("--remap-path-prefix").arg(remap);
    rustc.arg("-o").arg(out).arg(source.join("main.rs"));
    for leaking in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        rustc.env_remove(leaking);
    }
    match rustc.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{rustc:?} ended with {status}")),
        Err(error) => fail(&format!("{rustc:?}: {error}")),
    }
}
