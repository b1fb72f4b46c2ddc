//! Hash of memory: fast, the same everywhere, and not cryptographic. Called at every stop for every page.

/// Adds a page to the hash of a memory. Zero pages do not count, so that the result does not depend on which pages
/// exist.
pub fn add_page(sum: &mut u64, address: u32, page: &[u8]) {
    if page.iter().fold(0, |any, byte| any | byte) == 0 {
        return;
    }
    let mut state = [u64::from(address), 1, 2, 3];
    for chunk in page.chunks_exact(32) {
        for (lane, word) in state.iter_mut().zip(chunk.chunks_exact(8)) {
            let word = word.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            *lane = (*lane ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
    let mixed = state.iter().fold(0u64, |all, lane| (all ^ lane).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31));
    // The order of pages does not matter, as the address is included.
    *sum = sum.wrapping_add(mixed);
}

/// Maximum number of bytes hashed per region.
pub const MOST: u32 = 0x4_0000;

/// Hashes a memory with these regions, which `read` reads; unreadable parts count as zeros.
pub fn memory(regions: &[(u32, u32)], mut read: impl FnMut(u32, &mut [u8]) -> bool) -> u64 {
    let mut sum = 0;
    // In parts of several pages, as an engine may know quickly that a part is empty.
    let mut part = [0; 0x4000];
    for (from, to) in regions {
        let to = *to.min(&from.saturating_add(MOST));
        for start in (*from..to).step_by(part.len()) {
            let part = &mut part[..(to - start).min(0x4000) as usize];
            if !read(start, part) {
                continue;
            }
            for (address, page) in (start..).step_by(0x1000).zip(part.chunks_exact(0x1000)) {
                add_page(&mut sum, address, page);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{MOST, add_page, memory};

    fn hash(pages: &[(u32, u8, usize)]) -> u64 {
        let mut sum = 0;
        for (address, byte, at) in pages {
            let mut page = [0; 0x1000];
            page[*at] = *byte;
            add_page(&mut sum, *address, &page);
        }
        sum
    }

    #[test]
    fn every_byte_its_place_and_its_page_count_but_empty_pages_do_not() {
        let one = hash(&[(0x1000, 1, 5)]);
        assert_ne!(one, 0);
        assert_eq!(one, hash(&[(0x3000, 0, 0), (0x1000, 1, 5)]));
        for other in [(0x1000, 2, 5), (0x1000, 1, 6), (0x1000, 1, 37), (0x2000, 1, 5), (0x1000, 1, 0xfff)] {
            assert_ne!(one, hash(&[other]), "{other:?}");
        }
        assert_eq!(hash(&[(0x1000, 1, 0), (0x2000, 2, 0)]), hash(&[(0x2000, 2, 0), (0x1000, 1, 0)]));
    }

    #[test]
    fn a_memory_is_the_sum_of_its_pages_and_counts_no_more_than_the_first_of_a_long_region() {
        let regions = [(0x1000, 0x2000), (0x8000, 0x8000 + MOST + 0x2000)];
        let with = |changed: u32| {
            memory(&regions, |start, part| {
                assert!(regions.iter().any(|(from, to)| *from <= start && start as usize + part.len() <= *to as usize));
                part.fill(0);
                if let Some(byte) = changed.checked_sub(start).and_then(|at| part.get_mut(at as usize)) {
                    *byte = 7;
                }
                true
            })
        };
        assert_eq!(with(0), 0);
        assert_eq!(with(0x8000 + MOST), 0);
        for at in [0x1000, 0x1fff, 0x8000, 0xbfff, 0xc000, 0x8000 + MOST - 1] {
            assert_eq!(with(at), hash(&[(at & !0xfff, 7, at as usize & 0xfff)]), "{at:#x}");
        }
        assert_eq!(memory(&regions, |_, _| false), 0);
    }
}
