//! Hashes all sources that machine code depends on into a fingerprint, so that code stored by another version is
//! refused; sets the `cfg` alias `jit_supported` where `pvm-zygote` has it, and passes it on.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// Sources that machine code depends on: the compiler, the assembler, the worker's memory, the program model.
const SOURCES: [&str; 4] = ["src", "../assembler/src", "../zygote/src", "../../vm-core/src"];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(jit_supported)");
    if std::env::var_os("DEP_PVM_ZYGOTE_JIT_SUPPORTED").is_some() {
        println!("cargo::rustc-cfg=jit_supported");
        println!("cargo::metadata=jit_supported=yes");
    }
    let mut files = BTreeSet::new();
    for folder in SOURCES {
        println!("cargo::rerun-if-changed={folder}");
        collect(Path::new(folder), &mut files);
    }
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    for file in files {
        file.hash(&mut hasher);
        // If a file cannot be read, compilation fails right after.
        fs::read(&file).unwrap_or_default().hash(&mut hasher);
    }
    println!("cargo::rustc-env=PVM_ENGINE_FINGERPRINT={}", hasher.finish());
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path);
        }
    }
}
