//! Debug information: converts the ELF file's DWARF, or its symbols, to the blob's optional sections.
//!
//! Each instruction of the graph keeps the position in the ELF file that it was lifted from. Here that position becomes
//! a stack of functions, the outermost first, followed by the inlined ones; `writer` writes them to sections 128 to 130
//! (docs/spec/blobs.md#sections). Unreadable debug information is left out: it never makes linking fail.

mod dwarf;
mod writer;

use crate::elf::{Image, SectionOffset};
use crate::ir::Origin;
use addr2line::{
    Context,
    gimli::{Dwarf, EndianSlice, LittleEndian},
};
use std::ops::Range;
use writer::{Frame, Writer};

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Maximum number of frames that a blob can describe.
const FRAMES: usize = vm_core::blob::MAX_FRAMES;

/// Debug information of an ELF file: its DWARF, or its symbols if there is none.
pub struct DebugInfo<'a> {
    image: &'a Image,
}

/// Looks up the functions at a position.
struct Lookup<'a> {
    image: &'a Image,
    dwarf: Option<(&'a dwarf::Dwarf<'a>, Context<Reader<'a>>)>,
}

impl<'a> DebugInfo<'a> {
    /// Reads the debug information of a file.
    pub fn new(image: &'a Image) -> Self {
        DebugInfo { image }
    }

    /// Builds the optional sections of a blob that describe its code: ids and contents.
    pub fn sections(&self, code: &[(Range<u32>, Origin)]) -> Vec<(u8, Vec<u8>)> {
        let dwarf = dwarf::Dwarf::read(self.image);
        let context = dwarf.as_ref().and_then(|dwarf| {
            let read = |id| Ok::<_, ()>(EndianSlice::new(dwarf.section(id), LittleEndian));
            Some((dwarf, Context::from_dwarf(Dwarf::load(read).ok()?).ok()?))
        });
        let lookup = Lookup { image: self.image, dwarf: context };
        let mut writer = Writer::default();
        let mut last: Option<(Origin, Vec<Frame>)> = None;
        for (range, origin) in code {
            let frames = match last.take() {
                Some((same, frames)) if same == *origin => frames,
                _ => lookup.frames(*origin),
            };
            writer.add(range.clone(), &frames);
            last = Some((*origin, frames));
        }
        writer.finish()
    }
}

impl Lookup<'_> {
    /// Returns the functions at a position, outermost first.
    fn frames(&self, origin: Origin) -> Vec<Frame> {
        let place = origin.into();
        let mut frames = self.dwarf_frames(place).unwrap_or_default();
        if frames.is_empty()
            && let Some(symbol) = self.image.symbol_at(place)
        {
            frames.push(Frame::new(&symbol.name, None, 0, 0));
        }
        frames.truncate(FRAMES);
        frames
    }

    fn dwarf_frames(&self, place: SectionOffset) -> Option<Vec<Frame>> {
        let (dwarf, context) = self.dwarf.as_ref()?;
        let address = dwarf.base(place.section)?.wrapping_add(place.offset as u64);
        // Split debug information is in other files; only the lines are available here.
        let mut found = context.find_frames(address).skip_all_loads().ok()?;
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = found.next() {
            let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            let (path, line, column) = match &frame.location {
                Some(location) => (location.file, location.line.unwrap_or(0), location.column.unwrap_or(0)),
                None => (None, 0, 0),
            };
            frames.push((name.map(|name| name.into_owned()), path, line, column));
        }
        // The symbol has the full name of the outermost function, while its DWARF entry lacks the namespace.
        if let (Some(outermost), Some(symbol)) = (frames.last_mut(), self.image.symbol_at(place)) {
            outermost.0 = Some(symbol.name.clone());
        }
        let mut frames: Vec<Frame> = frames
            .into_iter()
            .map(|(name, path, line, column)| Frame::new(name.as_deref().unwrap_or("?"), path, line, column))
            .collect();
        frames.reverse();
        Some(frames)
    }
}
