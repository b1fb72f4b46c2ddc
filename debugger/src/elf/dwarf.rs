//! DWARF of a blob: its functions with what was inlined into them, and its lines.

use crate::symbols::{Place, Region, Symbols};
use gimli::write::{
    Address, AttributeValue, Dwarf, EndianVec, FileId, LineProgram, LineString, Range, RangeList, Sections, Unit,
    UnitEntryId,
};
use gimli::{Encoding, Format, LineEncoding, LittleEndian};
use std::collections::{BTreeMap, HashMap};
use vm_core::blob::Blob;

/// Compiler that is said to have made the file.
const PRODUCER: &str = "pvm debug";

/// The encoding of all sections: debuggers of many years know it.
pub fn encoding(is_64_bit: bool) -> Encoding {
    Encoding { format: Format::Dwarf32, version: 4, address_size: if is_64_bit { 8 } else { 4 } }
}

/// The functions that are not inlined, by name, each with its ranges of code in order.
pub fn outermost(symbols: &Symbols) -> BTreeMap<&str, Vec<std::ops::Range<u32>>> {
    let mut functions: BTreeMap<&str, Vec<std::ops::Range<u32>>> = BTreeMap::new();
    for region in symbols.regions() {
        let Some(place) = region.places.first() else { continue };
        let ranges = functions.entry(symbols.function(place.function)).or_default();
        match ranges.last_mut() {
            Some(last) if last.end == region.range.start => last.end = region.range.end,
            _ => ranges.push(region.range.clone()),
        }
    }
    functions
}

/// Makes the sections.
pub fn sections(blob: &Blob<'_>, symbols: &Symbols) -> Result<Vec<(&'static str, Vec<u8>)>, gimli::write::Error> {
    let encoding = encoding(blob.isa().is_64_bit());
    let mut files = Files::new(encoding, symbols);
    lines(&mut files, symbols);
    let ids = files.ids;
    let mut dwarf = Dwarf::new();
    let unit = dwarf.units.add(Unit::new(encoding, files.program));
    let mut builder = Builder { unit: dwarf.units.get_mut(unit), symbols, files: ids, abstracts: HashMap::new() };
    builder.build(blob.code().len() as u32);

    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    dwarf.write(&mut sections)?;
    let mut list = Vec::new();
    sections.for_each(|id, data| -> Result<(), gimli::write::Error> {
        if !data.slice().is_empty() {
            list.push((id.name(), data.slice().to_vec()));
        }
        Ok(())
    })?;
    Ok(list)
}

/// The line program with its files.
struct Files {
    program: LineProgram,
    ids: Vec<FileId>,
}

impl Files {
    fn new(encoding: Encoding, symbols: &Symbols) -> Files {
        let string = |text: &str| LineString::String(text.as_bytes().to_vec());
        let first = symbols.files().first().map_or("unknown", String::as_str);
        let mut program = LineProgram::new(encoding, LineEncoding::default(), string("."), None, string(first), None);
        let ids = symbols
            .files()
            .iter()
            .map(|path| match path.rsplit_once('/') {
                Some((folder, name)) if !name.is_empty() => {
                    let folder = program.add_directory(string(if folder.is_empty() { "/" } else { folder }));
                    program.add_file(string(name), folder, None)
                }
                _ => {
                    let folder = program.default_directory();
                    program.add_file(string(if path.is_empty() { "unknown" } else { path }), folder, None)
                }
            })
            .collect();
        Files { program, ids }
    }
}

/// The line of each piece of code: that of the innermost function whose place is known. Code without one, which compilers
/// make of their own, belongs to the line before it.
fn lines(files: &mut Files, symbols: &Symbols) {
    let program = &mut files.program;
    // The start and end of the sequence that is being written.
    let mut current: Option<(u32, u32)> = None;
    for region in symbols.regions() {
        if let Some((start, last)) = current.filter(|(_, last)| *last != region.range.start) {
            program.end_sequence((last - start).into());
            current = None;
        }
        let known = |place: &&Place| place.line > 0 && place.file.is_some();
        let place = region.places.iter().rev().find(known);
        let file = place.and_then(|place| files.ids.get(place.file? as usize));
        if let (Some(place), Some(file)) = (place, file) {
            let start = match current {
                Some((start, _)) => start,
                None => {
                    program.begin_sequence(Some(Address::Constant(region.range.start.into())));
                    region.range.start
                }
            };
            let row = program.row();
            row.address_offset = (region.range.start - start).into();
            row.file = *file;
            row.line = place.line.into();
            row.column = place.column.into();
            row.is_statement = true;
            program.generate_row();
            current = Some((start, region.range.end));
        } else if let Some((start, _)) = current {
            current = Some((start, region.range.end));
        }
    }
    if let Some((start, last)) = current {
        program.end_sequence((last - start).into());
    }
}

struct Builder<'a> {
    unit: &'a mut Unit,
    symbols: &'a Symbols,
    files: Vec<FileId>,
    /// The entry that describes what inlined calls of a function have in common.
    abstracts: HashMap<u32, UnitEntryId>,
}

impl Builder<'_> {
    fn build(&mut self, end: u32) {
        let root = self.unit.root();
        let text = |text: &str| AttributeValue::String(text.as_bytes().to_vec());
        let first = self.symbols.files().first().map_or("unknown", String::as_str);
        let entry = self.unit.get_mut(root);
        entry.set(gimli::DW_AT_producer, text(PRODUCER));
        // What names look like, and how expressions are read.
        let is_rust = self.symbols.files().iter().any(|file| file.ends_with(".rs"));
        let language = if is_rust { gimli::DW_LANG_Rust } else { gimli::DW_LANG_C99 };
        entry.set(gimli::DW_AT_language, AttributeValue::Language(language));
        entry.set(gimli::DW_AT_name, text(first));
        entry.set(gimli::DW_AT_comp_dir, text("."));
        entry.set(gimli::DW_AT_stmt_list, AttributeValue::LineProgramRef);
        entry.set(gimli::DW_AT_low_pc, AttributeValue::Address(Address::Constant(0)));
        entry.set(gimli::DW_AT_high_pc, AttributeValue::Udata(end.into()));

        // The regions of each function, in their order.
        let mut functions: BTreeMap<u32, Vec<&Region>> = BTreeMap::new();
        for region in self.symbols.regions() {
            if let Some(place) = region.places.first() {
                functions.entry(place.function).or_default().push(region);
            }
        }
        for (function, regions) in functions {
            let entry = self.unit.add(root, gimli::DW_TAG_subprogram);
            let name = text(self.symbols.function(function));
            self.unit.get_mut(entry).set(gimli::DW_AT_name, name);
            self.unit.get_mut(entry).set(gimli::DW_AT_external, AttributeValue::FlagPresent);
            if let Some((file, line)) = regions.first().and_then(|region| self.place(&region.places[0])) {
                self.unit.get_mut(entry).set(gimli::DW_AT_decl_file, AttributeValue::FileIndex(Some(file)));
                self.unit.get_mut(entry).set(gimli::DW_AT_decl_line, AttributeValue::Udata(line));
            }
            self.set_ranges(entry, &regions);
            self.inlined(entry, &regions, 1);
        }
    }

    fn place(&self, place: &Place) -> Option<(FileId, u64)> {
        let file = *self.files.get(place.file? as usize)?;
        (place.line > 0).then_some((file, place.line.into()))
    }

    /// Says what code an entry is for.
    fn set_ranges(&mut self, entry: UnitEntryId, regions: &[&Region]) {
        let mut ranges: Vec<std::ops::Range<u32>> = Vec::new();
        for region in regions {
            match ranges.last_mut() {
                Some(last) if last.end == region.range.start => last.end = region.range.end,
                _ => ranges.push(region.range.clone()),
            }
        }
        let address = |offset: u32| Address::Constant(offset.into());
        match ranges.as_slice() {
            [range] => {
                self.unit.get_mut(entry).set(gimli::DW_AT_low_pc, AttributeValue::Address(address(range.start)));
                self.unit.get_mut(entry).set(gimli::DW_AT_high_pc, AttributeValue::Udata(range.len() as u64));
            }
            ranges => {
                let list =
                    ranges.iter().map(|range| Range::StartEnd { begin: address(range.start), end: address(range.end) });
                let id = self.unit.ranges.add(RangeList(list.collect()));
                self.unit.get_mut(entry).set(gimli::DW_AT_ranges, AttributeValue::RangeListRef(id));
                if let Some(first) = ranges.first() {
                    let entry_pc = AttributeValue::Address(address(first.start));
                    self.unit.get_mut(entry).set(gimli::DW_AT_entry_pc, entry_pc);
                }
            }
        }
    }

    /// Adds the functions that were inlined at this depth, each call with those inlined into it.
    fn inlined(&mut self, parent: UnitEntryId, regions: &[&Region], depth: usize) {
        // A call is told by its place and by what it calls; its code may be in several pieces.
        let mut calls: Vec<((Place, u32), Vec<&Region>)> = Vec::new();
        let mut index: HashMap<(Place, u32), usize> = HashMap::new();
        for region in regions {
            if let (Some(place), Some(inner)) = (region.places.get(depth - 1), region.places.get(depth)) {
                let key = (*place, inner.function);
                let at = *index.entry(key).or_insert_with(|| {
                    calls.push((key, Vec::new()));
                    calls.len() - 1
                });
                calls[at].1.push(region);
            }
        }
        for ((place, function), regions) in calls {
            let origin = self.abstract_entry(function);
            let entry = self.unit.add(parent, gimli::DW_TAG_inlined_subroutine);
            self.unit.get_mut(entry).set(gimli::DW_AT_abstract_origin, AttributeValue::UnitRef(origin));
            self.set_ranges(entry, &regions);
            if let Some((file, line)) = self.place(&place) {
                self.unit.get_mut(entry).set(gimli::DW_AT_call_file, AttributeValue::FileIndex(Some(file)));
                self.unit.get_mut(entry).set(gimli::DW_AT_call_line, AttributeValue::Udata(line));
            }
            self.inlined(entry, &regions, depth + 1);
        }
    }

    fn abstract_entry(&mut self, function: u32) -> UnitEntryId {
        if let Some(entry) = self.abstracts.get(&function) {
            return *entry;
        }
        let root = self.unit.root();
        let entry = self.unit.add(root, gimli::DW_TAG_subprogram);
        let name = AttributeValue::String(self.symbols.function(function).as_bytes().to_vec());
        self.unit.get_mut(entry).set(gimli::DW_AT_name, name);
        self.unit.get_mut(entry).set(gimli::DW_AT_inline, AttributeValue::Inline(gimli::DW_INL_inlined));
        self.abstracts.insert(function, entry);
        entry
    }
}
