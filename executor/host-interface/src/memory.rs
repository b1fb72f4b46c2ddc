//! Guest memory that crosses with a run: the writes that come before it, and the ranges that are read at its end.
//!
//! The runtime says once which ranges of memory each import reads ([`Reads`]); the node returns their contents with the
//! stop at a call of it ([`MemoryStop`]), as far as there is room. It also returns what is writable, so that the runtime
//! knows the result of a write before the node makes it, together with the next run ([`Writes`]).
//!
//! Part of the versioned host functions: an encoding never changes; a new one gets a new version. Malformed tables of
//! reads have no ranges; malformed writes are refused.

use crate::Stop;
use crate::wire::{STOP_BYTES, StopBuffer};
use alloc::vec::Vec;
use vm_core::Outcome;

/// Maximum number of ranges per import.
pub const READS: usize = 5;

/// Maximum number of bytes that are read with a stop, all ranges together.
const READ_BYTES: usize = 256;

/// Start and end of the two writable regions: data with the heap, and the stack.
pub type Writable = [(u32, u32); 2];

/// A 32-bit argument of a host call: half of a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argument(u8);

impl Argument {
    const HIGH: u8 = 0x80;

    /// The low half of the register with this number: 0 is A0.
    pub const fn low(register: u8) -> Argument {
        Argument(register)
    }

    /// The high half.
    pub const fn high(register: u8) -> Argument {
        Argument(register | Self::HIGH)
    }

    fn of(self, args: &[u64; 6]) -> Option<u32> {
        let register = *args.get(usize::from(self.0 & !Self::HIGH))?;
        Some(if self.0 & Self::HIGH == 0 { register as u32 } else { (register >> 32) as u32 })
    }
}

/// The length of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// A number of bytes.
    Bytes(u8),
    /// As many units of this many bytes as an argument says.
    Counted {
        /// The argument.
        count: Argument,
        /// The bytes of a unit.
        unit: u8,
        /// The number of bytes if the argument is `u32::MAX`.
        sentinel: u8,
    },
}

impl Length {
    /// As many bytes as an argument says.
    pub const fn argument(count: Argument) -> Length {
        Length::Counted { count, unit: 1, sentinel: 0 }
    }
}

/// A range of guest memory that a host function reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadRange {
    /// Its address.
    pub pointer: Argument,
    /// Its length.
    pub length: Length,
}

impl ReadRange {
    /// Bytes of a range on the wire: pointer, count or [`Self::NO_COUNT`], bytes or unit, sentinel.
    const BYTES: usize = 4;
    const NO_COUNT: u8 = 0x7f;

    fn encode(self) -> [u8; Self::BYTES] {
        match self.length {
            Length::Bytes(bytes) => [self.pointer.0, Self::NO_COUNT, bytes, 0],
            Length::Counted { count, unit, sentinel } => [self.pointer.0, count.0, unit, sentinel],
        }
    }

    fn decode([pointer, count, unit, sentinel]: [u8; Self::BYTES]) -> ReadRange {
        let length = match count {
            Self::NO_COUNT => Length::Bytes(unit),
            count => Length::Counted { count: Argument(count), unit, sentinel },
        };
        ReadRange { pointer: Argument(pointer), length }
    }

    /// Address and length; `None` for an empty range, and for one that never fits into a stop.
    fn of(self, args: &[u64; 6]) -> Option<(u32, usize)> {
        let length = match self.length {
            Length::Bytes(bytes) => u64::from(bytes),
            Length::Counted { count, unit, sentinel } => match count.of(args)? {
                u32::MAX => u64::from(sentinel),
                count => u64::from(count) * u64::from(unit),
            },
        };
        let address = self.pointer.of(args)?;
        (1..=READ_BYTES as u64).contains(&length).then_some((address, length as usize))
    }
}

/// The ranges that each import of a program reads, as they are on the wire: for each import their number, one byte,
/// and the ranges.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Reads(Vec<u8>);

impl Reads {
    /// Encodes the ranges of each import; those after the first [`READS`] are left out.
    pub fn new<'a>(imports: impl Iterator<Item = &'a [ReadRange]>) -> Reads {
        let mut bytes = Vec::new();
        for ranges in imports {
            let ranges = &ranges[..ranges.len().min(READS)];
            bytes.push(ranges.len() as u8);
            bytes.extend(ranges.iter().flat_map(|range| range.encode()));
        }
        Reads(bytes)
    }

    /// The encoded table.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The address and length of each range that is read with a stop; the others are `None`.
fn ranges(reads: &[u8], stop: &Stop) -> [Option<(u32, usize)>; READS] {
    let mut ranges = [None; READS];
    let Outcome::HostCall(import) = stop.outcome else { return ranges };
    let mut rest = reads;
    for _ in 0..import {
        let Some((count, row)) = rest.split_first() else { return ranges };
        let Some(next) = row.get(usize::from(*count) * ReadRange::BYTES..) else { return ranges };
        rest = next;
    }
    let Some((count, row)) = rest.split_first() else { return ranges };
    let Some(row) = row.get(..usize::from(*count) * ReadRange::BYTES) else { return ranges };
    let mut room = READ_BYTES;
    for (range, bytes) in ranges.iter_mut().zip(row.as_chunks().0) {
        *range = ReadRange::decode(*bytes).of(&stop.args).filter(|(_, length)| *length <= room);
        room -= range.map_or(0, |(_, length)| length);
    }
    ranges
}

/// Length of a [`MemoryStop`] on the wire: the stop, start and end of each writable region (4 bytes each,
/// little-endian), for each range a byte that says whether it was read, and the contents of the ranges one after the
/// other, with room for those that were not read.
pub const MEMORY_STOP_BYTES: usize = STOP_BYTES + WRITABLE_BYTES + READS + READ_BYTES;
const WRITABLE_BYTES: usize = 16;
const STATUS: usize = STOP_BYTES + WRITABLE_BYTES;
const CONTENTS: usize = STATUS + READS;

/// The caller's buffer for a stop and the memory that crosses with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryStop([u8; MEMORY_STOP_BYTES]);

impl Default for MemoryStop {
    fn default() -> Self {
        MemoryStop([0; MEMORY_STOP_BYTES])
    }
}

impl AsRef<[u8]> for MemoryStop {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for MemoryStop {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl MemoryStop {
    /// Encodes a stop, on the node's side. `read` reads guest memory, and returns false if it is not readable.
    #[cfg_attr(substrate_runtime, allow(dead_code, reason = "the node's side"))]
    pub fn encode(
        &mut self,
        stop: &Stop,
        writable: Writable,
        reads: &[u8],
        mut read: impl FnMut(u32, &mut [u8]) -> bool,
    ) {
        self.0[..STOP_BYTES].copy_from_slice(StopBuffer::encode(stop).as_ref());
        let bounds = writable.into_iter().flat_map(|(start, end)| [start, end]);
        for (place, bound) in self.0[STOP_BYTES..STATUS].chunks_exact_mut(4).zip(bounds) {
            place.copy_from_slice(&bound.to_le_bytes());
        }
        let (head, mut contents) = self.0.split_at_mut(CONTENTS);
        for (range, status) in ranges(reads, stop).into_iter().zip(&mut head[STATUS..]) {
            let Some((address, length)) = range else { continue };
            let Some((place, rest)) = contents.split_at_mut_checked(length) else { break };
            *status = u8::from(read(address, place));
            contents = rest;
        }
    }

    /// Decodes the stop, on the runtime's side; `None` if it is invalid in this version.
    pub fn stop(&self) -> Option<Stop> {
        let mut buffer = StopBuffer::default();
        buffer.as_mut().copy_from_slice(&self.0[..STOP_BYTES]);
        buffer.decode()
    }

    /// The writable regions.
    pub fn writable(&self) -> Writable {
        let bound = |at: usize| u32::from_le_bytes(core::array::from_fn(|byte| self.0[STOP_BYTES + 4 * at + byte]));
        [(bound(0), bound(1)), (bound(2), bound(3))]
    }

    /// The contents of a range that were read with this stop, if all of it was.
    pub fn contents(&self, reads: &[u8], stop: &Stop, address: u32, length: usize) -> Option<&[u8]> {
        let (mut at, end) = (CONTENTS, u64::from(address) + length as u64);
        for (range, status) in ranges(reads, stop).into_iter().zip(&self.0[STATUS..]) {
            let Some((start, read)) = range else { continue };
            if *status == 1 && start <= address && end <= u64::from(start) + read as u64 {
                let at = at + (address - start) as usize;
                return self.0.get(at..at + length);
            }
            at += read;
        }
        None
    }
}

/// Writes to guest memory that wait for the next run, as they are on the wire, in order: address and length (4 bytes
/// each, little-endian), and the bytes. A length with [`Writes::ZEROS`] has none: zeros are written.
#[derive(Default, Debug)]
pub struct Writes(Vec<u8>);

/// A write to guest memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Write<'a> {
    /// Writes bytes.
    Bytes(u32, &'a [u8]),
    /// Writes this many zeros.
    Zeros(u32, u32),
}

impl Write<'_> {
    /// Address and length.
    pub fn range(&self) -> (u32, u32) {
        match *self {
            Write::Bytes(address, bytes) => (address, bytes.len() as u32),
            Write::Zeros(address, length) => (address, length),
        }
    }
}

impl Writes {
    const ZEROS: u32 = 1 << 31;
    /// Maximum length of the encoded writes.
    const BYTES: usize = 4096;

    /// Adds a write; returns false if there is no room.
    #[must_use]
    pub fn push(&mut self, write: Write<'_>) -> bool {
        let (address, length) = write.range();
        let (length, bytes): (u32, &[u8]) = match write {
            Write::Bytes(_, bytes) => (length, bytes),
            Write::Zeros(..) => (length | Self::ZEROS, &[]),
        };
        // A number of bytes with this bit is far above the maximum.
        if write.range().1 & Self::ZEROS != 0 || self.0.len() + 8 + bytes.len() > Self::BYTES {
            return false;
        }
        self.0.extend_from_slice(&address.to_le_bytes());
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
        true
    }

    /// True if a write changes part of a range.
    pub fn overlap(&self, address: u32, length: usize) -> bool {
        writes(&self.0).flatten().any(|write| {
            let (start, written) = write.range();
            u64::from(address) < u64::from(start) + u64::from(written)
                && u64::from(start) < u64::from(address) + length as u64
        })
    }

    /// The encoded writes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Removes all writes, and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Decodes writes. A malformed one is `None`, and the last.
pub fn writes(bytes: &[u8]) -> impl Iterator<Item = Option<Write<'_>>> {
    let mut rest = Some(bytes);
    core::iter::from_fn(move || {
        let bytes = rest.take().filter(|bytes| !bytes.is_empty())?;
        let decoded = decode_write(bytes);
        rest = decoded.map(|(_, rest)| rest);
        Some(decoded.map(|(write, _)| write))
    })
}

fn decode_write(bytes: &[u8]) -> Option<(Write<'_>, &[u8])> {
    let (address, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (address, length) = (u32::from_le_bytes(*address), u32::from_le_bytes(*length));
    if length & Writes::ZEROS != 0 {
        return Some((Write::Zeros(address, length & !Writes::ZEROS), rest));
    }
    let (bytes, rest) = rest.split_at_checked(length as usize)?;
    Some((Write::Bytes(address, bytes), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const KEY: ReadRange = ReadRange {
        pointer: Argument::low(1),
        length: Length::Counted { count: Argument::low(2), unit: 1, sentinel: 32 },
    };
    const TOPICS: ReadRange = ReadRange {
        pointer: Argument::high(0),
        length: Length::Counted { count: Argument::high(5), unit: 32, sentinel: 0 },
    };
    const WORD: ReadRange = ReadRange { pointer: Argument::low(0), length: Length::Bytes(32) };

    fn stop(import: u32, args: [u64; 6]) -> Stop {
        Stop { outcome: Outcome::HostCall(import), gas: 7, args }
    }

    fn table(rows: &[&[ReadRange]]) -> Reads {
        Reads::new(rows.iter().copied())
    }

    #[test]
    fn the_ranges_of_an_import_follow_from_its_arguments() {
        let reads = table(&[&[], &[KEY, WORD], &[TOPICS]]);
        let of = |import, args| ranges(reads.as_bytes(), &stop(import, args));
        let args = [0x5_0000_1000, 0x2000, 9, 0, 0, 3 << 32];
        assert_eq!(of(0, args), [None; READS]);
        assert_eq!(of(1, args), [Some((0x2000, 9)), Some((0x1000, 32)), None, None, None]);
        assert_eq!(of(2, args), [Some((5, 96)), None, None, None, None]);
        assert_eq!(of(3, args), [None; READS], "it is in no table");
        assert_eq!(of(u32::MAX, args), [None; READS]);
        // The sentinel, an empty range, one that is too long, one that is too long for the rest of the room.
        let with_length = |length| of(1, [0x1000, 0x2000, length, 0, 0, 0]);
        assert_eq!(with_length(0xffff_ffff)[..2], [Some((0x2000, 32)), Some((0x1000, 32))]);
        assert_eq!(with_length(0)[..2], [None, Some((0x1000, 32))]);
        assert_eq!(with_length(257)[..2], [None, Some((0x1000, 32))]);
        assert_eq!(with_length(225)[..2], [Some((0x2000, 225)), None]);
        assert_eq!(of(2, [0, 0, 0, 0, 0, 9 << 32])[0], None, "288 bytes");
        let finished = Stop { outcome: Outcome::Finished, ..stop(1, args) };
        assert_eq!(ranges(reads.as_bytes(), &finished), [None; READS]);
    }

    #[test]
    fn a_malformed_table_has_no_ranges() {
        let whole = table(&[&[WORD], &[KEY, WORD]]);
        let args = [1, 2, 3, 4, 5, 6];
        for length in 0..whole.as_bytes().len() {
            let cut = &whole.as_bytes()[..length];
            assert_eq!(ranges(cut, &stop(1, args)), [None; READS], "{length} bytes");
        }
        assert_eq!(ranges(&[255; 40], &stop(0, args)), [None; READS]);
        // No such register.
        let odd = ReadRange { pointer: Argument::low(6), length: Length::Bytes(1) };
        let counted = ReadRange { pointer: Argument::low(0), length: Length::argument(Argument::high(77)) };
        assert_eq!(ranges(table(&[&[odd, counted]]).as_bytes(), &stop(0, args)), [None; READS]);
    }

    #[test]
    fn a_stop_comes_back_with_its_memory() {
        let reads = table(&[&[WORD, KEY]]);
        let stopped = stop(0, [0x1000, 0x2000, 5, 0, 0, 0]);
        let mut buffer = MemoryStop::default();
        let writable = [(1, 2), (3, u32::MAX)];
        let mut read = |address: u32, out: &mut [u8]| {
            out.iter_mut().zip(address as u8..).for_each(|(byte, value)| *byte = value.wrapping_add(1));
            address != 0x1000
        };
        buffer.encode(&stopped, writable, reads.as_bytes(), &mut read);
        assert_eq!((buffer.stop(), buffer.writable()), (Some(stopped), writable));
        let contents = |address, length| buffer.contents(reads.as_bytes(), &stopped, address, length);
        assert_eq!(contents(0x1000, 32), None, "it was not readable");
        assert_eq!(contents(0x2000, 5), Some(&[1, 2, 3, 4, 5][..]));
        assert_eq!(contents(0x2002, 2), Some(&[3, 4][..]));
        assert_eq!((contents(0x2002, 4), contents(0x1fff, 2), contents(0x3000, 1)), (None, None, None));
        assert_eq!(contents(u32::MAX, 5), None);
    }

    #[test]
    fn what_does_not_fit_is_not_read() {
        let reads = table(&[&[
            ReadRange { length: Length::Bytes(255), ..WORD },
            WORD,
            ReadRange { length: Length::Bytes(1), ..WORD },
        ]]);
        let stopped = stop(0, [0x1000; 6]);
        let mut lengths = vec![];
        MemoryStop::default().encode(&stopped, [(0, 0); 2], reads.as_bytes(), |_, out| {
            lengths.push(out.len());
            true
        });
        assert_eq!(lengths, [255, 1]);
    }

    #[test]
    fn writes_come_back_in_order() {
        let mut pending = Writes::default();
        let all = [Write::Bytes(0x1000, b"abc"), Write::Zeros(0x1001, 5), Write::Zeros(7, i32::MAX as u32)];
        assert!(all.iter().all(|write| pending.push(*write)));
        let decoded: Option<Vec<_>> = writes(pending.as_bytes()).collect();
        assert_eq!(decoded.as_deref(), Some(&all[..]));
        for (address, length, expected) in [(0xfff, 1, false), (0xfff, 2, true), (0x1005, 9, true), (0x1006, 9, false)]
        {
            let mut pending = Writes::default();
            assert!(pending.push(all[0]) && pending.push(all[1]));
            assert_eq!(pending.overlap(address, length), expected, "{address:#x}");
        }
        pending.clear();
        assert_eq!(writes(pending.as_bytes()).count(), 0);
    }

    #[test]
    fn malformed_writes_are_noticed() {
        let mut pending = Writes::default();
        assert!(pending.push(Write::Bytes(0x1000, b"abc")));
        for length in 1..pending.as_bytes().len() {
            let decoded: Vec<_> = writes(&pending.as_bytes()[..length]).collect();
            assert_eq!(decoded, [None], "{length} bytes");
        }
        let more = [pending.as_bytes(), &[1]].concat();
        assert_eq!(writes(&more).collect::<Vec<_>>(), [Some(Write::Bytes(0x1000, b"abc")), None]);
    }

    #[test]
    fn writes_have_a_limit() {
        let mut pending = Writes::default();
        let chunk = [7; 1016];
        for number in 0..4 {
            assert!(pending.push(Write::Bytes(number, &chunk)));
        }
        assert!(!pending.push(Write::Bytes(0, &[])) && !pending.push(Write::Zeros(0, 1)));
        assert!(!Writes::default().push(Write::Zeros(0, 1 << 31)), "its length is no length on the wire");
    }
}
