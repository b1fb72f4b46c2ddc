//! Raw sections of a blob, in order.
//!
//! For tools that process sections without interpreting them: listing, stripping, statistics. Assumes a blob that
//! [`super::Blob::parse`] accepts; from other bytes it yields as many sections as it can.

use super::varint;

/// Offset of the first section.
const HEADER: usize = 13;

/// A section of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawSection<'a> {
    /// Section id; never 0.
    pub id: u8,
    /// Its bytes.
    pub content: &'a [u8],
}

/// The sections of the blob in `bytes`, in order.
pub fn sections(bytes: &[u8]) -> RawSections<'_> {
    RawSections { rest: bytes.get(HEADER..).unwrap_or_default() }
}

/// Iterator over raw sections; see [`sections`].
#[derive(Clone, Copy, Debug)]
pub struct RawSections<'a> {
    rest: &'a [u8],
}

impl<'a> RawSections<'a> {
    /// The bytes after the end marker, once all sections were read. They have no meaning; writers write none.
    pub fn trailing(&self) -> &'a [u8] {
        match self.rest {
            [0, trailing @ ..] => trailing,
            _ => &[],
        }
    }
}

impl<'a> Iterator for RawSections<'a> {
    type Item = RawSection<'a>;

    fn next(&mut self) -> Option<RawSection<'a>> {
        let (&id, rest) = self.rest.split_first().filter(|(id, _)| **id != 0)?;
        let (length, size) = varint::read(rest).ok()?;
        let (content, rest) = rest.get(size..)?.split_at_checked(length as usize)?;
        self.rest = rest;
        Some(RawSection { id, content })
    }
}
