//! Exhaustive tests, at reduced width where the width is too large, of the pure code that meets a stranger's bytes and
//! numbers: varints, the sections of a blob, ranges of memory, the charge of a block.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_test_support::exhaustive::{all, around, each, edges};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder, MemoryConfig, varint};
use vm_core::interpreter::Instance;
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::memory::MemoryMap;
use vm_core::program::{Program, ProgramConfig};

/// A varint by the words of `docs/spec/blobs.md`: ones in front announce further bytes, which are the low ones, in order.
fn defined(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let extra = (0..8).take_while(|bit| first >> (7 - bit) & 1 == 1).count();
    let low = bytes.get(1..=extra).filter(|_| extra <= 4)?;
    let high = u64::from(first) & (0x7f >> extra.min(7));
    let value = low.iter().rev().fold(high, |value, byte| value << 8 | u64::from(*byte));
    let is_shortest = extra == 0 || value >= 1 << (7 * extra);
    (value <= u32::MAX.into() && is_shortest).then_some((value, 1 + extra))
}

#[test]
fn every_varint_reads_as_defined_and_writes_as_it_was() {
    let check = |bytes: &[u8]| {
        let read = varint::read(bytes).ok().map(|(value, length)| (u64::from(value), length));
        assert_eq!(read, defined(bytes), "{bytes:02x?}");
        if let Some((value, length)) = read {
            let mut written = Vec::new();
            varint::write(&mut written, value as u32);
            assert_eq!(written, bytes[..length], "{value}");
        }
    };
    // All of up to two bytes, all of three; of five those whose bytes are at edges.
    let byte = all(8);
    check(&[]);
    let mut count = each([&byte], |[a]| check(&[a as u8]));
    count += each([&byte, &byte], |[a, b]| check(&[a as u8, b as u8]));
    count += each([&byte, &byte, &byte], |[a, b, c]| check(&[a as u8, b as u8, c as u8]));
    let few = [0, 1, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff];
    count += each([&byte, &few, &few, &few, &few], |bytes| check(&bytes.map(|byte| byte as u8)));
    println!("{count} inputs");
    assert!(count > 17_000_000);
}

/// The sections of a blob by the words of the specification: number, length, content, to the end.
fn are_sections_within(bytes: &[u8]) -> bool {
    let mut rest = &bytes[13..];
    loop {
        let Some((id, behind)) = rest.split_first() else { return false };
        if *id == 0 {
            return true;
        }
        let Some((length, taken)) = defined(behind) else { return false };
        match behind.get(taken + length as usize..) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
}

#[test]
fn no_section_reaches_beyond_its_blob_whatever_its_length_says() {
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.import(b"host").jump_table_entry(0);
    builder.instructions(vec![Instruction::none(Opcode::Trap)]);
    let good = builder.build().unwrap();
    assert!(Blob::parse(&good).is_ok() && are_sections_within(&good));
    // A varint of each value at each place, with and without the bytes that it takes the place of.
    let places: Vec<u64> = (13..good.len() as u64).collect();
    let mut accepted = 0;
    let count = each([&places, &edges(32), &[0, 1, 2, 3, 4, 5]], |[place, value, taken]| {
        let place = place as usize;
        let mut bytes = good[..place].to_vec();
        varint::write(&mut bytes, value as u32);
        bytes.extend(good.get(place + taken as usize..).unwrap_or_default());
        let length = bytes.len() as u64;
        bytes[5..13].copy_from_slice(&length.to_le_bytes());
        if let Ok(blob) = Blob::parse(&bytes) {
            accepted += 1;
            assert!(are_sections_within(&bytes), "{bytes:02x?}");
            assert_eq!(blob.length(), bytes.len());
            assert!(blob.imports().count() <= bytes.len() && blob.jump_table().iter().count() <= bytes.len());
        }
    });
    println!("{count} blobs, {accepted} accepted");
    assert!(count > 10_000 && accepted > 100);
}

#[test]
fn ranges_of_memory_are_those_of_their_bytes() {
    let mut count = 0;
    for page_size in [0x1000, 0x4000, 0x1_0000] {
        for (sizes, aux) in [([0, 0, 0], 0), ([1, 1, 1], 1), ([0x2345, 0x1_0000, 0x3000], 0x1_0001)] {
            let [ro_data_size, rw_data_size, stack_size] = sizes;
            let map = MemoryMap::new(page_size, MemoryConfig { ro_data_size, rw_data_size, stack_size }, aux).unwrap();
            let heaps = around([0, page_size, map.max_heap_size()]);
            let heaps: Vec<u64> = heaps.into_iter().filter(|heap| *heap <= map.max_heap_size().into()).collect();
            let borders = |heap: u32| {
                [
                    (MemoryMap::RO_BASE, map.ro_end(), false, false),
                    (map.rw_base(), map.rw_end_with_heap(heap), true, true),
                    (map.stack_low(), map.stack_high(), true, true),
                    (map.aux_base(), map.aux_end(), false, true),
                ]
            };
            let starts = around(borders(0).into_iter().flat_map(|(low, high, ..)| [low, high]).chain([0, u32::MAX]));
            let lengths = [1, 2, 3, 4, 5, 8, 0x1000, 0xffff, 0x1_0000, 0x1_0001, 1 << 32];
            count += each([&heaps, &starts, &lengths], |[heap, address, length]| {
                let (heap, address) = (heap as u32, address as u32);
                let regions = borders(heap);
                // A range is permitted if one region has all of its bytes.
                let within = |may: fn(bool, bool) -> bool| {
                    regions.iter().any(|(low, high, guest, host)| {
                        let (low, high) = (u64::from(*low), u64::from(*high));
                        let (first, last) = (u64::from(address), u64::from(address) + length - 1);
                        may(*guest, *host) && (low..high).contains(&first) && (low..high).contains(&last)
                    })
                };
                let shown = || format!("{map:?}: {address:#x} {length:#x}, heap {heap:#x}");
                assert_eq!(map.is_readable(address, length, heap), within(|_, _| true), "{}", shown());
                assert_eq!(map.is_guest_writable(address, length, heap), within(|guest, _| guest), "{}", shown());
                assert_eq!(map.is_host_writable(address, length, heap), within(|_, host| host), "{}", shown());
            });
        }
    }
    println!("{count} ranges");
    assert!(count > 20_000);
}

#[test]
fn a_block_is_charged_if_its_cost_is_there_and_else_runs_not_at_all() {
    let gas: Vec<u64> = edges(63).into_iter().flat_map(|gas| [gas, (gas as i64).wrapping_neg() as u64]).collect();
    let mut count = 0;
    // The cost of a block is one for each instruction, and its trap.
    for instructions in 0..=17 {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        let mut list = vec![Instruction::ri(Opcode::LoadImm, Reg::A0, 7); instructions];
        list.push(Instruction::none(Opcode::Trap));
        builder.instructions(list);
        let bytes = builder.build().unwrap();
        let program = Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), &ProgramConfig::default()).unwrap());
        let mut instance = Instance::new(program);
        let cost = instructions as i128 + 1;
        count += each([&gas], |[gas]| {
            let gas = gas as i64;
            instance.prepare_call(0, &[1]);
            instance.set_gas(gas);
            let outcome = instance.run();
            let (expected, left, a0) = match i128::from(gas) >= cost {
                true => (Outcome::Trap, i128::from(gas) - cost, if instructions > 0 { 7 } else { 1 }),
                false => (Outcome::OutOfGas, i128::from(gas), 1),
            };
            assert_eq!((outcome, i128::from(instance.gas())), (expected, left), "{gas} for {cost}");
            assert_eq!(instance.reg(Reg::A0), a0, "{gas} for {cost}");
        });
    }
    println!("{count} charges");
    assert!(count > 5_000);
}
