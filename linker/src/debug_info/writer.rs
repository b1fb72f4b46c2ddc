//! Writer of line programs, which `vm_core::blob` reads.
//!
//! Code is described in groups of instructions with the same outermost function; a group has a record with its range
//! and a line program, which encodes the changes from region to region (docs/spec/blobs.md#sections).

use std::collections::HashMap;
use std::ops::Range;
use vm_core::blob::varint;

/// The operations of line programs.
mod operation {
    pub const FINISH: u8 = 0;
    pub const SET_DEPTH_TO_CHANGE: u8 = 1;
    pub const KIND_CALL: u8 = 3;
    pub const KIND_LINE: u8 = 4;
    pub const NAMESPACE: u8 = 5;
    pub const FUNCTION: u8 = 6;
    pub const PATH: u8 = 7;
    pub const LINE: u8 = 8;
    pub const COLUMN: u8 = 9;
    pub const STACK_DEPTH: u8 = 10;
    pub const NEXT_LINE: u8 = 11;
    pub const REGION: u8 = 15;
}

/// The version of line programs.
const VERSION: u8 = 1;

/// A function and a source position in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    namespace: String,
    function: String,
    path: String,
    line: u32,
    column: u32,
}

impl Frame {
    /// Makes a frame; `symbol` is a name as in the object file, which may be mangled.
    pub fn new(symbol: &str, path: Option<&str>, line: u32, column: u32) -> Frame {
        let name = match rustc_demangle::try_demangle(symbol) {
            Ok(name) => format!("{name:#}"),
            Err(_) => symbol.to_owned(),
        };
        let (namespace, function) = split(&name);
        Frame {
            namespace: namespace.to_owned(),
            function: function.to_owned(),
            path: shorten(path.unwrap_or("")),
            line,
            column,
        }
    }
}

/// Splits a path at its last `::` outside of brackets.
fn split(name: &str) -> (&str, &str) {
    let mut depth = 0i32;
    let mut at = None;
    let bytes = name.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            // The `>` of an arrow is not a bracket.
            b'>' if index > 0 && bytes[index - 1] == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth -= 1,
            b':' if depth == 0 && bytes.get(index + 1) == Some(&b':') => at = Some(index),
            _ => {}
        }
    }
    at.map_or(("", name), |at| (&name[..at], &name[at + 2..]))
}

/// Shortens a path in a home folder, so that the blob does not contain the user's name.
fn shorten(path: &str) -> String {
    match path.strip_prefix("/home/").and_then(|rest| rest.find('/').map(|at| &rest[at..])) {
        Some(rest) => format!("~{rest}"),
        None => path.to_owned(),
    }
}

/// The numbers of a frame in a line program.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Numbers {
    kind: u8,
    namespace: u32,
    function: u32,
    path: u32,
    line: u32,
    column: u32,
}

/// Builder of the sections.
pub struct Writer {
    strings: Vec<u8>,
    known: HashMap<String, u32>,
    programs: Vec<u8>,
    ranges: Vec<u8>,
    group: Option<Group>,
}

/// The group that is being written.
struct Group {
    begin: u32,
    end: u32,
    program: u32,
    /// The state of the reader's line program machine.
    frames: [Numbers; super::FRAMES],
    depth: u32,
    changing: u32,
    /// The region that is not written yet.
    region: (Vec<Numbers>, u32),
}

impl Default for Writer {
    fn default() -> Self {
        Writer {
            // Offset 0 means no string, and reads as an empty one.
            strings: vec![0],
            known: HashMap::new(),
            programs: vec![VERSION],
            ranges: Vec::new(),
            group: None,
        }
    }
}

impl Writer {
    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(offset) = self.known.get(text) {
            return *offset;
        }
        let offset = self.strings.len() as u32;
        varint::write(&mut self.strings, text.len() as u32);
        self.strings.extend(text.as_bytes());
        self.known.insert(text.to_owned(), offset);
        offset
    }

    /// Describes the code of a range, which must begin where the last one ended.
    pub fn add(&mut self, range: Range<u32>, frames: &[Frame]) {
        let last = frames.len().saturating_sub(1);
        let mut numbers = Vec::with_capacity(frames.len());
        for (index, frame) in frames.iter().enumerate() {
            numbers.push(Numbers {
                kind: if index == last { operation::KIND_LINE } else { operation::KIND_CALL },
                namespace: self.string(&frame.namespace),
                function: self.string(&frame.function),
                path: self.string(&frame.path),
                line: frame.line,
                column: frame.column,
            });
        }
        let outer = |frames: &[Numbers]| frames.first().map(|first| (first.namespace, first.function, first.path));
        let goes_on = self
            .group
            .as_ref()
            .is_some_and(|group| group.end == range.start && outer(&group.region.0) == outer(&numbers));
        if !goes_on {
            self.end_group();
            if numbers.is_empty() {
                return;
            }
            self.group = Some(Group {
                begin: range.start,
                end: range.start,
                program: self.programs.len() as u32,
                frames: [Numbers::default(); super::FRAMES],
                depth: 0,
                changing: 0,
                region: (numbers.clone(), 0),
            });
        }
        let Some(group) = &mut self.group else { return };
        if group.region.0 != numbers {
            write_region(group, &mut self.programs);
            group.region = (numbers, 0);
        }
        group.region.1 += range.end - range.start;
        group.end = range.end;
    }

    fn end_group(&mut self) {
        let Some(mut group) = self.group.take() else { return };
        write_region(&mut group, &mut self.programs);
        self.programs.push(operation::FINISH);
        for number in [group.begin, group.end, group.program] {
            self.ranges.extend(number.to_le_bytes());
        }
    }

    /// Returns the sections, by id.
    pub fn finish(mut self) -> Vec<(u8, Vec<u8>)> {
        self.end_group();
        if self.ranges.is_empty() {
            return Vec::new();
        }
        vec![(128, self.strings), (129, self.programs), (130, self.ranges)]
    }
}

/// Writes the differences from the previous region, and the region.
fn write_region(group: &mut Group, out: &mut Vec<u8>) {
    let (frames, length) = &group.region;
    if *length == 0 {
        return;
    }
    for (index, (new, old)) in frames.iter().zip(&mut group.frames).enumerate() {
        if new == old {
            continue;
        }
        let mut number = |operation: u8, value: u32| {
            out.push(operation);
            varint::write(out, value);
        };
        if group.changing != index as u32 {
            group.changing = index as u32;
            number(operation::SET_DEPTH_TO_CHANGE, group.changing);
        }
        for (operation, new, old) in [
            (operation::NAMESPACE, new.namespace, old.namespace),
            (operation::FUNCTION, new.function, old.function),
            (operation::PATH, new.path, old.path),
            (operation::COLUMN, new.column, old.column),
        ] {
            if new != old {
                number(operation, new);
            }
        }
        if new.line != old.line && new.line != old.line.wrapping_add(1) {
            number(operation::LINE, new.line);
        }
        if new.line == old.line.wrapping_add(1) {
            out.push(operation::NEXT_LINE);
        }
        if new.kind != old.kind {
            out.push(new.kind);
        }
        *old = *new;
    }
    if group.depth != frames.len() as u32 {
        group.depth = frames.len() as u32;
        out.push(operation::STACK_DEPTH);
        varint::write(out, group.depth);
    }
    out.push(operation::REGION);
    varint::write(out, *length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_the_function_begins() {
        for (name, namespace, function) in [
            ("main", "", "main"),
            ("core::fmt::write", "core::fmt", "write"),
            ("<alloc::vec::Vec<T> as core::ops::Drop>::drop", "<alloc::vec::Vec<T> as core::ops::Drop>", "drop"),
            ("a::b::{closure#0}", "a::b", "{closure#0}"),
            ("f::<fn() -> u8>::g", "f::<fn() -> u8>", "g"),
        ] {
            assert_eq!(split(name), (namespace, function), "{name}");
        }
    }

    #[test]
    fn a_home_folder_has_no_name() {
        assert_eq!(shorten("/home/alice/x/lib.rs"), "~/x/lib.rs");
        assert_eq!(shorten("/usr/src/lib.rs"), "/usr/src/lib.rs");
    }
}
