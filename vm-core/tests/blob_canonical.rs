//! Tests of changes to a blob that keep the program and changes that do not: unknown sections, stripping, and the bytes
//! that the hash of its canonical form is made from.

#![allow(clippy::unwrap_used, reason = "a test")]

use pvm_test_support::{RandomProgram, Rng};
use std::collections::BTreeMap;
use vm_core::blob::{Blob, BlobBuilder, BlobError, Strip, sections, strip};
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::program::{Program, ProgramConfig};
use vm_core::text::assemble;

fn canonical(bytes: &[u8]) -> Vec<u8> {
    Blob::parse(bytes).unwrap().canonical_bytes()
}

fn program(bytes: &[u8]) -> Program {
    Program::new(&Blob::parse(bytes).unwrap(), &ProgramConfig::default()).unwrap()
}

fn ids(bytes: &[u8]) -> Vec<u8> {
    sections(bytes).map(|section| section.id).collect()
}

/// Program with a bit of everything, with these sections after the code.
fn with_sections(optional: &[(u8, &[u8])]) -> Vec<u8> {
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder
        .stack_size(4096)
        .ro_data(9, b"abc\0d")
        .rw_data(5, b"xyz")
        .import(b"first")
        .import(b"second")
        .export(b"go", 0)
        .jump_table_entry(1)
        .instructions(vec![Instruction::i(Opcode::Ecalli, 1), Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0)]);
    for (id, content) in optional {
        builder.optional_section(*id, content);
    }
    builder.build().unwrap()
}

const DEBUG: [(u8, &[u8]); 3] = [(128, b"\0\x01x"), (129, &[1, 0]), (130, &[0; 12])];

#[test]
fn unknown_optional_sections_are_skipped_whatever_they_contain() {
    let plain = with_sections(&[]);
    for id in 132..=255 {
        for content in [&[0u8][..], &[6, 5, 0, 0, 1, 0, 1], &[0xff; 300]] {
            let extended = with_sections(&[(id, content), (id, b"again")]);
            assert!(program(&extended).same_as(&program(&plain)), "{id}");
            assert_eq!(canonical(&extended), canonical(&plain), "{id}");
        }
    }
}

#[test]
fn unknown_required_sections_are_refused_wherever_they_are() {
    let plain = with_sections(&[]);
    let starts: Vec<usize> = sections(&plain)
        .map(|section| section.content.as_ptr() as usize - plain.as_ptr() as usize - 2)
        .chain([plain.len() - 1])
        .collect();
    for id in 7..128 {
        for start in &starts {
            let mut extended = plain.clone();
            extended.splice(start..start, [id, 1, 0]);
            let length = extended.len() as u64;
            extended[5..13].copy_from_slice(&length.to_le_bytes());
            match Blob::parse(&extended) {
                Err(BlobError::UnexpectedSection { offset, id: found }) => assert_eq!((offset, found), (*start, id)),
                other => panic!("{id} at {start}: {other:?}"),
            }
        }
    }
}

#[test]
fn stripping_takes_away_what_it_says_and_changes_no_program() {
    let plain = with_sections(&[]);
    let full = with_sections(&[&DEBUG[..], &[(131, b"hash"), (200, b"new")]].concat());
    assert_eq!(ids(&full), [1, 2, 3, 4, 5, 6, 128, 129, 130, 131, 200]);
    let (debug, optional) = (strip(&full, Strip::Debug).unwrap(), strip(&full, Strip::Optional).unwrap());
    assert_eq!(ids(&debug), [1, 2, 3, 4, 5, 6, 131, 200]);
    assert_eq!(Blob::parse(&debug).unwrap().metadata_hash(), b"hash");
    assert_eq!(optional, plain);
    for stripped in [&debug, &optional] {
        assert!(program(stripped).same_as(&program(&full)));
        assert_eq!(canonical(stripped), canonical(&full));
    }
    assert!(program(&full).same_as(&program(&plain)));
}

#[test]
fn stripping_wakes_no_section_that_was_skipped() {
    // Behind 200 the reader looks for nothing any more.
    let asleep = with_sections(&[(200, b"new"), (131, b"late"), (128, b"\0"), (201, b"newer")]);
    assert_eq!(Blob::parse(&asleep).unwrap().metadata_hash(), b"");
    let stripped = strip(&asleep, Strip::Debug).unwrap();
    assert_eq!(ids(&stripped), [1, 2, 3, 4, 5, 6, 200, 201]);
    // 129 before 128: 128 is skipped, and so is all that follows.
    let asleep = with_sections(&[(129, &[1]), (128, b"\0"), (131, b"late")]);
    assert_eq!(Blob::parse(&asleep).unwrap().metadata_hash(), b"");
    assert_eq!(ids(&strip(&asleep, Strip::Debug).unwrap()), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn bytes_that_are_no_blob_are_not_stripped() {
    let mut bytes = with_sections(&[]);
    bytes.push(0);
    assert!(matches!(strip(&bytes, Strip::Debug), Err(BlobError::LengthMismatch { .. })));
}

/// Different ways to write the same program.
#[test]
fn the_same_program_written_differently_has_the_same_canonical_form() {
    let plain = ".isa ReviveV1\n.ro_size 4\n.rw_size 4\n";
    let code = ".jump_table 0\n.export \"go\" 0\ntrap\n";
    let imports = ".import \"ab\"\n.import \"c\"\n";
    let same = [
        [plain, ".ro_data 01\n", imports, code].concat(),
        [plain, ".ro_data 01 00 00\n.rw_data 00 00\n", imports, code].concat(),
        [plain, ".ro_data 01\n", imports, code, ".section 128 00\n.section 250 01\n.trailing 01 02\n"].concat(),
        [plain, ".ro_data 01\n", imports, ".jump_table_form 1 4\n", code].concat(),
        // The symbols are "abc", read from offset 1 of "_abc".
        [plain, ".ro_data 01\n.section 4 02 01 00 00 00 03 00 00 00 \"_abc\"\n", code].concat(),
        [plain, ".ro_data 01\n", imports, ".section 5 01 00 02 \"go\" ff\n.jump_table 0\ntrap"].concat(),
    ];
    let same = same.map(|text| assemble(&text).unwrap());
    for (index, bytes) in same.iter().enumerate() {
        assert_eq!(canonical(bytes), canonical(&same[0]), "{index}");
        assert_eq!(same.iter().filter(|other| *other == bytes).count(), 1, "{index} is written in its own way");
    }
}

#[test]
fn whatever_can_be_observed_is_part_of_the_canonical_form() {
    let base = ".isa ReviveV1\n.ro_size 4\n.rw_size 4\n.stack_size 9\n.ro_data 01\n.rw_data 02\n.import \"a\"\n\
        .import \"b\"\n.export \"go\" 0\n.export \"on\" 1\n.jump_table 0, 1\n.bytes *01 *00\n";
    let mut seen = BTreeMap::from([(canonical(&assemble(base).unwrap()), "nothing")]);
    for (from, to) in [
        ("ReviveV1", "Latest32"),
        ("ReviveV1", "JamV1"),
        (".ro_size 4", ".ro_size 5"),
        (".rw_size 4", ".rw_size 5"),
        (".stack_size 9", ".stack_size 10"),
        (".ro_data 01", ".ro_data 00 01"),
        (".ro_data 01", ".ro_data 01 02"),
        (".rw_data 02", ".rw_data 01 02"),
        (".ro_data 01\n.rw_data 02", ".rw_data 02 01"),
        (".import \"a\"", ".import \"aa\""),
        (".import \"a\"\n.import \"b\"", ".import \"b\"\n.import \"a\""),
        (".import \"a\"\n.import \"b\"", ".import \"ab\"\n.import \"\""),
        (".import \"a\"\n.import \"b\"", ".import \"ab\""),
        (".import \"a\"\n.import \"b\"", ".section 4 02 00 00 00 00 09 00 00 00 \"ab\""),
        (".import \"a\"\n.import \"b\"", ".section 4 02 00 00 00 00 00 00 00 00 \"ab\""),
        (".export \"go\" 0", ".export \"go\" 1"),
        (".export \"go\" 0", ".export \"gone\" 0"),
        (".export \"go\" 0\n.export \"on\" 1", ".export \"on\" 1\n.export \"go\" 0"),
        (".export \"on\" 1\n", ""),
        (".jump_table 0, 1", ".jump_table 1, 0"),
        (".jump_table 0, 1", ".jump_table 0"),
        (".bytes *01 *00", ".bytes *01 *01"),
        (".bytes *01 *00", ".bytes *01 00"),
        (".bytes *01 *00", ".bytes *01 *00 00"),
    ] {
        let text = base.replace(from, to);
        assert_ne!(text, base, "{from}");
        let bytes = assemble(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        if let Some(other) = seen.insert(canonical(&bytes), to) {
            panic!("`{to}` means what `{other}` means");
        }
    }
}

#[test]
fn blobs_of_the_same_canonical_form_give_the_same_program() {
    let mut rng = Rng::new(1);
    let (mut same, mut different) = (0, 0);
    for seed in 0..300 {
        let bytes = RandomProgram::any(rng.pick(&Isa::ALL), &mut Rng::new(seed)).blob();
        let blob = Blob::parse(&bytes).unwrap();
        for _ in 0..30 {
            let mut mutant = bytes.clone();
            let at = rng.below(mutant.len() as u32) as usize;
            mutant[at] ^= 1 << rng.below(8);
            let Ok(other) = Blob::parse(&mutant) else { continue };
            let config = ProgramConfig::default();
            let programs = (Program::new(&blob, &config), Program::new(&other, &config));
            let (Ok(one), Ok(other_program)) = programs else { continue };
            if blob.canonical_bytes() == other.canonical_bytes() {
                same += 1;
                assert_eq!(one.memory_map(), other_program.memory_map());
                assert_eq!((other.code(), other.bitmask()), (blob.code(), blob.bitmask()));
                assert!(other.imports().eq(blob.imports()) && other.exports().eq(blob.exports()));
            } else {
                different += 1;
                // Sizes are rounded when a program is made; all else that differs must show.
                assert!(!one.same_as(&other_program) || blob.memory_config() != other.memory_config());
            }
        }
    }
    println!("{same} mutants mean the same, {different} do not");
    assert!(same > 10 && different > 1000);
}

#[test]
fn names_that_share_bytes_do_not_make_the_canonical_form_long() {
    // 1024 imports, every second one the whole of 60,000 bytes.
    let mut section = vec![0x84, 0x00];
    for index in 0..1024u32 {
        section.extend((if index % 2 == 0 { 0 } else { 60_000u32 }).to_le_bytes());
    }
    section.extend(vec![b'x'; 60_000]);
    let hex: String = section.iter().map(|byte| format!(" {byte:02x}")).collect();
    let bytes = assemble(&format!(".isa ReviveV1\n.section 4{hex}\ntrap")).unwrap();
    assert_eq!(Blob::parse(&bytes).unwrap().imports().count_all(), 1024);
    assert!(canonical(&bytes).len() < 2 * bytes.len());
}
