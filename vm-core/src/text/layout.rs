//! Code layout: assigns offsets to items and emits their bytes.
//!
//! The last step of the assembler. Jump offsets start empty and grow until all fit, as in [`crate::isa::assemble`], but
//! an item may also be raw bytes, and a jump may have a fixed width.

use super::lexer::Position;
use super::operand::has_target;
use super::{TextError, TextErrorKind};
use crate::isa::{self, Instruction, Isa};
use crate::limits;
use alloc::vec::Vec;

/// Target of a jump.
#[derive(Clone, Copy, Debug)]
pub(super) enum JumpTarget {
    /// An item, or the end.
    Item(usize),
    /// A code offset, independent of the items.
    Offset(u32),
}

/// A piece of code.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Instruction {
        instruction: Instruction,
        jump_target: JumpTarget,
        width: Option<u8>,
        position: Position,
    },
    /// This many of the raw bytes.
    Raw {
        count: usize,
    },
}

/// Finished code.
#[derive(Clone, Debug, Default)]
pub(super) struct LaidOutCode {
    pub bytes: Vec<u8>,
    pub bitmask: Vec<u8>,
    /// The offset of each item, followed by the code's length.
    pub offsets: Vec<u32>,
}

impl LaidOutCode {
    pub(super) fn offset(&self, jump_target: JumpTarget) -> u32 {
        match jump_target {
            JumpTarget::Offset(offset) => offset,
            JumpTarget::Item(index) => self.offsets.get(index).copied().unwrap_or_default(),
        }
    }

    fn push(&mut self, byte: u8, starts: bool) {
        let bit = self.bytes.len() % 8;
        if bit == 0 {
            self.bitmask.push(0);
        }
        if let (true, Some(last)) = (starts, self.bitmask.last_mut()) {
            *last |= 1 << bit;
        }
        self.bytes.push(byte);
    }
}

/// Minimum number of bytes from which sign extension restores `value`.
pub(super) const fn width_of(value: i32) -> u8 {
    let bits = 33 - (if value < 0 { !value } else { value }).leading_zeros();
    if value == 0 { 0 } else { bits.div_ceil(8) as u8 }
}

/// Lays out `items`. `raw` holds the raw bytes of all of them with their mask bits.
pub(super) fn lay_out(
    isa: Isa,
    items: &[Item],
    raw: &[(u8, bool)],
    position: Position,
) -> Result<LaidOutCode, TextError> {
    // All instructions without their jump offsets, which come last in each: a jump to itself has an empty one.
    let mut alone = Vec::new();
    for item in items {
        if let Item::Instruction { instruction, position, .. } = item {
            if isa.number(instruction.opcode).is_none() {
                let mnemonic = instruction.opcode.spec().mnemonic;
                return Err(position.error(TextErrorKind::NotInIsa { mnemonic, isa }));
            }
            alone.push(Instruction { target: alone.len() as u32, ..*instruction });
        }
    }
    let too_long = |actual| {
        let limit = u64::from(limits::FORMAT_CODE_BYTES);
        position.error(TextErrorKind::TooLong { what: "code in bytes", actual, limit })
    };
    // All other errors were checked for above.
    let base = isa::assemble(isa, &alone).map_err(|_| too_long(u64::MAX))?;
    let mut base_ends = base.offsets.windows(2).map(|pair| pair.first().copied().zip(pair.last().copied()));
    let mut lengths = Vec::with_capacity(items.len());
    for item in items {
        lengths.push(match item {
            Item::Raw { count } => *count as u32,
            Item::Instruction { .. } => base_ends.next().flatten().map_or(0, |(start, end)| end - start),
        });
    }

    let mut widths: Vec<u8> = items
        .iter()
        .map(|item| if let Item::Instruction { width: Some(width), .. } = item { *width } else { 0 })
        .collect();
    let mut code = LaidOutCode { offsets: alloc::vec![0; items.len() + 1], ..LaidOutCode::default() };
    loop {
        let mut end = 0u64;
        for ((length, width), offset) in lengths.iter().zip(&widths).zip(code.offsets.iter_mut().skip(1)) {
            end += u64::from(*length) + u64::from(*width);
            // A value that does not fit is refused before it is used.
            *offset = end as u32;
        }
        if end > u64::from(limits::FORMAT_CODE_BYTES) {
            return Err(too_long(end));
        }
        let mut grown = false;
        for (index, item) in items.iter().enumerate() {
            if let Item::Instruction { instruction, jump_target, width: None, .. } = item
                && has_target(instruction.format())
                && let (Some(start), Some(width)) = (code.offsets.get(index), widths.get_mut(index))
            {
                let needed = width_of(code.offset(*jump_target).wrapping_sub(*start) as i32);
                grown |= needed > *width;
                *width = needed.max(*width);
            }
        }
        if !grown {
            break;
        }
    }

    let (mut base_bytes, mut raw) = (base.code.iter(), raw.iter());
    for (index, (item, (length, width))) in items.iter().zip(lengths.iter().zip(&widths)).enumerate() {
        match item {
            Item::Raw { count } => raw.by_ref().take(*count).for_each(|(byte, starts)| code.push(*byte, *starts)),
            Item::Instruction { instruction, jump_target, position, .. } => {
                for (position, byte) in base_bytes.by_ref().take(*length as usize).enumerate() {
                    code.push(*byte, position == 0);
                }
                let start = code.offsets.get(index).copied().unwrap_or_default();
                let distance = code.offset(*jump_target).wrapping_sub(start) as i32;
                if !has_target(instruction.format()) {
                    continue;
                }
                if width_of(distance) > *width {
                    return Err(position.error(TextErrorKind::JumpTooFar { distance, width: *width }));
                }
                distance.to_le_bytes().iter().take(usize::from(*width)).for_each(|byte| code.push(*byte, false));
            }
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_the_least_that_sign_extension_undoes() {
        for value in [0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 0x7f_ffff, 0x80_0000, i32::MIN] {
            let restores = |width: u8| {
                let shift = 32 - 8 * u32::from(width);
                if width == 0 { value == 0 } else { (value << shift) >> shift == value }
            };
            let width = width_of(value);
            assert!(restores(width) && (width == 0 || !restores(width - 1)), "{value}: {width}");
        }
    }
}
