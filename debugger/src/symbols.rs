//! Functions and lines of a blob, by code offset: what its debug information says, in a form for tools.
//!
//! The debug information is untrusted. Where it is malformed there is nothing here.

use std::collections::BTreeMap;
use std::ops::Range;
use vm_core::blob::{Blob, Frame, Source};

/// The most regions that are read: debug information is for code, and code has limits.
const REGIONS: usize = 1 << 22;

/// A function, inlined or not, and a place in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// Index of the function's name.
    pub function: u32,
    /// Index of the file's name, if the place is known.
    pub file: Option<u32>,
    /// The line, from 1; 0 if it is not known.
    pub line: u32,
    /// The column, from 1; 0 if it is not known.
    pub column: u32,
}

/// A piece of code that the same holds for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Region {
    /// Its code offsets.
    pub range: Range<u32>,
    /// The functions that it belongs to, the outermost first; never empty.
    pub places: Vec<Place>,
}

/// The symbols of a blob.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Symbols {
    functions: Vec<String>,
    files: Vec<String>,
    regions: Vec<Region>,
    exports: BTreeMap<u32, String>,
}

/// Gives numbers to names.
#[derive(Default)]
struct Names(BTreeMap<String, u32>);

impl Names {
    fn number(&mut self, name: String) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(name).or_insert(next)
    }

    fn finish(self) -> Vec<String> {
        let mut list: Vec<(String, u32)> = self.0.into_iter().collect();
        list.sort_by_key(|(_, number)| *number);
        list.into_iter().map(|(name, _)| name).collect()
    }
}

impl Symbols {
    /// Reads those of a blob.
    pub fn new(blob: &Blob<'_>) -> Symbols {
        let (mut functions, mut files) = (Names::default(), Names::default());
        let mut regions: Vec<Region> = Vec::new();
        let end = blob.code().len() as u32;
        let mut offset = 0;
        while offset < end && regions.len() < REGIONS {
            let source = match blob.source_at(offset) {
                Ok(Some(source)) => source,
                Ok(None) => {
                    offset += 1;
                    continue;
                }
                // It would be malformed for every other place as well, and long to read.
                Err(_) => break,
            };
            let next = source.range().end.clamp(offset + 1, end);
            let places = places(&source, &mut functions, &mut files);
            match regions.last_mut() {
                Some(last) if last.range.end == offset && last.places == places => last.range.end = next,
                _ if places.is_empty() => {}
                _ => regions.push(Region { range: offset..next, places }),
            }
            offset = next;
        }
        let exports = blob.exports().map(|export| (export.code_offset, printable(export.symbol)));
        Symbols { functions: functions.finish(), files: files.finish(), regions, exports: exports.collect() }
    }

    /// The pieces of code that something is known of, in their order.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The name of a function.
    pub fn function(&self, index: u32) -> &str {
        self.functions.get(index as usize).map_or("?", String::as_str)
    }

    /// The name of a file.
    pub fn file(&self, index: u32) -> &str {
        self.files.get(index as usize).map_or("?", String::as_str)
    }

    /// The names of all files.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The exports, by code offset.
    pub fn exports(&self) -> &BTreeMap<u32, String> {
        &self.exports
    }

    /// The region of a code offset.
    pub fn region(&self, offset: u32) -> Option<&Region> {
        let index = self.regions.partition_point(|region| region.range.end <= offset);
        self.regions.get(index).filter(|region| region.range.contains(&offset))
    }

    /// The functions that a code offset belongs to, the outermost first: of the debug information, or the export before it.
    pub fn functions_at(&self, offset: u32) -> Vec<&str> {
        match self.region(offset) {
            Some(region) => region.places.iter().map(|place| self.function(place.function)).collect(),
            None => self.exports.range(..=offset).next_back().map(|(_, name)| name.as_str()).into_iter().collect(),
        }
    }

    /// The file and line of a code offset, of the innermost function whose place is known.
    pub fn line_at(&self, offset: u32) -> Option<(&str, u32)> {
        let place = self.region(offset)?.places.iter().rev().find(|place| place.file.is_some() && place.line > 0)?;
        Some((self.file(place.file?), place.line))
    }
}

fn places(source: &Source<'_>, functions: &mut Names, files: &mut Names) -> Vec<Place> {
    let place = |frame: Frame<'_>| {
        let name = frame.function().ok()??;
        let name = match frame.namespace().ok()? {
            Some(namespace) => format!("{namespace}::{name}"),
            None => name.to_owned(),
        };
        let file = frame.path().ok()?.map(|path| files.number(printable(path.as_bytes())));
        Some(Place {
            function: functions.number(printable(name.as_bytes())),
            file,
            line: frame.line().unwrap_or(0),
            column: frame.column().unwrap_or(0),
        })
    };
    source.frames().filter_map(place).collect()
}

/// Names of a blob as text that no terminal takes for commands, and that fits into a string that ends with a zero byte.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter.is_control() {
                true => out.extend(letter.escape_default()),
                false => out.push(letter),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}
