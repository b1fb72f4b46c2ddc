//! Reading records, which may be damaged or made to harm: memory grows with what is there, never with what is said.

use super::encoding::{self, Cursor, checksum};
use super::{CHUNK_LIMIT, Event, MAGIC, Order, Record, RecordError, VERSION};
use std::io::{self, Read};

/// Limits of the reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest blob, in bytes.
    pub blob: u64,
    /// The most events.
    pub events: u64,
    /// The most bytes that host calls may have written, on the whole.
    pub data: u64,
}

impl Default for Limits {
    /// 64 MiB of program, 2^26 events, 4 GiB of data.
    fn default() -> Self {
        Limits { blob: 1 << 26, events: 1 << 26, data: 1 << 32 }
    }
}

struct Chunk {
    kind: u8,
    /// Offset of the chunk and of its payload.
    offset: u64,
    payload: Vec<u8>,
}

struct Reader<R> {
    input: R,
    offset: u64,
    chunks: u32,
}

impl<R: Read> Reader<R> {
    /// Reads exactly `out.len()` bytes.
    fn bytes(&mut self, out: &mut [u8]) -> Result<(), RecordError> {
        let mut done = 0;
        while done < out.len() {
            match self.input.read(&mut out[done..]) {
                Ok(0) => return Err(RecordError::Truncated { offset: self.offset + done as u64 }),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(RecordError::Io(error)),
            }
        }
        self.offset += out.len() as u64;
        Ok(())
    }

    fn word(&mut self) -> Result<u32, RecordError> {
        let mut bytes = [0; 4];
        self.bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn chunk(&mut self) -> Result<Chunk, RecordError> {
        let offset = self.offset;
        let mut kind = [0];
        self.bytes(&mut kind)?;
        let length = self.word()?;
        if length > CHUNK_LIMIT {
            return Err(RecordError::ChunkLength { offset, actual: length, limit: CHUNK_LIMIT });
        }
        let mut payload = vec![0; length as usize];
        self.bytes(&mut payload)?;
        let expected = self.word()?;
        let actual = checksum(self.chunks, kind[0], &payload);
        if expected != actual {
            return Err(RecordError::Checksum { offset, expected, actual });
        }
        self.chunks = self.chunks.wrapping_add(1);
        Ok(Chunk { kind: kind[0], offset, payload })
    }
}

impl Chunk {
    fn cursor(&self) -> Cursor<'_> {
        Cursor::new(&self.payload, self.offset + 5)
    }

    /// The end of what was read of the payload has to be its end.
    fn finish(&self, cursor: &Cursor<'_>) -> Result<(), RecordError> {
        if cursor.is_at_end() { Ok(()) } else { Err(RecordError::Trailing { offset: cursor.offset() }) }
    }
}

impl Record {
    /// Reads a record, to its end.
    ///
    /// # Errors
    /// If it is none, damaged, or more than `limits` allow. Whether its program can be run is not checked.
    pub fn read(input: impl Read, limits: &Limits) -> Result<Record, RecordError> {
        let mut reader = Reader { input, offset: 0, chunks: 0 };
        let mut magic = [0; 8];
        reader.bytes(&mut magic)?;
        if magic != MAGIC {
            return Err(RecordError::Magic { actual: magic });
        }
        let mut version = [0; 2];
        reader.bytes(&mut version)?;
        let version = u16::from_le_bytes(version);
        if version != VERSION {
            return Err(RecordError::Version { version, supported: VERSION });
        }

        let header = reader.chunk()?;
        if header.kind != encoding::HEADER {
            return Err(RecordError::Chunk { offset: header.offset, kind: header.kind });
        }
        let mut cursor = header.cursor();
        let (rules, blob_length) = cursor.rules()?;
        header.finish(&cursor)?;
        if blob_length > limits.blob {
            return Err(RecordError::TooMany { what: "bytes of program", actual: blob_length, limit: limits.blob });
        }

        let (mut blob, mut events) = (Vec::new(), Vec::new());
        let (mut gas, mut order, mut data) = (0, Order::default(), 0);
        let mut chunk = reader.chunk()?;
        while chunk.kind == encoding::BLOB && !chunk.payload.is_empty() {
            blob.append(&mut chunk.payload);
            if blob.len() as u64 > blob_length {
                break;
            }
            chunk = reader.chunk()?;
        }
        if blob.len() as u64 != blob_length {
            let actual = blob.len() as u64;
            return Err(RecordError::Count { what: "bytes of program", actual, expected: blob_length });
        }
        while chunk.kind == encoding::EVENTS {
            let mut cursor = chunk.cursor();
            while !cursor.is_at_end() {
                let event = cursor.event(&mut gas)?;
                let index = events.len() as u64;
                order = order.after(&event).ok_or(RecordError::Order { index })?;
                if index >= limits.events {
                    return Err(RecordError::TooMany { what: "events", actual: index + 1, limit: limits.events });
                }
                if let Event::Write { data: written, .. } = &event {
                    data += written.len() as u64;
                    if data > limits.data {
                        let what = "bytes of data";
                        return Err(RecordError::TooMany { what, actual: data, limit: limits.data });
                    }
                }
                events.push(event);
            }
            chunk = reader.chunk()?;
        }
        if chunk.kind != encoding::END {
            return Err(RecordError::Chunk { offset: chunk.offset, kind: chunk.kind });
        }
        let mut cursor = chunk.cursor();
        let expected = cursor.number()?;
        chunk.finish(&cursor)?;
        let actual = events.len() as u64;
        if actual != expected {
            return Err(RecordError::Count { what: "events", actual, expected });
        }
        if order == Order::Running {
            return Err(RecordError::Order { index: actual });
        }
        match reader.bytes(&mut [0]) {
            Err(RecordError::Truncated { .. }) => Ok(Record { rules, blob, events }),
            Ok(()) => Err(RecordError::Trailing { offset: reader.offset - 1 }),
            Err(error) => Err(error),
        }
    }
}
