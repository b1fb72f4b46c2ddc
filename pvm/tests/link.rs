//! Tests of `pvm link`: the output file, and the messages.

#![allow(clippy::unwrap_used, reason = "a test")]

use pvm_riscv::generate;
use std::{fs, path::PathBuf, process::Command};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_command_links_says_how_large_it_is_and_leaves_alone_what_would_not_differ() {
    let folder = folder("link");
    fs::write(folder.join("in.o"), generate(2, true).elf).unwrap();
    let pvm = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pvm")).args(arguments).current_dir(&folder).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(printed).unwrap())
    };
    let _ = fs::remove_file(folder.join("out.polkavm"));
    let (code, printed) = pvm(&["link", "in.o", "--strip", "-o", "out.polkavm"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("code and jump table") && !printed.contains("unchanged"), "{printed}");
    let (_, printed) = pvm(&["link", "in.o", "--strip", "-o", "out.polkavm"]);
    assert!(printed.contains("unchanged"), "{printed}");
    let (code, printed) = pvm(&["run", "out.polkavm", "--entry", "checksum"]);
    assert_eq!(code, 0, "{printed}");
    let (code, printed) = pvm(&["link", "out.polkavm", "-o", "other.polkavm"]);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("out.polkavm") && !folder.join("other.polkavm").exists(), "{printed}");
    let (code, printed) = pvm(&["link", "absent.o", "-o", "other.polkavm"]);
    assert_ne!(code, 0);
    assert!(printed.contains("absent.o"), "{printed}");
    pvm(&["link", "in.o", "-o", "named.polkavm"]);
    let (_, printed) = pvm(&["stats", "named.polkavm"]);
    assert!(printed.contains("functions") && printed.contains("checksum"), "{printed}");
    let (_, printed) = pvm(&["disassemble", "named.polkavm"]);
    assert!(printed.lines().any(|line| line.trim() == "; checksum"), "{printed}");
    // The listing is still the blob.
    fs::write(folder.join("named.txt"), printed).unwrap();
    let (code, printed) = pvm(&["assemble", "named.txt", "-o", "again.polkavm"]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(fs::read(folder.join("named.polkavm")).unwrap(), fs::read(folder.join("again.polkavm")).unwrap());
}
