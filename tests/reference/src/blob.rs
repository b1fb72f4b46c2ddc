//! Blobs: `docs/spec/blobs.md#blobs`. Called when a program is loaded; the bytes may be anything.

use crate::Isa;

/// Error: a blob or program that is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Description of the error.
    pub what: &'static str,
    /// Offset in the blob, or in the code for errors in code.
    pub offset: usize,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.what, self.offset)
    }
}

impl std::error::Error for Refused {}

/// Contents of a blob.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The instruction set.
    pub isa: Isa,
    /// Size of read-only data, in bytes.
    pub ro_size: u32,
    /// Size of read-write data, in bytes.
    pub rw_size: u32,
    /// Size of the stack, in bytes.
    pub stack_size: u32,
    /// The initial bytes of read-only data.
    pub ro_data: Vec<u8>,
    /// The initial bytes of read-write data.
    pub rw_data: Vec<u8>,
    /// Code offsets that dynamic jumps lead to.
    pub jump_table: Vec<u32>,
    /// The code.
    pub code: Vec<u8>,
    /// For each byte of code, true if an instruction begins there.
    pub starts: Vec<bool>,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// End of the current section.
    end: usize,
}

impl<'a> Reader<'a> {
    fn refuse<T>(&self, what: &'static str) -> Result<T, Refused> {
        Err(Refused { what, offset: self.at })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Refused> {
        if length > self.end - self.at {
            return self.refuse("too few bytes");
        }
        self.at += length;
        Ok(&self.bytes[self.at - length..self.at])
    }

    fn byte(&mut self) -> Result<u8, Refused> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u32, Refused> {
        let first = self.byte()?;
        let count = first.leading_ones() as usize;
        if count > 4 {
            return self.refuse("a varint of more than five bytes");
        }
        let high = u64::from(first) & (0xff >> count);
        let mut value = high << (8 * count);
        for (index, byte) in self.take(count)?.iter().enumerate() {
            value |= u64::from(*byte) << (8 * index);
        }
        // One byte more gives seven bits more.
        if value > u64::from(u32::MAX) || (count > 0 && value < 1 << (7 * count)) {
            return self.refuse("a varint that is too large, or longer than need be");
        }
        Ok(value as u32)
    }

    /// Enters the next section if it has this id, and returns its size.
    fn section(&mut self, id: u8) -> Result<Option<usize>, Refused> {
        self.end = self.bytes.len();
        if self.bytes.get(self.at) != Some(&id) {
            return Ok(None);
        }
        self.at += 1;
        let length = self.varint()? as usize;
        if length > self.end - self.at {
            return self.refuse("a section longer than the blob");
        }
        self.end = self.at + length;
        Ok(Some(length))
    }

    /// A section that is nothing but bytes; none is the same as an empty one.
    fn bytes_of(&mut self, id: u8) -> Result<&'a [u8], Refused> {
        match self.section(id)? {
            Some(length) => self.take(length),
            None => Ok(&[]),
        }
    }
}

impl Blob {
    /// Reads a blob.
    ///
    /// # Errors
    /// If the specification says it is refused.
    pub fn parse(bytes: &[u8]) -> Result<Blob, Refused> {
        let mut reader = Reader { bytes, at: 0, end: bytes.len() };
        if reader.take(4)? != b"PVM\0" {
            return reader.refuse("no magic");
        }
        let isa = match reader.byte()? {
            0 => Isa::ReviveV1,
            1 => Isa::Latest32,
            3 => Isa::JamV1,
            _ => return reader.refuse("an instruction set that is not run"),
        };
        let mut length = [0; 8];
        length.copy_from_slice(reader.take(8)?);
        if u64::from_le_bytes(length) != bytes.len() as u64 {
            return reader.refuse("a wrong length");
        }

        let (mut ro_size, mut rw_size, mut stack_size) = (0, 0, 0);
        if reader.section(1)?.is_some() {
            (ro_size, rw_size, stack_size) = (reader.varint()?, reader.varint()?, reader.varint()?);
            if reader.at != reader.end {
                return reader.refuse("a memory section longer than its numbers");
            }
        }
        let ro_data = reader.bytes_of(2)?.to_vec();
        let rw_data = reader.bytes_of(3)?.to_vec();
        if ro_data.len() > ro_size as usize || rw_data.len() > rw_size as usize {
            return reader.refuse("more data than its size");
        }
        if reader.section(4)?.is_some() {
            let count = reader.varint()? as usize;
            if count > 1024 {
                return reader.refuse("too many imports");
            }
            reader.take(4 * count)?;
            reader.at = reader.end;
        }
        reader.bytes_of(5)?;
        if reader.section(6)?.is_none_or(|length| length == 0) {
            return reader.refuse("no code");
        }
        let (jump_table, code, starts) = code_section(&mut reader)?;
        for id in [128, 129, 130, 131] {
            reader.bytes_of(id)?;
        }
        loop {
            reader.end = bytes.len();
            match bytes.get(reader.at) {
                Some(0) => break,
                Some(id @ 128..) => {
                    reader.bytes_of(*id)?;
                }
                _ => return reader.refuse("an unknown section, or no end"),
            }
        }
        Ok(Blob { isa, ro_size, rw_size, stack_size, ro_data, rw_data, jump_table, code, starts })
    }
}

type CodeSection = (Vec<u32>, Vec<u8>, Vec<bool>);

fn code_section(reader: &mut Reader<'_>) -> Result<CodeSection, Refused> {
    let entries = reader.varint()?;
    let entry_size = reader.byte()? as usize;
    let length = reader.varint()?;
    if entries > 1 << 24 || entry_size > 4 || length > 1 << 25 {
        return reader.refuse("a number of the code section above its limit");
    }
    let mut jump_table = Vec::new();
    for entry in reader.take(entries as usize * entry_size)?.chunks(entry_size.max(1)) {
        jump_table.push(entry.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)));
    }
    let code = reader.take(length as usize)?.to_vec();
    let mask = reader.take(reader.end - reader.at)?;
    if mask.len() != code.len().div_ceil(8) {
        return reader.refuse("a bitmask of the wrong length");
    }
    let mut bits: Vec<bool> = (0..8 * mask.len()).map(|bit| mask[bit / 8] >> (bit % 8) & 1 == 1).collect();
    if bits[code.len()..].contains(&true) {
        return reader.refuse("bits behind the code");
    }
    bits.truncate(code.len());
    Ok((jump_table, code, bits))
}
