//! Tests of the assembler and the listing: the listing of any blob assembles to the same bytes; any text assembles to a
//! blob or gives an error with its position.

#![allow(clippy::unwrap_used, reason = "a test")]

use pvm_test_support::{RandomProgram, Rng};
use std::{fs, path::Path};
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::gas::CostModelKind;
use vm_core::isa::{Format, Instruction, Isa, Opcode, Reg};
use vm_core::text::{Listing, TextErrorKind, assemble};

fn number(rng: &mut Rng) -> i32 {
    (rng.next_u64() as i32) >> rng.below(32)
}

fn reg(rng: &mut Rng) -> Reg {
    rng.pick(&Reg::ALL)
}

/// Random operands; jumps go to one of `count` instructions.
fn random_instruction(rng: &mut Rng, opcode: Opcode, count: u32) -> Instruction {
    match opcode.spec().format {
        Format::None => Instruction::none(opcode),
        Format::Imm => Instruction::i(opcode, number(rng)),
        Format::Offset => Instruction::o(opcode, rng.below(count)),
        Format::ImmImm => Instruction::ii(opcode, number(rng), number(rng)),
        Format::RegImm => Instruction::ri(opcode, reg(rng), number(rng)),
        Format::RegImmImm => Instruction::rii(opcode, reg(rng), number(rng), number(rng)),
        Format::RegImmOffset => Instruction::rio(opcode, reg(rng), number(rng), rng.below(count)),
        Format::RegReg => Instruction::rr(opcode, reg(rng), reg(rng)),
        Format::RegRegImm => Instruction::rri(opcode, reg(rng), reg(rng), number(rng)),
        Format::RegRegOffset => Instruction::rro(opcode, reg(rng), reg(rng), rng.below(count)),
        Format::RegRegReg => Instruction::rrr(opcode, reg(rng), reg(rng), reg(rng)),
        Format::RegRegImmImm => Instruction::rrii(opcode, reg(rng), reg(rng), number(rng), number(rng)),
        Format::RegImm64 => Instruction::rx(opcode, reg(rng), rng.value() as i64),
    }
}

/// The listing of a blob, having checked that every kind of listing assembles to it.
#[track_caller]
fn round_trip(bytes: &[u8]) -> String {
    let plain = Listing::new(bytes).unwrap();
    let text = plain.to_string();
    for listing in [text.clone(), plain.with_comments().with_gas(CostModelKind::Naive).to_string()] {
        match assemble(&listing) {
            Ok(back) => assert!(back == bytes, "{listing}"),
            Err(error) => panic!("{error}\n{listing}"),
        }
    }
    text
}

#[test]
fn every_instruction_of_every_instruction_set_survives_its_text() {
    let mut rng = Rng::new(1);
    for isa in Isa::ALL {
        let opcodes: Vec<Opcode> = Opcode::all().filter(|opcode| isa.number(*opcode).is_some()).collect();
        let mut code = Vec::new();
        for _ in 0..20 {
            for opcode in &opcodes {
                code.push(random_instruction(&mut rng, *opcode, 20 * opcodes.len() as u32));
            }
        }
        let bytes = BlobBuilder::new(isa).instructions(code).build().unwrap();
        let text = round_trip(&bytes);
        for opcode in opcodes {
            assert!(
                text.contains(&format!("        {} ", opcode.spec().mnemonic)) || opcode.spec().format == Format::None
            );
        }
        let code = text.split("\n\n").last().unwrap();
        assert!(!code.contains(".bytes") && !code.contains(".w"), "what our encoder wrote is listed plainly");
    }
}

/// The listing of `guest/contracts/flipper` as upstream's linker made it.
#[test]
fn a_listing_of_a_linked_contract_assembles_and_lists_as_it_was() {
    let text = include_str!("text/flipper.txt");
    let bytes = assemble(text).unwrap();
    assert_eq!(bytes.len(), 1902);
    assert!(round_trip(&bytes) == text, "the form of listings has changed");
}

/// Blobs of the linker and of compilers, where they were built: `make contracts`.
#[test]
fn blobs_of_other_tools_survive_their_text() {
    let mut paths = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../out")];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "polkavm") {
            let bytes = fs::read(&path).unwrap();
            let text = round_trip(&bytes);
            let (all, raw) = (text.lines().count(), text.lines().filter(|line| line.contains(".bytes")).count());
            println!("{}: {all} lines, {raw} of them raw", path.display());
        }
    }
}

#[test]
fn a_listing_reads_like_this() {
    let bytes = BlobBuilder::new(Isa::ReviveV1)
        .stack_size(4096)
        .ro_data(40, b"hello\0world, and more")
        .import(b"seal_\"return\"\xff")
        .export(b"call", 1)
        .jump_table_entry(3)
        .instructions(vec![
            Instruction::none(Opcode::Trap),
            Instruction::ri(Opcode::LoadU8, Reg::A0, 0x1_0000),
            Instruction::rio(Opcode::BranchEqImm, Reg::A0, -1, 5),
            Instruction::i(Opcode::Ecalli, 0),
            Instruction::o(Opcode::Jump, 3),
            Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
        ])
        .optional_section(128, b"debug")
        .build()
        .unwrap();
    let expected = r#".isa ReviveV1
.ro_size 40
.rw_size 0
.stack_size 4096

.ro_data
    .data 68 65 6c 6c 6f 00 77 6f 72 6c 64 2c 20 61 6e 64 ; 0x10000 hello.world, and
    .data 20 6d 6f 72 65                                  ; 0x10010  more

.import "seal_\"return\"\xff"                             ; 0

.export "call" @1

.jump_table @10                                           ; 2

        trap
@1:
        load_u8 a0, 0x10000
        branch_eq_imm a0, -1, @13
@10:
        ecalli 0                                          ; "seal_\"return\"\xff"
        jump @10
@13:
        jump_indirect ra, 0

.section 128
    .data 64 65 62 75 67                                  ; 0x00000 debug
"#;
    assert_eq!(round_trip(&bytes), expected);
    let commented = Listing::new(&bytes).unwrap().with_comments().with_gas(CostModelKind::Naive).to_string();
    for line in [
        "        ecalli 0                                          ;    10: host call 0 \"seal_\\\"return\\\"\\xff\"\n",
        "@1:                                                       ; block 1: gas 2\n",
        "        branch_eq_imm a0, -1, @13                         ;     6: if a0 == -1: goto @13\n",
    ] {
        assert!(commented.contains(line), "{commented}");
    }
}

#[test]
fn what_the_builder_would_write_otherwise_survives_too() {
    let blob = |sections: &[&[u8]]| {
        let body = sections.concat();
        [b"PVM\0\0", &(13 + body.len() as u64).to_le_bytes()[..], &body].concat()
    };
    const CODE: &[u8] = &[6, 5, 0, 0, 1, 0, 1];
    let cases: &[(&str, &[&[u8]])] = &[
        ("sizes of zero", &[&[1, 3, 0, 0, 0], CODE, &[0]]),
        ("empty sections", &[&[2, 0, 3, 0, 5, 0], CODE, &[128, 0, 200, 0, 200, 0, 0]]),
        ("no imports, said so", &[&[4, 1, 0], CODE, &[0]]),
        ("an import behind the end", &[&[4, 6, 1, 9, 0, 0, 0, b'x'], CODE, &[0]]),
        ("an import that begins late", &[&[4, 6, 1, 1, 0, 0, 0, b'x'], CODE, &[0]]),
        ("half an export", &[&[5, 4, 2, 0, 1, b'x'], CODE, &[0]]),
        ("no exports, and more", &[&[5, 2, 0, 7], CODE, &[0]]),
        ("an export to nowhere", &[&[5, 5, 1, 0x81, 0x2c, 1, b'x'], CODE, &[0]]),
        ("wide jump table entries", &[&[6, 13, 2, 4, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 1, 0]]),
        ("a table without bytes", &[&[6, 5, 9, 0, 1, 0, 1, 0]]),
        ("an entry size without a table", &[&[6, 5, 0, 3, 1, 0, 1, 0]]),
        ("no instruction", &[&[6, 3, 0, 0, 0, 0]]),
        ("no bits", &[&[6, 14, 0, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]]),
        ("bytes behind the end", &[CODE, &[0, 1, 2, 3]]),
        ("optional sections in disorder", &[CODE, &[250, 1, 1, 131, 1, 7, 128, 2, 3, 4, 0]]),
        ("a wide jump", &[&[6, 9, 0, 0, 5, 40, 5, 0, 0, 0, 1, 0]]),
        ("an immediate wider than needed", &[&[6, 8, 0, 0, 4, 51, 7, 1, 0, 1, 0]]),
        ("a jump out of the code", &[&[6, 6, 0, 0, 2, 40, 100, 1, 0]]),
        ("a jump before the code", &[&[6, 6, 0, 0, 2, 40, 0x80, 1, 0]]),
        ("bits that nothing means", &[&[6, 6, 0, 0, 2, 100, 0xff, 1, 0]]),
        ("an instruction cut off by the end", &[&[6, 5, 0, 0, 1, 51, 1, 0]]),
        ("an instruction cut off by the next", &[&[6, 6, 0, 0, 2, 51, 0, 3, 0]]),
    ];
    for (name, sections) in cases {
        let bytes = blob(sections);
        assert!(Blob::parse(&bytes).is_ok(), "{name}: {:?}", Blob::parse(&bytes).err());
        println!("{name}");
        round_trip(&bytes);
    }
}

#[test]
fn widths_that_the_assembler_would_not_choose_are_stated() {
    // A jump to 300 that needs 2 bytes, and behind it one to the middle of the instruction at 129.
    let mut code = vec![0; 302];
    code[..5].copy_from_slice(&[40, 0x2c, 0x01, 40, 127]);
    code[129..131].copy_from_slice(&[100, 0]);
    let mut bitmask = vec![0xff; 38];
    bitmask[0] = 0b1110_1001;
    bitmask[130 / 8] ^= 1 << (130 % 8);
    bitmask[37] = 0x3f;
    let bytes = BlobBuilder::new(Isa::ReviveV1).raw_code(code, bitmask).build().unwrap();
    let text = round_trip(&bytes);
    assert!(text.contains("\n        jump @300\n        jump.w1 0x82\n"), "{text}");
}

#[test]
fn random_programs_and_what_mutation_makes_of_them_survive_their_text() {
    let mut rng = Rng::new(2);
    let mut parsed = 0;
    for seed in 0..400 {
        let isa = rng.pick(&Isa::ALL);
        let mut bytes = RandomProgram::any(isa, &mut Rng::new(seed)).blob();
        round_trip(&bytes);
        for _ in 0..20 {
            let at = rng.below(bytes.len() as u32) as usize;
            let before = bytes[at];
            bytes[at] = if rng.chance(50) { rng.next_u64() as u8 } else { before ^ 1 << rng.below(8) };
            match Blob::parse(&bytes) {
                Ok(_) => {
                    parsed += 1;
                    round_trip(&bytes);
                }
                Err(error) => {
                    assert_eq!(Listing::new(&bytes).err(), Some(error));
                    bytes[at] = before;
                }
            }
        }
    }
    assert!(parsed > 2000, "only {parsed} mutants were blobs");
}

#[test]
fn random_code_survives_its_text() {
    let mut rng = Rng::new(3);
    for _ in 0..1500 {
        let length = rng.below(300) as usize;
        let code = rng.bytes(length);
        let density = rng.pick(&[3, 10, 30, 70]);
        let mut bitmask = vec![0u8; length.div_ceil(8)];
        for at in 0..length {
            bitmask[at / 8] |= u8::from(rng.chance(density)) << (at % 8);
        }
        let mut builder = BlobBuilder::new(rng.pick(&Isa::ALL));
        builder.raw_code(code, bitmask);
        for _ in 0..rng.below(5) {
            builder.export(b"\n;\"\\\0", rng.below(400)).jump_table_entry(rng.below(400));
        }
        round_trip(&builder.build().unwrap());
    }
}

#[test]
fn jumps_of_all_distances_survive_their_text() {
    let mut rng = Rng::new(4);
    for _ in 0..300 {
        // Long and short gaps, so that widths depend on each other.
        let count = 2 + rng.below(60);
        let mut code = Vec::new();
        for _ in 0..count {
            code.push(Instruction::o(Opcode::Jump, rng.below(count)));
        }
        let gaps = rng.below(400);
        for _ in 0..gaps {
            let at = rng.below(code.len() as u32) as usize;
            for instruction in &mut code {
                instruction.target += u32::from(instruction.opcode == Opcode::Jump && instruction.target >= at as u32);
            }
            code.insert(at, Instruction::none(Opcode::Trap));
        }
        round_trip(&BlobBuilder::new(Isa::ReviveV1).instructions(code).build().unwrap());
    }
}

#[test]
fn mutated_text_never_panics_and_what_it_makes_can_be_read() {
    let mut rng = Rng::new(5);
    let (mut good, mut bad) = (0, 0);
    for seed in 0..60 {
        let isa = rng.pick(&Isa::ALL);
        let text = Listing::new(&RandomProgram::any(isa, &mut Rng::new(seed)).blob()).unwrap().to_string();
        for _ in 0..60 {
            let mut chars: Vec<char> = text.chars().collect();
            for _ in 0..=rng.below(3) {
                let at = rng.below(chars.len() as u32) as usize;
                match rng.below(4) {
                    0 => drop(chars.remove(at)),
                    1 => chars.insert(at, rng.pick(&['.', ',', ':', '"', '\\', '*', '-', '@', '9', '\u{e9}', '\n'])),
                    2 => chars.swap(at, 0),
                    _ => chars.truncate(at.max(40)),
                }
            }
            let text: String = chars.into_iter().collect();
            match assemble(&text) {
                Ok(bytes) => {
                    good += 1;
                    round_trip(&bytes);
                }
                Err(error) => {
                    bad += 1;
                    let line = text.lines().nth(error.line as usize - 1).unwrap_or_default();
                    assert!(error.column as usize <= line.chars().count() + 1, "{error}\n{line}");
                }
            }
        }
    }
    assert!(good > 300 && bad > 300, "{good} {bad}");
}

#[test]
fn text_that_is_no_program_is_refused_with_its_place() {
    let cases: &[(&str, &str)] = &[
        ("", "line 1, column 1: the first statement must be `.isa`"),
        ("\n ; x\n  trap", "line 3, column 3: the first statement must be `.isa`"),
        (".isa Latest64", "line 1, column 6: unknown instruction set `Latest64`, there are ReviveV1, Latest32, JamV1"),
        (".isa JamV1\n.isa JamV1", "line 2, column 1: `.isa` is there already"),
        (".isa JamV1\n.stack 1", "line 2, column 1: unknown directive `.stack`"),
        (".isa JamV1\n.stack_size -1", "line 2, column 13: -1 is not in the range 0 to 4294967295"),
        (".isa JamV1\n.stack_size 4kb", "line 2, column 13: expected a number, found `4kb`"),
        (".isa JamV1\n.stack_size 1\n.stack_size 1", "line 3, column 1: `.stack_size` is there already"),
        (".isa JamV1\nmov a0, a1", "line 2, column 1: unknown instruction `mov`"),
        (".isa JamV1\nx: memset", "line 2, column 4: `memset` does not exist in JamV1"),
        (".isa JamV1\nmove_reg a0, a1, a2", "line 2, column 16: expected the end of the line, found `,`"),
        (".isa JamV1\nmove_reg a0 a1", "line 2, column 13: expected a comma, found `a1`"),
        (".isa JamV1\nmove_reg a0,", "line 2, column 13: expected a register, but the line ends"),
        (".isa JamV1\nmove_reg a0, a9", "line 2, column 14: expected a register, found `a9`"),
        (
            ".isa JamV1\nload_imm a0, 0x80000000",
            "line 2, column 14: 2147483648 is not in the range -2147483648 to 2147483647",
        ),
        (".isa JamV1\njump there", "line 2, column 6: there is no label `there`"),
        (".isa JamV1\na: trap\na: trap", "line 3, column 1: `a` is there already"),
        (".isa JamV1\n1: trap", "line 2, column 1: expected a label, found `1`"),
        (".isa JamV1\ntrap.w1", "line 2, column 1: `trap` has no jump offset to give a width to"),
        (".isa JamV1\njump.w5 0", "line 2, column 1: expected a width of .w0 to .w4, found `jump.w5`"),
        (".isa JamV1\njump.w1 200", "line 2, column 1: the distance 200 does not fit a jump offset of 1 bytes"),
        (
            ".isa JamV1\n.data 00",
            "line 2, column 1: expected .ro_data, .rw_data or .section before .data, found `.data`",
        ),
        (".isa JamV1\n.ro_data 0", "line 2, column 10: expected two hex digits, found `0`"),
        (".isa JamV1\n.ro_data \"a", "line 2, column 12: expected `\"`, but the line ends"),
        (".isa JamV1\n.ro_data 00 00\n.ro_size 1", "line 3, column 1: read-only data in bytes of 2, the limit is 1"),
        (".isa JamV1\n.section 0", "line 2, column 10: 0 is not in the range 1 to 255"),
        (".isa JamV1\n.section 77", "line 2, column 1: unexpected section 77 at offset 18"),
        (".isa JamV1\n.import \"x\"\n.section 4 00", "line 3, column 1: `.section 4` is there already"),
        (".isa JamV1\n.jump_table_form 1 1\ntrap", "line 2, column 1: 0 is not in the range 1 to 1"),
        (".isa JamV1\n.jump_table 256\n.jump_table_form 1 1", "line 3, column 1: 1 is not in the range 2 to 4"),
        (".isa JamV1\n.export \"a\" +", "line 2, column 13: expected a label or a code offset, found `+`"),
        (".isa JamV1\n.bytes 00*01 ", "line 2, column 8: expected two hex digits, found `00*01`"),
    ];
    for (text, message) in cases {
        assert_eq!(assemble(text).unwrap_err().to_string(), *message, "{text}");
    }
    let many = format!(".isa JamV1\n{}", ".import \"x\"\n".repeat(1025));
    let error = assemble(&many).unwrap_err();
    assert_eq!(error.line, 1026);
    assert_eq!(error.kind, TextErrorKind::TooLong { what: "number of imports", actual: 1025, limit: 1024 });
    let long = format!(".isa JamV1\n{} a0", "x".repeat(100_000));
    assert!(assemble(&long).unwrap_err().to_string().len() < 100);
}

#[test]
fn hand_written_text_may_use_names_strings_and_numbers_of_both_kinds() {
    let text = r#"
        ; comments and blank lines may come first
        .isa Latest32
        .rw_data "count:" 00 "\x01\t" ; a comment
        .data ff
        .stack_size 0x1000
        .export "go" start
        .jump_table end, 0
        start: load_imm a0, -0x80
        loop: _again: branch_not_eq_imm a0, 5, loop
        jump end
        memset
        end:
    "#;
    let bytes = assemble(text).unwrap();
    let blob = Blob::parse(&bytes).unwrap();
    assert_eq!(blob.rw_data(), b"count:\0\x01\t\xff");
    assert_eq!((blob.memory_config().rw_data_size, blob.memory_config().stack_size), (10, 0x1000));
    assert_eq!(blob.code(), [51, 7, 0x80, 82, 0x17, 5, 40, 3, 2]);
    assert_eq!(blob.jump_table().iter().collect::<Vec<_>>(), [9, 0]);
    assert_eq!(blob.exports().next().unwrap().code_offset, 0);
}
