//! Tests of the sandboxed process's binary: reproducible, and without unwanted parts.
#![cfg(jit_supported)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

#[path = "../build/compile.rs"]
mod compile;

use pvm_zygote::{ELF, protocol};
use std::fs;
use std::path::Path;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_same_bytes_come_out_of_a_build_in_another_place() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("some where else");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &root.join("src"));
    let out = root.join("result");
    let linker = Some(env!("ZYGOTE_LINKER")).filter(|linker| !linker.is_empty());
    let (rustc, target) = (env!("ZYGOTE_RUSTC").as_ref(), env!("ZYGOTE_TARGET").as_ref());
    compile::compile(rustc, target, linker.map(str::as_ref), &root, &out).unwrap();
    assert!(fs::read(&out).unwrap() == ELF, "the bits are the same");
}

fn word(at: usize) -> u64 {
    u64::from_le_bytes(ELF[at..at + 8].try_into().unwrap())
}

/// Program headers: type, flags, start, size in memory.
fn segments() -> Vec<(u64, u64, u64, u64)> {
    let count = u16::from_le_bytes(ELF[56..58].try_into().unwrap());
    (0..usize::from(count))
        .map(|index| word(32) as usize + 56 * index)
        .map(|at| (word(at) & 0xffff_ffff, word(at) >> 32, word(at + 16), word(at + 40)))
        .collect()
}

#[test]
fn it_is_a_static_program_at_its_place_without_memory_that_is_both_writable_and_executable() {
    assert_eq!(&ELF[..4], b"\x7fELF");
    // ET_EXEC, EM_X86_64.
    assert_eq!(&ELF[16..20], &[2, 0, 62, 0]);
    let segments = segments();
    // PT_LOAD and PT_GNU_STACK, no interpreter, nothing dynamic.
    assert!(segments.iter().all(|segment| matches!(segment.0, 1 | 0x6474_e551)), "{segments:x?}");
    // PF_X is 1, PF_W is 2.
    assert!(segments.iter().all(|segment| segment.1 & 3 != 3), "{segments:x?}");
    assert!(segments.iter().any(|segment| segment.0 == 0x6474_e551), "the stack's flags are said");
    for (_, _, start, size) in segments.iter().filter(|segment| segment.0 == 1) {
        assert!(*start >= protocol::ZYGOTE_BASE && start + size <= protocol::CONTROL_BASE);
    }
}

#[test]
fn it_carries_no_path_of_the_machine_that_built_it_and_no_panic_messages() {
    for text in ["/home", "/root", "/rustc", ".rs", env!("CARGO_MANIFEST_DIR"), "panicked", "index out of bounds"] {
        let is_there = ELF.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!is_there, "{text}");
    }
}
