//! Source lines: compares our reader of debug sections with upstream's over random line programs.

#![allow(clippy::unwrap_used, reason = "a test")]

use polkavm::{ProgramBlob, ProgramCounter, debug_info::FrameKind as UpstreamKind};
use pvm_test_support::Rng;
use vm_core::blob::{Blob, BlobBuilder, DebugError, FrameKind};
use vm_core::isa::{Instruction, Isa, Opcode};

/// A blob whose code offsets from 0 on are described by one line program at offset 1.
fn blob(strings: &[u8], program: &[u8], ranges: &[[u32; 3]]) -> Vec<u8> {
    let ranges: Vec<u8> = ranges.iter().flatten().flat_map(|field| field.to_le_bytes()).collect();
    BlobBuilder::new(Isa::ReviveV1)
        .instructions(vec![Instruction::none(Opcode::Trap); 40])
        .optional_section(128, strings)
        .optional_section(129, &[&[1], program].concat())
        .optional_section(130, &ranges)
        .build()
        .unwrap()
}

const STRINGS: &[u8] = b"\0\x04main\x03lib\x06src/a\xc3\x01\xff";

#[test]
fn a_region_names_the_functions_it_was_inlined_through() {
    // Depth 2: main at a.rs:7:3 calls lib::lib at line 9; four bytes of code. Then one byte at line 10.
    let program =
        [&[10, 2, 6, 1, 7, 10, 8, 7, 9, 3, 3][..], &[1, 1, 5, 6, 6, 6, 8, 9, 4, 15, 4], &[11, 14, 0]].concat();
    let strings = b"\0\x04main\x03lib\x04a.rs";
    let bytes = blob(strings, &program, &[[2, 7, 1]]);
    let blob = Blob::parse(&bytes).unwrap();
    for outside in [0, 1, 7, 8, u32::MAX] {
        assert!(blob.source_at(outside).unwrap().is_none(), "{outside}");
    }
    for (offset, range, line) in [(2, 2..6, 9), (5, 2..6, 9), (6, 6..7, 10)] {
        let source = blob.source_at(offset).unwrap().unwrap();
        assert_eq!(source.range(), range);
        let frames: Vec<_> = source
            .frames()
            .map(|frame| {
                let names = (frame.namespace().unwrap(), frame.function().unwrap(), frame.path().unwrap());
                (frame.kind(), names, frame.line(), frame.column())
            })
            .collect();
        let outer = (FrameKind::Call, (None, Some("main"), Some("a.rs")), Some(7), Some(3));
        let inner = (FrameKind::Line, (Some("lib"), Some("lib"), None), Some(line), None);
        assert_eq!(frames, [outer, inner]);
    }
}

#[test]
fn malformed_debug_information_is_an_error_to_whoever_asks_and_to_nobody_else() {
    let error = |program: &[u8]| {
        let bytes = blob(STRINGS, program, &[[0, 40, 1]]);
        Blob::parse(&bytes).unwrap().source_at(3).unwrap_err()
    };
    assert_eq!(error(&[]), DebugError::UnexpectedEnd { offset: 1 });
    assert_eq!(error(&[11, 20]), DebugError::UnknownOperation { offset: 2, operation: 20 });
    assert_eq!(error(&[8]), DebugError::UnexpectedEnd { offset: 2 });
    assert_eq!(error(&[8, 0x80, 1]), DebugError::BadVarint { offset: 2 });
    assert_eq!(error(&[11; 600]), DebugError::TooManyOperations { offset: 513 });

    let bytes = blob(STRINGS, &[0], &[[0, 40, u32::MAX]]);
    assert_eq!(
        Blob::parse(&bytes).unwrap().source_at(3).unwrap_err(),
        DebugError::UnexpectedEnd { offset: u32::MAX as usize }
    );
    // The string at 10 is cut off by a byte that is no UTF-8, the one at 99 is not there.
    for offset in [10, 99] {
        let bytes = blob(STRINGS, &[10, 1, 7, offset as u8, 15, 40, 0], &[[0, 40, 1]]);
        let source = Blob::parse(&bytes).unwrap().source_at(3).unwrap().unwrap();
        assert_eq!(source.frames().next().unwrap().path().unwrap_err(), DebugError::BadString { offset });
    }
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.instructions(vec![Instruction::none(Opcode::Trap)]);
    let bytes = builder.clone().optional_section(129, &[2]).optional_section(130, &[0; 12]).build().unwrap();
    assert_eq!(Blob::parse(&bytes).unwrap().source_at(0).unwrap_err(), DebugError::UnsupportedVersion { version: 2 });
    let bytes = builder.clone().optional_section(129, &[1]).optional_section(130, &[0; 13]).build().unwrap();
    assert_eq!(Blob::parse(&bytes).unwrap().source_at(0).unwrap_err(), DebugError::RangesLength { actual: 13 });
    let bytes = builder.clone().optional_section(129, &[1]).build().unwrap();
    assert!(Blob::parse(&bytes).unwrap().source_at(0).unwrap().is_none(), "without ranges there is nothing to ask");
}

/// All that a reader says about an offset; `Err` without saying why.
type Answer = Result<Option<Vec<String>>, ()>;

fn ours(blob: &Blob<'_>, offset: u32) -> Answer {
    let Some(source) = blob.source_at(offset).map_err(drop)? else { return Ok(None) };
    let frame = |frame: vm_core::blob::Frame<'_>| {
        let kind = match frame.kind() {
            FrameKind::Enter => 'e',
            FrameKind::Call => 'c',
            FrameKind::Line => 'l',
        };
        let names = [frame.namespace(), frame.function(), frame.path()].map(|name| name.map_err(drop));
        format!("{kind} {names:?} {:?} {:?} {:?}", frame.line(), frame.column(), source.range())
    };
    Ok(Some(source.frames().map(frame).collect()))
}

fn upstream(blob: &ProgramBlob, offset: u32) -> Answer {
    let Some(mut program) = blob.get_debug_line_program_at(ProgramCounter(offset)).map_err(drop)? else {
        return Ok(None);
    };
    while let Some(region) = program.run().map_err(drop)? {
        let range = region.instruction_range();
        let range = range.start.0..range.end.0;
        if !range.contains(&offset) {
            continue;
        }
        let frames = region.frames().map(|frame| {
            let kind = match frame.kind() {
                UpstreamKind::Enter => 'e',
                UpstreamKind::Call => 'c',
                UpstreamKind::Line => 'l',
            };
            let names = [frame.namespace(), frame.function_name_without_namespace(), frame.path()]
                .map(|name| name.map_err(drop));
            format!("{kind} {names:?} {:?} {:?} {range:?}", frame.line(), frame.column())
        });
        return Ok(Some(frames.collect()));
    }
    Ok(None)
}

#[test]
fn random_line_programs_say_what_upstream_reads_in_them() {
    let mut rng = Rng::new(1);
    let (mut described, mut errors) = (0, 0);
    for _ in 0..4000 {
        let mut program = Vec::new();
        for _ in 0..rng.below(60) {
            let operation = if rng.chance(1) { rng.next_u64() as u8 } else { rng.below(20) as u8 };
            // The end would come too soon.
            let operation = if operation == 0 && rng.chance(80) { 10 } else { operation };
            // Upstream's reader does not survive a line below zero that is incremented.
            if operation == 13 {
                program.extend([12, 127]);
            }
            program.push(operation);
            if matches!(operation, 1 | 5..=10 | 12 | 13 | 15 | 17 | 19) {
                let large = rng.below(128) as u8;
                program.push(if rng.chance(2) { large } else { large % if operation == 1 { 3 } else { 12 } });
            }
        }
        program.push(0);
        let begin = rng.below(5);
        let second = begin + 1 + rng.below(20);
        let bytes = blob(STRINGS, &program, &[[begin, second, 1], [second + 1, 40, 1 + rng.below(3)]]);
        let (mine, theirs) = (Blob::parse(&bytes).unwrap(), ProgramBlob::parse(bytes.as_slice().into()).unwrap());
        for offset in 0..42 {
            let answer = ours(&mine, offset);
            assert_eq!(answer, upstream(&theirs, offset), "offset {offset} of {program:?}");
            described += u32::from(matches!(&answer, Ok(Some(frames)) if !frames.is_empty()));
            errors += u32::from(answer.is_err());
        }
    }
    println!("{described} offsets described, {errors} errors");
    assert!(described > 10_000 && errors > 1000);
}
