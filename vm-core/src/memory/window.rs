//! Window: the contiguous part of a memory region, around the first page that was used and growing with use.
//!
//! Owned by the paged memory, which fills it. An access costs one comparison. The number of pages is a power of two, so
//! that an allocator that rounds up to those wastes nothing.

use super::paged::PAGE;
use alloc::vec::Vec;
use core::ops::Range;

/// Contiguous guest memory. All lengths and addresses are multiples of the page size.
#[derive(Clone, Default, Debug)]
pub(super) struct Window {
    bytes: Vec<u8>,
    /// Address of the first byte.
    base: u32,
    /// Number of pages in use in the ranges that the window would gain next, below and above.
    used: [u32; 2],
}

impl Window {
    pub fn pages(&self) -> usize {
        self.bytes.len() / PAGE
    }

    /// Returns the `N` bytes at `address`, if the window contains all of them.
    #[inline(always)]
    pub fn get<const N: usize>(&self, address: u32) -> Option<&[u8; N]> {
        let offset = address.wrapping_sub(self.base) as usize;
        self.bytes.get(offset..offset.wrapping_add(N))?.first_chunk()
    }

    /// As [`Self::get`], mutable.
    #[inline(always)]
    pub fn get_mut<const N: usize>(&mut self, address: u32) -> Option<&mut [u8; N]> {
        let offset = address.wrapping_sub(self.base) as usize;
        self.bytes.get_mut(offset..offset.wrapping_add(N))?.first_chunk_mut()
    }

    /// Returns the page at `address`, if the window contains it.
    pub fn page(&self, address: u32) -> Option<&[u8; PAGE]> {
        self.get::<PAGE>(address)
    }

    /// All pages with their addresses.
    pub fn all_pages(&self) -> impl Iterator<Item = (u32, &[u8; PAGE])> {
        (self.base..).step_by(PAGE).zip(self.bytes.as_chunks().0)
    }

    /// As [`Self::page`], mutable.
    pub fn page_mut(&mut self, address: u32) -> Option<&mut [u8; PAGE]> {
        self.get_mut::<PAGE>(address)
    }

    /// Returns the ranges in a region that the window would gain next, below and above: each as long as the window, or
    /// empty if there is no room for that.
    fn growth(&self, region: &Range<u32>) -> [Range<u32>; 2] {
        let (end, gain) = (self.base + self.bytes.len() as u32, self.bytes.len() as u32);
        let if_room = |room: u32| if room >= gain { gain } else { 0 };
        [self.base - if_room(self.base - region.start)..self.base, end..end + if_room(region.end - end)]
    }

    /// Counts another used page outside of the window. Returns the range that the window should gain now: because this
    /// page is the first one, or because half of the range is in use.
    pub fn use_page(&mut self, address: u32, region: &Range<u32>) -> Option<Range<u32>> {
        if self.bytes.is_empty() {
            self.base = address;
            return Some(address..address + PAGE as u32);
        }
        let side = usize::from(address > self.base);
        let gain = self.growth(region)[side].clone();
        if !gain.contains(&address) {
            return None;
        }
        self.used[side] += 1;
        self.is_worth(side, &gain).then_some(gain)
    }

    /// Returns the range that the window should gain next, after it has just grown.
    pub fn wanted(&self, region: &Range<u32>) -> Option<Range<u32>> {
        let [below, above] = self.growth(region);
        match (self.is_worth(0, &below), self.is_worth(1, &above)) {
            (true, _) => Some(below),
            (_, true) => Some(above),
            _ => None,
        }
    }

    /// True if half of the range to gain on this side is in use.
    fn is_worth(&self, side: usize, gain: &Range<u32>) -> bool {
        !gain.is_empty() && self.used[side] as usize * 2 * PAGE >= gain.len()
    }

    /// Extends the window by an adjacent range with its contents. `in_use` counts the used pages of a range; it is
    /// called for at most twice as many pages in total as the window gained.
    pub fn gain(&mut self, address: u32, contents: &[u8], region: &Range<u32>, in_use: impl Fn(&Range<u32>) -> u32) {
        let before = self.growth(region);
        // Doubles the size, as a vector would by itself, but to an exact capacity.
        self.bytes.reserve_exact(contents.len());
        if address < self.base {
            self.base = address;
            self.bytes.splice(..0, contents.iter().copied());
        } else {
            self.bytes.extend_from_slice(contents);
        }
        let after = self.growth(region);
        for (side, used) in self.used.iter_mut().enumerate() {
            if before[side] != after[side] {
                *used = in_use(&after[side]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const REGION: Range<u32> = 0x1000..0x9000;

    #[test]
    fn a_window_has_what_it_gained_and_nothing_beside_it() {
        let mut window = Window::default();
        assert!(window.get::<1>(0).is_none());
        assert_eq!(window.use_page(0x4000, &REGION), Some(0x4000..0x5000));
        window.gain(0x4000, &vec![7; PAGE], &REGION, |_| 0);
        window.gain(0x5000, &vec![8; PAGE], &REGION, |_| 0);
        window.gain(0x2000, &vec![6; 2 * PAGE], &REGION, |_| 0);
        assert_eq!((window.pages(), window.base), (4, 0x2000));
        assert_eq!(window.get(0x3fff), Some(&[6, 7]));
        assert_eq!(window.get(0x4fff), Some(&[7, 8]));
        assert_eq!(window.get(0x5ff8), Some(&[8; 8]));
        for outside in [0x1fff, 0x5ff9, 0x6000, 0, u32::MAX, u32::MAX - 7] {
            assert!(window.get::<8>(outside).is_none(), "{outside:#x}");
        }
    }

    #[test]
    fn a_window_grows_when_half_of_what_it_gains_is_in_use_and_not_beyond_its_region() {
        let mut window = Window::default();
        window.use_page(0x4000, &REGION);
        window.gain(0x4000, &vec![0; 2 * PAGE], &REGION, |_| 0);
        assert_eq!(window.growth(&REGION), [0x2000..0x4000, 0x6000..0x8000]);
        assert_eq!(window.use_page(0x1000, &REGION), None, "it is not what would be gained next");
        assert_eq!(window.use_page(0x2000, &REGION), Some(0x2000..0x4000));
        window.gain(0x2000, &vec![0; 2 * PAGE], &REGION, |range| range.len() as u32);
        assert_eq!(window.growth(&REGION), [0x2000..0x2000, 0x6000..0x6000], "four pages have no room on either side");
        assert_eq!(window.use_page(0x1000, &REGION), None);
        assert_eq!(window.use_page(0x8000, &REGION), None);
        assert_eq!(window.wanted(&REGION), None, "nothing is left");
    }
}
