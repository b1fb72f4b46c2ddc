//! Programs in C and C++ by clang, at its levels and ours, on both backends: they return what a native build does.

#![allow(clippy::unwrap_used, reason = "tests")]

use pvm_corpora::{Backends, Ending, Verdict, run_on_riscv};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// `main` of the native program, which prints the result.
const MAIN: &str = "#include <stdio.h>\nint result(void);\nint main(void) { printf(\"%d\", result()); }\n";

/// The entry of the linked program, and functions that compilers call implicitly.
const ENTRY: &str = "typedef __SIZE_TYPE__ size_t;\nint result(void);\nint main(void) { return result(); }\n\
    void *memcpy(void *d, const void *s, size_t n) { for (size_t i = 0; i < n; i++) ((char *)d)[i] = ((char *)s)[i]; return d; }\n\
    void *memset(void *d, int c, size_t n) { for (size_t i = 0; i < n; i++) ((char *)d)[i] = (char)c; return d; }\n";

fn tool(name: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(name).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}. Run: scripts/setup"));
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Compiler flags for a source's language.
fn language(name: &str) -> &'static [&'static str] {
    if name.ends_with(".cpp") {
        &["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-std=c++17"]
    } else {
        &["-std=c11"]
    }
}

/// Compiles for one width at one level, and links the objects together.
fn build(folder: &Path, source: &Path, name: &str, width: &str, level: &str) -> PathBuf {
    let abi = if width == "64" { "lp64e" } else { "ilp32e" };
    let (target, march, mabi) =
        (format!("--target=riscv{width}-unknown-elf"), format!("-march=rv{width}emac"), format!("-mabi={abi}"));
    let machine = [&*target, &*march, &*mabi, "-ffreestanding", "-w"];
    let of = |suffix: &str| folder.join(format!("{name}.{width}{level}.{suffix}"));
    let (object, entry, linked) = (of("o"), of("entry.o"), of("elf"));
    let mut arguments = machine.to_vec();
    arguments.extend(language(name));
    arguments.extend([level, "-c", text(source), "-o", text(&object)]);
    tool("clang-19", &arguments);
    let main = folder.join("entry.c");
    fs::write(&main, ENTRY).unwrap();
    let mut arguments = machine.to_vec();
    arguments.extend(["-O1", "-fno-builtin", "-c", text(&main), "-o", text(&entry)]);
    tool("clang-19", &arguments);
    tool("ld.lld-19", &["-r", text(&object), text(&entry), "-o", text(&linked)]);
    linked
}

fn check(name: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/programs").join(name);
    let (main, native) = (folder.join("main.c"), folder.join("native"));
    fs::write(&main, MAIN).unwrap();
    let mut arguments = language(name).to_vec();
    arguments.retain(|argument| !argument.starts_with("-std"));
    arguments.extend(["-w", "-O1", text(&source), "-x", "c", text(&main), "-o", text(&native)]);
    tool("clang-19", &arguments);
    let expected = String::from_utf8(tool(text(&native), &[])).unwrap().parse::<i32>().unwrap();
    let expected = Ending::Returned(expected as u32);
    let backends = Backends::new().unwrap();
    for width in ["64", "32"] {
        for compiled in ["-O0", "-O2", "-Oz"] {
            let elf = fs::read(build(&folder, &source, name, width, compiled)).unwrap();
            assert_eq!(run_on_riscv(&elf, "main"), expected, "{name} {width} {compiled} on a RISC-V machine");
            for (level, backend, verdict) in backends.try_file(&elf, "main", false, &expected) {
                assert_eq!(verdict, Verdict::Right, "{name} {width} {compiled}, linked {level}, on {backend}");
            }
        }
    }
}

#[test]
fn matrices() {
    check("matrix.c");
}

#[test]
fn checksums() {
    check("crc.c");
}

#[test]
fn state_machines() {
    check("state.c");
}

#[test]
fn lists_and_trees() {
    check("list.c");
}

#[test]
fn virtual_calls() {
    check("virtual.cpp");
}

#[test]
fn static_constructors() {
    check("constructors.cpp");
}
