//! The blob writer.
//!
//! Used by tests, tools and the linker. [`super::Blob::parse`] reads the result back. Sections are written in the order
//! of `docs/spec/blobs.md#sections`; empty ones are left out.

use super::{MAGIC, MemoryConfig, varint};
use crate::isa::{Assembly, EncodeError, Instruction, Isa, assemble};
use crate::limits;
use alloc::vec::Vec;
use core::fmt;

/// Source of a blob's code.
#[derive(Clone, Debug)]
enum CodeSource {
    /// Instructions; exports and the jump table name them by index.
    Instructions(Vec<Instruction>),
    /// Finished bytes; exports and the jump table name code offsets.
    Raw { code: Vec<u8>, bitmask: Vec<u8> },
}

/// Builder of blobs.
///
/// ```
/// use vm_core::blob::{Blob, BlobBuilder};
/// use vm_core::isa::{Instruction, Isa, Opcode, Reg};
///
/// let mut builder = BlobBuilder::new(Isa::ReviveV1);
/// builder.stack_size(4096).export(b"main", 0).instructions(vec![
///     Instruction::ri(Opcode::LoadImm, Reg::A0, 42),
///     Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0),
/// ]);
/// let bytes = builder.build().unwrap();
/// assert_eq!(Blob::parse(&bytes).unwrap().code(), [51, 7, 42, 50, 0]);
/// ```
#[derive(Clone, Debug)]
pub struct BlobBuilder {
    isa: Isa,
    memory_config: MemoryConfig,
    ro_data: Vec<u8>,
    rw_data: Vec<u8>,
    imports: Vec<Vec<u8>>,
    exports: Vec<(Vec<u8>, u32)>,
    jump_table: Vec<u32>,
    code: CodeSource,
    optional: Vec<(u8, Vec<u8>)>,
}

/// Error of the blob writer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// An instruction could not be encoded.
    Encode(EncodeError),
    /// An export or a jump table entry refers to an instruction that does not exist.
    NoSuchInstruction {
        /// The instruction index given.
        index: u32,
        /// Number of instructions.
        count: usize,
    },
    /// Initial data longer than the declared size of its region.
    DataTooLong {
        /// Bytes of initial data.
        actual: usize,
        /// The declared size.
        limit: u32,
    },
    /// Too many imports.
    TooManyImports {
        /// Number found.
        actual: usize,
    },
    /// The bitmask given with raw code does not match the code: one bit per byte, no bits past the end.
    BadBitmask,
    /// An optional section's id is below 128.
    NotOptional {
        /// The id.
        id: u8,
    },
    /// A part is too long for the format.
    TooLong {
        /// Its length or number of entries.
        actual: usize,
        /// The limit.
        limit: u32,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Encode(error) => error.fmt(f),
            BuildError::NoSuchInstruction { index, count } => {
                write!(f, "export or jump table entry names instruction {index}, but there are only {count}")
            }
            BuildError::DataTooLong { actual, limit } => write!(f, "{actual} bytes of data, {limit} are declared"),
            BuildError::TooManyImports { actual } => write!(f, "{actual} imports, the limit is {}", limits::IMPORTS),
            BuildError::BadBitmask => write!(f, "the bitmask does not fit the code"),
            BuildError::NotOptional { id } => write!(f, "section {id} is not an optional one (128 and up)"),
            BuildError::TooLong { actual, limit } => write!(f, "length {actual} exceeds the format's limit of {limit}"),
        }
    }
}

impl core::error::Error for BuildError {}

impl From<EncodeError> for BuildError {
    fn from(error: EncodeError) -> Self {
        BuildError::Encode(error)
    }
}

impl BlobBuilder {
    /// Starts an empty program.
    pub fn new(isa: Isa) -> Self {
        BlobBuilder {
            isa,
            memory_config: MemoryConfig::default(),
            ro_data: Vec::new(),
            rw_data: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            jump_table: Vec::new(),
            code: CodeSource::Instructions(Vec::new()),
            optional: Vec::new(),
        }
    }

    /// Sets the stack size in bytes.
    pub fn stack_size(&mut self, size: u32) -> &mut Self {
        self.memory_config.stack_size = size;
        self
    }

    /// Sets the size of the read-only data and its first bytes.
    pub fn ro_data(&mut self, size: u32, data: &[u8]) -> &mut Self {
        self.memory_config.ro_data_size = size;
        self.ro_data = data.to_vec();
        self
    }

    /// Sets the size of the read-write data and its first bytes.
    pub fn rw_data(&mut self, size: u32, data: &[u8]) -> &mut Self {
        self.memory_config.rw_data_size = size;
        self.rw_data = data.to_vec();
        self
    }

    /// Adds an import. The first one is number 0.
    pub fn import(&mut self, symbol: &[u8]) -> &mut Self {
        self.imports.push(symbol.to_vec());
        self
    }

    /// Adds an export that starts at the instruction with index `at` (with raw code: at code offset `at`).
    pub fn export(&mut self, symbol: &[u8], at: u32) -> &mut Self {
        self.exports.push((symbol.to_vec(), at));
        self
    }

    /// Adds a jump table entry for the instruction with index `at` (with raw code: for code offset `at`). Entry `k` is
    /// reached by a dynamic jump to address `2 * (k + 1)`.
    pub fn jump_table_entry(&mut self, at: u32) -> &mut Self {
        self.jump_table.push(at);
        self
    }

    /// Sets the code. Jump targets in it are instruction indexes.
    pub fn instructions(&mut self, instructions: Vec<Instruction>) -> &mut Self {
        self.code = CodeSource::Instructions(instructions);
        self
    }

    /// Sets the code to finished bytes, which need not be valid instructions.
    pub fn raw_code(&mut self, code: Vec<u8>, bitmask: Vec<u8>) -> &mut Self {
        self.code = CodeSource::Raw { code, bitmask };
        self
    }

    /// Adds a section that readers may skip; its id must be at least 128.
    pub fn optional_section(&mut self, id: u8, content: &[u8]) -> &mut Self {
        self.optional.push((id, content.to_vec()));
        self
    }

    /// Writes the blob.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let assembly = match &self.code {
            CodeSource::Instructions(instructions) => assemble(self.isa, instructions)?,
            CodeSource::Raw { code, bitmask } => {
                let bits = code.len() % 8;
                let padding_set = bits != 0 && bitmask.last().is_some_and(|last| last >> bits != 0);
                if bitmask.len() != code.len().div_ceil(8) || padding_set {
                    return Err(BuildError::BadBitmask);
                }
                Assembly { code: code.clone(), bitmask: bitmask.clone(), offsets: Vec::new() }
            }
        };
        let resolve = |at: u32| match &self.code {
            CodeSource::Raw { .. } => Ok(at),
            CodeSource::Instructions(list) => match assembly.offsets.get(at as usize) {
                Some(offset) if (at as usize) < list.len() => Ok(*offset),
                _ => Err(BuildError::NoSuchInstruction { index: at, count: list.len() }),
            },
        };
        let MemoryConfig { ro_data_size, rw_data_size, stack_size } = self.memory_config;
        check(self.ro_data.len(), ro_data_size)?;
        check(self.rw_data.len(), rw_data_size)?;

        let mut out = MAGIC.to_vec();
        out.push(self.isa.version());
        let length_at = out.len();
        out.extend([0; 8]);
        if self.memory_config != MemoryConfig::default() {
            let mut content = Vec::new();
            for size in [ro_data_size, rw_data_size, stack_size] {
                varint::write(&mut content, size);
            }
            section(&mut out, 1, &content)?;
        }
        section(&mut out, 2, &self.ro_data)?;
        section(&mut out, 3, &self.rw_data)?;
        section(&mut out, 4, &self.imports_section()?)?;
        section(&mut out, 5, &self.exports_section(&resolve)?)?;
        section(&mut out, 6, &self.code_section(&assembly, &resolve)?)?;
        for (id, content) in &self.optional {
            if *id < 128 {
                return Err(BuildError::NotOptional { id: *id });
            }
            section(&mut out, *id, content)?;
        }
        out.push(0);
        let length = out.len() as u64;
        out.splice(length_at..length_at + 8, length.to_le_bytes());
        Ok(out)
    }

    fn imports_section(&self) -> Result<Vec<u8>, BuildError> {
        let mut content = Vec::new();
        if self.imports.is_empty() {
            return Ok(content);
        }
        match u32::try_from(self.imports.len()) {
            Ok(count) if count <= limits::IMPORTS => varint::write(&mut content, count),
            _ => return Err(BuildError::TooManyImports { actual: self.imports.len() }),
        }
        let mut offset = 0usize;
        for symbol in &self.imports {
            content.extend(number(offset, u32::MAX)?.to_le_bytes());
            offset = offset.saturating_add(symbol.len());
        }
        content.extend(self.imports.iter().flatten());
        Ok(content)
    }

    fn exports_section(&self, resolve: &impl Fn(u32) -> Result<u32, BuildError>) -> Result<Vec<u8>, BuildError> {
        let mut content = Vec::new();
        if self.exports.is_empty() {
            return Ok(content);
        }
        varint::write(&mut content, number(self.exports.len(), u32::MAX)?);
        for (symbol, at) in &self.exports {
            varint::write(&mut content, resolve(*at)?);
            varint::write(&mut content, number(symbol.len(), u32::MAX)?);
            content.extend(symbol);
        }
        Ok(content)
    }

    fn code_section(
        &self,
        assembly: &Assembly,
        resolve: &impl Fn(u32) -> Result<u32, BuildError>,
    ) -> Result<Vec<u8>, BuildError> {
        let targets = self.jump_table.iter().map(|at| resolve(*at)).collect::<Result<Vec<u32>, _>>()?;
        // At least one byte, as a table of zero-sized entries reads as empty.
        let entry_size = targets.iter().max().map_or(0, |largest| 4 - (largest | 1).leading_zeros() as usize / 8);
        let mut content = Vec::new();
        varint::write(&mut content, number(targets.len(), limits::FORMAT_JUMP_TABLE_ENTRIES)?);
        content.push(entry_size as u8);
        varint::write(&mut content, number(assembly.code.len(), limits::FORMAT_CODE_BYTES)?);
        for target in targets {
            content.extend(target.to_le_bytes().iter().take(entry_size));
        }
        content.extend(&assembly.code);
        content.extend(&assembly.bitmask);
        Ok(content)
    }
}

fn check(actual: usize, limit: u32) -> Result<(), BuildError> {
    number(actual, limit).map(|_| ()).map_err(|_| BuildError::DataTooLong { actual, limit })
}

fn number(actual: usize, limit: u32) -> Result<u32, BuildError> {
    match u32::try_from(actual) {
        Ok(value) if value <= limit => Ok(value),
        _ => Err(BuildError::TooLong { actual, limit }),
    }
}

/// Appends a section, unless it is empty.
fn section(out: &mut Vec<u8>, id: u8, content: &[u8]) -> Result<(), BuildError> {
    if !content.is_empty() {
        out.push(id);
        varint::write(out, number(content.len(), u32::MAX)?);
        out.extend(content);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Blob;
    use crate::isa::{Opcode, Reg};
    use alloc::vec;

    #[test]
    fn a_small_blob_has_exactly_these_bytes() {
        let bytes = BlobBuilder::new(Isa::ReviveV1)
            .stack_size(4096)
            .import(b"hi")
            .export(b"go", 1)
            .jump_table_entry(1)
            .instructions(vec![
                Instruction::none(Opcode::Fallthrough),
                Instruction::i(Opcode::Ecalli, 0),
                Instruction::o(Opcode::Jump, 1),
            ])
            .build()
            .unwrap();
        let expected: &[&[u8]] = &[
            b"PVM\0\0",
            &[47, 0, 0, 0, 0, 0, 0, 0],
            &[1, 4, 0, 0, 0x90, 0],
            &[4, 7, 1, 0, 0, 0, 0, b'h', b'i'],
            &[5, 5, 1, 1, 2, b'g', b'o'],
            &[6, 9, 1, 1, 4, 1, 1, 10, 40, 0xff, 0b111],
            &[0],
        ];
        assert_eq!(bytes.len(), expected.concat().len());
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn jump_table_entries_take_the_bytes_that_the_largest_needs() {
        for (target, size) in [(0, 1), (255, 1), (256, 2), (65_536, 3), (0x0100_0000, 4)] {
            let mut builder = BlobBuilder::new(Isa::ReviveV1);
            let bytes = builder.raw_code(vec![0], vec![1]).jump_table_entry(target).build().unwrap();
            let table = Blob::parse(&bytes).unwrap().jump_table();
            assert_eq!((table.raw().1, table.get(0)), (size, Some(target)));
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        builder.instructions(vec![Instruction::ri(Opcode::LoadImm, Reg::A0, 1)]);
        let error = builder.clone().export(b"far", 1).build().unwrap_err();
        assert_eq!(error, BuildError::NoSuchInstruction { index: 1, count: 1 });
        let error = builder.clone().jump_table_entry(7).build().unwrap_err();
        assert_eq!(error, BuildError::NoSuchInstruction { index: 7, count: 1 });
        let error = builder.clone().rw_data(1, &[1, 2]).build().unwrap_err();
        assert_eq!(error, BuildError::DataTooLong { actual: 2, limit: 1 });
        let error = builder.clone().optional_section(5, &[1]).build().unwrap_err();
        assert_eq!(error, BuildError::NotOptional { id: 5 });
        for bitmask in [vec![], vec![1, 0], vec![2]] {
            assert_eq!(builder.clone().raw_code(vec![0], bitmask).build().unwrap_err(), BuildError::BadBitmask);
        }
        for _ in 0..1025 {
            builder.import(b"x");
        }
        assert_eq!(builder.build().unwrap_err(), BuildError::TooManyImports { actual: 1025 });
    }
}
