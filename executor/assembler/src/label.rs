//! Labels: positions in the code that jumps refer to before or after they are known. Kept by the assembler, which fills
//! in the displacements at the end. A label is a number, so a compiler can index its own arrays by it.

use crate::error::Error;
use alloc::vec::Vec;

/// A position in the code of one assembler, bound once. It is a number: the n-th label made is n - 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Label(u32);

impl Label {
    /// Returns the label with this number, for a compiler that makes many with
    /// [`new_labels`](crate::Assembler::new_labels) and counts itself.
    #[inline(always)]
    pub const fn from_number(number: u32) -> Label {
        Label(number)
    }

    /// The label's number.
    #[inline(always)]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Position of a 32-bit displacement in the code that can be patched later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PatchSite(pub(crate) u32);

impl PatchSite {
    /// Offset of the displacement field. The displacement counts from the field's end, four bytes later.
    pub const fn offset(self) -> u32 {
        self.0
    }
}

/// Maximum number of labels per assembler. One bit of a fixup's target encodes the width of the field, and the largest
/// remaining number is the invalid label.
pub(crate) const MAX_LABELS: u32 = SHORT - 1;

/// Flag in `Fixup::target`: the field has 8 bits, not 32.
const SHORT: u32 = 1 << 31;

const UNBOUND: u32 = u32::MAX;

/// A field to be filled in. It already holds an addend: minus the distance from its start to the end of its
/// instruction.
#[derive(Clone, Copy, Debug)]
struct Fixup {
    at: u32,
    target: u32,
}

#[derive(Default, Debug)]
pub(crate) struct Labels {
    offsets: Vec<u32>,
    fixups: Vec<Fixup>,
}

impl Labels {
    /// Makes `count` labels and returns the first.
    #[inline]
    pub(crate) fn make(&mut self, count: u32) -> Result<Label, Error> {
        let first = self.offsets.len() as u32;
        if count > MAX_LABELS - first {
            return Err(Error::TooManyLabels { limit: MAX_LABELS });
        }
        self.offsets.resize(first as usize + count as usize, UNBOUND);
        Ok(Label(first))
    }

    #[inline(always)]
    pub(crate) fn bind(&mut self, label: Label, at: u32) -> Result<(), Error> {
        let count = self.offsets.len() as u32;
        match self.offsets.get_mut(label.0 as usize) {
            Some(offset) if *offset == UNBOUND => {
                *offset = at;
                Ok(())
            }
            Some(&mut first) => Err(Error::LabelBoundTwice { label: label.0, first, second: at }),
            None => Err(Error::UnknownLabel { label: label.0, count }),
        }
    }

    /// Makes a label unbound again.
    pub(crate) fn unbind(&mut self, label: Label) {
        if let Some(offset) = self.offsets.get_mut(label.0 as usize) {
            *offset = UNBOUND;
        }
    }

    /// Drops all references but the first `count`.
    pub(crate) fn truncate_fixups(&mut self, count: usize) {
        self.fixups.truncate(count);
    }

    /// Number of pending references.
    pub(crate) fn fixups(&self) -> usize {
        self.fixups.len()
    }

    /// Returns the label's offset, if it is bound. Also `None` for a label that doesn't exist: its fixup will report
    /// that.
    #[inline(always)]
    pub(crate) fn offset(&self, label: Label) -> Option<u32> {
        self.offsets.get(label.0 as usize).copied().filter(|&offset| offset != UNBOUND)
    }

    /// Records that the distance to `label` is to be added to the 32-bit field at `at`.
    #[inline(always)]
    pub(crate) fn fix32(&mut self, label: Label, at: u32) {
        self.fixups.push(Fixup { at, target: label.0.min(MAX_LABELS) });
    }

    /// Records that the distance to `label` is to be added to the 8-bit field at `at`.
    #[inline(always)]
    pub(crate) fn fix8(&mut self, label: Label, at: u32) {
        self.fixups.push(Fixup { at, target: label.0.min(MAX_LABELS) | SHORT });
    }

    pub(crate) fn reserve(&mut self, labels: usize, fixups: usize) {
        self.offsets.reserve(labels);
        self.fixups.reserve(fixups);
    }

    pub(crate) fn clear(&mut self) {
        self.offsets.clear();
        self.fixups.clear();
    }

    /// Fills in all pending fields. After an error the code is only partly filled in, and unusable.
    pub(crate) fn resolve(&mut self, code: &mut [u8]) -> Result<(), Error> {
        let length = code.len() as u32;
        for Fixup { at, target } in self.fixups.drain(..) {
            let label = target & !SHORT;
            let offset = match self.offsets.get(label as usize) {
                Some(&UNBOUND) => return Err(Error::UnboundLabel { label, offset: at }),
                Some(&offset) => offset,
                None => return Err(Error::UnknownLabel { label, count: self.offsets.len() as u32 }),
            };
            let way = i64::from(offset) - i64::from(at);
            let field = code.get_mut(at as usize..).unwrap_or_default();
            if target & SHORT != 0 {
                let field = field.first_mut().ok_or(Error::UnknownPatchSite { offset: at, length })?;
                let displacement = way + i64::from(field.cast_signed());
                let out_of_range = |_| Error::DisplacementOutOfRange { offset: at, displacement, bits: 8 };
                *field = i8::try_from(displacement).map_err(out_of_range)?.cast_unsigned();
            } else {
                let field = field.first_chunk_mut().ok_or(Error::UnknownPatchSite { offset: at, length })?;
                let displacement = way + i64::from(i32::from_le_bytes(*field));
                let out_of_range = |_| Error::DisplacementOutOfRange { offset: at, displacement, bits: 32 };
                *field = i32::try_from(displacement).map_err(out_of_range)?.to_le_bytes();
            }
        }
        Ok(())
    }
}
