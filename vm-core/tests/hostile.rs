//! Hostile input: any bytes give a typed error or an outcome, within the gas given.
//!
//! The seeds are fixed, so that every run tries the same inputs. More than 100,000 of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_test_support::{RandomProgram, Rng};
use std::collections::BTreeSet;
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder, BlobError};
use vm_core::interpreter::Instance;
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::limits::{self, LimitError};
use vm_core::program::{Program, ProgramConfig};

/// Result of an input.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    NoBlob,
    NoProgram,
    Ran,
}

/// Uses untrusted bytes in all possible ways.
fn handle(bytes: &[u8], rng: &mut Rng) -> Fate {
    let blob = match Blob::parse(bytes) {
        Ok(blob) => blob,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Fate::NoBlob;
        }
    };
    assert!(blob.imports().count() <= limits::IMPORTS as usize);
    assert!(blob.exports().map(|export| export.symbol.len()).sum::<usize>() <= bytes.len());
    assert!(blob.jump_table().iter().count() <= bytes.len());
    let checked = limits::check(&blob);
    if let Ok(info) = checked {
        assert!(info.instructions as usize <= bytes.len() && info.basic_blocks <= info.instructions);
        assert!(info.largest_basic_block <= limits::BASIC_BLOCK_INSTRUCTIONS);
    }
    let Ok(program) = Program::new(&blob, &ProgramConfig::default()) else {
        return Fate::NoProgram;
    };
    let entries: Vec<u32> =
        program.exports().map(|export| export.code_offset).take(3).chain([0, rng.next_u64() as u32]).collect();
    let mut instance = Instance::new(Arc::new(program));
    for entry in entries {
        let mut gas = i64::from(rng.below(2000));
        instance.set_gas(gas);
        instance.prepare_call(entry, &[rng.value(), rng.value(), rng.value()]);
        // Every stop but a host call ends the run; a host call is paid, so there are not more of them than gas.
        for stops in 0i64.. {
            let outcome = instance.run();
            assert!(instance.gas() <= gas && instance.gas() >= 0, "gas may only be used");
            assert!(stops <= 2000, "the run has to end");
            gas = instance.gas();
            if !matches!(outcome, Outcome::HostCall(_)) {
                break;
            }
        }
        // The guest's claims about its memory must not harm the host.
        let (address, length) = (instance.reg(Reg::A0) as u32, instance.reg(Reg::A1) as u32 % 10_000);
        let mut buffer = vec![0; length as usize];
        let readable = instance.read_memory(address, &mut buffer).is_ok();
        let writable = instance.write_memory(address, &buffer).is_ok();
        assert!(readable || !writable);
        assert_eq!(instance.zero_memory(address, length).is_ok(), writable);
    }
    Fate::Ran
}

/// Puts the right total length into a blob, so that a reader looks further.
fn mend_length(bytes: &mut [u8]) {
    let length = bytes.len() as u64;
    if let Some(field) = bytes.get_mut(5..13) {
        field.copy_from_slice(&length.to_le_bytes());
    }
}

fn run_cases(count: u64, salt: u64, mut make: impl FnMut(&mut Rng) -> Vec<u8>) -> Vec<(Fate, usize)> {
    let mut fates = Vec::new();
    for seed in 0..count {
        let rng = &mut Rng::new(seed ^ salt << 40);
        let bytes = make(rng);
        let fate = handle(&bytes, rng);
        match fates.iter_mut().find(|(known, _)| *known == fate) {
            Some((_, number)) => *number += 1,
            None => fates.push((fate, 1)),
        }
    }
    fates.sort();
    println!("{count} inputs: {fates:?}");
    fates
}

fn number_of(fates: &[(Fate, usize)], wanted: Fate) -> usize {
    fates.iter().find(|(fate, _)| *fate == wanted).map_or(0, |(_, number)| *number)
}

#[test]
fn random_bytes_are_refused() {
    let fates = run_cases(30_000, 1, |rng| {
        let length = rng.below(400) as usize;
        let mut bytes = rng.bytes(length);
        if rng.chance(95) {
            bytes.splice(0..0, *b"PVM\0");
            if let Some(version) = bytes.get_mut(4) {
                *version %= 5;
            }
            mend_length(&mut bytes);
        }
        bytes
    });
    assert!(number_of(&fates, Fate::NoBlob) > 29_000);
}

#[test]
fn bit_flips_give_errors_or_outcomes() {
    let fates = run_cases(50_000, 2, |rng| {
        let isa = rng.pick(&Isa::ALL);
        let mut bytes = RandomProgram::any(isa, rng).blob();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u32) as usize;
            bytes[at] ^= 1 << rng.below(8);
        }
        if rng.chance(80) {
            mend_length(&mut bytes);
        }
        bytes
    });
    assert!(number_of(&fates, Fate::NoBlob) > 5_000);
    assert!(number_of(&fates, Fate::Ran) > 5_000);
}

#[test]
fn inserted_and_removed_bytes_give_errors_or_outcomes() {
    run_cases(20_000, 3, |rng| {
        let isa = rng.pick(&Isa::ALL);
        let mut bytes = RandomProgram::any(isa, rng).blob();
        let at = 13 + rng.below(bytes.len() as u32 - 13) as usize;
        if rng.chance(50) {
            let length = rng.below(8) as usize;
            bytes.splice(at..at, rng.bytes(length));
        } else {
            let end = bytes.len().min(at + rng.below(8) as usize);
            bytes.drain(at..end);
        }
        mend_length(&mut bytes);
        bytes
    });
}

#[test]
fn truncated_blobs_are_refused_at_every_length() {
    let mut tried = 0;
    for seed in 0..60 {
        let rng = &mut Rng::new(seed);
        let bytes = RandomProgram::valid(Isa::ReviveV1, rng).blob();
        for length in 0..bytes.len() {
            assert!(Blob::parse(&bytes[..length]).is_err());
            let mut shorter = bytes[..length].to_vec();
            mend_length(&mut shorter);
            assert!(Blob::parse(&shorter).is_err(), "cut at {length} of {}", bytes.len());
            tried += 2;
        }
    }
    assert!(tried > 20_000, "{tried}");
}

#[test]
fn random_programs_run_within_their_gas() {
    let fates = run_cases(30_000, 4, |rng| {
        let isa = rng.pick(&Isa::ALL);
        RandomProgram::any(isa, rng).blob()
    });
    assert!(number_of(&fates, Fate::Ran) > 20_000);
}

#[test]
fn huge_lengths_in_small_blobs_are_refused_without_being_believed() {
    let varints: [&[u8]; 5] = [
        &[0xf0, 0xff, 0xff, 0xff, 0xff],
        &[0xf0, 0, 0, 0, 0x80],
        &[0xef, 0xff, 0xff, 0xff],
        &[0xe2, 0, 0, 1],
        &[0xc0, 0, 0x40],
    ];
    for section in [1u8, 2, 3, 4, 5, 6, 128, 131, 255] {
        for length in varints {
            let mut bytes = b"PVM\0\0\0\0\0\0\0\0\0\0".to_vec();
            bytes.push(section);
            bytes.extend(length);
            bytes.extend([0; 40]);
            mend_length(&mut bytes);
            assert!(matches!(Blob::parse(&bytes), Err(BlobError::UnexpectedEnd { .. })), "{section} {length:x?}");
            // The same number one level down: as the first number inside of the section.
            let mut bytes = b"PVM\0\0\0\0\0\0\0\0\0\0".to_vec();
            bytes.extend([section, 20]);
            bytes.extend(length);
            bytes.resize(13 + 2 + 20, 0);
            bytes.push(0);
            mend_length(&mut bytes);
            assert!(Blob::parse(&bytes).is_err(), "{section} {length:x?}");
        }
    }
}

#[test]
fn memory_that_is_declared_and_not_touched_costs_nothing() {
    let bytes = BlobBuilder::new(Isa::ReviveV1)
        .ro_data(0x3000_0000, &[1])
        .rw_data(0x6000_0000, &[2])
        .stack_size(0x5000_0000)
        .instructions(vec![
            Instruction::ri(Opcode::StoreU64, Reg::A0, 0x5000_0000),
            Instruction::ri(Opcode::LoadU8, Reg::A1, 0x2000_0000),
            Instruction::ri(Opcode::LoadU8, Reg::A2, 0x1_0000),
            Instruction::rri(Opcode::StoreIndirectU8, Reg::A0, Reg::SP, -1),
            Instruction::none(Opcode::Trap),
        ])
        .build()
        .unwrap();
    let blob = Blob::parse(&bytes).unwrap();
    assert!(matches!(limits::check(&blob), Err(LimitError::Exceeded { .. })));
    let mut instance = Instance::new(Arc::new(Program::new(&blob, &ProgramConfig::default()).unwrap()));
    instance.set_gas(5);
    instance.prepare_call(0, &[]);
    assert_eq!(instance.run(), Outcome::Trap);
    assert_eq!(instance.gas(), 0);
    assert_eq!((instance.reg(Reg::A1), instance.reg(Reg::A2)), (0, 1));
    assert_eq!(instance.touched_pages(), 2);
}

/// A megabyte of code of each kind that makes a careless translator work or remember too much; the time it may take is
/// that of a test.
#[test]
fn adversarial_code_of_the_largest_size_runs_within_its_gas() {
    let size = limits::CODE_BYTES as usize;
    let every = vec![0xff; size / 8];
    let families: [(&str, Vec<u8>, Vec<u8>); 6] = [
        ("one block of one-byte instructions", vec![100; size], every.clone()),
        ("blocks of one instruction", vec![1; size], every.clone()),
        ("jumps to themselves", vec![40; size], every.clone()),
        ("undefined opcodes", vec![255; size], every.clone()),
        ("branches whose targets are their own bytes", vec![81; size], every),
        ("no instruction at all", vec![1; size], vec![0; size / 8]),
    ];
    for (name, code, bitmask) in families {
        for entry in [0, 1, size as u32 / 2, size as u32 - 1] {
            let mut builder = BlobBuilder::new(Isa::ReviveV1);
            let bytes = builder.raw_code(code.clone(), bitmask.clone()).build().unwrap();
            let program = Program::new(&Blob::parse(&bytes).unwrap(), &ProgramConfig::default()).unwrap();
            let mut instance = Instance::new(Arc::new(program));
            let gas = 2 * size as i64;
            instance.set_gas(gas);
            instance.set_next_pc(entry);
            let outcome = instance.run();
            assert!(matches!(outcome, Outcome::Trap | Outcome::OutOfGas), "{name}: {outcome:?}");
            assert!((0..=gas).contains(&instance.gas()), "{name}");
        }
    }
}

#[test]
fn refusals_name_what_was_found() {
    let good = BlobBuilder::new(Isa::ReviveV1).instructions(vec![Instruction::none(Opcode::Trap)]).build().unwrap();
    let message = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Blob::parse(&bytes).unwrap_err().to_string()
    };
    let messages = [
        message(&|bytes| bytes[0] = b'X'),
        message(&|bytes| bytes[4] = 2),
        message(&|bytes| bytes[4] = 9),
        message(&|bytes| bytes.push(0)),
        message(&|bytes| bytes[13] = 7),
        message(&|bytes| *bytes.last_mut().unwrap() = 1),
        message(&|bytes| bytes[15] = 0x80),
        message(&|bytes| bytes[16] = 5),
    ];
    let expected = [
        "not a program blob: it does not start with \"PVM\\0\"",
        "unsupported instruction set Latest64 (blob version 2)",
        "unsupported blob version 9",
        "the length field says 21 bytes, but there are 22",
        "unexpected section 7 at offset 13",
        "unexpected section 1 at offset 20",
        "malformed number at offset 15 in the code",
        "jump table entries of 5 bytes, the limit is 4",
    ];
    assert_eq!(messages, expected);
    assert_eq!(messages.iter().collect::<BTreeSet<_>>().len(), messages.len());
}
