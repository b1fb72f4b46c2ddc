//! The program with a bug that tests of debuggers share.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

pub const GDB: &str = "gdb-multiarch";

/// A folder for the files of a test.
pub fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("debug").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs a tool that has to be there, and to succeed.
fn tool(name: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(name).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}; scripts/setup installs it"));
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{name} {arguments:?}: {printed}");
    printed
}

/// Runs `pvm`, whatever it ends with.
pub fn pvm(arguments: &[&str], folder: &Path) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pvm")).args(arguments).current_dir(folder).output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), printed)
}

/// The program, compiled and linked in `folder`, for 64 or 32 bits.
pub fn bank(folder: &Path, bits: u32) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/debug/bank.c");
    fs::copy(source, folder.join("bank.c")).unwrap();
    let (target, march, mabi) = match bits {
        64 => ("--target=riscv64-unknown-elf", "-march=rv64emac_zbb", "-mabi=lp64e"),
        _ => ("--target=riscv32-unknown-elf", "-march=rv32emac_zbb", "-mabi=ilp32e"),
    };
    let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/../guest/c");
    let arguments = [
        target,
        march,
        mabi,
        include,
        "-ffreestanding",
        "-fdebug-compilation-dir=.",
        "-g",
        "-O1",
        "-fno-optimize-sibling-calls",
        "-c",
        "bank.c",
        "-o",
        "bank.o",
    ];
    tool("clang-19", &arguments, folder);
    let (code, printed) = pvm(&["link", "-O", "1", "bank.o", "-o", "bank.polkavm"], folder);
    assert_eq!(code, 0, "{printed}");
}

/// The number of the line of the program with this text.
pub fn line_of(text: &str) -> usize {
    let source = include_str!("bank.c");
    source.lines().position(|line| line.contains(text)).unwrap() + 1
}

/// Starts `pvm` with these arguments in a folder; returns the process and its output.
pub fn start(arguments: &[&str], folder: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_pvm"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    (process, output)
}

/// True if a tool is installed. Fails the test if it is not, and this environment variable is set.
pub fn has_tool(tool: &str, required: &str) -> bool {
    if Command::new(tool).arg("--version").output().is_ok() {
        return true;
    }
    let is_required = std::env::var_os(required).is_some();
    assert!(!is_required, "there is no {tool}, and {required} is set: scripts/setup installs it");
    eprintln!("SKIPPED: there is no {tool}, so it was not tried; scripts/setup installs it");
    false
}

/// True if gdb is installed, as [`has_tool`].
pub fn has_gdb() -> bool {
    has_tool(GDB, "PVM_REQUIRE_GDB")
}

/// Returns a folder with the program, unless gdb is not installed.
pub fn bank_for_gdb(name: &str) -> Option<PathBuf> {
    has_gdb().then(|| {
        let folder = folder(name);
        bank(&folder, 64);
        folder
    })
}
