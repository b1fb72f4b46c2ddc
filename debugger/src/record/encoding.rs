//! Encoding of a record's parts: numbers, registers and events. Both directions are here, so that they stay the same.

use super::{Event, RecordError, Rules, StopReason};
use vm_core::Semantics;
use vm_core::gas::{CostModelKind, Metering};
use vm_core::isa::Reg;

/// Kinds of chunks.
pub const HEADER: u8 = 1;
pub const BLOB: u8 = 2;
pub const EVENTS: u8 = 3;
pub const END: u8 = 4;

/// Kinds of events.
const START: u8 = 1;
const STOP: u8 = 2;
const RESUME: u8 = 3;
const READ: u8 = 4;
const WRITE: u8 = 5;
const ZERO: u8 = 6;
const GROW: u8 = 7;

/// Checksum of a chunk: of its number, kind, length and payload.
pub fn checksum(number: u32, kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&[kind]);
    // A chunk is not longer than its limit.
    hasher.update(&(payload.len() as u32).to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

pub fn registers_digest(registers: &[u64; Reg::COUNT]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for value in registers {
        hasher.update(&value.to_le_bytes());
    }
    hasher.finalize()
}

/// Appends a number: seven bits a byte, the lowest first, with the top bit set in all but the last.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number with its sign in the lowest bit.
fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value << 1 ^ value >> 63) as u64);
}

/// Appends registers: a number with a bit for each that is there, then their values.
fn put_registers(out: &mut Vec<u8>, registers: impl Iterator<Item = (Reg, u64)> + Clone) {
    put(out, registers.clone().fold(0, |mask, (reg, _)| mask | 1 << reg as u32));
    for (_, value) in registers {
        put(out, value);
    }
}

pub fn put_rules(out: &mut Vec<u8>, rules: &Rules, blob_length: usize) {
    put(out, rules.page_size.into());
    put(out, rules.aux_size.into());
    put(out, rules.semantics.id().into());
    put(out, rules.cost_model.id().into());
    put(
        out,
        match rules.metering {
            Metering::Sync => 1,
            Metering::Async => 2,
            // Off, and what a later version may have and this one cannot write.
            _ => 0,
        },
    );
    put(out, blob_length as u64);
}

/// Appends an event. `gas` is what was left at the event before, and becomes what is left at this one.
pub fn put_event(out: &mut Vec<u8>, event: &Event, gas: &mut i64) {
    let mut put_gas = |out: &mut Vec<u8>, new: i64| {
        put_signed(out, new.wrapping_sub(*gas));
        *gas = new;
    };
    match event {
        Event::Start { pc, registers, gas } => {
            out.push(START);
            put(out, (*pc).into());
            put_registers(out, Reg::ALL.into_iter().zip(registers.iter().copied()).filter(|(_, value)| *value != 0));
            put_gas(out, *gas);
        }
        Event::Stop { reason, pc, gas, digest } => {
            out.push(STOP);
            match reason {
                StopReason::Finished => out.push(0),
                StopReason::Trap => out.push(1),
                StopReason::OutOfGas => out.push(2),
                StopReason::HostCall(import) => {
                    out.push(3);
                    put(out, (*import).into());
                }
            }
            put(out, pc.map_or(0, |pc| u64::from(pc) + 1));
            put_gas(out, *gas);
            out.extend_from_slice(&digest.to_le_bytes());
        }
        Event::Resume { registers, gas } => {
            out.push(RESUME);
            put_registers(out, registers.iter().copied());
            put_gas(out, *gas);
        }
        Event::Read { address, length, digest } => {
            out.push(READ);
            put(out, (*address).into());
            put(out, (*length).into());
            out.extend_from_slice(&digest.to_le_bytes());
        }
        Event::Write { address, data } => {
            out.push(WRITE);
            put(out, (*address).into());
            put(out, data.len() as u64);
            out.extend_from_slice(data);
        }
        Event::Zero { address, length } => {
            out.push(ZERO);
            put(out, (*address).into());
            put(out, (*length).into());
        }
        Event::Grow { bytes } => {
            out.push(GROW);
            put(out, (*bytes).into());
        }
    }
}

/// Reads the payload of a chunk.
pub struct Cursor<'a> {
    payload: &'a [u8],
    position: usize,
    /// Offset of the payload in the file.
    base: u64,
}

impl<'a> Cursor<'a> {
    pub fn new(payload: &'a [u8], base: u64) -> Self {
        Cursor { payload, position: 0, base }
    }

    pub fn offset(&self) -> u64 {
        self.base + self.position as u64
    }

    pub fn is_at_end(&self) -> bool {
        self.position == self.payload.len()
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let end = self.position.checked_add(length);
        match end.and_then(|end| self.payload.get(self.position..end)) {
            Some(bytes) => {
                self.position += length;
                Ok(bytes)
            }
            None => Err(RecordError::Truncated { offset: self.base + self.payload.len() as u64 }),
        }
    }

    fn byte(&mut self) -> Result<u8, RecordError> {
        Ok(self.bytes(1)?[0])
    }

    fn digest(&mut self) -> Result<u32, RecordError> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub fn number(&mut self) -> Result<u64, RecordError> {
        let offset = self.offset();
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return Err(RecordError::Number { offset });
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(RecordError::Number { offset })
    }

    /// A number that has to fit into fewer bits.
    pub fn field<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, RecordError> {
        let offset = self.offset();
        let value = self.number()?;
        T::try_from(value).map_err(|_| RecordError::Field { field, offset, value })
    }

    fn signed(&mut self) -> Result<i64, RecordError> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn registers(&mut self) -> Result<Vec<(Reg, u64)>, RecordError> {
        let offset = self.offset();
        let mask = self.number()?;
        if mask >> Reg::COUNT != 0 {
            return Err(RecordError::Field { field: "set of registers", offset, value: mask });
        }
        let present = Reg::ALL.into_iter().filter(|reg| mask >> *reg as u32 & 1 == 1);
        present.map(|reg| Ok((reg, self.number()?))).collect()
    }

    /// The rules, and the length of the blob.
    pub fn rules(&mut self) -> Result<(Rules, u64), RecordError> {
        let page_size = self.field("page size")?;
        let aux_size = self.field("size of auxiliary memory")?;
        let (offset, id) = (self.offset(), self.number()?);
        let unknown = |field, offset, value| RecordError::Field { field, offset, value };
        let semantics = u16::try_from(id).ok().and_then(Semantics::from_id);
        let semantics = semantics.ok_or(unknown("semantics version", offset, id))?;
        let (offset, id) = (self.offset(), self.number()?);
        let cost_model = u16::try_from(id).ok().and_then(CostModelKind::from_id);
        let cost_model = cost_model.ok_or(unknown("cost model", offset, id))?;
        let offset = self.offset();
        let metering = match self.number()? {
            0 => Metering::Off,
            1 => Metering::Sync,
            2 => Metering::Async,
            value => return Err(unknown("metering mode", offset, value)),
        };
        Ok((Rules { page_size, aux_size, semantics, cost_model, metering }, self.number()?))
    }

    /// The next event; `gas` as in [`put_event`].
    pub fn event(&mut self, gas: &mut i64) -> Result<Event, RecordError> {
        let offset = self.offset();
        let mut read_gas = |cursor: &mut Self| -> Result<i64, RecordError> {
            *gas = gas.wrapping_add(cursor.signed()?);
            Ok(*gas)
        };
        Ok(match self.byte()? {
            START => {
                let pc = self.field("program counter")?;
                let mut registers = Box::new([0; Reg::COUNT]);
                for (reg, value) in self.registers()? {
                    registers[reg as usize] = value;
                }
                Event::Start { pc, registers, gas: read_gas(self)? }
            }
            STOP => {
                let offset = self.offset();
                let reason = match self.byte()? {
                    0 => StopReason::Finished,
                    1 => StopReason::Trap,
                    2 => StopReason::OutOfGas,
                    3 => StopReason::HostCall(self.field("number of an import")?),
                    value => return Err(RecordError::Field { field: "reason to stop", offset, value: value.into() }),
                };
                let offset = self.offset();
                let pc = match self.number()? {
                    0 => None,
                    value => Some(u32::try_from(value - 1).map_err(|_| RecordError::Field {
                        field: "program counter",
                        offset,
                        value,
                    })?),
                };
                Event::Stop { reason, pc, gas: read_gas(self)?, digest: self.digest()? }
            }
            RESUME => Event::Resume { registers: self.registers()?.into(), gas: read_gas(self)? },
            READ => {
                Event::Read { address: self.field("address")?, length: self.field("length")?, digest: self.digest()? }
            }
            WRITE => {
                let address = self.field("address")?;
                let length = self.field::<u32>("length")? as usize;
                // What is not there is not allocated.
                Event::Write { address, data: self.bytes(length)?.into() }
            }
            ZERO => Event::Zero { address: self.field("address")?, length: self.field("length")? },
            GROW => Event::Grow { bytes: self.field("number of bytes")? },
            kind => return Err(RecordError::Field { field: "event", offset, value: kind.into() }),
        })
    }
}
