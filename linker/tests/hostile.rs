//! Tests of broken, truncated and hostile ELF files: an error or a blob, never a panic or a hang.
//!
//! `PVM_HOSTILE_FILES` sets the number of files.

use pvm_linker::{Level, Options, link};
use pvm_riscv::{Random, generate};
use vm_core::blob::Blob;

/// Number of files that are tried.
const FILES: u64 = 4000;

fn check(elf: &[u8], level: Level) -> bool {
    match link(elf, &Options { level, ..Options::default() }) {
        Ok(blob) => {
            Blob::parse(&blob).expect("what the linker makes can be read");
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

#[test]
fn what_is_no_elf_file_is_refused() {
    for bytes in [&b""[..], b"\x7fELF", b"PVM\0 something else", &[0; 4096], &[0x7f; 64]] {
        assert!(!check(bytes, Level::Full));
    }
}

#[test]
fn a_truncated_file_is_refused_or_linked_at_every_length() {
    let elf = generate(5, true).elf;
    for length in (0..elf.len()).step_by(7) {
        check(&elf[..length], Level::Full);
    }
}

#[test]
fn changed_files_are_refused_or_linked() {
    let files = std::env::var("PVM_HOSTILE_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(FILES);
    let mut random = Random::new(1);
    let mut linked = 0;
    for number in 0..files {
        let mut elf = generate(number % 40, number % 3 != 0).elf;
        for _ in 0..1 + random.below(6) {
            let at = random.below(elf.len() as u64) as usize;
            match random.below(4) {
                0 => elf[at] ^= 1 << random.below(8),
                1 => elf[at] = random.number() as u8,
                2 => {
                    // A field of eight bytes, such as offsets and sizes.
                    let value = random.value().to_le_bytes();
                    let end = elf.len().min(at + 8);
                    elf[at..end].copy_from_slice(&value[..end - at]);
                }
                _ => {
                    // Bytes from elsewhere in the file.
                    let from = random.below(elf.len() as u64) as usize;
                    let length = (random.below(32) as usize).min(elf.len() - at).min(elf.len() - from);
                    elf.copy_within(from..from + length, at);
                }
            }
        }
        linked += u64::from(check(&elf, if number % 2 == 0 { Level::Full } else { Level::None }));
    }
    assert!(linked > 0 && linked < files, "{linked} of {files} were linked");
}
