//! The zero-copy blob reader.
//!
//! Called with untrusted bytes by everything that loads programs. Promises: no panic, no allocation, time linear in the
//! number of sections. Checks follow the order of `docs/spec/blobs.md#sections`; what that page leaves to run time
//! (ranges of imports, exports, jump targets) is not checked here, but read lazily and safely.

use super::{BlobError, MAGIC, Section, varint};
use crate::isa::{CodeView, Isa};
use crate::limits;

/// The sizes of a program's memory regions in bytes, not rounded (`docs/spec/blobs.md#sections`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryConfig {
    /// Read-only data.
    pub ro_data_size: u32,
    /// Read-write data, followed by the heap.
    pub rw_data_size: u32,
    /// Stack.
    pub stack_size: u32,
}

/// A parsed blob; borrows the bytes it was parsed from.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    isa: Isa,
    length: usize,
    memory_config: MemoryConfig,
    ro_data: &'a [u8],
    rw_data: &'a [u8],
    imports: Imports<'a>,
    exports: &'a [u8],
    jump_table: JumpTable<'a>,
    code: &'a [u8],
    bitmask: &'a [u8],
    debug_strings: &'a [u8],
    debug_line_programs: &'a [u8],
    debug_line_program_ranges: &'a [u8],
    metadata_hash: &'a [u8],
}

/// Reads forward through `bytes`, which begin at offset `base` of the blob.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    base: usize,
    section: Section,
}

impl<'a> Cursor<'a> {
    fn offset(&self) -> usize {
        self.base + self.position
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BlobError> {
        match self.rest().get(..count) {
            Some(bytes) => {
                self.position += count;
                Ok(bytes)
            }
            None => Err(BlobError::UnexpectedEnd { offset: self.offset(), section: self.section }),
        }
    }

    fn byte(&mut self) -> Result<u8, BlobError> {
        self.take(1).map(|bytes| bytes.first().copied().unwrap_or_default())
    }

    fn varint(&mut self) -> Result<u32, BlobError> {
        let (offset, section) = (self.offset(), self.section);
        match varint::read(self.rest()) {
            Ok((value, length)) => {
                self.position += length;
                Ok(value)
            }
            Err(varint::VarintError::Truncated) => Err(BlobError::UnexpectedEnd { offset, section }),
            Err(varint::VarintError::Malformed) => Err(BlobError::BadVarint { offset, section }),
        }
    }

    /// If the current section is `wanted`, returns its content and reads the id of the next one.
    fn section(&mut self, id: &mut u8, wanted: u8, section: Section) -> Result<Option<Cursor<'a>>, BlobError> {
        if *id != wanted {
            return Ok(None);
        }
        self.section = section;
        let length = self.varint()?;
        let base = self.offset();
        let bytes = self.take(length as usize)?;
        *id = self.byte()?;
        Ok(Some(Cursor { bytes, position: 0, base, section }))
    }

    /// As [`Self::section`], for content that is not parsed here; empty if the section is absent.
    fn raw_section(&mut self, id: &mut u8, wanted: u8, section: Section) -> Result<&'a [u8], BlobError> {
        Ok(self.section(id, wanted, section)?.map_or(&[], |content| content.bytes))
    }

    fn finish(&self) -> Result<(), BlobError> {
        match self.rest().is_empty() {
            true => Ok(()),
            false => Err(BlobError::TrailingBytes { offset: self.offset(), section: self.section }),
        }
    }
}

impl<'a> Blob<'a> {
    /// Parses a blob. `bytes` must be exactly one blob.
    ///
    /// # Errors
    /// The first violation of `docs/spec/blobs.md#envelope` and the sections after it, with its offset. Blobs of an
    /// instruction set that this crate does not run are refused with its number and name.
    pub fn parse(bytes: &'a [u8]) -> Result<Blob<'a>, BlobError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(BlobError::BadMagic);
        }
        let mut cursor = Cursor { bytes, position: MAGIC.len(), base: 0, section: Section::Header };
        let version = cursor.byte()?;
        let isa = Isa::from_version(version).ok_or(match version {
            2 => BlobError::UnsupportedIsa { version, name: "Latest64" },
            _ => BlobError::UnsupportedVersion { version },
        })?;
        let mut declared = [0; 8];
        declared.copy_from_slice(cursor.take(8)?);
        let declared = u64::from_le_bytes(declared);
        if declared != bytes.len() as u64 {
            return Err(BlobError::LengthMismatch { declared, actual: bytes.len() as u64 });
        }

        let id = &mut cursor.byte()?;
        let mut memory_config = MemoryConfig::default();
        if let Some(mut content) = cursor.section(id, 1, Section::MemoryConfig)? {
            memory_config.ro_data_size = content.varint()?;
            memory_config.rw_data_size = content.varint()?;
            memory_config.stack_size = content.varint()?;
            content.finish()?;
        }
        let ro_data = cursor.raw_section(id, 2, Section::RoData)?;
        let rw_data = cursor.raw_section(id, 3, Section::RwData)?;
        let imports = match cursor.section(id, 4, Section::Imports)? {
            Some(content) => parse_imports(content)?,
            None => Imports { offsets: &[], symbols: &[], next: 0 },
        };
        let exports = cursor.raw_section(id, 5, Section::Exports)?;
        let code = cursor.section(id, 6, Section::Code)?;
        let debug_strings = cursor.raw_section(id, 128, Section::Optional)?;
        let debug_line_programs = cursor.raw_section(id, 129, Section::Optional)?;
        let debug_line_program_ranges = cursor.raw_section(id, 130, Section::Optional)?;
        let metadata_hash = cursor.raw_section(id, 131, Section::Optional)?;
        while *id >= 128 {
            let skipped = *id;
            cursor.raw_section(id, skipped, Section::Optional)?;
        }
        if *id != 0 {
            return Err(BlobError::UnexpectedSection { offset: cursor.offset() - 1, id: *id });
        }

        check_data(Section::RoData, ro_data, memory_config.ro_data_size)?;
        check_data(Section::RwData, rw_data, memory_config.rw_data_size)?;
        let code = code.filter(|content| !content.bytes.is_empty()).ok_or(BlobError::NoCode)?;
        let (jump_table, code, bitmask) = parse_code(code)?;
        Ok(Blob {
            isa,
            length: bytes.len(),
            memory_config,
            ro_data,
            rw_data,
            imports,
            exports,
            jump_table,
            code,
            bitmask,
            debug_strings,
            debug_line_programs,
            debug_line_program_ranges,
            metadata_hash,
        })
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Length of the whole blob in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The declared sizes of the memory regions.
    pub fn memory_config(&self) -> MemoryConfig {
        self.memory_config
    }

    /// Initial read-only data; at most as long as declared, the rest is zero.
    pub fn ro_data(&self) -> &'a [u8] {
        self.ro_data
    }

    /// Initial read-write data; at most as long as declared, the rest is zero.
    pub fn rw_data(&self) -> &'a [u8] {
        self.rw_data
    }

    /// Names of the imported host functions, in the order of their numbers. `None` for an entry whose range is not inside
    /// the section.
    pub fn imports(&self) -> Imports<'a> {
        self.imports
    }

    /// The entry points. Ends at the first malformed entry. Their code offsets are not checked.
    pub fn exports(&self) -> Exports<'a> {
        Exports::new(self.exports)
    }

    pub(crate) fn exports_section(&self) -> &'a [u8] {
        self.exports
    }

    /// The targets of dynamic jumps.
    pub fn jump_table(&self) -> JumpTable<'a> {
        self.jump_table
    }

    /// The code bytes.
    pub fn code(&self) -> &'a [u8] {
        self.code
    }

    /// Bitmask of instruction starts: one bit per code byte.
    pub fn bitmask(&self) -> &'a [u8] {
        self.bitmask
    }

    /// The code as instructions.
    pub fn code_view(&self) -> CodeView<'a> {
        CodeView::new(self.isa, self.code, self.bitmask)
    }

    /// The pool of debug strings, empty if there is none.
    pub fn debug_strings(&self) -> &'a [u8] {
        self.debug_strings
    }

    /// The debug line programs, empty if there are none.
    pub fn debug_line_programs(&self) -> &'a [u8] {
        self.debug_line_programs
    }

    /// Debug section: ranges of code and their line programs; empty if there is no debug information.
    pub fn debug_line_program_ranges(&self) -> &'a [u8] {
        self.debug_line_program_ranges
    }

    /// Opaque metadata hash, empty if there is none.
    pub fn metadata_hash(&self) -> &'a [u8] {
        self.metadata_hash
    }
}

fn check_data(section: Section, data: &[u8], limit: u32) -> Result<(), BlobError> {
    match u32::try_from(data.len()).unwrap_or(u32::MAX) {
        actual if actual > limit => Err(BlobError::DataTooLong { section, actual, limit }),
        _ => Ok(()),
    }
}

fn parse_imports(mut content: Cursor<'_>) -> Result<Imports<'_>, BlobError> {
    let count = content.varint()?;
    if count > limits::IMPORTS {
        return Err(BlobError::TooManyImports { actual: count });
    }
    let offsets = content.take(count as usize * 4)?;
    Ok(Imports { offsets, symbols: content.rest(), next: 0 })
}

fn parse_code(mut content: Cursor<'_>) -> Result<(JumpTable<'_>, &[u8], &[u8]), BlobError> {
    let entries = content.varint()?;
    if entries > limits::FORMAT_JUMP_TABLE_ENTRIES {
        return Err(BlobError::JumpTableTooLong { actual: entries });
    }
    let entry_size = content.byte()?;
    let length = content.varint()?;
    if entry_size > 4 {
        return Err(BlobError::BadJumpTableEntrySize { actual: entry_size });
    }
    // At most 2^24 entries of 4 bytes: no overflow.
    let table = content.take(entries as usize * entry_size as usize)?;
    if length > limits::FORMAT_CODE_BYTES {
        return Err(BlobError::CodeTooLong { actual: length });
    }
    let code = content.take(length as usize)?;
    let mask_offset = content.offset();
    let bitmask = content.rest();
    if bitmask.len() != code.len().div_ceil(8) {
        return Err(BlobError::BitmaskLength {
            actual: u32::try_from(bitmask.len()).unwrap_or(u32::MAX),
            expected: length.div_ceil(8),
        });
    }
    if let (Some(last), bits @ 1..) = (bitmask.last(), length % 8)
        && last >> bits != 0
    {
        return Err(BlobError::BitmaskPadding { offset: mask_offset + bitmask.len() - 1 });
    }
    Ok((JumpTable { bytes: table, entry_size }, code, bitmask))
}

/// The jump table: targets of dynamic jumps (`docs/spec/execution.md#dynamic-jumps`).
#[derive(Clone, Copy, Debug, Default)]
pub struct JumpTable<'a> {
    bytes: &'a [u8],
    entry_size: u8,
}

impl<'a> JumpTable<'a> {
    /// A table over raw bytes. An entry size over 4 acts as 0, an empty table.
    pub(crate) fn new(bytes: &'a [u8], entry_size: u8) -> Self {
        JumpTable { bytes, entry_size: if entry_size > 4 { 0 } else { entry_size } }
    }

    /// Number of entries that can be read; 0 if their size is zero.
    pub fn len(&self) -> u32 {
        let count = self.bytes.len().checked_div(usize::from(self.entry_size)).unwrap_or(0);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// True if no entry can be read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns entry `index`: a code offset, which may be any number.
    #[inline]
    pub fn get(&self, index: u32) -> Option<u32> {
        let size = usize::from(self.entry_size);
        let rest = self.bytes.get((index as usize).checked_mul(size)?..)?;
        match rest.first_chunk() {
            // A table whose entries have zero bytes reads as empty.
            Some(bytes) if size > 0 => Some(u32::from_le_bytes(*bytes) & (u32::MAX >> (32 - 8 * size as u32))),
            _ => Self::get_at_end(rest, size),
        }
    }

    #[cold]
    fn get_at_end(rest: &[u8], size: usize) -> Option<u32> {
        let entry = rest.get(..size).filter(|entry| !entry.is_empty())?;
        Some(entry.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + 'a {
        let table = *self;
        (0..table.len()).map_while(move |index| table.get(index))
    }

    pub(crate) fn raw(&self) -> (&'a [u8], u8) {
        (self.bytes, self.entry_size)
    }
}

/// The names of imports: an iterator with access by number.
#[derive(Clone, Copy, Debug)]
pub struct Imports<'a> {
    offsets: &'a [u8],
    symbols: &'a [u8],
    next: u32,
}

impl<'a> Imports<'a> {
    /// Rebuilds the names from the result of [`Self::raw`].
    pub(crate) fn from_raw(offsets: &'a [u8], symbols: &'a [u8]) -> Self {
        Imports { offsets, symbols, next: 0 }
    }

    pub(crate) fn raw(&self) -> (&'a [u8], &'a [u8]) {
        (self.offsets, self.symbols)
    }

    /// Number of entries.
    pub fn count_all(&self) -> u32 {
        u32::try_from(self.offsets.len() / 4).unwrap_or(u32::MAX)
    }

    fn offset(&self, index: usize) -> Option<usize> {
        let bytes = self.offsets.get(index.checked_mul(4)?..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    }

    /// Returns the name of import `index`; `None` if there is no such import or its range is invalid.
    pub fn get(&self, index: u32) -> Option<&'a [u8]> {
        let start = self.offset(index as usize)?;
        let end = self.offset((index as usize).checked_add(1)?).unwrap_or(self.symbols.len());
        self.symbols.get(start..end)
    }
}

impl<'a> Iterator for Imports<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count_all() {
            return None;
        }
        let name = self.get(self.next);
        self.next += 1;
        Some(name)
    }
}

/// An entry point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Export<'a> {
    /// Code offset of its first instruction. May be any number; a run that starts at a bad one traps.
    pub code_offset: u32,
    /// Its name.
    pub symbol: &'a [u8],
}

/// Iterates over the entry points.
#[derive(Clone, Debug)]
pub struct Exports<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Exports<'a> {
    pub(crate) fn new(section: &'a [u8]) -> Self {
        match varint::read(section) {
            Ok((left, length)) => Exports { rest: section.get(length..).unwrap_or_default(), left },
            Err(_) => Exports { rest: &[], left: 0 },
        }
    }

    fn varint(&mut self) -> Option<u32> {
        let (value, length) = varint::read(self.rest).ok()?;
        self.rest = self.rest.get(length..)?;
        Some(value)
    }
}

impl<'a> Iterator for Exports<'a> {
    type Item = Export<'a>;

    fn next(&mut self) -> Option<Export<'a>> {
        self.left = self.left.checked_sub(1)?;
        let export = (|| {
            let code_offset = self.varint()?;
            let length = self.varint()? as usize;
            let symbol = self.rest.get(..length)?;
            self.rest = self.rest.get(length..)?;
            Some(Export { code_offset, symbol })
        })();
        if export.is_none() {
            self.left = 0;
        }
        export
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobBuilder;
    use crate::isa::{Instruction, Opcode};
    use alloc::{vec, vec::Vec};

    /// Builds a blob from sections, each an id and its content.
    fn blob(sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &[0; 9]].concat();
        for (id, content) in sections {
            bytes.push(*id);
            varint::write(&mut bytes, content.len() as u32);
            bytes.extend(*content);
        }
        bytes.push(0);
        let length = bytes.len() as u64;
        bytes[5..13].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// A code section that contains one trap.
    const CODE: (u8, &[u8]) = (6, &[0, 0, 1, 0, 1]);

    fn error(sections: &[(u8, &[u8])]) -> BlobError {
        Blob::parse(&blob(sections)).unwrap_err()
    }

    #[test]
    fn everything_that_is_written_is_read_back() {
        let bytes = BlobBuilder::new(Isa::JamV1)
            .ro_data(10, &[1, 2])
            .rw_data(300, &[3])
            .stack_size(70_000)
            .import(b"one")
            .import(b"")
            .import(b"three")
            .export(b"main", 1)
            .jump_table_entry(1)
            .jump_table_entry(0)
            .optional_section(131, b"hash")
            .optional_section(200, b"unknown")
            .instructions(vec![Instruction::none(Opcode::Fallthrough), Instruction::none(Opcode::Trap)])
            .build()
            .unwrap();
        let blob = Blob::parse(&bytes).unwrap();
        assert_eq!((blob.isa(), blob.length()), (Isa::JamV1, bytes.len()));
        let sizes = MemoryConfig { ro_data_size: 10, rw_data_size: 300, stack_size: 70_000 };
        assert_eq!(blob.memory_config(), sizes);
        assert_eq!((blob.ro_data(), blob.rw_data()), (&[1u8, 2][..], &[3u8][..]));
        assert_eq!(blob.imports().collect::<Vec<_>>(), [Some(&b"one"[..]), Some(b""), Some(b"three")]);
        assert_eq!(blob.exports().collect::<Vec<_>>(), [Export { code_offset: 1, symbol: b"main" }]);
        assert_eq!(blob.jump_table().iter().collect::<Vec<_>>(), [1, 0]);
        assert_eq!((blob.code(), blob.bitmask()), (&[1u8, 0][..], &[3u8][..]));
        assert_eq!(blob.metadata_hash(), b"hash");
    }

    #[test]
    fn sections_have_one_order_and_only_optional_ones_may_be_unknown() {
        assert!(Blob::parse(&blob(&[CODE])).is_ok());
        assert!(Blob::parse(&blob(&[CODE, (128, b"a"), (131, b"b"), (200, b"c"), (129, b"d")])).is_ok());
        assert!(matches!(error(&[CODE, CODE]), BlobError::UnexpectedSection { id: 6, .. }));
        assert!(matches!(error(&[CODE, (5, &[0])]), BlobError::UnexpectedSection { id: 5, .. }));
        assert!(matches!(error(&[(7, &[]), CODE]), BlobError::UnexpectedSection { id: 7, .. }));
        assert!(matches!(error(&[(200, b"early"), CODE]), BlobError::UnexpectedSection { id: 6, .. }));
        assert_eq!(error(&[(2, &[]), (3, &[])]), BlobError::NoCode);
        assert_eq!(error(&[(6, &[])]), BlobError::NoCode);
    }

    #[test]
    fn section_contents_are_checked_against_their_lengths_and_limits() {
        assert!(matches!(
            error(&[(1, &[1, 2]), CODE]),
            BlobError::UnexpectedEnd { section: Section::MemoryConfig, .. }
        ));
        assert!(matches!(error(&[(1, &[1, 2, 3, 4]), CODE]), BlobError::TrailingBytes { offset: 18, .. }));
        let too_long = BlobError::DataTooLong { section: Section::RwData, actual: 2, limit: 1 };
        assert_eq!(error(&[(1, &[0, 1, 0]), (3, &[5, 5]), CODE]), too_long);
        assert!(matches!(error(&[(4, &[]), CODE]), BlobError::UnexpectedEnd { .. }));
        assert!(matches!(error(&[(4, &[2, 0, 0, 0, 0, 1, 0, 0]), CODE]), BlobError::UnexpectedEnd { .. }));
        assert_eq!(error(&[(4, &[0x84, 0x01]), CODE]), BlobError::TooManyImports { actual: 1025 });
        let mut most = vec![0x84, 0x00];
        most.extend([0; 4096]);
        assert_eq!(Blob::parse(&blob(&[(4, &most), CODE])).unwrap().imports().count(), 1024);
    }

    #[test]
    fn code_sections_are_checked_in_order() {
        for (content, expected) in [
            (&[0xe1, 1, 0, 0][..], BlobError::JumpTableTooLong { actual: 0x0100_0001 }),
            (&[0xe1, 0, 0, 0, 5, 0], BlobError::BadJumpTableEntrySize { actual: 5 }),
            (&[1, 5, 0], BlobError::BadJumpTableEntrySize { actual: 5 }),
            (&[0, 0, 0xe2, 1, 0, 0], BlobError::CodeTooLong { actual: 0x0200_0001 }),
            (&[0, 0, 1, 0], BlobError::BitmaskLength { actual: 0, expected: 1 }),
            (&[0, 0, 1, 0, 1, 1], BlobError::BitmaskLength { actual: 2, expected: 1 }),
            (&[0, 0, 1, 0, 2], BlobError::BitmaskPadding { offset: 19 }),
            (&[0, 0, 0, 0], BlobError::BitmaskLength { actual: 1, expected: 0 }),
        ] {
            assert_eq!(error(&[(6, content)]), expected, "{content:x?}");
        }
        assert!(Blob::parse(&blob(&[(6, &[0, 0, 0])])).unwrap().code().is_empty());
        assert!(Blob::parse(&blob(&[(6, &[0xe1, 0, 0, 0, 0, 0])])).unwrap().jump_table().is_empty());
    }

    #[test]
    fn jump_table_entries_of_every_size_are_little_endian() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        for (size, count, second) in [(1, 12, 2), (2, 6, 0x0403), (3, 4, 0x06_0504), (4, 3, 0x0807_0605)] {
            let table = JumpTable::new(&bytes, size);
            assert_eq!((table.len(), table.get(1)), (count, Some(second)), "{size}");
            assert_eq!((table.get(count), table.get(u32::MAX)), (None, None));
        }
        assert!(JumpTable::new(&bytes, 0).is_empty());
        assert_eq!(JumpTable::new(&bytes, 0).get(0), None);
    }

    #[test]
    fn imports_with_ranges_outside_of_the_section_read_as_none() {
        let mut content = vec![4];
        for offset in [0u32, 2, 1, 900] {
            content.extend(offset.to_le_bytes());
        }
        content.extend(b"abc");
        let bytes = blob(&[(4, &content), CODE]);
        let imports = Blob::parse(&bytes).unwrap().imports();
        assert_eq!(imports.collect::<Vec<_>>(), [Some(&b"ab"[..]), None, None, None]);
        assert_eq!(imports.get(4), None);
    }

    #[test]
    fn exports_end_at_the_first_malformed_one() {
        let bytes = blob(&[(5, &[3, 0, 1, b'a', 9, 200, b'b']), CODE]);
        let exports: Vec<_> = Blob::parse(&bytes).unwrap().exports().collect();
        assert_eq!(exports, [Export { code_offset: 0, symbol: b"a" }]);
        assert_eq!(Exports::new(&[0xf0, 0xff, 0xff, 0xff, 0xff]).count(), 0);
    }
}
