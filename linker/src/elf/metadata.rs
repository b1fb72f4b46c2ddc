//! Records of guests: the exports of a guest and the host functions that it calls (docs/linking.md#records-of-guests).
//!
//! `polkavm-derive` and our own SDK write the same records. All pointers in them are relocations, whose fields' own
//! bytes are ignored.

use super::{ElfError, Image, Link, SectionKind, SectionOffset};

/// A function that the host can call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// Its name.
    pub symbol: Vec<u8>,
    /// Its code.
    pub place: SectionOffset,
    /// Number of result registers that it writes, up to 2.
    pub outputs: u8,
}

/// A host function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// Its name.
    pub symbol: Vec<u8>,
    /// Number of argument registers that it reads, up to 9.
    pub inputs: u8,
    /// Number of result registers that it writes, up to 2.
    pub outputs: u8,
    /// Its number, if the guest specifies one.
    pub index: Option<u32>,
}

/// Maximum number of argument and result registers of a host function.
const INPUTS: u8 = 9;
const OUTPUTS: u8 = 2;

/// Reads a record field by field.
struct Reader<'a> {
    image: &'a Image,
    place: SectionOffset,
}

impl Reader<'_> {
    fn error(&self, what: impl Into<String>) -> ElfError {
        ElfError::Metadata { place: self.image.describe(self.place), what: what.into() }
    }

    fn take(&mut self, count: u64) -> Result<&[u8], ElfError> {
        let section = self.image.section(self.place.section);
        let start = usize::try_from(self.place.offset).ok();
        let bytes = start.and_then(|start| section.data.get(start..start.checked_add(count as usize)?));
        let Some(bytes) = bytes else {
            return Err(
                self.error(format!("a record for the linker needs {count} bytes here, the section ends before"))
            );
        };
        self.place.offset += count as i64;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, ElfError> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, ElfError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn pointer(&mut self) -> Result<SectionOffset, ElfError> {
        let place = self.place;
        let bytes = self.take(if self.image.wide { 8 } else { 4 })?;
        let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        let link = self.image.section(place.section).relocations.pointer(place.offset as u64);
        match link {
            Some(Link::Defined(target)) => Ok(*target),
            Some(Link::Undefined(name)) => {
                Err(ElfError::Metadata { place: self.image.describe(place), what: format!("undefined symbol {name}") })
            }
            Some(Link::Refused(why)) => {
                Err(ElfError::Metadata { place: self.image.describe(place), what: why.clone() })
            }
            // Linkers drop the relocations of sections that are not loaded; the bytes there are final.
            None if let Some(target) = self.image.linked_pointer(value) => Ok(target),
            _ => Err(ElfError::Metadata {
                place: self.image.describe(place),
                what: "a record for the linker has a pointer without a relocation here (link with --emit-relocs)"
                    .into(),
            }),
        }
    }
}

impl Image {
    /// Resolves a pointer in a record of a linked file: to an address in memory, or to an offset in a section that is
    /// not loaded. All such sections begin at 0, so the pointer must match only one.
    fn linked_pointer(&self, value: u64) -> Option<SectionOffset> {
        if !self.linked {
            return None;
        }
        self.place_at(value).or_else(|| {
            let offset = i64::try_from(value).ok()?;
            let places = (0u32..).zip(&self.sections).filter(|(index, section)| {
                let named = || {
                    self.symbols.iter().any(|symbol| {
                        super::is_name(&symbol.name) && symbol.place == SectionOffset { section: *index, offset }
                    })
                };
                let expected = super::sections::is(&section.name, ".polkavm_metadata");
                !section.is_loaded && value < section.data.len() as u64 && (expected || named())
            });
            let mut places = places.map(|(section, _)| SectionOffset { section, offset });
            places.next().filter(|_| places.next().is_none())
        })
    }

    /// Reads the record of a host function.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn import(&self, place: SectionOffset) -> Result<Import, ElfError> {
        let mut reader = Reader { image: self, place };
        let version = reader.u8()?;
        if !matches!(version, 1 | 2) {
            return Err(reader.error(format!("metadata of version {version}, 1 and 2 are known")));
        }
        let flags = reader.u32()?;
        if flags != 0 {
            return Err(reader.error(format!("metadata with flags {flags:#x}, 0 is known")));
        }
        let length = reader.u32()?;
        let name = reader.pointer()?;
        let (inputs, outputs) = (reader.u8()?, reader.u8()?);
        if inputs > INPUTS || outputs > OUTPUTS {
            return Err(reader.error(format!(
                "{inputs} argument and {outputs} result registers, the limits are {INPUTS} and {OUTPUTS}"
            )));
        }
        let index = if version == 2 {
            let has_index = reader.u8()? != 0;
            let index = reader.u32()?;
            has_index.then_some(index)
        } else {
            None
        };
        let symbol = Reader { image: self, place: name }.take(length.into())?.to_vec();
        Ok(Import { symbol, inputs, outputs, index })
    }

    pub(super) fn read_exports(&self) -> Result<Vec<Export>, ElfError> {
        let mut exports = Vec::new();
        for (index, section) in self.sections.iter().enumerate() {
            if section.kind != SectionKind::Linker || !super::sections::is(&section.name, ".polkavm_exports") {
                continue;
            }
            let mut reader = Reader { image: self, place: SectionOffset { section: index as u32, offset: 0 } };
            while (reader.place.offset as u64) < section.data.len() as u64 {
                let version = reader.u8()?;
                if version != 1 {
                    return Err(reader.error(format!("an export record of version {version}, 1 is known")));
                }
                let metadata = reader.pointer()?;
                let place = reader.pointer()?;
                let Import { symbol, outputs, .. } = self.import(metadata)?;
                exports.push(Export { symbol, place, outputs });
            }
        }
        Ok(exports)
    }
}
