//! Jump widths that the listing has to state explicitly.
//!
//! The assembler gives each jump offset the fewest bytes, starting from none. A linker may have chosen another width,
//! for one jump or because other jumps made room. The listing states those widths explicitly, so that it assembles to
//! the same bytes.

use super::layout::width_of;
use alloc::vec::Vec;

/// A jump of a blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jump {
    pub offset: u32,
    pub target: u32,
    /// Width of its offset in bytes.
    pub width: u8,
    /// True if its target is written as a label, and so moves with the code.
    pub is_label: bool,
}

/// Returns, for each of `jumps` in the order of their offsets, whether its width must be stated.
pub(super) fn stated(jumps: &[Jump]) -> Vec<bool> {
    let mut stated = alloc::vec![false; jumps.len()];
    // Stating the widths that come out differently moves the other jumps, usually to their original places.
    for _ in 0..2 {
        let mut same = true;
        for ((jump, width), is_stated) in jumps.iter().zip(assembled(jumps, &stated)).zip(&mut stated) {
            let differs = width != jump.width;
            *is_stated |= differs;
            same &= !differs;
        }
        if same {
            return stated;
        }
    }
    alloc::vec![true; jumps.len()]
}

/// Returns the widths that the assembler would choose; follows [`super::layout::lay_out`].
fn assembled(jumps: &[Jump], stated: &[bool]) -> Vec<u8> {
    let mut widths: Vec<u8> =
        jumps.iter().zip(stated).map(|(jump, stated)| if *stated { jump.width } else { 0 }).collect();
    // Number of jumps before each target.
    let before: Vec<usize> =
        jumps.iter().map(|jump| jumps.partition_point(|other| other.offset < jump.target)).collect();
    let mut shifts = alloc::vec![0u32; jumps.len() + 1];
    loop {
        let mut shift = 0u32;
        for ((jump, width), at) in jumps.iter().zip(&widths).zip(shifts.iter_mut().skip(1)) {
            shift = shift.wrapping_add(u32::from(*width)).wrapping_sub(u32::from(jump.width));
            *at = shift;
        }
        let shift_at = |index: usize| shifts.get(index).copied().unwrap_or_default();
        let mut grown = false;
        for (index, (jump, width)) in jumps.iter().zip(&mut widths).enumerate() {
            let start = jump.offset.wrapping_add(shift_at(index));
            let moved = before.get(index).filter(|_| jump.is_label).map_or(0, |count| shift_at(*count));
            let needed = width_of(jump.target.wrapping_add(moved).wrapping_sub(start) as i32);
            if needed > *width && !stated.get(index).copied().unwrap_or_default() {
                *width = needed;
                grown = true;
            }
        }
        if !grown {
            return widths;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_widths_that_are_not_the_least_are_stated() {
        let jump = |offset, target, width| Jump { offset, target, width, is_label: true };
        assert_eq!(stated(&[jump(0, 10, 1), jump(5, 5, 0)]), [false, false]);
        assert_eq!(stated(&[jump(0, 10, 4), jump(5, 9, 1)]), [true, false]);
    }

    #[test]
    fn a_jump_to_a_fixed_place_is_stated_if_it_looked_farther_on_the_way() {
        // Before the first one has grown, the second one is at 1, and 130 is more than 127 away.
        let first = Jump { offset: 0, target: 300, width: 2, is_label: true };
        let second = Jump { offset: 3, target: 130, width: 1, is_label: false };
        assert_eq!(stated(&[first, second]), [false, true]);
    }

    #[test]
    fn jumps_that_make_each_other_long_are_stated_too() {
        // Each is 2 bytes wide only because the other one is: at 1 byte the distances are 127 and -128.
        let jumps = [(0, 128, 2), (125, 253, 2)];
        let jumps = jumps.map(|(offset, target, width)| Jump { offset, target, width, is_label: true });
        assert_eq!(stated(&jumps).iter().filter(|stated| **stated).count(), 2);
    }
}
