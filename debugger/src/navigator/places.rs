//! Code offsets of lines, functions and host functions by name.

use super::Navigator;
use crate::symbols::{Place, Region, Symbols};
use std::collections::BTreeSet;

impl Navigator {
    /// The code offsets at which a line begins, in any of these files; that of the next line that has code if this one has
    /// none. Returns the line and the offsets.
    pub fn offsets_of_line(&self, files: &[u32], line: u32) -> Option<(u32, BTreeSet<u32>)> {
        let is_in = |place: &Place| place.file.is_some_and(|file| files.contains(&file)) && place.line >= line;
        let places = self.symbols.regions().iter().flat_map(|region| &region.places);
        let line = places.filter(|place| is_in(place)).map(|place| place.line).min()?;
        Some((line, starts(&self.symbols, |place| is_in(place) && place.line == line, |a, b| a == b)))
    }

    /// The code offsets at which a function begins, also those of its inlined copies. The name may lack its namespace.
    pub fn offsets_of_function(&self, name: &str) -> BTreeSet<u32> {
        let is_named = |full: &str| full == name || full.rsplit("::").next() == Some(name);
        let exports = self.symbols.exports().iter().filter(|(_, export)| *export == name);
        let mut offsets: BTreeSet<u32> = exports.map(|(offset, _)| *offset).collect();
        let is_it = |place: &Place| is_named(self.symbols.function(place.function));
        let mut called = BTreeSet::new();
        let mut parts = BTreeSet::new();
        for region in self.symbols.regions() {
            if region.places.first().is_some_and(is_it) {
                called.extend(self.unwinder.called_in(region.range.clone()));
                parts.insert(region.range.start);
            }
        }
        // Code of a function may be in several parts, and what is called is its beginning.
        match called.is_empty() {
            true => offsets.extend(parts.first()),
            false => offsets.extend(called),
        }
        let inlined = starts(&self.symbols, is_it, |a, b| a.function == b.function);
        offsets.extend(inlined.into_iter().filter(|offset| {
            let places = self.symbols.region(*offset).map(|region| region.places.as_slice());
            places.is_some_and(|places| !is_it(&places[0]))
        }));
        offsets
    }

    /// The number of the host function with this name.
    pub fn import(&self, name: &str) -> Option<u32> {
        let position = self.machine.program().imports().position(|import| import == Some(name.as_bytes()))?;
        u32::try_from(position).ok()
    }

    /// The first instruction that begins at an offset or after it.
    pub fn instruction_at(&self, offset: u32) -> Option<u32> {
        let code = self.machine.program().code();
        (offset..code.len()).find(|offset| code.is_instruction_start(*offset))
    }
}

/// The starts of connected code for which one of the functions that it belongs to is at such a place.
fn starts(symbols: &Symbols, wanted: impl Fn(&Place) -> bool, same: impl Fn(&Place, &Place) -> bool) -> BTreeSet<u32> {
    let mut starts = BTreeSet::new();
    let mut before: Option<&Region> = None;
    for region in symbols.regions() {
        let connected = before.filter(|before| before.range.end == region.range.start);
        for (depth, place) in region.places.iter().enumerate().filter(|(_, place)| wanted(place)) {
            let continues = connected.is_some_and(|before| {
                before.places.get(depth).is_some_and(|other| same(other, place))
                    && before.places.iter().zip(&region.places).take(depth).all(|(a, b)| a == b)
            });
            if !continues {
                starts.insert(region.range.start);
            }
        }
        before = Some(region);
    }
    starts
}
