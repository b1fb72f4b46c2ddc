//! Builds the sandboxed process, `src/worker/main.rs`, and writes it to `OUT_DIR/zygote`. Run by cargo before the
//! library, which includes the bytes.
//!
//! The program is freestanding: no C library, no start-up files, only `core`. The build calls `rustc` itself, so that
//! no flags of the user (`RUSTFLAGS`, a profile) affect it, and so that the same compiler and linker always give the
//! same bytes. On targets other than Linux on AMD64 the file is empty, and the engine reports that there is no sandbox;
//! the `cfg` alias `jit_supported` marks supported targets. Build scripts of crates above get it as metadata, so that this
//! is the only place that names them.

#[path = "build/compile.rs"]
mod compile;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::exit;

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| fail(&format!("cargo did not set {name}")))
}

fn fail(why: &str) -> ! {
    eprintln!("cannot build the sandboxed process: {why}");
    exit(1)
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rustc-check-cfg=cfg(jit_supported)");
    let out = PathBuf::from(variable("OUT_DIR")).join("zygote");
    let is_supported = variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ARCH") == "x86_64";
    if !is_supported {
        std::fs::write(&out, []).unwrap_or_else(|error| fail(&format!("{}: {error}", out.display())));
        return;
    }
    println!("cargo::rustc-cfg=jit_supported");
    println!("cargo::metadata=jit_supported=yes");
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let (rustc, target, linker) = (variable("RUSTC"), variable("TARGET"), env::var_os("RUSTC_LINKER"));
    compile::compile(&rustc, &target, linker.as_deref(), &root, &out).unwrap_or_else(|why| fail(&why));
    // Used by the test that builds it again.
    println!("cargo::rustc-env=ZYGOTE_RUSTC={}", rustc.display());
    println!("cargo::rustc-env=ZYGOTE_TARGET={}", target.display());
    println!("cargo::rustc-env=ZYGOTE_LINKER={}", linker.unwrap_or_default().display());
}
