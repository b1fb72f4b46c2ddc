//! Writing records, event by event.

use super::encoding::{self, checksum, put, put_event, put_rules};
use super::{CHUNK_LIMIT, Event, MAGIC, Order, RecordError, Rules, VERSION};
use std::io::Write;

/// Events are written in chunks of about as many bytes.
const CHUNK: usize = 1 << 16;
/// Longer writes are divided, so that events fit into chunks.
const DATA: usize = 1 << 19;

/// Writes a record. Without [`Self::finish`] it is a truncated one.
#[derive(Debug)]
pub struct RecordWriter<W: Write> {
    out: W,
    chunks: u32,
    pending: Vec<u8>,
    events: u64,
    gas: i64,
    order: Order,
}

impl<W: Write> RecordWriter<W> {
    /// Begins a record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(mut out: W, rules: &Rules, blob: &[u8]) -> Result<Self, RecordError> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let mut writer =
            RecordWriter { out, chunks: 0, pending: Vec::new(), events: 0, gas: 0, order: Order::default() };
        let mut header = Vec::new();
        put_rules(&mut header, rules, blob.len());
        writer.chunk(encoding::HEADER, &header)?;
        for piece in blob.chunks(CHUNK_LIMIT as usize) {
            writer.chunk(encoding::BLOB, piece)?;
        }
        Ok(writer)
    }

    fn chunk(&mut self, kind: u8, payload: &[u8]) -> Result<(), RecordError> {
        self.out.write_all(&[kind])?;
        // All chunks are made shorter than the limit.
        self.out.write_all(&(payload.len() as u32).to_le_bytes())?;
        self.out.write_all(payload)?;
        self.out.write_all(&checksum(self.chunks, kind, payload).to_le_bytes())?;
        self.chunks = self.chunks.wrapping_add(1);
        Ok(())
    }

    fn flush_events(&mut self) -> Result<(), RecordError> {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.chunk(encoding::EVENTS, &pending)?;
            self.pending = pending;
            self.pending.clear();
        }
        Ok(())
    }

    /// Writes an event. A long write becomes several.
    ///
    /// # Errors
    /// If it cannot be written, or cannot come now; then nothing was written.
    pub fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        self.order = self.order.after(event).ok_or(RecordError::Order { index: self.events })?;
        match event {
            Event::Write { address, data } if data.len() > DATA => {
                for (index, piece) in data.chunks(DATA).enumerate() {
                    let address = address.wrapping_add((index * DATA) as u32);
                    self.put(&Event::Write { address, data: piece.into() })?;
                }
                Ok(())
            }
            _ => self.put(event),
        }
    }

    fn put(&mut self, event: &Event) -> Result<(), RecordError> {
        put_event(&mut self.pending, event, &mut self.gas);
        self.events += 1;
        if self.pending.len() >= CHUNK { self.flush_events() } else { Ok(()) }
    }

    /// Ends the record, and returns what it was written to.
    ///
    /// # Errors
    /// If it cannot be written, or the program still runs.
    pub fn finish(mut self) -> Result<W, RecordError> {
        if self.order == Order::Running {
            return Err(RecordError::Order { index: self.events });
        }
        self.flush_events()?;
        let mut end = Vec::new();
        put(&mut end, self.events);
        self.chunk(encoding::END, &end)?;
        self.out.flush()?;
        Ok(self.out)
    }
}
