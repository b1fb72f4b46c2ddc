//! Bodies of the fuzz targets. Each takes any bytes, and panics if a promise is broken.

use pvm_debugger::machine::Machine;
use pvm_debugger::record::{Limits, MAGIC, Record, VERSION};

/// Limits for hostile records.
const LIMITS: Limits = Limits { blob: 1 << 16, events: 1 << 12, data: 1 << 20 };

/// Bytes as a record, and as blob and events of a record with right checksums: refused, or read, written and read again as
/// the same; and replayed for a while without a panic, forwards and backwards, to the same place.
pub fn record(data: &[u8]) {
    check(data);
    let Some((split, rest)) = data.split_first_chunk::<2>() else { return };
    let (blob, events) = rest.split_at(usize::from(u16::from_le_bytes(*split)).min(rest.len()));
    for count in [0, 1, 2, 3, 5, 8] {
        check(&forged(blob, events, count));
    }
}

fn check(bytes: &[u8]) {
    let record = match Record::read(bytes, &LIMITS) {
        Ok(record) => record,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut written = Vec::new();
    record.write(&mut written).expect("what can be read can be written");
    let again = Record::read(written.as_slice(), &Limits::default()).expect("what was written can be read");
    assert_eq!(record, again);

    let Ok(mut machine) = Machine::replay(&record) else { return };
    machine.set_snapshot_distance(16);
    if machine.seek(1000).is_err() || machine.position() == 0 {
        return;
    }
    let place = |machine: &Machine| (machine.position(), machine.pc(), machine.registers(), machine.gas());
    let before = place(&machine);
    assert!(machine.reverse_step().expect("it went this way"));
    machine.seek(before.0).expect("it went this way");
    assert_eq!(place(&machine), before);
}

/// A record of this blob and these events, with right checksums, that says it has so many of them.
fn forged(blob: &[u8], events: &[u8], count: u8) -> Vec<u8> {
    // 64-bit numbers in a form of any length are not to be tested here.
    let length = [blob.len() as u8 & 0x7f | 0x80, (blob.len() >> 7) as u8 & 0x7f | 0x80, (blob.len() >> 14) as u8];
    let length = match blob.len() {
        0..0x80 => vec![blob.len() as u8],
        0x80..0x4000 => vec![length[0], length[1] & 0x7f],
        _ => length.to_vec(),
    };
    let header = [&[0x80, 0x20, 0, 0, 0, 1], length.as_slice()].concat();
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    let count = [count];
    let chunks = [(1, header.as_slice()), (2, blob), (3, events), (4, &count)];
    let present = chunks.into_iter().filter(|(kind, payload)| *kind != 2 || !payload.is_empty());
    for (number, (kind, payload)) in present.enumerate() {
        let length = (payload.len() as u32).to_le_bytes();
        let mut hasher = crc32fast::Hasher::new();
        for part in [&(number as u32).to_le_bytes()[..], &[kind], &length, payload] {
            hasher.update(part);
        }
        out.push(kind);
        out.extend_from_slice(&length);
        out.extend_from_slice(payload);
        out.extend_from_slice(&hasher.finalize().to_le_bytes());
    }
    out
}
