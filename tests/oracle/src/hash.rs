//! A hash of memory: quick, the same everywhere, and no secret. Called at every stop for every page.

/// Adds a page to the hash of a memory; pages of zeros count as none, so that it does not matter which pages exist.
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
    // Order does not matter, as the address is in it.
    *sum = sum.wrapping_add(mixed);
}

#[cfg(test)]
mod tests {
    use super::add_page;

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
}
