//! Static constructors: the functions that `.preinit_array`, `.init_array` and `.ctors` point to.
//!
//! On other platforms startup code calls them. A guest has none, so the linker makes its exports call them: see
//! `ir::constructors`. A program with startup code of its own refers to these sections, and calls the functions itself.

use super::{ElfError, Image, Link, Section as ElfSection, SectionKind, SectionOffset, sections};

/// A section of pointers to constructors.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// Its index in the file.
    index: u32,
    /// The functions, in the order in which they are called.
    functions: Vec<Link>,
}

/// Priority of a section of constructors: lower numbers are called first.
fn rank(name: &str) -> Option<(u8, u32)> {
    let priority = |rest: &str| rest.strip_prefix('.').and_then(|number| number.parse::<u32>().ok());
    // Sections without a number are the last.
    const LAST: u32 = 65536;
    if sections::is(name, ".preinit_array") {
        return Some((0, 0));
    }
    if let Some(rest) = name.strip_prefix(".init_array").filter(|_| sections::is(name, ".init_array")) {
        return Some((1, priority(rest).unwrap_or(LAST)));
    }
    let rest = name.strip_prefix(".ctors").filter(|_| sections::is(name, ".ctors"))?;
    Some((1, priority(rest).map_or(LAST, |number| 65535u32.saturating_sub(number))))
}

impl Image {
    /// Finds the constructors, and reserves the variable that records whether they have run.
    pub(super) fn read_constructors(&mut self) -> Result<(), ElfError> {
        let mut found: Vec<((u8, u32), Section)> = Vec::new();
        for (index, section) in self.sections.iter().enumerate() {
            let Some(rank) = rank(&section.name).filter(|_| section.kind == SectionKind::ReadOnly) else { continue };
            let mut functions = self.pointers(index as u32, section)?;
            if sections::is(&section.name, ".ctors") {
                functions.reverse();
            }
            if !functions.is_empty() {
                found.push((rank, Section { index: index as u32, functions }));
            }
        }
        found.sort_by_key(|(rank, section)| (*rank, section.index));
        self.constructors = found.into_iter().map(|(_, section)| section).collect();
        if !self.constructors.is_empty() {
            let name = "the variable that tells whether constructors have run";
            self.constructors_done = Some(self.reserve(name, 4, 4)?);
        }
        Ok(())
    }

    /// Returns the functions that a section points to. Skips zeros and all-ones, which some linkers put at the ends.
    fn pointers(&self, index: u32, section: &ElfSection) -> Result<Vec<Link>, ElfError> {
        let width = if self.wide { 8 } else { 4 };
        let mut out = Vec::new();
        for offset in (0..section.size).step_by(width) {
            if let Some(link) = section.relocations.pointer(offset) {
                out.push(link.clone());
                continue;
            }
            let start = offset as usize;
            let bytes = section.data.get(start..start + width).unwrap_or_default();
            let is_end = bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff);
            if !is_end || section.relocations.has_data(offset) {
                let place = self.describe(SectionOffset { section: index, offset: offset as i64 });
                let what =
                    "a constructor that is no plain pointer with a relocation (link with --emit-relocs)".to_owned();
                return Err(ElfError::Metadata { place, what });
            }
        }
        Ok(out)
    }

    /// The constructors in the order of their calls, each with the index of its section.
    pub fn constructors(&self) -> impl Iterator<Item = (u32, &Link)> {
        self.constructors.iter().flat_map(|section| section.functions.iter().map(|link| (section.index, link)))
    }

    /// The variable of 4 bytes, initially zero, that records whether constructors have run; `None` if there are none.
    pub fn constructors_done(&self) -> Option<SectionOffset> {
        self.constructors_done
    }
}
