//! Debug information: maps code offsets to source lines.
//!
//! For tools; nothing that runs a program uses it. The sections are untrusted and are checked as they are read: a lookup
//! takes time linear in their length, whatever they contain, and returns frames or an error with its offset. Sections 128
//! to 130 of `docs/spec/blobs.md#sections`.

use super::{Blob, varint};
use core::{fmt, ops::Range};

/// Maximum depth of inlining that can be described, in functions.
pub const MAX_FRAMES: usize = 16;

/// Maximum number of operations that may describe one region.
const OPERATIONS_PER_REGION: u32 = 512;

/// Size in bytes of a record that maps a range of code to its line program.
const RECORD: usize = 12;

/// Error of the debug information reader. Offsets count from the start of the section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DebugError {
    /// Unknown version of the line programs; only version 1 is supported.
    UnsupportedVersion {
        /// The version found.
        version: u8,
    },
    /// The section of ranges is not a whole number of records long.
    RangesLength {
        /// Its length in bytes.
        actual: usize,
    },
    /// A line program ends too early.
    UnexpectedEnd {
        /// Offset at which reading failed.
        offset: usize,
    },
    /// A variable-length number is not in its shortest form.
    BadVarint {
        /// Offset of its first byte.
        offset: usize,
    },
    /// Unknown operation.
    UnknownOperation {
        /// Offset of the fault.
        offset: usize,
        /// Its number.
        operation: u8,
    },
    /// A region of code is described by more than 512 operations.
    TooManyOperations {
        /// Offset of the first operation over the limit.
        offset: usize,
    },
    /// Missing string, or invalid UTF-8.
    BadString {
        /// Offset at which the string should be.
        offset: u32,
    },
}

impl fmt::Display for DebugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DebugError::UnsupportedVersion { version } => {
                write!(f, "debug line programs of version {version}, only 1 is known")
            }
            DebugError::RangesLength { actual } => {
                write!(f, "debug ranges of {actual} bytes, which is no multiple of {RECORD}")
            }
            DebugError::UnexpectedEnd { offset } => write!(f, "unexpected end at offset {offset} of the line programs"),
            DebugError::BadVarint { offset } => write!(f, "malformed number at offset {offset} of the line programs"),
            DebugError::UnknownOperation { offset, operation } => {
                write!(f, "unknown operation {operation} at offset {offset} of the line programs")
            }
            DebugError::TooManyOperations { offset } => {
                write!(
                    f,
                    "over {OPERATIONS_PER_REGION} operations for one region at offset {offset} of the line programs"
                )
            }
            DebugError::BadString { offset } => write!(f, "no string at offset {offset} of the debug strings"),
        }
    }
}

impl core::error::Error for DebugError {}

/// Role of a frame in the list of frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FrameKind {
    /// A function is entered here.
    Enter,
    /// A function is called here, inlined or not.
    Call,
    /// Code of this line.
    #[default]
    Line,
}

/// Function in a stack of inlined ones, by offsets of strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct RawFrame {
    kind: FrameKind,
    namespace: u32,
    function: u32,
    path: u32,
    line: u32,
    column: u32,
}

/// Source location of a code offset: its functions and source lines.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    strings: &'a [u8],
    start: u32,
    end: u32,
    frames: [RawFrame; MAX_FRAMES],
    count: usize,
}

impl<'a> Source<'a> {
    /// The range of code offsets that share this location.
    pub fn range(&self) -> Range<u32> {
        self.start..self.end
    }

    /// The functions that the code belongs to, outermost first; more than one where calls were inlined.
    pub fn frames(&self) -> impl DoubleEndedIterator<Item = Frame<'a>> + '_ {
        self.frames.iter().take(self.count).map(|raw| Frame { strings: self.strings, raw: *raw })
    }
}

/// A function and a source position in it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    strings: &'a [u8],
    raw: RawFrame,
}

impl<'a> Frame<'a> {
    /// Role of this frame.
    pub fn kind(&self) -> FrameKind {
        self.raw.kind
    }

    /// Namespace of the function's name, such as `core::fmt`.
    ///
    /// # Errors
    /// If there is no such string. The other getters that return names fail in the same way.
    pub fn namespace(&self) -> Result<Option<&'a str>, DebugError> {
        string(self.strings, self.raw.namespace)
    }

    /// The function's name without its namespace.
    pub fn function(&self) -> Result<Option<&'a str>, DebugError> {
        string(self.strings, self.raw.function)
    }

    /// The source file.
    pub fn path(&self) -> Result<Option<&'a str>, DebugError> {
        string(self.strings, self.raw.path)
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<u32> {
        (self.raw.line != 0).then_some(self.raw.line)
    }

    /// The column, from 1.
    pub fn column(&self) -> Option<u32> {
        (self.raw.column != 0).then_some(self.raw.column)
    }
}

fn string(strings: &[u8], offset: u32) -> Result<Option<&str>, DebugError> {
    let read = || {
        let rest = strings.get(offset as usize..)?;
        let (length, size) = varint::read(rest).ok()?;
        let bytes = rest.get(size..)?.get(..length as usize)?;
        core::str::from_utf8(bytes).ok()
    };
    let text = read().ok_or(DebugError::BadString { offset })?;
    Ok((!text.is_empty()).then_some(text))
}

impl<'a> Blob<'a> {
    /// Returns the source location of the code at `offset`; `None` if the debug information has none.
    ///
    /// # Errors
    /// If the debug information that the lookup reads is malformed.
    pub fn source_at(&self, offset: u32) -> Result<Option<Source<'a>>, DebugError> {
        let (programs, ranges) = (self.debug_line_programs(), self.debug_line_program_ranges());
        let Some(version) = programs.first().filter(|_| !ranges.is_empty()) else { return Ok(None) };
        if *version != 1 {
            return Err(DebugError::UnsupportedVersion { version: *version });
        }
        let (records, []) = ranges.as_chunks::<RECORD>() else {
            return Err(DebugError::RangesLength { actual: ranges.len() });
        };
        let field = |record: &[u8; RECORD], index: usize| {
            let bytes = record.as_chunks::<4>().0.get(index).copied().unwrap_or_default();
            u32::from_le_bytes(bytes)
        };
        let found = records.binary_search_by(|record| match (field(record, 0), field(record, 1)) {
            (begin, _) if offset < begin => core::cmp::Ordering::Greater,
            (_, end) if offset >= end => core::cmp::Ordering::Less,
            _ => core::cmp::Ordering::Equal,
        });
        let Some(record) = found.ok().and_then(|index| records.get(index)) else { return Ok(None) };
        let mut program = LineProgram {
            bytes: programs,
            position: field(record, 2) as usize,
            pc: field(record, 0),
            frames: [RawFrame::default(); MAX_FRAMES],
            depth: 0,
            mutated: 0,
        };
        while let Some((range, depth)) = program.next_region()? {
            if range.contains(&offset) {
                let count = (depth as usize).min(MAX_FRAMES);
                let (start, end) = (range.start, range.end);
                return Ok(Some(Source { strings: self.debug_strings(), start, end, frames: program.frames, count }));
            }
        }
        Ok(None)
    }
}

/// State of the line program machine.
struct LineProgram<'a> {
    bytes: &'a [u8],
    position: usize,
    pc: u32,
    frames: [RawFrame; MAX_FRAMES],
    depth: u32,
    mutated: u32,
}

impl LineProgram<'_> {
    fn varint(&mut self) -> Result<u32, DebugError> {
        let offset = self.position;
        match varint::read(self.bytes.get(offset..).unwrap_or_default()) {
            Ok((value, size)) => {
                self.position += size;
                Ok(value)
            }
            Err(varint::VarintError::Truncated) => Err(DebugError::UnexpectedEnd { offset }),
            Err(varint::VarintError::Malformed) => Err(DebugError::BadVarint { offset }),
        }
    }

    /// Applies `change` to the current frame, if there is one.
    fn set(&mut self, change: impl FnOnce(&mut RawFrame)) {
        if let Some(frame) = self.frames.get_mut(self.mutated as usize) {
            change(frame);
        }
    }

    /// Returns the next region of code and the number of frames that describe it; `None` at the end.
    fn next_region(&mut self) -> Result<Option<(Range<u32>, u32)>, DebugError> {
        for _ in 0..OPERATIONS_PER_REGION {
            let offset = self.position;
            let operation = *self.bytes.get(offset).ok_or(DebugError::UnexpectedEnd { offset })?;
            self.position += 1;
            let depth = self.depth;
            // Operations from 14 on end a region of one byte or of a given length, and then may change the depth.
            match operation {
                0 => return Ok(None),
                1 => self.mutated = self.varint()?,
                2 => self.set(|frame| frame.kind = FrameKind::Enter),
                3 => self.set(|frame| frame.kind = FrameKind::Call),
                4 => self.set(|frame| frame.kind = FrameKind::Line),
                10 => self.depth = self.varint()?,
                11 => self.set(|frame| frame.line = frame.line.wrapping_add(1)),
                5..=9 | 12 | 13 => {
                    let value = self.varint()?;
                    self.set(|frame| match operation {
                        5 => frame.namespace = value,
                        6 => frame.function = value,
                        7 => frame.path = value,
                        8 => frame.line = value,
                        9 => frame.column = value,
                        12 => frame.line = frame.line.wrapping_add(value),
                        _ => frame.line = frame.line.wrapping_sub(value),
                    });
                }
                14..=19 => {
                    let length = if operation % 2 == 0 { 1 } else { self.varint()? };
                    match operation {
                        16 | 17 => self.depth = depth.saturating_add(1),
                        18 | 19 => self.depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    let start = self.pc;
                    self.pc = start.saturating_add(length);
                    return Ok(Some((start..self.pc, depth)));
                }
                _ => return Err(DebugError::UnknownOperation { offset, operation }),
            }
        }
        Err(DebugError::TooManyOperations { offset: self.position })
    }
}
