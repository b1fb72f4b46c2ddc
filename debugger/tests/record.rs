//! Records: what is written is read again, and everything else is refused by name.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_debugger::record::{Event, Limits, Record, RecordError, RecordWriter, Rules, StopReason};
use vm_core::Semantics;
use vm_core::gas::{CostModelKind, MemoryLatency, Metering};
use vm_core::isa::Reg;

fn record() -> Record {
    let registers = [1, u64::MAX, 0, 0, 0x80, 0, 0, 7, 8, 9, 0, 0, 1 << 63];
    Record {
        rules: Rules {
            page_size: 4096,
            aux_size: 5000,
            semantics: Semantics::V0,
            cost_model: CostModelKind::Pipeline(MemoryLatency::L3),
            metering: Metering::Async,
        },
        blob: (0..=255).collect(),
        events: vec![
            Event::Write { address: 0xfffe_0000, data: Box::new([1, 2, 3]) },
            Event::Start { pc: 7, registers: Box::new(registers), gas: 1_000_000 },
            Event::stop(StopReason::HostCall(3), Some(19), 999_000, &registers),
            Event::read(0x2_0000, b"key"),
            Event::Write { address: 0x2_0010, data: Box::new([]) },
            Event::Zero { address: 0x2_0020, length: u32::MAX },
            Event::Grow { bytes: 4096 },
            Event::Resume { registers: Box::new([(Reg::A0, 0), (Reg::A5, u64::MAX)]), gas: 500 },
            Event::stop(StopReason::OutOfGas, Some(40), 0, &registers),
            Event::Resume { registers: Box::new([]), gas: i64::MAX },
            Event::stop(StopReason::Finished, None, i64::MIN, &registers),
            Event::Start { pc: u32::MAX, registers: Box::new([0; 13]), gas: -1 },
            Event::stop(StopReason::Trap, Some(u32::MAX), -1, &registers),
            Event::read(0, b""),
        ],
    }
}

fn bytes(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.write(&mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Record, RecordError> {
    Record::read(bytes, &Limits::default())
}

#[test]
fn a_record_is_read_as_it_was_written() {
    assert_eq!(read(&bytes(&record())).unwrap(), record());
    let empty = Record { blob: vec![], events: vec![], ..record() };
    assert_eq!(read(&bytes(&empty)).unwrap(), empty);
}

#[test]
fn a_record_takes_few_bytes_for_each_host_call() {
    let registers = [0; 13];
    let mut long = Record { blob: vec![], events: vec![], ..record() };
    long.events.push(Event::Start { pc: 0, registers: Box::new(registers), gas: 1 << 40 });
    for count in 0..10_000 {
        long.events.push(Event::stop(StopReason::HostCall(2), Some(100), (1 << 40) - count * 100, &registers));
        long.events.push(Event::Resume { registers: Box::new([(Reg::A0, 0)]), gas: (1 << 40) - count * 100 - 50 });
    }
    long.events.push(Event::stop(StopReason::Finished, None, 0, &registers));
    let written = bytes(&long);
    assert!(written.len() < 10_000 * 16, "{}", written.len());
    assert_eq!(read(&written).unwrap(), long);
}

#[test]
fn long_blobs_and_writes_are_divided() {
    let mut long = record();
    long.blob = vec![7; 3 << 20];
    long.events.insert(0, Event::Write { address: 0x2_0000, data: vec![5; 1 << 20].into() });
    let again = read(&bytes(&long)).unwrap();
    assert_eq!(again.blob, long.blob);
    let pieces: Vec<_> = again.events.iter().take(2).collect();
    let piece = |address| Event::Write { address, data: vec![5; 1 << 19].into() };
    assert_eq!(pieces, [&piece(0x2_0000), &piece(0x2_0000 + (1 << 19))]);
}

#[test]
fn every_truncation_is_refused() {
    let all = bytes(&record());
    for length in 0..all.len() {
        match read(&all[..length]) {
            Err(RecordError::Truncated { offset }) => assert_eq!(offset, length as u64),
            other => panic!("{length} of {}: {other:?}", all.len()),
        }
    }
    let mut longer = all.clone();
    longer.push(0);
    assert!(matches!(read(&longer), Err(RecordError::Trailing { offset }) if offset == all.len() as u64));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let all = bytes(&record());
    for position in 0..all.len() * 8 {
        let mut damaged = all.clone();
        damaged[position / 8] ^= 1 << (position % 8);
        match read(&damaged) {
            Err(
                RecordError::Magic { .. }
                | RecordError::Version { .. }
                | RecordError::Truncated { .. }
                | RecordError::ChunkLength { .. }
                | RecordError::Checksum { .. },
            ) => {}
            other => panic!("bit {position}: {other:?}"),
        }
    }
}

#[test]
fn chunks_that_are_exchanged_repeated_or_left_out_are_noticed() {
    let mut long = record();
    long.blob = (0..3 << 20).map(|index: u32| (index >> 20) as u8).collect();
    let all = bytes(&long);
    // Each chunk has its kind, length, payload and checksum.
    let mut chunks = Vec::new();
    let mut offset = 10;
    while offset < all.len() {
        let length = u32::from_le_bytes(all[offset + 1..offset + 5].try_into().unwrap()) as usize;
        chunks.push(&all[offset..offset + 9 + length]);
        offset += 9 + length;
    }
    assert_eq!(chunks.len(), 6, "the header, three of the blob, events and the end");
    let join = |order: &[usize]| {
        let parts = order.iter().flat_map(|index| chunks[*index].iter().copied());
        all[..10].iter().copied().chain(parts).collect::<Vec<u8>>()
    };
    assert!(read(&join(&[0, 1, 2, 3, 4, 5])).is_ok());
    for order in [[0, 2, 1, 3, 4, 5].as_slice(), &[0, 1, 1, 2, 3, 4, 5], &[0, 1, 3, 4, 5], &[0, 1, 2, 3, 5], &[5]] {
        assert!(matches!(read(&join(order)), Err(RecordError::Checksum { .. })), "{order:?}");
    }
}

/// A record of these chunks, with right checksums.
fn forged(chunks: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = b"\x89PVMREC\n\x01\0".to_vec();
    for (number, (kind, payload)) in chunks.iter().enumerate() {
        let length = (payload.len() as u32).to_le_bytes();
        let mut hasher = crc32fast::Hasher::new();
        for part in [&(number as u32).to_le_bytes()[..], &[*kind], &length, payload] {
            hasher.update(part);
        }
        out.push(*kind);
        out.extend_from_slice(&length);
        out.extend_from_slice(payload);
        out.extend_from_slice(&hasher.finalize().to_le_bytes());
    }
    out
}

#[test]
fn a_hostile_record_is_refused_by_name() {
    // Page size 4096, no auxiliary memory, semantics 0, naive, synchronous, no blob.
    let header: &[u8] = &[0x80, 0x20, 0, 0, 0, 1, 0];
    let start: &[u8] = &[1, 0, 0, 0];
    let stop: &[u8] = &[2, 0, 0, 0, 0, 0, 0, 0];
    let name = |chunks: &[(u8, &[u8])]| format!("{:?}", read(&forged(chunks)).map(|record| record.events.len()));
    let events = |events: &[u8]| name(&[(1, header), (3, events), (4, &[1])]);
    assert_eq!(name(&[(1, header), (3, &[start, stop].concat()), (4, &[2])]), "Ok(2)");
    for (chunks, expected) in [
        (vec![(2, header)], "Chunk { offset: 10, kind: 2 }"),
        (vec![(1, &[0x80, 0x20, 0, 9, 0, 1, 0][..])], "Field { field: \"semantics version\", offset: 18, value: 9 }"),
        (vec![(1, &[0x80, 0x20, 0, 0, 99, 1, 0])], "Field { field: \"cost model\", offset: 19, value: 99 }"),
        (vec![(1, &[0x80, 0x20, 0, 0, 0, 3, 0])], "Field { field: \"metering mode\", offset: 20, value: 3 }"),
        (vec![(1, &[0x80, 0x20, 0, 0, 0, 1])], "Truncated { offset: 21 }"),
        (vec![(1, &[0x80, 0x20, 0, 0, 0, 1, 0, 0])], "Trailing { offset: 22 }"),
        (vec![(1, &[0x80, 0x00, 0, 0, 0, 1, 0])], "Number { offset: 15 }"),
        (
            vec![(1, &[0x80, 0x20, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f])],
            "TooMany { what: \"bytes of program\", actual: 4294967295, limit: 67108864 }",
        ),
        (
            vec![(1, &[0x80, 0x20, 0, 0, 0, 1, 5]), (4, &[0])],
            "Count { what: \"bytes of program\", actual: 0, expected: 5 }",
        ),
        (vec![(1, header), (9, &[])], "Chunk { offset: 26, kind: 9 }"),
        (vec![(1, header), (4, &[7])], "Count { what: \"events\", actual: 0, expected: 7 }"),
        (vec![(1, header), (3, start), (4, &[1])], "Order { index: 1 }"),
    ] {
        assert_eq!(name(&chunks), format!("Err({expected})"));
    }
    for (list, expected) in [
        (&[99][..], "Field { field: \"event\", offset: 31, value: 99 }"),
        (stop, "Order { index: 0 }"),
        (&[3, 0, 0], "Order { index: 0 }"),
        (&[2, 4], "Field { field: \"reason to stop\", offset: 32, value: 4 }"),
        (&[1, 0, 0x80, 0x40, 0], "Field { field: \"set of registers\", offset: 33, value: 8192 }"),
        (&[5, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2], "Truncated { offset: 40 }"),
        (&[5, 0xff, 0xff, 0xff, 0xff, 0x1f, 0], "Field { field: \"address\", offset: 32, value: 8589934591 }"),
        (&[7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], "Number { offset: 32 }"),
    ] {
        assert_eq!(events(list), format!("Err({expected})"), "{list:?}");
    }
}

#[test]
fn limits_are_kept() {
    let all = bytes(&record());
    let limit = |limits: Limits| format!("{:?}", Record::read(all.as_slice(), &limits).unwrap_err());
    let usual = Limits::default();
    assert_eq!(limit(Limits { blob: 255, ..usual }), "TooMany { what: \"bytes of program\", actual: 256, limit: 255 }");
    assert_eq!(limit(Limits { events: 13, ..usual }), "TooMany { what: \"events\", actual: 14, limit: 13 }");
    assert_eq!(limit(Limits { data: 2, ..usual }), "TooMany { what: \"bytes of data\", actual: 3, limit: 2 }");
    assert!(Record::read(all.as_slice(), &Limits { blob: 256, events: 14, data: 3 }).is_ok());
}

#[test]
fn events_out_of_order_are_not_written() {
    let Record { rules, blob, events } = record();
    let mut writer = RecordWriter::new(Vec::new(), &rules, &blob).unwrap();
    assert!(matches!(writer.event(&events[2]), Err(RecordError::Order { index: 0 })));
    writer.event(&events[1]).unwrap();
    assert!(matches!(writer.event(&events[3]), Err(RecordError::Order { index: 1 })));
    assert!(matches!(writer.finish(), Err(RecordError::Order { index: 1 })));
}

#[test]
fn a_record_whose_blob_is_none_has_no_program() {
    assert!(matches!(record().program(), Err(RecordError::Blob(_))));
}
